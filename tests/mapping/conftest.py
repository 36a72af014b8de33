from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from nexudus_sync.mapping import Context, Lens, Mapping, Side, Table, pair, parse
from nexudus_sync.mapping.shipped import shipped

STAGES = Table(((101, "New lead"), (102, "Tour booked"), (103, "Cafe\u0301 visit"), (104, "Won")))
USERS = Table(((7, "Sam@Example.com"), (8, "kim@example.org")))

Pairing = Callable[[str, str], Mapping]
Making = Callable[[str], Lens]


@pytest.fixture(scope="session")
def nexudus() -> Context:
    return Context(ZoneInfo("Europe/London"), directories={"stage": STAGES, "user": USERS})


@pytest.fixture(scope="session")
def crm() -> Context:
    return Context(directories={"user": Table((("sam@example.com", "sam@example.com"), ("U2", "kim@example.org")))})


@pytest.fixture(scope="session")
def mapping() -> Mapping:
    return pair(
        parse(shipped("nexudus"), "nexudus.toml", Side.NEXUDUS), parse(shipped("overplane"), "overplane.toml", Side.CRM)
    )


@pytest.fixture(scope="session")
def paired() -> Pairing:
    """A mapping of one field "x": the lines of its table in the Nexudus file and in the CRM's."""

    def make(nexudus: str, crm: str) -> Mapping:
        return pair(
            parse(f"[fields.x]\n{nexudus}", "n.toml", Side.NEXUDUS), parse(f"[fields.x]\n{crm}", "c.toml", Side.CRM)
        )

    return make


@pytest.fixture(scope="session")
def lens() -> Making:
    """The Nexudus lens of a field "x" at "V", by the further lines of its table."""
    return lambda lines: parse(f'[fields.x]\npath = "V"\n{lines}', "n.toml", Side.NEXUDUS).lenses["x"]
