"""What a link remembers after a read or a write.

Snapshots, stamps, marks, and fields that will not stay as they are written.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlmodel import Session

from nexudus_sync.connectors.base import Record, Stamp, Written
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.doubts import OTHERS, forget_others
from nexudus_sync.engine.outcomes import close_rewritten, history_entry, keep_history
from nexudus_sync.engine.renderings import REPLY, rendering, reply_of, show_all
from nexudus_sync.engine.sight import Listed, Sight, id_of, snapshot_of, stamp_of
from nexudus_sync.mapping import Context, Field, Raw, Side, Unreadable
from nexudus_sync.merge import UNSENT, Outcome
from nexudus_sync.opportunity import Value, say
from nexudus_sync.plan import sent_snapshot
from nexudus_sync.store import failures
from nexudus_sync.store.tables import Link

STILL_NOW = 2.0
"""Seconds for which a stamp may still hide a second change (stamps are whole seconds)."""
FAR = 3600.0
"""Seconds by which a stamp may be ahead of the server's clock as it is known."""
BOUNCES = 2
"""So often may a field come back different from what was written before it is held as unstable."""


def set_snapshot(link: Link, side: Side, snapshot: dict[str, object]) -> None:
    """Replace one side's snapshot."""
    if side is Side.NEXUDUS:
        link.nexudus_snapshot = snapshot
    else:
        link.crm_snapshot = snapshot


def confirm_write(
    session: Session,
    bridge: Bridge,
    link: Link,
    to: Side,
    delivered: Iterable[Outcome],
    sent: Record,
    sights: Mapping[Side, Sight],
    written: Written,
) -> None:
    """In the confirming transaction: both snapshots move for what was delivered, the history keeps what was there."""
    outcomes, source, told = tuple(delivered), sights[to.other].record, dict[str, str]()
    snapshot = sent_snapshot(outcomes, to, snapshot_of(link, to), sent, to)
    for outcome in outcomes:
        lens, context = outcome.field.lens(to), sights[to].context
        raw = lens.raw(written.record)
        told[outcome.field.name] = rendering(outcome.field, to, outcome.value, raw, context)
        if told[outcome.field.name] or outcome.field.same(_read(outcome.field, to, raw, context), outcome.value):
            snapshot[lens.path.text] = raw
        origin = outcome.field.lens(to.other).raw(source)
        if not outcome.field.same(_read(outcome.field, to.other, origin, sights[to.other].context), outcome.value):
            snapshot[lens.path.text] = dict(UNSENT)  # an undo: the other side has yet to be given it
    whole = bridge.connector(to).traits.reads_before_write  # such an update sends every field, changed or not
    snapshot[REPLY] = reply_of(written.stamp, [*told, *(f.name for f in bridge.mapping.fields if whole)], snapshot)
    set_snapshot(link, to, snapshot)
    set_snapshot(link, to.other, sent_snapshot(outcomes, to.other, snapshot_of(link, to.other), source, to))
    if written.stamp is not None:
        set_stamp(link, to, written.stamp, bridge.clock.now())
    set_mark(link, to, True)  # the server may have moved more than was sent: a crash comes before that is looked at
    forget_others(link, to)
    keep_history(session, bridge, link, to, outcomes)
    close_rewritten(session, bridge, link, outcomes)
    names = {outcome.field.name for outcome in outcomes}
    failures.solve_failures(session, bridge.name, link.nexudus_id, link.crm_id, fields=names)
    show_all(session, bridge, link, told.items())
    session.add(link)


def note_read(
    bridge: Bridge, link: Link, side: Side, sent: Record, sight: Sight, written: Written, delivered: Iterable[Outcome]
) -> None:
    """Keep what a read right after a write shows: what the system made of its texts, and what else it moved."""
    _absorb(bridge, link, side, sight, written, delivered)
    _note_effects(bridge, link, side, sent, sight)


def _absorb(
    bridge: Bridge, link: Link, side: Side, sight: Sight, written: Written, delivered: Iterable[Outcome]
) -> None:
    """What it says of a text is the write's, where nothing was saved in between."""
    if written.stamp is None or sight.stamp is None or sight.stamp.token != written.stamp.token:
        return
    snapshot, told = dict(snapshot_of(link, side)), dict[str, str]()
    for field in (outcome.field for outcome in delivered):
        path, raw = field.lens(side).path.text, field.lens(side).raw(sight.record)
        if reason := rendering(field, side, _read(field, side, snapshot[path], sight.context), raw, sight.context):
            snapshot[path] = raw
            told[field.name] = reason
    set_snapshot(link, side, snapshot)
    with bridge.store.session() as session:
        show_all(session, bridge, link, told.items())


def note_begun(link: Link, to: Side, begun: Iterable[Field], record: Record) -> None:
    """What a write left that others have yet to complete is no change of the side it was written to.

    The other side's value is still to be delivered, by them or after a crash.
    """
    lenses = [field.lens(to) for field in begun]
    left = {lens.path.text: lens.raw(record) for lens in lenses}
    set_snapshot(link, to, {**snapshot_of(link, to), **left})


def _read(field: Field, side: Side, raw: Raw, context: Context) -> Value:
    try:
        return field.read(side, raw, context)
    except Unreadable:
        return None


def differing(bridge: Bridge, link: Link, side: Side, sight: Sight, *, unsent: bool = False) -> set[str]:
    """The mapped fields on which a record does not say what its snapshot says.

    `unsent`: those too whose value the other side has never been given.
    """
    names, snapshot = set(), snapshot_of(link, side)
    for field in bridge.mapping.fields:
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


