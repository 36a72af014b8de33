"""What changed in a record since it was last read."""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as MappingABC
from datetime import datetime
from typing import Any

from nexudus_sync.connectors.base import Row
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.errors import storable
from nexudus_sync.mapping import Context, Field, Mapping, Raw, Side, Unreadable
from nexudus_sync.merge import UNSENT
from nexudus_sync.opportunity import Value
from nexudus_sync.store import Session
from nexudus_sync.store.tables import Link

STILL_NOW = 2.0
"""Seconds for which a stamp may still hide a second change (stamps are whole seconds)."""
FAR = 3600.0
"""Seconds by which a stamp may be ahead of the server's clock, as far as that is known."""


def value_or_none(field: Field, side: Side, raw: Raw, context: Context) -> Value:
    """What a raw value says; None if it cannot be read."""
    try:
        return field.read(side, raw, context)
    except Unreadable:
        return None


def differing(connection: Connection, link: Link, side: Side, sight: Sight, *, unsent: bool = False) -> set[str]:
    """The mapped fields on which a record differs from its snapshot.

    `unsent`: include those whose value the other side was never given.
    """
    names, snapshot = set(), link.half(side).snapshot
    for field in connection.mapping.fields:
        lens = field.lens(side)
        then, now = snapshot.get(lens.path.text), lens.raw(sight.record)
        if then == UNSENT:
            names |= {field.name} if unsent and now is not None else set()
            continue
        if then == now or lens.path.text not in snapshot:
            continue
        try:
            alike = field.same(field.read(side, then, sight.context), field.read(side, now, sight.context))
        except Unreadable:
            alike = False
        if not alike:
            names.add(field.name)
    return names


def still_now(connection: Connection, side: Side, sight: Sight) -> bool:
    """Could another change hide behind the stamp that was read?

    Not behind a stamp of our own, where the system names its authors, and not where stamps are exact. Nor where rows
    are whole: a listing shows it then, for contents are compared as well.
    """
    traits = connection.connector(side).traits
    if traits.exact_stamps or (traits.rows_are_whole and not traits.child_keys):
        return False
    if sight.stamp is None or sight.stamp.at is None or sight.stamp.own:
        return False
    clock = connection.clock
    waited = 0.0 if sight.read_at is None else clock.monotonic() - sight.read_at
    stamped = connection.our_time(side, sight.stamp.at)
    # a stamp far in the future hides no change made now, and its record would be read in every cycle
    return stamped is not None and -FAR < (clock.now() - stamped).total_seconds() - waited < STILL_NOW


def as_unlinked(connection: Connection, side: Side, row: Row) -> dict[str, Any]:
    """The store's row for an unlinked record, by column. Raises whatever error a row causes that makes no sense."""
    facts = connection.facts(side, row.record)
    candidate = connection.candidate(side, row.record, facts=facts)
    for text in (row.id, row.stamp.token, facts.identity, candidate.email or "", candidate.external_key or ""):
        text.encode()  # no database accepts half a character
    return {
        "connection": connection.name,
        "side": side.value,
        "record_id": row.id,
        "identity": facts.identity,
        "stamp": row.stamp.token,
        "digest": connection.digest_alone(side, row.record),
        "recheck": False,
        "email": candidate.email,
        "title": candidate.title,
        "customer": storable(facts.customer_name or facts.company_name or ""),
        "is_open": candidate.is_open,
        "external_key": candidate.external_key,
        "created_at": candidate.created_at,
        "state": "waiting",
        "reason": None,
    }


def synced_places(mapping: Mapping) -> set[str]:
    """The places whose edits are synced, each with its side."""
    return {place for field in mapping.fields for place in _synced_places_of(field)}


def _synced_places_of(field: Field) -> set[str]:
    return {f"{side.value} {field.lens(side).path.text}" for side in field.sources}


def newly_synced(mapping: Mapping, before: Collection[str]) -> list[Field]:
    """The fields with a side whose edits were not synced before."""
    return [field for field in mapping.fields if not _synced_places_of(field) <= set(before)]


def forget_agreed(link: Link, fields: Iterable[Field]) -> None:
    """Take these fields out of both snapshots, as if they had never been agreed on."""
    for side in Side:
        paths = {field.lens(side).path.text for field in fields}
        known = link.half(side).snapshot
        link.half(side).snapshot = {path: raw for path, raw in known.items() if path not in paths}


def note_stamps(session: Session, link: Link, sights: MappingABC[Side, Sight], now: datetime) -> None:
    """Note the stamps under which a link's records were read.

    A later stamp is news, even while the link waits for a retry. A stamp noted here is no longer news to a listing, so
    its record stays marked until it is settled.
    """
    for side, sight in sights.items():
        if sight.real and sight.stamp is not None:
            half = link.half(side)
            half.must_read = half.must_read or sight.stamp.token != half.stamp
            half.note(sight.stamp.token, sight.stamp.at, now)
    session.add(link)
