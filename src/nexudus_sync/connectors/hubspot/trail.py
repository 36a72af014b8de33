"""The histories of deals as a trail: who changed which property when, and which of it we did.

HubSpot tells a deal's history only by its id. How a service key shows in it is not known for sure, so a write of ours
is known in two ways: by the app that the history names, and by our journal, which sent that value at that time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from nexudus_sync.clock import moment
from nexudus_sync.connectors.base import Audited, Record, Sent
from nexudus_sync.connectors.hubspot.history import entries
from nexudus_sync.connectors.hubspot.records import CLOSE, PIPELINE, STAGE, STATUS
from nexudus_sync.connectors.hubspot.steps import PROPERTIES, REOPEN
from nexudus_sync.errors import storable

_APP = "INTEGRATION"
_USER = "userId:"
_CLOCKS = timedelta(seconds=5)
"""How far the history's time of a write may lie outside the time that our journal noted."""
_SAME_MOMENT = timedelta(seconds=2)
"""How long after a stage that closes a deal HubSpot sets its close date."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a property, with the one before it; None for no value."""

    key: str
    old: str | None
    new: str | None
    at: datetime
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trail:
    """Reads histories. `statuses`: (pipeline, stage) → status; `user`: a user's number → e-mail, None if not known.

    `apps` are the ids by which histories name us, as far as they have been learnt.
    """

    statuses: Mapping[tuple[str, str], str]
    user: Callable[[str], str | None]
    apps: set[str] = field(default_factory=set)

    def read(self, past: Mapping[str, Record], sent: Sequence[Sent]) -> list[Audited]:
        """The changes that the histories tell, oldest first. `past`: deal → property → its values, newest first."""
        writes: dict[str, list[Sent]] = {}
        for one in sent:
            writes.setdefault(one.record_id, []).append(one)
        changes = {deal: list(_changes(history)) for deal, history in past.items()}
        for deal, made in changes.items():
            self.apps.update(_app(one) for one in made if _app(one) and _journalled(one, writes.get(deal, ())))
        found = [one for deal, made in changes.items() for one in self._told(deal, made, writes.get(deal, ()))]
        return sorted(found, key=lambda one: one.number)

    def _told(self, deal: str, made: list[Entry], writes: Sequence[Sent]) -> Iterator[Audited]:
        moves = [(one, write) for one in made if one.key == STAGE and (write := self._write_of(one, writes))]
        pipelines = [one for one in made if one.key == PIPELINE]
        for one in made:
            write = self._write_of(one, writes) or _by_closing(one, moves)
            yield self._audited(deal, one, one.key, (one.old, one.new), write)
            if one.key == STAGE:
                before, after = (self._status(pipelines, one.at, stage) for stage in (one.old, one.new))
                if before != after:
                    yield self._audited(deal, one, STATUS, (before, after), write)

    def _audited(self, deal: str, one: Entry, key: str, values: tuple[Any, Any], write: Sent | None) -> Audited:
        number, own = int(one.at.timestamp() * 1000), write is not None or _app(one) in self.apps
        sent = None if write is None else write.at
        return Audited(number, deal, key, *values, own=own, at=one.at, author=self._author(one.told), sent=sent)

    def _write_of(self, one: Entry, writes: Sequence[Sent]) -> Sent | None:
        """The write of ours that made this change: by the journal, else by the app that the history names."""
        found = _journalled(one, writes)
        if found is not None or _app(one) not in self.apps:
            return found
        # it may have landed long after it had been given up
        return next((write for write in reversed(writes) if write.at - _CLOCKS <= one.at), None)

    def _status(self, pipelines: list[Entry], at: datetime, stage: str | None) -> str | None:
        """The status of a stage in the pipeline that the deal was in then."""
        then = next((one.new for one in reversed(pipelines) if one.at <= at), None)
        known = {status for (pipeline, one), status in self.statuses.items() if one == stage and pipeline == then}
        known = known or {status for (_, one), status in self.statuses.items() if one == stage}
        return known.pop() if len(known) == 1 else "open"

    def _author(self, told: Mapping[str, Any]) -> str:
        """Who made a change, for people: a user's e-mail, else what HubSpot calls the source."""
        source = str(told.get("sourceId") or "")
        number = str(told.get("updatedByUserId") or source.partition(_USER)[2])
        if number:
            return storable(self.user(number) or f"user {number}")
        label = told.get("sourceLabel") or str(told.get("sourceType") or "").replace("_", " ").lower()
        return storable(str(label))


def _changes(history: Record) -> Iterator[Entry]:
    """All changes of a deal, oldest first, those of one moment in the history's order."""
    found: list[Entry] = []
    for key, values in history.items():
        old: str | None = None
        for told in reversed(entries(values)):
            at, new = moment(str(told.get("timestamp") or "")), str(told.get("value") or "") or None
            if at is not None and new != old:
                found.append(Entry(key, old, new, at, told))
            old = new
    yield from sorted(found, key=lambda one: one.at)


def _app(one: Entry) -> str:
    """The id of the app that made a change; "" where it was none, or it is not named."""
    return str(one.told.get("sourceId") or "") if one.told.get("sourceType") == _APP else ""


def _journalled(one: Entry, writes: Iterable[Sent]) -> Sent | None:
    """The write of ours that sent this value at that time."""
    for write in writes:
        late = write.done is not None and one.at > write.done + _CLOCKS
        if write.at - _CLOCKS <= one.at and not late and _carries(write.step.payload, one):
            return write
    return None


def _carries(payload: Record, one: Entry) -> bool:
    """Did the step send this value?"""
    sent = payload.get(PROPERTIES) or {}
    if one.key == STAGE and payload.get(REOPEN) and not _by_hand(one):
        return True  # the stage was looked up when it was sent
    return one.key in sent and _alike(str(sent[one.key] or ""), one.new or "")


def _by_closing(one: Entry, moves: Iterable[tuple[Entry, Sent]]) -> Sent | None:
    """The write whose stage made HubSpot set this close date by itself, in its own name or in that of the write."""
    if one.key != CLOSE:
        return None
    near = [(move, write) for move, write in moves if timedelta(0) <= one.at - move.at <= _SAME_MOMENT]
    return next((write for move, write in near if not _by_hand(one) or _source(one) == _source(move)), None)


def _source(one: Entry) -> tuple[Any, Any]:
    return one.told.get("sourceType"), one.told.get("sourceId")


def _by_hand(one: Entry) -> bool:
    return str(one.told.get("sourceId") or "").startswith(_USER)


def _alike(one: str, other: str) -> bool:
    """Are two values the same, perhaps in another spelling: a number, or a moment?"""
    if one == other:
        return True
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        at = moment(one)
        return at is not None and at == moment(other)
