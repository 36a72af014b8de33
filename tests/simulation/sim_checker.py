"""The invariants of the design, read off the doubles' logs and the store after a history has come to rest."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sim_world import SimWorld
from sqlmodel import col, select

from nexudus_sync.engine.cycle import Cycle, Options
from nexudus_sync.mapping import Context, OnConflict, Side, Unreadable
from nexudus_sync.opportunity import say
from nexudus_sync.sandbox.double import Change
from nexudus_sync.sandbox.seed.places import SYNC_USER
from nexudus_sync.store.tables import Conflict, Decision, Failure, History, Journal, Link, Unlinked

MAY_WRITE = {
    Side.NEXUDUS: {
        "Name", "Status", "Completed", "CrmBoardColumnId", "LossReason", "Value", "DueDate", "UtmSource", "UtmMedium",
        "UtmCampaign", "UtmContent", "ResponsibleId", "UpdatedOn", "UpdatedBy", "CrmUpdatedOn", "WonOn", "LostOn",
        "Position",
    },
    Side.CRM: {
        "title", "status", "sales_stage", "lost_reason", "opportunity_amount", "expected_closing", "utm_source",
        "utm_medium", "utm_campaign", "utm_content", "opportunity_owner", "updated_at",
    },
}  # fmt: skip
GAP = 2.0
"""Seconds between our last read of a record and our write that are the stated gap; what is older is a stale read."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    invariant: str
    text: str


@dataclass(slots=True)
class Rest:
    """The world at rest: links, what waits, and what both sides say."""

    links: list[Link]
    waiting: set[tuple[str, str]]
    history: dict[tuple[str, str], list[History]]
    cards: dict[str, dict[str, Any]]
    deals: dict[str, dict[str, Any]]


def check(world: SimWorld) -> tuple[list[Violation], int]:
    """All invariants; also how many edits fell into the stated gap between our read and our write."""
    rest = at_rest(world)
    lost, exempt = no_lost_update(world, rest)
    found = [*converged(world, rest), *lost, *no_duplicates(world, rest), *no_clobber(world), *proven_deletes(world)]
    found += [*no_phantoms(world, rest), *no_overruling(world), *created_once(world, rest)]
    return [*found, *within_budget(world), *accounted(world, rest)], exempt


def at_rest(world: SimWorld) -> Rest:
    with world.store.read() as session:
        links = list(session.exec(select(Link)))
        waits: set[tuple[str, str]] = set()
        for conflict in session.exec(select(Conflict).where(col(Conflict.state).in_(("open", "resolved")))):
            waits |= {(conflict.nexudus_id, conflict.field), (conflict.crm_id, conflict.field)}
        for failure in session.exec(select(Failure).where(Failure.state == "open")):
            waits |= {(failure.nexudus_id, failure.field), (failure.crm_id, failure.field)}
        history: dict[tuple[str, str], list[History]] = {}
        for entry in session.exec(select(History)):
            history.setdefault((entry.nexudus_id, entry.field), []).append(entry)
    cards = {str(key): row for key, row in world.nexudus.records().items()}
    deals = {key: {**row, "lost_reasons": _reasons(world, key)} for key, row in world.crm.records().items()}
    return Rest(links, waits, history, cards, deals)


def _reasons(world: SimWorld, deal: str) -> list[dict[str, Any]]:
    return [{"id": str(n), "idx": n, "lost_reason": text} for n, text in enumerate(world.crm.lost_reasons(deal))]


def _contexts(world: SimWorld, card: dict[str, Any], deal: dict[str, Any]) -> dict[Side, Context]:
    async def ask() -> dict[Side, Context]:
        await world.engine.start()
        bridge = world.bridge
        return {
            Side.NEXUDUS: await bridge.context(Side.NEXUDUS, card),
            Side.CRM: await bridge.context(Side.CRM, deal),
        }

    return world.clock.run(ask())


def _pairs(rest: Rest) -> Iterable[tuple[Link, dict[str, Any], dict[str, Any]]]:
    for link in rest.links:
        if link.state == "active" and link.nexudus_id in rest.cards and link.crm_id in rest.deals:
            yield link, rest.cards[link.nexudus_id], rest.deals[link.crm_id]


