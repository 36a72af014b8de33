"""Fixtures of offices, for the conftests of the folders that use them."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_desks import CRM_NAMES
from e2e_office import Office

IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


@pytest.fixture(scope="module", params=[*CRM_NAMES, "hubspot"])
def crm_name(request: pytest.FixtureRequest) -> str:
    """The office's CRM: each test is run with all of them, unless it says otherwise (`e2e_desks.overplane_only`)."""
    return str(request.param)


@pytest.fixture
def offices(tmp_path: Path, crm_name: str) -> Iterator[Callable[..., Office]]:
    """Makes offices and closes them; takes what `Office` takes."""
    made: list[Office] = []

    def make(**settings: Any) -> Office:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Office(folder, crm_name, **settings))
        return made[-1]

    yield make
    for office in made:
        office.close()


@pytest.fixture(scope="module")
def office(request: pytest.FixtureRequest, crm_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One office for the module's tests, after its backfill, with as many `PAIRS` as the module says.

    Who needs a pair of records takes one of their own.
    """
    pairs: int = request.module.PAIRS
    made = Office(tmp_path_factory.mktemp("office"), crm_name, nexudus=pairs + 6, crm=pairs + 4, shared=pairs)
    asyncio.run(made.quiet())
    yield made
    made.close()


@pytest.fixture
def pair(office: Office) -> tuple[int, str]:
    """A Nexudus id and a CRM id that are linked, say the same, and were in no other test's hands."""
    return office.free.pop()
