import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from nexudus_sync import clock
from nexudus_sync.clock import Clock, SharedClock, SystemClock, unstopped


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


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T09:00:00Z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01T09:00:00.1234567Z", datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-01 09:00:00+02:00", datetime(2026, 3, 1, 7, tzinfo=UTC)),
        ("2026-03-01T09:00:00", datetime(2026, 3, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_aware_utc(text: str, moment: datetime) -> None:
    assert clock.moment(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-03-01T09:00:00+99:99",
        "",
        "soon",
        "\x00",
        "9" * 5000,
        None,
        5,
        True,
        ["2026-03-01"],
        {},
        float("nan"),
    ],
)
def test_what_is_no_moment_is_none_and_never_raises(text: object) -> None:
    assert clock.moment(text) is None
    assert clock.written(text) is None


def test_the_machines_clock_counts_the_seconds_in_which_it_was_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 100.0 + clock, raising=False)
    assert unstopped(SystemClock()) == 107.0
    assert unstopped(SharedClock(SystemClock())) == 107.0


def test_where_a_machine_does_not_count_them_it_goes_by_what_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    monkeypatch.setattr(time, "monotonic", lambda: 42.0)
    assert unstopped(SystemClock()) == 42.0