def _note_effects(bridge: Bridge, link: Link, side: Side, sent: Record, sight: Sight) -> None:
    """Keep what a write replaced beyond its own fields (a stage that wins a deal), so that it can be brought back."""
    entries = []
    for field in bridge.mapping.fields:
        was, now = (_read(field, side, field.lens(side).raw(one), sight.context) for one in (sent, sight.record))
        if not field.same(was, now):
            entries.append(history_entry(bridge, link, field, side, old=say(was), new=say(now), lost=say(was)))
    if entries:
        with bridge.store.session() as session:
            session.add_all(entries)


def bounced(bridge: Bridge, link: Link, side: Side, sight: Sight, delivered: Iterable[Outcome]) -> bool:
    """Does the record say anything else than what was sent?

    Counts how often in a row a written field came back different.
    """
    names, counts = differing(bridge, link, side, sight), dict(link.bounces)
    for outcome in delivered:
        key = f"{side.value} {outcome.field.name}"
        if outcome.field.name in names:
            counts[key] = int(counts.get(key, 0)) + 1
        else:
            counts.pop(key, None)
    link.bounces = counts
    return bool(names)


def held_fields(link: Link, sights: Mapping[Side, Sight]) -> dict[str, str]:
    """Fields that are not written any more because they never stay as they are written.

    A person's edit in a system that names its authors starts the count anew.
    """
    held = {}
    for key, count in link.bounces.items():
        if key.startswith(OTHERS):
            continue
        side, _, name = key.partition(" ")
        stamp = sights[Side(side).other].stamp
        by_person = stamp is not None and not stamp.own and stamp.token != stamp_of(link, Side(side).other)
        if int(count) >= BOUNCES and not by_person:
            held[name] = (
                "what is written there comes back different each time; make both sides agree, then retry this failure"
            )
    return held


def finish(
    session: Session,
    bridge: Bridge,
    link: Link,
    sights: Mapping[Side, Sight],
    again: Iterable[Side],
    rows: Mapping[Side, Mapping[str, Listed]],
) -> None:
    """The link is settled: take its marks away, except where something has to be read once more."""
    note_stamps(session, link, sights, bridge.clock.now())
    more = set(again)
    for side, sight in sights.items():
        if sight.real:
            set_mark(link, side, side in more or still_now(bridge, side, sight))
            set_digest(link, side, _digest(bridge, side, sight, rows[side].get(id_of(link, side))))
    crm, now = sights[Side.CRM], bridge.clock.now()
    if crm.whole:
        link.crm_children_at = now
    if all(sight.real and sight.whole for sight in sights.values()):
        link.verified_at = now
    link.is_lost = bridge.is_lost(Side.CRM, crm.record)
    session.add(link)


def note_stamps(session: Session, link: Link, sights: Mapping[Side, Sight], now: datetime) -> None:
    """Under which stamps the link's records were read.

    A later stamp is news even while the link waits for its next attempt. One that is new is no news to a listing any
    more: its record stays marked until it is settled.
    """
    for side, sight in sights.items():
        if sight.real and sight.stamp is not None:
            if sight.stamp.token != stamp_of(link, side):
                set_mark(link, side, True)
            set_stamp(link, side, sight.stamp, now)
    session.add(link)


def set_stamp(link: Link, side: Side, stamp: Stamp, now: datetime) -> None:
    """The newest state that is known of a side, and when that was noted first."""
    noted = now if stamp.token != stamp_of(link, side) else None
    if side is Side.NEXUDUS:
        link.nexudus_stamp, link.nexudus_stamped_at = stamp.token, stamp.at
        link.nexudus_noted_at = noted or link.nexudus_noted_at
    else:
        link.crm_stamp, link.crm_stamped_at = stamp.token, stamp.at
        link.crm_noted_at = noted or link.crm_noted_at


def set_mark(link: Link, side: Side, mark: bool) -> None:
    """Must the record be read once more?"""
    if side is Side.NEXUDUS:
        link.nexudus_recheck = mark
    else:
        link.crm_recheck = mark


def still_now(bridge: Bridge, side: Side, sight: Sight) -> bool:
    """Could another change hide behind the stamp that was read?

    Not behind an own stamp, where the system names its authors, and not where stamps are exact.
    """
    if bridge.connector(side).traits.exact_stamps:
        return False
    if sight.stamp is None or sight.stamp.at is None or sight.stamp.own:
        return False
    clock = bridge.clock
    waited = 0.0 if sight.read_at is None else clock.monotonic() - sight.read_at
    stamped = bridge.our_time(side, sight.stamp.at)
    # one far in the future hides nothing that is done now, and would be read in every cycle
    return stamped is not None and -FAR < (clock.now() - stamped).total_seconds() - waited < STILL_NOW


def _digest(bridge: Bridge, side: Side, sight: Sight, listed: Listed | None) -> str:
    """The fingerprint the next listing is compared with; "" when no row that fits the record was seen."""
    if bridge.connector(side).traits.rows_are_whole:
        return bridge.digest(side, sight.record)
    if listed is None or sight.stamp is None or listed.row.stamp.token != sight.stamp.token:
        return ""
    return bridge.digest(side, listed.row.record)


def set_digest(link: Link, side: Side, digest: str) -> None:
    """The fingerprint of the row that the next listing is compared with."""
    if side is Side.NEXUDUS:
        link.nexudus_digest = digest
    else:
        link.crm_digest = digest
