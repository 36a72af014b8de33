"""Late copies: records made by a create that was given up as lost. It landed later, or was renamed before it was found.

What becomes of one depends on what is known of the record it was made from, its source: see `match.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cached_property

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.write.perform import MADE, note_made
from nexudus_sync.mapping import Side
from nexudus_sync.mapping.renderings import alike
from nexudus_sync.store import Session, journal, links, records, unlinked
from nexudus_sync.store.tables import Journal, Link, Unlinked

BEFORE, AFTER = timedelta(minutes=5), timedelta(days=1)
"""A record created this long before or after an attempt may have been made by it."""
SOON = timedelta(minutes=2)
"""Within this time of an attempt, its customer is not expected to get any record but the one it made."""
APART = timedelta(hours=1)
"""A record created this long after an attempt is not the one that it copied: it reused the id."""


class SourceState(Enum):
    """What is known of the record that a late copy was made from."""

    IN_DOUBT = "in doubt"
    """Recovery has still to find out whether the attempt made anything."""
    WAITING = "waiting"
    """It has no counterpart: the late copy may be the one."""
    LINKED = "linked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class LateCopy:
    """A record that a lost create may have made: the id of its `source`, or ids of several, and those that wait."""

    source_state: SourceState
    source: str
    waiting: tuple[Unlinked, ...] = ()


class LostCreates:
    """The creates of a CRM's connections whose answers were lost, and what they may have made.

    Recovery gave them up, or has still to look. A create that was dropped without a look was never sent.
    """

    def __init__(self, session: Session, connection: Connection) -> None:
        self._session, self._connection = session, connection

    @cached_property
    def _attempts(self) -> Sequence[Journal]:
        return journal.lost_creates(self._session, self._connection.crm)

    def asks_for_links(self, *rows: Unlinked) -> bool:
        """Do the links decide whether one of these records may be a late copy? Then new ones have to be stored."""
        return bool(self._attempts) or any(row.external_key for row in rows)

    def late_copy(self, row: Unlinked) -> LateCopy | None:
        """What this record may be a late copy of; None if it is not one.

        Where it is certain which attempt made it, the journal row notes that, whatever people do to the record later.
        """
        named = self._source_by_key(row)
        if named is not None:
            return LateCopy(SourceState.LINKED, named)
        waiting, linked, gone = dict[str, Unlinked](), list[Journal](), list[Journal]()
        for attempt in self._attempts_that_may_have_made(row):
            if attempt.state == "sent":  # was sent and is not looked for yet
                return LateCopy(SourceState.IN_DOUBT, _source(attempt))
            link, sources = self._link(attempt), self._sources(attempt)
            if link is None:  # was made from a record that has no counterpart, or that is gone
                waiting |= {source.record_id: source for source in sources}
                gone += [attempt] if not sources and self._is_certain(attempt, row) else []
            elif row.record_id not in (link.nexudus_id, link.crm_id):  # was made from a record with another counterpart
                linked.append(attempt)
        if waiting:
            return LateCopy(SourceState.WAITING, ", ".join(waiting), tuple(waiting.values()))
        if linked:
            note_made(linked[0], row.record_id, row.identity)
            return LateCopy(SourceState.LINKED, _source(linked[0]))
        return LateCopy(SourceState.GONE, _source(gone[0])) if gone else None

    def copies(self, row: Unlinked) -> list[Unlinked]:
        """The unlinked records, of all connections, that attempts to copy this one may have made.

        Records that a person set aside are among them: they exist all the same.
        """
        found = dict[str, Unlinked]()
        for attempt in self._attempts:
            if attempt.side != row.side and self._is_source(attempt, row):
                near = self._looking_like(attempt)
                found |= {one.record_id: one for one in near if attempt in self._attempts_that_may_have_made(one)}
        return list(found.values())

    def _source_by_key(self, row: Unlinked) -> str | None:
        """The id of the record that the external key names, if that record has another counterpart."""
        side = Side(row.side).other
        system, _, record_id = (row.external_key or "").rpartition(":")
        if not record_id or system != self._connection.connector(side).name:
            return None
        link = self._link_of(side, record_id)
        other = link is not None and row.record_id not in (link.nexudus_id, link.crm_id)
        return record_id if other else None

    def _attempts_that_may_have_made(self, row: Unlinked) -> list[Journal]:
        """The attempts that may have made this record; if one is known to have, only that one."""
        mine = [one for one in self._attempts if one.side == row.side]
        known = [one for one in mine if _is_known_maker(one, row)]
        return known or [one for one in mine if self._may_have_made(one, row)]

    def _may_have_made(self, attempt: Journal, row: Unlinked) -> bool:
        """May an attempt whose result is unknown have made this record?"""
        if _knows_what_it_made(attempt):
            return False
        away = self._time_since(attempt, row)
        return (
            away is not None
            and -BEFORE <= away <= AFTER
            and (_alike(attempt, row, away) or _has_sent_key(attempt, row))
        )

    def _is_certain(self, attempt: Journal, row: Unlinked) -> bool:
        """Is it certain that the attempt made this record, rather than a person after its source was gone?"""
        away = self._time_since(attempt, row)
        return _is_known_maker(attempt, row) or _has_sent_key(attempt, row) or (away is not None and abs(away) < SOON)

    def _time_since(self, attempt: Journal, row: Unlinked) -> timedelta | None:
        """How long after the attempt the record was created."""
        created = self._connection.our_time(Side(row.side), row.created_at)
        return None if created is None else created - (attempt.sent_at or attempt.planned_at)

    def _link(self, attempt: Journal) -> Link | None:
        """The link of the record that an attempt copied; a CRM's, which may be renamed, is found by its identity."""
        identity, side = attempt.step.get("identity", ""), Side(attempt.side).other
        if side is Side.NEXUDUS or not identity:
            found = records.links_of(self._session, self._connection.crm, side, _source(attempt), identity)
            return found[0] if found else None
        return links.of_crm_identity(self._session, self._connection.crm, identity)

    def _link_of(self, side: Side, record_id: str) -> Link | None:
        ids = {"nexudus_id" if side is Side.NEXUDUS else "crm_id": record_id}
        return records.link_by(self._session, self._connection.crm, **ids)

    def _sources(self, attempt: Journal) -> list[Unlinked]:
        """The rows of the record that an attempt copied, in each connection where it is unlinked."""
        side, identity = Side(attempt.side).other, attempt.step.get("identity") or None
        called = unlinked.called(self._session, self._connection.crm, side, _source(attempt), identity)
        return [one for one in called if self._is_source(attempt, one)]

    def _is_source(self, attempt: Journal, row: Unlinked) -> bool:
        """Is this the record that the attempt copied? Its id alone does not tell: ids are reused."""
        identity = attempt.step.get("identity", "")
        if identity and row.identity:
            return bool(identity == row.identity)
        away = self._time_since(attempt, row)
        return row.record_id == _source(attempt) and (away is None or away < APART)

    def _looking_like(self, attempt: Journal) -> Sequence[Unlinked]:
        """The unlinked records with the title, the address or the external key that an attempt sent."""
        crm, side = self._connection.crm, Side(attempt.side)
        title, email, key = _title(attempt), attempt.step.get("email"), attempt.step.get("key")
        return unlinked.looking_like(self._session, crm, side, title=title, email=email, keys=[key] if key else [])


