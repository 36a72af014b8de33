from datetime import UTC, datetime

import pytest

from nexudus_sync.connectors.overplane.moments import moment, squeeze


@pytest.mark.parametrize(
    "raw",
    [
        "2024-01-15T09:30:00Z",
        "2024-01-15T09: 30: 00Z",
        " 2024-01-15T09 : 30 : 00 Z ",
        "2024-01-15 09:30:00",
        "2024-01-15  09: 30: 00",
        "2024-01-15T09:30:00.000000",
        "2024-01-15T10:30:00+01:00",
    ],
)
def test_a_timestamp_is_read_with_spaces_fractions_and_zones_or_without(raw):
    assert moment(raw) == datetime(2024, 1, 15, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("raw", [None, "", "  ", "yesterday", 5])
def test_what_is_no_timestamp_is_none(raw):
    assert moment(raw) is None


def test_squeezing_only_takes_spaces_away():
    assert squeeze("2024-01-15T09: 30: 00Z") == "2024-01-15T09:30:00Z"
    assert squeeze(None) == ""
