"""Values that a system refused: their fields wait, and the others travel."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nexudus_sync.connectors.base import Record
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import REFUSED, note_failure, supersede
from nexudus_sync.errors import Refused
from nexudus_sync.mapping import Field, Side
from nexudus_sync.plan import Refusal
from nexudus_sync.store import Session, failures, journal
from nexudus_sync.store.tables import Journal, Link


@dataclass(frozen=True, slots=True)
class Held:
    """A raw value that a side would not take for a field, and what it said."""

    side: Side
    field: Field
    sent: Any
    reason: str


def refusals(held: Iterable[Held], side: Side, after: Record) -> list[Refusal]:
    """What of a record to be written is a value known to be refused there."""
    lenses = [(one.field.lens(side), one) for one in held if one.side is side]
    return [
        Refusal(REFUSED, one.reason, frozenset({lens.path.root})) for lens, one in lenses if lens.raw(after) == one.sent
    ]


def blamed(refused: Refused, fields: Iterable[Field], side: Side) -> list[Field]:
    """The fields whose keys a refusal names."""
    return [field for field in fields if field.lens(side).path.root in refused.keys]


def hold(session: Session, connection: Connection, link: Link, refused: Refused, held: Iterable[Held]) -> None:
    """Show these fields as refused just now."""
    about = failures.unsolved(session, connection.name, link.nexudus_id, link.crm_id)
    for one in held:
        supersede(about, one.field.name, REFUSED)
        note_failure(session, connection, refused, nexudus_id=link.nexudus_id, crm_id=link.crm_id, field=one.field.name)


def held_for(session: Session, connection: Connection, link: Link) -> list[Held]:
    """What was refused of a link and is not due yet; a dismissed one never is."""
    now, about = connection.clock.now(), failures.unsolved(session, connection.name, link.nexudus_id, link.crm_id)
    waiting = {
        one.field: one.reason
        for one in about
        if one.kind == REFUSED and one.field and (one.next_attempt is None or one.next_attempt > now)
    }
    found = (
        _last(connection, name, reason, journal.refused_writes(session, connection.name, link))
        for name, reason in waiting.items()
    )
    return [one for one in found if one is not None]


def _last(connection: Connection, name: str, reason: str, rows: Iterable[Journal]) -> Held | None:
    field = connection.mapping.find(name)
    for row in rows:
        if field is not None and name in row.fields and reason in (row.outcome or ""):
            return Held(Side(row.side), field, row.fields[name]["sent"], reason)
    return None
