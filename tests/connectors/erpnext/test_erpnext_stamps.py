from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.connectors.erpnext.stamps import bound, earliest, moment, text

MADRID = ZoneInfo("Europe/Madrid")
AFTERWARDS = datetime(2027, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 2 * 365 * 86400).map(
    lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
ZONES = st.sampled_from(
    [MADRID, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kolkata")]
)


def test_a_stamp_is_in_the_sites_zone() -> None:
    assert moment("2026-07-01 12:00:00.250000", MADRID, AFTERWARDS) == datetime(
        2026, 7, 1, 10, 0, 0, 250_000, tzinfo=UTC
    )
    assert moment("2026-01-01 12:00:00", MADRID, AFTERWARDS) == datetime(2026, 1, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize("raw", [None, "", "garbage", "2026-07-01T12:00:00Z", 7])
def test_what_is_no_stamp_is_no_moment(raw: object) -> None:
    assert moment(raw, MADRID, AFTERWARDS) is None
    assert earliest(raw, MADRID) is None


def test_of_the_hour_that_comes_twice_the_later_is_meant_once_it_has_come() -> None:
    raw, first, second = (
        "2026-10-25 02:30:00",
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )
    assert moment(raw, MADRID, second) == second
    assert moment(raw, MADRID, second - timedelta(seconds=1)) == first
    assert earliest(raw, MADRID) == first


@settings(max_examples=200)
@given(ZONES, MOMENTS, st.floats(0, 9 * 86400))
def test_no_stamp_of_a_stretch_of_time_is_below_its_bound(zone: ZoneInfo, since: datetime, seconds: float) -> None:
    now = since + timedelta(seconds=seconds)
    low = bound(since, now, zone)
    for step in range(200):
        at = since + (now - since) * step / 199
        assert text(at, zone) >= low


@settings(max_examples=50)
@given(ZONES, MOMENTS)
def test_where_the_clocks_stay_the_bound_is_the_moment_itself(zone: ZoneInfo, since: datetime) -> None:
    now = since + timedelta(minutes=5)
    if since.astimezone(zone).utcoffset() == now.astimezone(zone).utcoffset():
        assert bound(since, now, zone) == text(since, zone)


def test_a_bound_ahead_of_the_clock_is_its_own_stamp() -> None:
    since = datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert bound(since, since - timedelta(hours=5), MADRID) == "2026-07-01 12:00:00.000000"


def test_a_bound_before_the_clocks_went_back_lies_an_hour_lower() -> None:
    since = datetime(2026, 10, 25, 0, 58, tzinfo=UTC)  # 02:58 in summer time; two minutes later it is 02:00 again
    assert bound(since, since + timedelta(minutes=10), MADRID) == "2026-10-25 01:58:00.000000"
