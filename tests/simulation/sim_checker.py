"""The invariants of the design, read off the doubles' logs and the store after a history has come to rest."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sim_gap import by_server, in_any_gap, in_gap
from sim_rest import (
    Rest,
    at_rest,
    covered,
    given_up,
    key_held,
    kinds,
    made_by_sync,
    moved_away,
    pairs,
    people_touched,
    present,
    times_given,
    turned_up_late,
)
from sim_set_back import set_back
from sim_stages import stage_rests
from sim_world import SimWorld
from sqlmodel import col, select

from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.engine.cycle import run_cycle
from nexudus_sync.engine.inbox import UNEXPECTED
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Context, OnConflict, Side, Sync, Unreadable
from nexudus_sync.mapping.context import sets_aside
from nexudus_sync.opportunity import say
from nexudus_sync.store.tables import Conflict, Decision, Failure, Journal, Link, Unlinked

MAY_WRITE_IN_NEXUDUS = frozenset({
    "Name", "Status", "Completed", "CrmBoardColumnId", "LossReason", "Value", "DueDate", "UtmSource", "UtmMedium",
    "UtmCampaign", "UtmContent", "ResponsibleId", "UpdatedOn", "UpdatedBy", "CrmUpdatedOn", "WonOn", "LostOn",
    "Position",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    invariant: str
    text: str


def check(world: SimWorld) -> tuple[list[Violation], int]:
    """All invariants; also how many edits fell into the stated gap between our read and our write."""
    rest = at_rest(world)
    lost, exempt = no_lost_update(world, rest)
    found = [*converged(world, rest), *lost, *no_duplicates(world, rest, left_alone=moved_away(world, rest))]
    found += [*no_clobber(world), *proven_deletes(world), *no_phantoms(world, rest), *no_overruling(world)]
    found += [*created_once(world, rest), *nothing_unforeseen(world), *kept_by_hand(world, rest)]
    return [*found, *within_budget(world), *accounted(world, rest)], exempt


def nothing_unforeseen(world: SimWorld) -> list[Violation]:
    """An exception that nobody foresaw is one record's failure to people, and a fault of the program to us."""
    with world.store.read() as session:
        found = session.exec(select(Failure).where(Failure.kind == UNEXPECTED)).all()
    return [Violation("unforeseen", f"{one.nexudus_id} ⇄ {one.crm_id}: {one.reason}") for one in found]


def converged(world: SimWorld, rest: Rest) -> list[Violation]:
    """Invariants 1 and 4: both sides agree on every field that is not shown as waiting, and one more cycle is idle."""
    found = []
    for link, records, contexts in pairs(world, rest):
        for field in world.connection.mapping.fields:
            if field.sync is not Sync.TWO_WAY:
                continue
            if {(link.nexudus_id, field.name), (link.crm_id, field.name), (link.nexudus_id, "")} & rest.waiting:
                continue
            said = {}
            for side, record in records.items():
                try:
                    said[side] = field.get(side, record, contexts[side])
                except Unreadable as problem:
                    said[side] = f"unreadable: {problem}"
            if field.is_aside(Side.CRM, records[Side.CRM], contexts[Side.CRM], contexts[Side.NEXUDUS]):
                continue
            if field.name == "sales_stage" and stage_rests(world, link, records[Side.CRM]):
                continue
            if not field.same(said[Side.NEXUDUS], said[Side.CRM]):
                found.append(Violation("1 convergence", f"{link.nexudus_id}/{link.crm_id} {field.name}: {said}"))
    for _ in range(2):
        world.clock.seconds += 60
        try:
            reports = [world.clock.run(run_cycle(connection)) for connection in world.engine.connections]
        except SyncError as error:
            return [*found, Violation("1 convergence", f"a cycle at rest ended: {error}")]
    found += [Violation("4 echo", f"a cycle at rest wrote {dict(one.writes)}") for one in reports if one.written]
    return found


def no_lost_update(world: SimWorld, rest: Rest) -> tuple[list[Violation], int]:
    """Invariant 2: the last value a person wrote is there, or gave way and was kept, or waits for a person."""
    found, exempt = [], 0
    for link, records, contexts in pairs(world, rest):
        for field in world.connection.mapping.fields:
            for side, record_id in ((Side.NEXUDUS, link.nexudus_id), (Side.CRM, link.crm_id)):
                key = field.lens(side).path.root
                edit = _last_edit(world, rest, side, record_id, key, after=link.created_at)
                if edit is None or {(link.nexudus_id, field.name), (link.crm_id, field.name)} & rest.waiting:
                    continue
                index, raw = edit
                if sets_aside(field.lens(side).kind.directory(contexts[side]), raw):
                    continue  # is the status, which is a field of its own
                try:
                    wrote, *elsewhere = (field.read(side, raw, one) for one in _wherever(world, contexts[side]))
                    now = field.get(side, records[side], contexts[side])
                except Unreadable:
                    continue
                kept = [
                    e for entry in rest.history.get((link.nexudus_id, field.name), []) for e in (entry.old, entry.lost)
                ]
                was_kept = any(say(one) in kept for one in (wrote, *elsewhere))
                if field.same(wrote, now) or was_kept or any(_alike(field, wrote, one) for one in kept):
                    continue
                if in_gap(world, side, record_id, index) or by_server(world, side, record_id, key, index):
                    exempt += 1
                    continue
                found.append(
                    Violation(
                        "2 lost update", f"{side} {record_id} {field.name}: {wrote!r} is gone, now {now!r}, kept {kept}"
                    )
                )
    return found, exempt