def _source(attempt: Journal) -> str:
    """The id, at the time, of the record that an attempt copied."""
    return attempt.crm_id if attempt.side == Side.NEXUDUS else attempt.nexudus_id


def _knows_what_it_made(attempt: Journal) -> bool:
    """Is it known which record the attempt made?"""
    return bool(attempt.nexudus_id and attempt.crm_id)


def _is_known_maker(attempt: Journal, row: Unlinked) -> bool:
    """Is the attempt known to have made this record, whatever its id now? Rows of earlier versions have no identity."""
    own, made = attempt.nexudus_id if attempt.side == Side.NEXUDUS else attempt.crm_id, attempt.step.get(MADE)
    return _knows_what_it_made(attempt) and bool(made == row.identity if made else own == row.record_id)


def _alike(attempt: Journal, row: Unlinked, away: timedelta) -> bool:
    """Did the attempt send this title and, as far as both are known, this customer?

    The customer alone is enough right around the attempt: somebody may have changed the title before it was first seen.
    """
    email = attempt.step.get("email")
    if _title(attempt) == (row.title or "") or (row.title and alike(_title(attempt), row.title)):
        return not email or row.email in (None, email)
    return bool(email) and row.email == email and abs(away) < SOON


def _title(attempt: Journal) -> str:
    said = attempt.fields.get("title") or {}
    return str(said.get("new") or "")


def _has_sent_key(attempt: Journal, row: Unlinked) -> bool:
    """Did the attempt send this external key? It names the source by the id it had at the time."""
    return row.external_key is not None and row.external_key == attempt.step.get("key")
