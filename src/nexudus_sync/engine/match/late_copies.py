"""Records made by a create that was given up as lost_creates: it landed later, or was renamed before it was found."""

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
"""How long before and after an attempt a record may have been created that the attempt could have made."""
SOON = timedelta(minutes=2)
"""How long around an attempt its customer is not expected to get another record than the one it made."""
APART = timedelta(hours=1)
"""A record that came so long after an attempt is not what it copied, whatever its id."""


class SourceState(Enum):
    """What is known of the record that a late_copy was made from."""

    IN_DOUBT = "in doubt"
    """Whether the attempt made anything is still to be found out."""
    WAITING = "waiting"
    """It has no counterpart, so that the late_copy may be it."""
    LINKED = "linked"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class LateCopy:
    """`source` is the id of the record of the other side, or of several; `waiting`: those of them that wait."""

    source_state: SourceState
    source: str
    waiting: tuple[Unlinked, ...] = ()


class LostCreates:
    """The creates of a CRM's connections whose answers were lost_creates, and what they may have made.

    Recovery gave them up, or has still to look. One that was dropped without a look did not leave: it made nothing.
    """

    def __init__(self, session: Session, connection: Connection) -> None:
        self._session, self._connection = session, connection

    @cached_property
    def _attempts(self) -> Sequence[Journal]:
        return journal.lost_creates(self._session, self._connection.crm)

    def late_copy(self, row: Unlinked) -> LateCopy | None:
        """What this record is a late copy of; None when it is none.

        The attempt that made it is told so in the journal where that is certain: what a person then does to the record
        changes nothing of that.
        """
        named = self._source_by_key(row)
        if named is not None:
            return LateCopy(SourceState.LINKED, named)
        waiting, linked, gone = dict[str, Unlinked](), list[Journal](), list[Journal]()
        for attempt in self._that_may_have_made(row):
            if attempt.state == "sent":
                return LateCopy(SourceState.IN_DOUBT, _source(attempt))
            link, sources = self._link(attempt), self._sources(attempt)
            if link is None:
                waiting |= {source.record_id: source for source in sources}
                gone += [attempt] if not sources and self._is_certain(attempt, row) else []
            elif row.record_id not in (link.nexudus_id, link.crm_id):
                linked.append(attempt)
        if waiting:
            return LateCopy(SourceState.WAITING, ", ".join(waiting), tuple(waiting.values()))
        if linked:
            note_made(linked[0], row.record_id, row.identity)
            return LateCopy(SourceState.LINKED, _source(linked[0]))
        return LateCopy(SourceState.GONE, _source(gone[0])) if gone else None

    def copies(self, row: Unlinked) -> list[Unlinked]:
        """The records without a counterpart, of all connections, that attempts to copy this one have perhaps made.

        Those that a person said to leave alone are among them: they are there all the same.
        """
        found = dict[str, Unlinked]()
        for attempt in self._attempts:
            if attempt.side != row.side and self._copied(attempt, row):
                near = self._looking_like(attempt)
                found |= {one.record_id: one for one in near if attempt in self._that_may_have_made(one)}
        return list(found.values())

    def _source_by_key(self, row: Unlinked) -> str | None:
        """The record of ours that the external key names, when that one has another counterpart."""
        side = Side(row.side).other
        system, _, record_id = (row.external_key or "").rpartition(":")
        if not record_id or system != self._connection.connector(side).name:
            return None
        link = self._link_of(side, record_id)
        other = link is not None and row.record_id not in (link.nexudus_id, link.crm_id)
        return record_id if other else None

    def _that_may_have_made(self, row: Unlinked) -> list[Journal]:
        """The attempts that this record looks like; when one is known to have made it, that one alone."""
        mine = [one for one in self._attempts if one.side == row.side]
        return [one for one in mine if _made(one, row)] or [one for one in mine if self._fits(one, row)]

    def _fits(self, attempt: Journal, row: Unlinked) -> bool:
        """May the attempt, of which nothing more is known, have made this record?"""
        if _knows_what_it_made(attempt):
            return False
        away = self._time_since(attempt, row)
        return (
            away is not None
            and -BEFORE <= away <= AFTER
            and (_alike(attempt, row, away) or _has_sent_key(attempt, row))
        )

    def _is_certain(self, attempt: Journal, row: Unlinked) -> bool:
        """Is it nothing that somebody may have entered anew, where its source is gone?"""
        away = self._time_since(attempt, row)
        return _made(attempt, row) or _has_sent_key(attempt, row) or (away is not None and abs(away) < SOON)

    def _time_since(self, attempt: Journal, row: Unlinked) -> timedelta | None:
        """How long after the attempt the record was created."""
        created = self._connection.our_time(Side(row.side), row.created_at)
        return None if created is None else created - (attempt.sent_at or attempt.planned_at)

    def _link(self, attempt: Journal) -> Link | None:
        """The link of what an attempt copied: what is of the CRM is known by its identity, whatever its id by now."""
        identity, side = attempt.step.get("identity", ""), Side(attempt.side).other
        if side is Side.NEXUDUS or not identity:
            found = records.links_of(self._session, self._connection.crm, side, _source(attempt), identity)
            return found[0] if found else None
        return links.of_crm_identity(self._session, self._connection.crm, identity)

    def _link_of(self, side: Side, record_id: str) -> Link | None:
        ids = {"nexudus_id" if side is Side.NEXUDUS else "crm_id": record_id}
        return records.link_by(self._session, self._connection.crm, **ids)

    def _sources(self, attempt: Journal) -> list[Unlinked]:
        """What an attempt copied, where it has no counterpart, in each connection that knows it."""
        side, identity = Side(attempt.side).other, attempt.step.get("identity") or None
        called = unlinked.called(self._session, self._connection.crm, side, _source(attempt), identity)
        return [one for one in called if self._copied(attempt, one)]

    def _copied(self, attempt: Journal, row: Unlinked) -> bool:
        """Is this what the attempt copied? An id can be another's by now."""
        identity = attempt.step.get("identity", "")
        if identity and row.identity:
            return bool(identity == row.identity)
        away = self._time_since(attempt, row)
        return row.record_id == _source(attempt) and (away is None or away < APART)

    def _looking_like(self, attempt: Journal) -> Sequence[Unlinked]:
        """The records without a counterpart that have something of what an attempt sent."""
        crm, side = self._connection.crm, Side(attempt.side)
        title, email, key = _title(attempt), attempt.step.get("email"), attempt.step.get("key")
        return unlinked.looking_like(self._session, crm, side, title=title, email=email, keys=[key] if key else [])


