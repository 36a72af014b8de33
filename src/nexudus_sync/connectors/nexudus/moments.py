"""Moments as Nexudus writes and filters them: ISO 8601, UTC, filters to the minute (page "Search CrmOpportunities")."""

from datetime import UTC, datetime, timedelta

from nexudus_sync import clock


def parse(value: object) -> datetime | None:
    """The aware UTC moment in a stamp; None for what is not one. A stamp without a zone is UTC."""
    return clock.moment(value.replace(" ", "")) if isinstance(value, str) else None


def minute(moment: datetime, *, up: bool = False) -> str:
    """The moment as a filter takes it, `YYYY-MM-DDTHH:mm` in UTC, rounded down, or up to the next whole minute."""
    utc = moment.astimezone(UTC)
    floor = utc.replace(second=0, microsecond=0)
    if up and floor < utc:
        floor += timedelta(minutes=1)
    return floor.strftime("%Y-%m-%dT%H:%M")
