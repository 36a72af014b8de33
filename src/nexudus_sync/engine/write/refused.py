"""Values that a system refused: their fields wait, and the other fields travel."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nexudus_sync.connectors.base import Record
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import REFUSED, note_failure, supersede
from nexudus_sync.errors import Refused
from nexudus_sync.mapping import Field, Mapping, Side
from nexudus_sync.plan import Hold
from nexudus_sync.store import Session, failures, journal
from nexudus_sync.store.open_items import OpenItems
from nexudus_sync.store.tables import Journal, Link


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """A raw value that a side refused for a field, and its reason."""

    side: Side
    field: Field
    sent: Any
    reason: str

    @property
    def hold(self) -> Hold:
        """The hold on the field, as long as this value is the one to be written."""
        return Hold(REFUSED, self.reason, key=self.field.lens(self.side).path.root, side=self.side)


def refused_again(refused: Iterable[RefusedValue], side: Side, after: Record) -> list[Hold]:
    """The holds on those values of a record to be written that the side is known to refuse."""
    return [one.hold for one in refused if one.side is side and one.field.lens(side).raw(after) == one.sent]


def blamed(refused: Refused, fields: Iterable[Field], side: Side) -> list[Field]:
    """The fields whose keys a refusal names."""
    return [field for field in fields if field.lens(side).path.root in refused.keys]


def refused_fields(mapping: Mapping, refused: Refused, side: Side, sent: Iterable[str]) -> list[str]:
    """The names of those of the fields that were sent whose keys a refusal names."""
    known = (field for name in sent if (field := mapping.find(name)) is not None)
    return [field.name for field in blamed(refused, known, side)]


def show_refused(
    session: Session, connection: Connection, link: Link, error: Refused, refused: Iterable[RefusedValue]
) -> None:
    """Show these fields as refused just now."""
    about = failures.unsolved(session, connection.name, link.nexudus_id, link.crm_id)
    for one in refused:
        supersede(about, one.field.name, REFUSED)
        note_failure(session, connection, error, nexudus_id=link.nexudus_id, crm_id=link.crm_id, field=one.field.name)


def refused_for(session: Session, connection: Connection, link: Link, items: OpenItems) -> list[RefusedValue]:
    """The refused values of a link that are not due for a retry; a dismissed one never is."""
    now = connection.clock.now()
    waiting = {
        one.field: one.reason
        for one in items.failures
        if one.kind == REFUSED and one.field and (one.next_attempt is None or one.next_attempt > now)
    }
    if not waiting:
        return []
    writes = journal.refused_writes(session, connection.name, link)
    found = (_last_refusal(connection, name, reason, writes) for name, reason in waiting.items())
    return [one for one in found if one is not None]


def _last_refusal(connection: Connection, name: str, reason: str, rows: Iterable[Journal]) -> RefusedValue | None:
    field = connection.mapping.find(name)
    for row in rows:
        if field is not None and name in row.refused:
            return RefusedValue(Side(row.side), field, row.fields[name]["sent"], reason)
    return None