def _source(attempt: Journal) -> str:
    """The id that what an attempt copied had then."""
    return attempt.crm_id if attempt.side == Side.NEXUDUS else attempt.nexudus_id


def _knows_what_it_made(attempt: Journal) -> bool:
    """Is it known what it made?"""
    return bool(attempt.nexudus_id and attempt.crm_id)


def _made(attempt: Journal, row: Unlinked) -> bool:
    """Is it known to have made this record, under whatever name? Rows of earlier versions tell no identity."""
    own, made = attempt.nexudus_id if attempt.side == Side.NEXUDUS else attempt.crm_id, attempt.step.get(MADE)
    return _knows_what_it_made(attempt) and bool(made == row.identity if made else own == row.record_id)


def _alike(attempt: Journal, row: Unlinked, away: timedelta) -> bool:
    """Did the attempt give its record this title and, as far as both are known, this customer?

    The customer alone tells where it was created about then: somebody may have renamed it before it was ever seen.
    """
    email = attempt.step.get("email")
    if _title(attempt) == (row.title or "") or (row.title and alike(_title(attempt), row.title)):
        return not email or row.email in (None, email)
    return bool(email) and row.email == email and abs(away) < SOON


def _title(attempt: Journal) -> str:
    said = attempt.fields.get("title") or {}
    return str(said.get("new") or "")


def _has_sent_key(attempt: Journal, row: Unlinked) -> bool:
    """Did the attempt send this external key? It names the source by the id it had then."""
    return row.external_key is not None and row.external_key == attempt.step.get("key")
