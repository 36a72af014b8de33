import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from nexudus_sync.clock import Clock, SystemClock


def test_the_present_is_aware_utc() -> None:
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta(0)


def test_the_monotonic_clock_never_goes_back() -> None:
    clock: Clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.parametrize(("asked", "slept"), [(1.5, 1.5), (0.0, 0.0), (-3.0, 0.0)])
async def test_a_wait_is_as_long_as_asked_and_never_negative(
    monkeypatch: pytest.MonkeyPatch, asked: float, slept: float
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await SystemClock().sleep(asked)
    assert waits == [slept]