def converged(world: SimWorld, rest: Rest) -> list[Violation]:
    """Invariants 1 and 4: both sides agree on every field that is not shown as waiting, and one more cycle is idle."""
    found = []
    for link, card, deal in _pairs(rest):
        contexts = _contexts(world, card, deal)
        for field in world.bridge.mapping.fields:
            if {(link.nexudus_id, field.name), (link.crm_id, field.name), (link.nexudus_id, "")} & rest.waiting:
                continue
            said = {}
            for side, record in ((Side.NEXUDUS, card), (Side.CRM, deal)):
                try:
                    said[side] = field.get(side, record, contexts[side])
                except Unreadable as problem:
                    said[side] = f"unreadable: {problem}"
            if not field.same(said[Side.NEXUDUS], said[Side.CRM]):
                found.append(Violation("1 convergence", f"{link.nexudus_id}/{link.crm_id} {field.name}: {said}"))
    for _ in range(2):
        world.clock.seconds += 60
        report = world.clock.run(Cycle(world.bridge, Options()).run())
    if report.written:
        found.append(Violation("4 echo", f"a cycle at rest wrote {dict(report.writes)}"))
    return found


def no_lost_update(world: SimWorld, rest: Rest) -> tuple[list[Violation], int]:
    """Invariant 2: the last value a person wrote is there, or gave way and was kept, or waits for a person."""
    found, exempt = [], 0
    for link, card, deal in _pairs(rest):
        contexts = _contexts(world, card, deal)
        for field in world.bridge.mapping.fields:
            for side, record, record_id in ((Side.NEXUDUS, card, link.nexudus_id), (Side.CRM, deal, link.crm_id)):
                key = field.lens(side).path.root
                edit = _last_edit(world, side, record_id, key, after=link.created_at)
                if edit is None or {(link.nexudus_id, field.name), (link.crm_id, field.name)} & rest.waiting:
                    continue
                index, raw = edit
                try:
                    wrote = field.read(side, raw, contexts[side])
                    now = field.get(side, record, contexts[side])
                except Unreadable:
                    continue
                kept = [
                    e for entry in rest.history.get((link.nexudus_id, field.name), []) for e in (entry.old, entry.lost)
                ]
                if field.same(wrote, now) or say(wrote) in kept or any(_alike(field, wrote, one) for one in kept):
                    continue
                if _in_gap(world, side, record_id, index) or _by_server(world, side, record_id, key, index):
                    exempt += 1
                    continue
                found.append(
                    Violation(
                        "2 lost update", f"{side} {record_id} {field.name}: {wrote!r} is gone, now {now!r}, kept {kept}"
                    )
                )
    return found, exempt


def _alike(field: Any, wrote: Any, kept: Any) -> bool:
    return isinstance(kept, str) and isinstance(wrote, str) and bool(field.same(wrote, kept))


def _last_edit(world: SimWorld, side: Side, record_id: str, key: str, after: Any) -> tuple[int, Any] | None:
    """The last change of a record's key by a person, with its place among all changes."""
    if key == "lost_reasons":
        return None
    for index in range(len(world.double(side).changes) - 1, -1, -1):
        change = world.double(side).changes[index]
        about = change.record_id == record_id and change.kind == "opportunity" and change.field == key
        if about and change.by.startswith(("ana@", "ben@")):
            at = world.double(side).offset
            return (index, change.new) if change.at.timestamp() - at > after.timestamp() + 1 else None
    return None


def _in_gap(world: SimWorld, side: Side, record_id: str, index: int) -> bool:
    """Did the edit fall between our last read of the record and a write of ours that followed?"""
    changes = world.double(side).changes
    for reading in world.readings[side]:
        writes = reading.method in {"PUT", "PATCH"} and (record_id in reading.path or side is Side.NEXUDUS)
        if not writes or reading.changes <= index:
            continue
        touched = [c for c in changes[index : reading.changes] if c.by == SYNC_USER and c.record_id == record_id]
        if not touched:
            continue
        reads = [
            (one.changes, one.at)
            for one in world.readings[side]
            if one.method == "GET" and one.changes <= reading.changes and _shows(side, one.path, record_id)
        ]
        changes_then, at = max(
            ((count, at) for count, at in reads if count <= reading.changes - len(touched)), default=(index + 1, 0.0)
        )
        return changes_then <= index and reading.at - at <= GAP
    return False


