import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.mapping import Context, Lens, Side, Unmapped, Unreadable, parse

Making = Callable[[str], Lens]
ZONES = ("Europe/London", "Europe/Madrid", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
DAY = parse('[fields.x]\npath = "V"\ntype = "day"', "n.toml", Side.NEXUDUS).lenses["x"]


def at(zone: str | None) -> Context:
    return Context(ZoneInfo(zone) if zone else None)


@pytest.mark.parametrize(
    ("raw", "zone", "expected"),
    [
        ("2026-03-01", None, date(2026, 3, 1)),
        (" 2026-03-01 ", "Europe/London", date(2026, 3, 1)),
        ("2026-03-01T23:30:00Z", None, date(2026, 3, 1)),
        ("2026-03-01T23:30:00Z", "Europe/Madrid", date(2026, 3, 2)),
        ("2026-03-01T03:00:00Z", "America/New_York", date(2026, 2, 28)),
        ("2026-03-01T18:45:00.1234567", "Asia/Kolkata", date(2026, 3, 2)),
        ("2024-01-15T09: 30: 00Z", "Europe/London", date(2024, 1, 15)),
        ("2024-01-15 09:30", "Europe/London", date(2024, 1, 15)),
        ("2024-01-15T23:30:00-05:00", "Europe/London", date(2024, 1, 16)),
        ("2024-01-15T23:30:00-05:00", None, date(2024, 1, 15)),
    ],
)
def test_a_day_is_read_in_the_zone_from_whatever_the_record_holds(raw: str, zone: str | None, expected: date) -> None:
    assert DAY.read(raw, at(zone)) == expected


@pytest.mark.parametrize("kind", ["day", "datetime"])
@pytest.mark.parametrize("raw", ["tomorrow", "2024-13-01", "2024-02-30T09:00:00Z", "01/02/2024", 20240101, ["2024"]])
def test_what_is_no_date_is_unreadable(lens: Making, kind: str, raw: Any) -> None:
    remedy = "write it like 2026-03-01 or 2026-03-01T09:00:00Z"
    made = lens(f'type = "{kind}"')
    with pytest.raises(Unreadable, match=re.escape(f"Nexudus has {raw!r} in V, which is not a date; {remedy}")):
        made.read(raw, at("Europe/London"))


def test_a_day_is_not_written_over_what_is_no_date() -> None:
    with pytest.raises(Unreadable, match="Nexudus has 'tomorrow' in V, which is not a date"):
        DAY.write(date(2026, 3, 1), "tomorrow", at("Europe/London"))


@pytest.mark.parametrize(
    ("raw", "zone"), [("0001-01-01T00:00:00Z", "America/New_York"), ("0001-01-01T00:00:00+05:00", "Europe/London")]
)
def test_a_moment_outside_the_calendar_is_unreadable(raw: str, zone: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(f"Nexudus has '{raw}' in V, which is not a da")):
        DAY.read(raw, at(zone))


@pytest.mark.parametrize(
    ("day", "old", "zone", "expected"),
    [
        (date(2026, 7, 1), "2026-01-15T09:30:00Z", "Europe/London", "2026-07-01T08:30:00Z"),
        (date(2026, 1, 15), "2026-07-01T08:30:00.000Z", "Europe/London", "2026-01-15T09:30:00Z"),
        (date(2026, 1, 15), None, "Europe/Madrid", "2026-01-15T11:00:00Z"),
        (date(2026, 7, 15), "", "Europe/Madrid", "2026-07-15T10:00:00Z"),
        (date(2026, 7, 15), "2026-01-01", "Europe/Madrid", "2026-07-15T10:00:00Z"),
        (date(2026, 3, 2), "2026-03-01T23:59:59Z", "Asia/Kolkata", "2026-03-01T23:59:59Z"),
        (date(2026, 3, 5), None, None, "2026-03-05"),
        (date(2026, 3, 5), "2026-01-01", None, "2026-03-05"),
        (date(2026, 3, 5), "2026-01-01T09: 30: 00Z", None, "2026-03-05T09:30:00Z"),
        (date(999, 3, 5), None, None, "0999-03-05"),
    ],
)
def test_writing_a_day_keeps_the_local_time_of_day(day: date, old: str | None, zone: str | None, expected: str) -> None:
    assert DAY.write(day, old, at(zone)) == expected


@pytest.mark.parametrize(
    ("day", "old", "zone", "expected"),
    [
        # 01:30 does not exist on that day: the clocks go from 01:00 to 02:00.
        (date(2026, 3, 29), "2026-01-10T01:30:00Z", "Europe/London", "2026-03-29T01:30:00Z"),
        # 01:30 comes twice: the first one is taken.
        (date(2026, 10, 25), "2026-01-10T01:30:00Z", "Europe/London", "2026-10-25T00:30:00Z"),
        # The clocks go from 23:00 to midnight: 23:30 must not slip into the next day.
        (date(2025, 3, 29), "2025-01-11T01:30:00Z", "America/Nuuk", "2025-03-30T00:30:00Z"),
    ],
)
def test_a_time_of_day_that_daylight_saving_skips_or_repeats_stays_on_its_day(
    day: date, old: str, zone: str, expected: str
) -> None:
    written = DAY.write(day, old, at(zone))
    assert DAY.read(written, at(zone)) == day
    assert written == expected


def test_a_day_the_zone_never_had_cannot_be_said() -> None:
    with pytest.raises(Unmapped, match="there is no 2011-12-30 in Pacific/Apia"):
        DAY.write(date(2011, 12, 30), None, at("Pacific/Apia"))


def test_a_day_at_the_end_of_the_calendar_cannot_be_said_where_it_would_leave_it() -> None:
    with pytest.raises(Unmapped, match="there is no 9999-12-31"):
        DAY.write(date.max, "2026-01-01T23:00:00-05:00", at("America/New_York"))


def test_a_moment_is_read_and_written_in_utc_to_the_second(lens: Making) -> None:
    made = lens('type = "datetime"')
    assert made.read("2024-01-15T09: 30: 00.75+02:00", Context()) == datetime(2024, 1, 15, 7, 30, tzinfo=UTC)
    assert made.read("2024-01-15", Context()) == datetime(2024, 1, 15, tzinfo=UTC)
    madrid = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Madrid"))
    assert made.write(madrid, None, Context()) == "2024-07-01T10:00:00Z"


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in another time zone than the records'."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_the_machines_own_time_zone_plays_no_part(lens: Making) -> None:
    made = lens('type = "datetime"')
    moment = made.read("2024-01-15T20:30:00Z", Context())
    assert (moment, getattr(moment, "tzinfo", None)) == (datetime(2024, 1, 15, 20, 30, tzinfo=UTC), UTC)
    assert made.write(moment, None, Context()) == "2024-01-15T20:30:00Z"
    assert DAY.read("2024-01-15T20:30:00Z", at("Europe/London")) == date(2024, 1, 15)
    assert DAY.write(date(2024, 7, 1), "2024-01-15T20:30:00Z", at("Europe/London")) == "2024-07-01T19:30:00Z"


DAYS = st.dates(date(1971, 1, 1), date(2099, 12, 31))
MOMENTS = st.integers(0, 4_000_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
)
RAWS = st.one_of(st.none(), DAYS.map(date.isoformat), MOMENTS)


@given(zone=st.sampled_from((*ZONES, None)), day=DAYS, old=RAWS)
@settings(max_examples=300)
def test_a_day_put_is_the_day_got_in_every_zone(zone: str | None, day: date, old: str | None) -> None:
    assert DAY.read(DAY.write(day, old, at(zone)), at(zone)) == day


@pytest.mark.parametrize("zone", ZONES)
def test_every_day_of_a_year_can_be_written_over_every_half_hour(zone: str) -> None:
    context = at(zone)
    olds = [f"2026-01-10T{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(0, 24 * 60, 30)]
    days = {date(2026, 1, 1) + timedelta(days=offset) for offset in range(365)}
    changes = {d for d in days if _offset(d, zone) != _offset(d + timedelta(days=1), zone)}
    assert bool(changes) is (zone != "Asia/Kolkata")
    for day in changes | {d + timedelta(days=1) for d in changes} | {date(2026, 6, 1)}:
        for old in olds:
            assert DAY.read(DAY.write(day, old, context), context) == day


def _offset(day: date, zone: str) -> timedelta | None:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).utcoffset()
