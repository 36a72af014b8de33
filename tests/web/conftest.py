"""An office with work in it, and somebody who has signed in to its page."""

from collections.abc import Iterator

import pytest
from web_people import Person, quiet

from page_office import Office


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One office for all tests, in which no cycle runs: each takes back what it decides."""
    made = Office(tmp_path_factory.mktemp("office"))
    with quiet():
        made.fill()
    made.still = True
    yield made
    made.close()


@pytest.fixture
def sofia(office: Office) -> Person:
    """Sofia Brandt, signed in."""
    return Person.signed_in(office)