def _wherever(world: SimWorld, context: Context) -> list[Context]:
    """Here, and in the zones of all places: what was kept of a day was the day where the card lay then."""
    zones = [place.zone for place in world.places.values()] if context.time_zone is not None else []
    return [context, *(replace(context, time_zone=zone) for zone in zones)]


def _alike(field: Any, wrote: Any, kept: Any) -> bool:
    return isinstance(kept, str) and isinstance(wrote, str) and bool(field.same(wrote, kept))


def _last_edit(
    world: SimWorld, rest: Rest, side: Side, record_id: str, key: str, after: datetime
) -> tuple[int, Any] | None:
    """The last value that a person wrote since, with its place among all changes."""
    edit = rest.edits.get((side, record_id, key))
    if key == "lost_reasons" or edit is None:
        return None
    index, change = edit
    at = change.at.timestamp() - world.double(side).offset
    return (index, change.new) if at > after.timestamp() + 1 else None


def kept_by_hand(world: SimWorld, rest: Rest) -> list[Violation]:
    """Invariant 2: what a person wrote gives way only to what a person said."""
    return [
        Violation("2 set back", f"{side} {one} {name}: {change.old!r} gave way to {change.new!r}, which nobody wrote")
        for side, one, name, change in set_back(world, rest)
    ]


def no_duplicates(world: SimWorld, rest: Rest, *, left_alone: Collection[str] = ()) -> list[Violation]:
    """Invariant 3: every record the sync created is the counterpart of exactly one, or is shown as a stray.

    Except for the strays that are left alone.
    """
    found = []
    shown = {one for one, field in rest.waiting if field == "record"} | set(left_alone)
    for side in Side:
        held, made = Counter(key_held(side, link) for link in rest.links), made_by_sync(world, side)
        found += [
            Violation("3 duplicate", f"{side} {one} was created by the sync and is linked {held[key]} times")
            for key, one in present(rest, side).items()
            if key in made and held[key] != 1 and one not in shown
        ]
    return found


def created_once(world: SimWorld, rest: Rest) -> list[Violation]:
    """Invariant 3: no copy of a copy, no second copy, and no stray that recovery could have found.

    It could not where a write landed later than it waits, or people had renamed the copy by then.
    """
    made = {side: made_by_sync(world, side) for side in Side}
    found = [
        Violation("3 duplicate", f"{link.nexudus_id} and {link.crm_id} were both created by the sync")
        for link in rest.links
        if all(key_held(side, link) in made[side] for side in Side)
    ]
    with world.store.read() as session:
        query = select(Journal).where(Journal.kind == "opportunity.create", Journal.state == "confirmed")
        rows = list(session.exec(query))
    times = Counter((row.side, row.crm_id if row.side == Side.NEXUDUS else row.nexudus_id) for row in rows)
    found += [
        Violation("3 duplicate", f"{one} got {n} counterparts in {side}")
        for (side, one), n in times.items()
        if n > max(1, times_given(world, Side(side).other, one))
    ]
    for side in Side:
        linked, there = {key_held(side, link) for link in rest.links}, present(rest, side)
        name = "Name" if side is Side.NEXUDUS else "title"
        strays = sorted(
            there[key]
            for key in (made[side] - linked) & there.keys()
            if (there[key], "record") in rest.waiting and not people_touched(world, side, key, name)
        )
        if strays and not turned_up_late(world, side):
            found.append(Violation("3 duplicate", f"strays in {side} though nothing landed late: {strays}"))
    return found


def no_phantoms(world: SimWorld, rest: Rest) -> list[Violation]:
    """Invariant 4: what only the sync wrote on a side is no second opinion, so it is never one half of a conflict.

    Unless the field began to travel since, or its record was given up as not created and matched when it turned up:
    then its two values were never compared, and whose they are is not known.
    """
    with world.store.read() as session:
        query = select(Conflict).where(col(Conflict.link_id).is_not(None), col(Conflict.reason).is_(None))
        shown = [one for one in session.exec(query) if one.field not in {"record", "status"}]
    late = {side: given_up(world, rest, side) if turned_up_late(world, side) else set() for side in Side}
    found = []
    for conflict in shown:
        field = world.connection.mapping.find(conflict.field)
        if field is None or field.name in world.widened or field.name in world.desk.sets_itself:
            continue  # it does not travel any more, was matched once more, or is the server's doing
        for side, record_id in ((Side.NEXUDUS, conflict.nexudus_id), (Side.CRM, conflict.crm_id)):
            keys = {one: key for key, one in present(rest, side).items()}
            key = keys.get(record_id, "")
            source = conflict.crm_id if side is Side.NEXUDUS else conflict.nexudus_id
            untouched = key in made_by_sync(world, side) and source not in late[side]
            if untouched and not people_touched(world, side, key, field.lens(side).path.root):
                text = f"{side} {record_id} {conflict.field}: {conflict.nexudus!r} against {conflict.crm!r}"
                found.append(Violation("4 echo", f"a conflict with what only the sync wrote: {text}"))
    return found


