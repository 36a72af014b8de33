import asyncio
from collections.abc import Callable, Iterator
from logging import WARNING
from pathlib import Path
from typing import Any

import pytest
import structlog
from e2e_office import Office


@pytest.fixture(autouse=True, scope="module")
def few_words() -> Iterator[None]:
    """Thousands of calls would each leave a line."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(WARNING))
    yield
    structlog.configure(**before)


@pytest.fixture
def offices(tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Makes offices and closes them; takes what `Office` takes."""
    made: list[Office] = []

    def make(**settings: Any) -> Office:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Office(folder, **settings))
        return made[-1]

    yield make
    for office in made:
        office.close()


@pytest.fixture(scope="module")
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One office for the module's tests, after its backfill, with as many `PAIRS` as the module says.

    Who needs a pair of records takes one of their own.
    """
    pairs: int = request.module.PAIRS
    made = Office(tmp_path_factory.mktemp("office"), nexudus=pairs + 6, crm=pairs + 4, shared=pairs)
    asyncio.run(made.quiet())
    yield made
    made.close()


@pytest.fixture
def pair(office: Office) -> tuple[int, str]:
    """A Nexudus id and a CRM id that are linked, say the same, and were in no other test's hands."""
    return office.free.pop()