def _shows(side: Side, path: str, record_id: str) -> bool:
    listing = side is Side.CRM and path.endswith("/crm/opportunity")
    return listing or path.endswith(f"/{record_id}")


def _by_server(world: SimWorld, side: Side, record_id: str, key: str, index: int) -> bool:
    """Was it changed by what the server does itself: a stage that wins or loses a deal on entry?"""
    later = [c for c in world.double(side).changes[index + 1 :] if c.record_id == record_id]
    for number, change in enumerate(later):
        if change.field == key == "Status":
            return any(c.field == "CrmBoardColumnId" and c.at == change.at for c in later[max(0, number - 4) : number])
    return False


def no_duplicates(world: SimWorld, rest: Rest) -> list[Violation]:
    """Invariant 3: every record the sync created is the counterpart of exactly one, or is shown as a stray."""
    found = []
    for side, ids in ((Side.NEXUDUS, rest.cards), (Side.CRM, rest.deals)):
        held = Counter(link.nexudus_id if side is Side.NEXUDUS else link.crm_id for link in rest.links)
        made = [
            c
            for c in world.double(side).changes
            if c.action == "create" and c.by == SYNC_USER and c.kind == "opportunity"
        ]
        found += [
            Violation(
                "3 duplicate", f"{side} {c.record_id} was created by the sync and is linked {held[c.record_id]} times"
            )
            for c in made
            if c.record_id in ids and held[c.record_id] != 1 and (c.record_id, "record") not in rest.waiting
        ]
    return found


def created_once(world: SimWorld, rest: Rest) -> list[Violation]:
    """Invariant 3: no copy of a copy, no second copy, and no stray unless a write landed later than recovery waits."""
    made = {side: _made_by_sync(world, side) for side in Side}
    found = [
        Violation("3 duplicate", f"{link.nexudus_id} and {link.crm_id} were both created by the sync")
        for link in rest.links
        if link.nexudus_id in made[Side.NEXUDUS] and link.crm_id in made[Side.CRM]
    ]
    with world.store.read() as session:
        query = select(Journal).where(Journal.kind == "opportunity.create", Journal.state == "confirmed")
        times = Counter((row.side, row.nexudus_id or row.crm_id) for row in session.exec(query))
    found += [
        Violation("3 duplicate", f"{one} got {n} counterparts in {side}") for (side, one), n in times.items() if n > 1
    ]
    for side, ids in made.items():
        unseen = side is Side.NEXUDUS and world.nexudus.options.late_visible > 0
        linked = {link.nexudus_id if side is Side.NEXUDUS else link.crm_id for link in rest.links}
        strays = {one for one in ids - linked if (one, "record") in rest.waiting}
        if strays and not unseen and not _landed_late(world, side):
            found.append(Violation("3 duplicate", f"strays in {side} though nothing landed late: {sorted(strays)}"))
    return found


def _made_by_sync(world: SimWorld, side: Side) -> set[str]:
    changes = world.double(side).changes
    return {c.record_id for c in changes if c.action == "create" and c.by == SYNC_USER and c.kind == "opportunity"}


def _landed_late(world: SimWorld, side: Side) -> bool:
    return any(kind == "late_commit" for kind, _ in world.faults[side].injected)


def no_phantoms(world: SimWorld, rest: Rest) -> list[Violation]:
    """Invariant 4: what only the sync wrote on a side is no second opinion, so it is never one half of a conflict."""
    with world.store.read() as session:
        query = select(Conflict).where(col(Conflict.link_id).is_not(None), col(Conflict.reason).is_(None))
        shown = [one for one in session.exec(query) if one.field not in {"record", "status"}]
    found = []
    for conflict in shown:
        field = world.bridge.mapping.field(conflict.field)
        for side, record_id in ((Side.NEXUDUS, conflict.nexudus_id), (Side.CRM, conflict.crm_id)):
            untouched = record_id in _made_by_sync(world, side) and not _landed_late(world, side)
            if untouched and not _people_touched(world, side, record_id, field.lens(side).path.root):
                text = f"{side} {record_id} {conflict.field}: {conflict.nexudus!r} against {conflict.crm!r}"
                found.append(Violation("4 echo", f"a conflict with what only the sync wrote: {text}"))
    return found


