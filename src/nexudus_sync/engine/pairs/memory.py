"""What a link remembers once it is settled: marks, digests, and fields that do not stay as written."""

from collections.abc import Iterable, Mapping

from nexudus_sync.connectors.base import Record, Written
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read.changes import differing, note_stamps, still_now, value_or_none
from nexudus_sync.engine.read.renderings import rendering, show_renderings
from nexudus_sync.engine.read.sight import Listed, Listing, Sight
from nexudus_sync.engine.write.another import COUNTED
from nexudus_sync.engine.write.confirm import history_entry
from nexudus_sync.mapping import Side
from nexudus_sync.merge import Outcome
from nexudus_sync.opportunity import say
from nexudus_sync.plan import UNSTABLE, Hold
from nexudus_sync.store import Session
from nexudus_sync.store.tables import Link

BOUNCES = 2
"""A field that comes back different from what was written this often in a row is held as unstable."""
_UNSTABLE = "the value comes back different each time it is written; make both sides agree, then retry this failure"


def note_read(
    connection: Connection,
    link: Link,
    side: Side,
    sent: Record,
    sight: Sight,
    written: Written,
    delivered: Iterable[Outcome],
) -> None:
    """Keep what a read right after a write shows: how the system stored the texts, and what else it changed."""
    _absorb(connection, link, side, sight, written, delivered)
    _note_effects(connection, link, side, sent, sight)


def _absorb(
    connection: Connection, link: Link, side: Side, sight: Sight, written: Written, delivered: Iterable[Outcome]
) -> None:
    """Accept a rendering of a text that was sent, provided that nothing was saved since the write."""
    if written.stamp is None or sight.stamp is None or sight.stamp.token != written.stamp.token:
        return  # was saved again since, so a difference may be an edit
    snapshot, told = dict(link.half(side).snapshot), dict[str, str]()
    for field in (outcome.field for outcome in delivered):
        path, raw = field.lens(side).path.text, field.lens(side).raw(sight.record)
        if reason := rendering(
            field, side, value_or_none(field, side, snapshot[path], sight.context), raw, sight.context
        ):
            snapshot[path] = raw
            told[field.name] = reason
    link.half(side).snapshot = snapshot
    with connection.store.session() as session:
        show_renderings(session, connection, link, told.items())


def _note_effects(connection: Connection, link: Link, side: Side, sent: Record, sight: Sight) -> None:
    """Keep in the history what a write changed beyond its own fields, such as a stage that wins the deal."""
    entries = []
    for field in connection.mapping.fields:
        was, now = (
            value_or_none(field, side, field.lens(side).raw(one), sight.context) for one in (sent, sight.record)
        )
        if not field.same(was, now):
            entries.append(history_entry(connection, link, field, side, old=say(was), new=say(now), lost=say(was)))
    if entries:
        with connection.store.session() as session:
            session.add_all(entries)


def bounced(connection: Connection, link: Link, side: Side, sight: Sight, delivered: Iterable[Outcome]) -> bool:
    """Does the record differ from what was sent? Counts how often in a row each written field came back different."""
    names, counts = differing(connection, link, side, sight), dict(link.bounces)
    for outcome in delivered:
        key = f"{side.value} {outcome.field.name}"
        if outcome.field.name in names:
            counts[key] = int(counts.get(key, 0)) + 1
        else:
            counts.pop(key, None)
    link.bounces = counts
    return bool(names)


def unstable_fields(link: Link, sights: Mapping[Side, Sight]) -> list[Hold]:
    """Fields that are no longer written because they never stay as written.

    An edit by a person, where the system names its authors, starts the count again.
    """
    unstable = dict[str, Hold]()
    for key, count in link.bounces.items():
        if key.startswith(COUNTED):
            continue
        side, _, name = key.partition(" ")
        stamp = sights[Side(side).other].stamp
        by_person = stamp is not None and not stamp.own and stamp.token != link.half(Side(side).other).stamp
        if int(count) >= BOUNCES and not by_person:
            unstable[name] = Hold(UNSTABLE, _UNSTABLE, name)
    return list(unstable.values())


def finish(
    session: Session,
    connection: Connection,
    link: Link,
    sights: Mapping[Side, Sight],
    reread: Iterable[Side],
    seen: Mapping[Side, Listing],
) -> None:
    """The link is settled: take its marks away, except on a side that has to be read again."""
    note_stamps(session, link, sights, connection.clock.now())
    more = set(reread)
    for side, sight in sights.items():
        if sight.real:
            link.half(side).must_read = side in more or still_now(connection, side, sight)
            link.half(side).digest = _digest(connection, side, sight, seen[side].rows.get(link.half(side).id))
    crm, now = sights[Side.CRM], connection.clock.now()
    if crm.whole:
        link.crm_children_at = now
    if all(sight.real and sight.whole for sight in sights.values()):
        link.verified_at = now
    link.is_lost = connection.is_lost(Side.CRM, crm.record)
    session.add(link)


def _digest(connection: Connection, side: Side, sight: Sight, listed: Listed | None) -> str:
    """The fingerprint to compare the next listing with; "" if no row of this state of the record was seen."""
    if connection.connector(side).traits.rows_are_whole:
        return connection.digest(side, sight.record)
    if listed is None or sight.stamp is None or listed.row.stamp.token != sight.stamp.token:
        return ""
    return connection.digest(side, listed.row.record)
