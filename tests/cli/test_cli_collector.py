"""In a process of our own the collector looks less often; in anybody else's it is left alone."""

import gc
from collections.abc import Iterator

import pytest

from nexudus_sync.cli import collector


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    monkeypatch.setattr(collector._process, "ours", False)
    yield
    gc.set_threshold(*threshold)
    if gc.get_freeze_count() != frozen:
        gc.unfreeze()


def test_another_program_keeps_its_collector() -> None:
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    collector.settle()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (threshold, frozen)


def test_a_command_of_ours_freezes_what_is_there() -> None:
    collector.take_over()
    collector.settle()
    assert gc.get_threshold() == collector.THRESHOLD
    assert gc.get_freeze_count() > 0