def _people_touched(world: SimWorld, side: Side, record_id: str, key: str) -> bool:
    """Did anybody but the sync ever change the key of a record, or the child rows that stand for it?"""
    for change in world.double(side).changes:
        if change.by == SYNC_USER:
            continue
        row = change.new or change.old
        parent = row.get("opportunity_id") if isinstance(row, dict) else None
        if (change.record_id == record_id and change.field == key) or (parent == record_id and key == "lost_reasons"):
            return True
    return False


def no_overruling(world: SimWorld) -> list[Violation]:
    """Invariant 2: where a person decides, a value gives way only if a conflict showed this very value."""
    with world.store.read() as session:
        writes = list(session.exec(select(Journal).where(Journal.state == "confirmed")))
        conflicts = list(session.exec(select(Conflict)))
        undone = session.exec(select(Decision).where(Decision.kind == "undo")).first()
    shown = {(c.nexudus_id, c.field, "nexudus", str(c.nexudus)) for c in conflicts}
    shown |= {(c.nexudus_id, c.field, "crm", str(c.crm)) for c in conflicts}
    manual = {field.name for field in world.bridge.mapping.fields if field.on_conflict is OnConflict.MANUAL}
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
            if (
                change.by != SYNC_USER
                or change.action != "update"
                or change.kind not in {"opportunity", "opportunity-lost-reason-detail"}
            ):
                continue
            if change.field not in MAY_WRITE[side] and not _in_any_gap(world, side, change, index):
                found.append(
                    Violation(
                        "5 clobber", f"{side} {change.record_id} {change.field}: {change.old!r} -> {change.new!r}"
                    )
                )
    return found


def _in_any_gap(world: SimWorld, side: Side, change: Change, index: int) -> bool:
    """A value a person wrote between our GET and our PUT is what the stated gap may take away."""
    changes = world.double(side).changes
    earlier = [
        i
        for i in range(index)
        if changes[i].record_id == change.record_id and changes[i].field == change.field and changes[i].by != SYNC_USER
    ]
    return bool(earlier) and _in_gap(world, side, change.record_id, earlier[-1])


def proven_deletes(world: SimWorld) -> list[Violation]:
    """Invariant 6: the sync deletes only what people deleted on the other side, and only when told to propagate."""
    deleted = {
        side: [c for c in world.double(side).changes if c.action == "delete" and c.kind == "opportunity"]
        for side in Side
    }
    with world.store.read() as session:
        links = {(link.nexudus_id, link.crm_id) for link in session.exec(select(Link))}
    found = []
    for side in Side:
        gone_there = {c.record_id for c in deleted[side.other]}
        for change in (c for c in deleted[side] if c.by == SYNC_USER):
            partners = {crm if side is Side.NEXUDUS else card for card, crm in links if change.record_id in (card, crm)}
            if world.deletes != "propagate" or not partners & gone_there:
                found.append(Violation("6 delete", f"{side} {change.record_id} was deleted without cause"))
    return found


def within_budget(world: SimWorld) -> list[Violation]:
    """Invariant 8: the double itself never had to throttle.

    A call that lingers on the way for longer than any window is stretched comes beside those made much later: it may
    cost one answer.
    """
    throttled = [entry for entry in world.nexudus.log if entry.status in {409, 429}]
    lingered = sum(kind == "late_commit" for kind, _ in world.faults[Side.NEXUDUS].injected)
    if len(throttled) <= lingered:
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
    cards = {i for i, row in rest.cards.items() if row.get("CrmBoardColumnCrmBoardBusinessId") == 1001}
    deals = {i for i, row in rest.deals.items() if row.get("company") == "Example Corp"}
    for side, ids in ((Side.NEXUDUS, cards), (Side.CRM, deals)):
        known = {link.nexudus_id if side is Side.NEXUDUS else link.crm_id for link in rest.links}
        missing = {i for i in ids - known if (side.value, i) not in listed and (i, "") not in rest.waiting}
        found += [
            Violation("accounting", f"{side} {one} is neither linked nor listed with a reason")
            for one in sorted(missing)
        ]
    return found