def no_overruling(world: SimWorld) -> list[Violation]:
    """Invariant 2: where a person decides, a value gives way only if a conflict showed this very value."""
    with world.store.read() as session:
        writes = list(session.exec(select(Journal).where(Journal.state == "confirmed")))
        conflicts = list(session.exec(select(Conflict)))
        undone = session.exec(select(Decision).where(Decision.kind == "undo")).first()
    shown = {(c.nexudus_id, c.field, "nexudus", str(c.nexudus)) for c in conflicts}
    shown |= {(c.nexudus_id, c.field, "crm", str(c.crm)) for c in conflicts}
    fields = (field for field in world.connection.mapping.fields if field.name not in world.rules)
    manual = {field.name for field in fields if field.on_conflict is OnConflict.MANUAL}
    return [
        Violation(
            "2 lost update", f"{row.nexudus_id} {name}: {one['lost']!r} gave way to {one['new']!r}, nobody was asked"
        )
        for row in writes
        for name, one in row.fields.items()
        if name in manual
        and one["lost"] is not None
        and not undone
        and (row.nexudus_id, name, row.side, str(one["lost"])) not in shown
    ]


def no_clobber(world: SimWorld) -> list[Violation]:
    """Invariant 5: the sync changes no field that is not mapped."""
    found = []
    for side in Side:
        for index, change in enumerate(world.double(side).changes):
            if change.by != SYNC_USER or change.action != "update" or change.kind not in kinds(world, side):
                continue
            may_write = MAY_WRITE_IN_NEXUDUS if side is Side.NEXUDUS else world.desk.may_write
            if change.field not in may_write and not in_any_gap(world, side, change, index):
                found.append(
                    Violation(
                        "5 clobber", f"{side} {change.record_id} {change.field}: {change.old!r} -> {change.new!r}"
                    )
                )
    return found


def proven_deletes(world: SimWorld) -> list[Violation]:
    """Invariant 6: the sync deletes only what people deleted on the other side, and only when told to propagate."""
    deleted = {
        side: [c for c in world.double(side).changes if c.action == "delete" and c.kind == kinds(world, side)[0]]
        for side in Side
    }
    with world.store.read() as session:
        links = {(link.nexudus_id, link.crm_id) for link in session.exec(select(Link))}
    found = []
    for side in Side:
        gone_there = {c.record_id for c in deleted[side.other]}
        for change in (c for c in deleted[side] if c.by == SYNC_USER):
            partners = {crm if side is Side.NEXUDUS else card for card, crm in links if change.record_id in (card, crm)}
            if not world.ever_propagated or not partners & gone_there:
                found.append(Violation("6 delete", f"{side} {change.record_id} was deleted without cause"))
    return found


def within_budget(world: SimWorld) -> list[Violation]:
    """Invariant 8: the double itself never had to throttle.

    A call that lingers on the way for longer than any window is stretched comes beside those made much later: it may
    cost one answer.
    """
    throttled = [entry for entry in world.nexudus.log if entry.status in {409, 429}]
    if len(throttled) <= len(world.landed_late(Side.NEXUDUS)):
        return []
    return [Violation("8 budget", f"{len(throttled)} calls were throttled, first {throttled[0]}")]


def accounted(world: SimWorld, rest: Rest) -> list[Violation]:
    """Nothing is silently left out: each record in scope is linked, or listed with a reason; nothing is pending."""
    with world.store.read() as session:
        listed = {
            (row.side, row.record_id) for row in session.exec(select(Unlinked).where(Unlinked.state != "waiting"))
        }
        pending = list(session.exec(select(Journal).where(col(Journal.state).in_(("planned", "sent")))))
    found = [Violation("7 pending", f"{row.kind} {row.state} {row.nexudus_id} {row.crm_id}") for row in pending]
    for side in Side:
        ids = covered(world, rest, side)
        known = {link.nexudus_id if side is Side.NEXUDUS else link.crm_id for link in rest.links}
        missing = {i for i in ids - known if (side.value, i) not in listed and (i, "") not in rest.waiting}
        found += [
            Violation("accounting", f"{side} {one} is neither linked nor listed with a reason")
            for one in sorted(missing)
        ]
    return found
