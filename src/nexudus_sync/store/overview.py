"""Figures for the overview of all connections, counted so that they can be asked for every few seconds."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nexudus_sync.store.ask import Ask, moment


@dataclass(frozen=True, slots=True)
class Delay:
    """The change that was carried over last: when it was made, as far as its system tells, and when it was written."""

    changed_at: datetime
    written_at: datetime

    @property
    def span(self) -> timedelta:
        """How long it took; never less than nothing, although two clocks are compared."""
        return max(self.written_at - self.changed_at, timedelta(0))


def delay(ask: Ask, connection: str) -> Delay | None:
    """How long the last change took to be carried over; None where that is not known."""
    rows = ask(
        "SELECT h.at, h.from_side, l.nexudus_changed_at, l.crm_changed_at FROM history h "
        "JOIN connection_state s ON s.name = h.connection "
        "JOIN link l ON l.crm = s.crm AND l.nexudus_id = h.nexudus_id AND l.crm_id = h.crm_id "
        "WHERE h.connection = :name AND l.connection = :name ORDER BY h.id DESC LIMIT 1",
        {"name": connection},
    )
    for at, side, nexudus, crm in list(rows):
        changed, written = moment(nexudus if side == "nexudus" else crm), moment(at)
        if changed is not None and written is not None:
            return Delay(changed, written)
    return None
