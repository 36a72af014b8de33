"""The contract, tried with every connector, or with the one of `--rig module:Class`."""

from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from logging import CRITICAL
from pathlib import Path

import pytest
import structlog
from contract_kit import PAGE, Rig
from contract_rigs import ERPNext15Rig, ERPNext16Rig, HubSpotRig, NexudusRig, OverplaneRig
from example_rig import JsonFileRig

from nexudus_sync.connectors.nexudus import listing

RIGS: tuple[type[Rig], ...] = (NexudusRig, OverplaneRig, ERPNext15Rig, ERPNext16Rig, HubSpotRig, JsonFileRig)
KINDS = {
    "offset": "offsets",
    "trouble": "trouble",
    "lost_answer": "lost_answers",
    "undone": "never_done",
    "unsent": "never_left",
    "delay": "late",
    "throttle": "throttles",
}
"""A fact's argument, and the rig's list whose entries it takes one by one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when tests/contract is named on the command line."""
    parser.addoption("--rig", metavar="MODULE:CLASS", help="try the contract with this rig only")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each fact with each rig, and with each kind of what it is about."""
    if "rig_type" not in metafunc.fixturenames:
        return
    named = metafunc.config.getoption("--rig", default=None)
    rigs = RIGS if named is None else (rig_named(named),)
    kinds = [name for name in KINDS if name in metafunc.fixturenames]
    if kinds:
        (kind,) = kinds
        cases = [(rig, each) for rig in rigs for each in getattr(rig, KINDS[kind])]
        ids = [f"{rig.__name__}-{each}" for rig, each in cases]
        metafunc.parametrize(("rig_type", kind), cases, ids=ids)
    else:
        metafunc.parametrize("rig_type", rigs, ids=[rig.__name__ for rig in rigs])


def rig_named(name: str) -> type[Rig]:
    """The class that `module:Class` names."""
    module, _, cls = name.partition(":")
    found: type[Rig] = getattr(import_module(module), cls)
    return found


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few rows."""
    monkeypatch.setattr(listing, "LARGEST_PAGE", PAGE)


@pytest.fixture(autouse=True, scope="module")
def few_words() -> Iterator[None]:
    """Each call would leave a line."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture
async def rig(rig_type: type[Rig], tmp_path: Path) -> AsyncIterator[Rig]:
    """Each system in turn, logged in a minute ago."""
    made = rig_type(tmp_path)
    await made.connector.start()
    made.clock.turn(60)
    yield made
    await made.connector.aclose()
