"""Strays: records made by a create that was given up as lost: it landed later, or was not known under its new name.

Such a record is nobody's new opportunity. It is shown to a person instead of being copied back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.mapping import Side
from nexudus_sync.store import journal, records
from nexudus_sync.store.tables import Journal, Link, Unlinked

BEFORE, AFTER = timedelta(minutes=5), timedelta(days=1)
"""How long before and after an attempt a record may have been created that the attempt could have made."""
SOON = timedelta(minutes=2)
"""How long around an attempt its customer is not expected to get another record than the one it made."""
MADE = "made"
"""Where the step of a create that was given up keeps the identity of the record that it made."""


@dataclass(frozen=True, slots=True)
class Stray:
    """`source` is the id of the record of the other side that one is a late copy of.

    `linked`: it has a counterpart. `in_doubt`: what became of the attempt is still to be found out.
    """

    source: str
    linked: bool = False
    in_doubt: bool = False


def stray_of(session: Session, bridge: Bridge, row: Unlinked) -> Stray | None:
    """What this record is a late copy of; None when it is none.

    The attempt that made it is told so in the journal: what a person then does to the record changes nothing of that.
    While its source has no counterpart that is not certain enough.
    """
    side = Side(row.side)
    named = _named(bridge, row, side)
    if named is not None and _has_another(session, bridge, side.other, named, row.record_id):
        return Stray(named, linked=True)
    alone = list[Stray]()
    for attempt in [*_made_by(session, bridge, row, side), *_lost(session, bridge, row, side)]:
        source = attempt.crm_id if side is Side.NEXUDUS else attempt.nexudus_id
        if attempt.state == "sent":
            return Stray(source, in_doubt=True)
        if _has_another(session, bridge, side.other, source, row.record_id):
            note_made(attempt, row.record_id, row.identity)
            session.add(attempt)
            return Stray(source, linked=True)
        if _link(session, bridge, side.other, source) is None:
            alone.append(Stray(source))
    return next(iter(alone), None)


def note_made(attempt: Journal, record_id: str, identity: str) -> None:
    """Let a create that was given up tell which record it made after all; that can be renamed, or its name reused."""
    journal.name_made(attempt, record_id)
    attempt.step = {**attempt.step, MADE: identity}


def _made_by(session: Session, bridge: Bridge, row: Unlinked, side: Side) -> list[Journal]:
    """The attempt that is known to have made this record; rows of earlier versions tell no identity."""
    own = col(Journal.nexudus_id) if side is Side.NEXUDUS else col(Journal.crm_id)
    found = session.exec(_unconfirmed(bridge, side).where(own == row.record_id))
    return [one for one in found if one.step.get(MADE, row.identity) == row.identity]


def _unconfirmed(bridge: Bridge, side: Side) -> SelectOfScalar[Journal]:
    return select(Journal).where(
        col(Journal.connection).in_(records.family(bridge.crm)),
        col(Journal.side) == side,
        col(Journal.kind) == "opportunity.create",
        col(Journal.state).in_(("dropped", "sent")),
    )


def _named(bridge: Bridge, row: Unlinked, side: Side) -> str | None:
    """The record that the external key names, if it is one of ours."""
    system, _, record_id = (row.external_key or "").rpartition(":")
    return record_id if record_id and system == bridge.connector(side.other).name else None


def _link(session: Session, bridge: Bridge, side: Side, record_id: str) -> Link | None:
    ids = {"nexudus_id" if side is Side.NEXUDUS else "crm_id": record_id}
    return records.link_by(session, bridge.crm, **ids)


def _has_another(session: Session, bridge: Bridge, side: Side, record_id: str, than: str) -> bool:
    link = _link(session, bridge, side, record_id)
    return link is not None and than not in (link.nexudus_id, link.crm_id)


def _lost(session: Session, bridge: Bridge, row: Unlinked, side: Side) -> list[Journal]:
    """Attempts to create on this side that this record looks like: recovery gave them up, or has still to look.

    One that was dropped without a look did not leave: it made nothing. One that is known to have made this record,
    under another name, comes first.
    """
    created = bridge.our_time(side, row.created_at)
    if created is None:
        return []
    at = col(Journal.sent_at)
    found = list(session.exec(_unconfirmed(bridge, side).where(at >= created - AFTER, at <= created + BEFORE)))
    renamed = [one for one in found if row.identity and one.step.get(MADE) == row.identity]
    unmade = [one for one in found if not (one.nexudus_id and one.crm_id)]
    left = [one for one in unmade if one.looks > 0 or one.state == "sent"]
    return [*renamed, *(one for one in left if _alike(one, row, created) or _keyed(one, row.external_key))]


def _alike(attempt: Journal, row: Unlinked, created: datetime) -> bool:
    """Did the attempt give its record this title and, as far as both are known, this customer?

    The customer alone tells where it was created about then: somebody may have renamed it before it was ever seen.
    """
    email = attempt.step.get("email")
    if _title(attempt) == (row.title or ""):
        return not email or row.email in (None, email)
    return bool(email) and row.email == email and abs(created - (attempt.sent_at or attempt.planned_at)) < SOON


def _keyed(attempt: Journal, key: str | None) -> bool:
    """Did the attempt send this external key? It names the source by the id it had then."""
    body = attempt.step.get("payload", {}).get("body", {})
    return key is not None and key in body.values()


def _title(attempt: Journal) -> str:
    said = attempt.fields.get("title") or {}
    return str(said.get("new") or "")
