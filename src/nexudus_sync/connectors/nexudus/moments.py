"""Moments as Nexudus writes and filters them: ISO 8601, UTC, filters to the minute (page "Search CrmOpportunities")."""

from datetime import UTC, datetime, timedelta


def parse(value: object) -> datetime | None:
    """The aware UTC moment in a stamp; None for what is not one. A stamp without a zone is UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.replace(" ", ""))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def minute(moment: datetime, *, up: bool = False) -> str:
    """The moment as a filter takes it, `YYYY-MM-DDTHH:mm` in UTC, rounded down, or up to the next whole minute."""
    utc = moment.astimezone(UTC)
    floor = utc.replace(second=0, microsecond=0)
    if up and floor < utc:
        floor += timedelta(minutes=1)
    return floor.strftime("%Y-%m-%dT%H:%M")
