"""Overplane's timestamps, read leniently.

The page "The Opportunity object" prints them with stray spaces (`2024-01-15T09: 30: 00Z`).
"""

import re
from datetime import datetime

from nexudus_sync import clock

_DAY_SPACE_TIME = re.compile(r"^(\d{4}-\d{2}-\d{2})\s+(?=\d)")


def squeeze(raw: object) -> str:
    """The text of a timestamp without its spaces; "" for a blank."""
    text = "" if raw is None else str(raw).strip()
    if len(text.split()) < 2:  # as it should be
        return text
    return "".join(_DAY_SPACE_TIME.sub(r"\1T", text).split())


def moment(raw: object) -> datetime | None:
    """The aware UTC moment a timestamp says; without a zone it is UTC. None for a blank or any other text."""
    return clock.moment(squeeze(raw))
