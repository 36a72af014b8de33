from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from nexudus_sync.connectors.nexudus import filters, moments, zones


def test_a_filter_the_page_does_not_have_is_an_error_that_names_the_nearest():
    with pytest.raises(ValueError, match="mean from_CrmOpportunity_UpdatedOn"):
        filters.query("CrmOpportunity", {"from_CrmOpportunity_UpdateOn": "x"})


def test_a_filter_far_from_any_name_is_an_error_without_a_guess():
    with pytest.raises(ValueError, match=r"zzz is not a filter of User$"):
        filters.query("User", {"zzz": 1})


def test_range_filters_drop_the_underscores_that_equality_filters_have():
    names = filters.NAMES["CrmOpportunity"]
    assert "from_CrmOpportunity_CrmBoardColumnCrmBoardId" in names
    assert "CrmOpportunity_CrmBoardColumn_CrmBoard_Id" in names
    assert "from_CrmOpportunity_CrmBoardColumn_CrmBoard_Id" not in names


@pytest.mark.parametrize("field", ["DueDate", "Value", "WonOn", "LostOn", "CrmUpdatedOn", "Position", "CreatedOn"])
def test_every_range_of_the_page_has_both_ends(field):
    assert {f"from_CrmOpportunity_{field}", f"to_CrmOpportunity_{field}"} <= filters.NAMES["CrmOpportunity"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (3, "3"), (Decimal("1.50"), "1.50"), ("Zoë", "Zoë"), ([1, 2], "[1,2]")],
)
def test_values_are_written_as_the_pages_show_them(value, text):
    assert filters.query("CrmOpportunity", {"CrmOpportunity_Id": value}) == {"CrmOpportunity_Id": text}


def test_the_lower_end_is_floored_and_the_upper_end_raised_to_the_minute():
    moment = datetime(2026, 1, 1, 23, 59, 30, tzinfo=timezone(timedelta(hours=1)))
    query = filters.query(
        "CrmOpportunity", {"from_CrmOpportunity_UpdatedOn": moment, "to_CrmOpportunity_UpdatedOn": moment}
    )
    assert query == {
        "from_CrmOpportunity_UpdatedOn": "2026-01-01T22:59",
        "to_CrmOpportunity_UpdatedOn": "2026-01-01T23:00",
    }


def test_a_whole_minute_is_not_raised():
    assert moments.minute(datetime(2026, 1, 1, 1, 2, tzinfo=UTC), up=True) == "2026-01-01T01:02"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-15T10:30:00Z", datetime(2025, 1, 15, 10, 30, tzinfo=UTC)),
        ("2025-01-15T10:30:00", datetime(2025, 1, 15, 10, 30, tzinfo=UTC)),
        ("2025-01-15T10:30:00.1234567Z", datetime(2025, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)),
        ("2025-01-15T12:30:00+02:00", datetime(2025, 1, 15, 10, 30, tzinfo=UTC)),
        ("soon", None),
        (None, None),
        (5, None),
    ],
)
def test_stamps_are_read_leniently_as_utc(text, moment):
    assert moments.parse(text) == moment


@pytest.mark.parametrize(
    ("label", "zone"),
    [
        ("GMT Standard Time", "Europe/London"),
        ("romance standard time", "Europe/Paris"),
        (" America/New_York ", "America/New_York"),
        ("Europe", None),
        ("../etc/passwd", None),
        ("", None),
        (None, None),
        (2023, None),
        ("Middle-earth", None),
    ],
)
def test_zones_are_found_by_windows_and_iana_names(label, zone):
    found = zones.find(label)
    assert (found.key if found else None) == zone


def test_every_windows_name_stands_for_a_zone_that_exists():
    assert len(zones.WINDOWS) > 130
    for iana in zones.WINDOWS.values():
        assert ZoneInfo(iana).key == iana
