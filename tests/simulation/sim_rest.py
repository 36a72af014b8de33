"""The world at rest, as the checker reads it: links, what waits, both sides' records, and who made and wrote what."""

from dataclasses import dataclass
from typing import Any

from sim_world import SimWorld
from sqlmodel import col, select

from nexudus_sandbox.double import Change
from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.mapping import Context, Side
from nexudus_sync.store.tables import Conflict, Failure, History, Journal, Link


@dataclass(slots=True)
class Rest:
    """The world at rest: links, what waits, and what both sides say."""

    links: list[Link]
    waiting: set[tuple[str, str]]
    history: dict[tuple[str, str], list[History]]
    cards: dict[str, dict[str, Any]]
    deals: dict[str, dict[str, Any]]
    edits: dict[tuple[Side, str, str], tuple[int, Change]]
    """The last change by a person of each key of each record, with its place among all changes of the side."""


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
    deals = {key: {**row, "lost_reasons": world.desk.reasons(key)} for key, row in world.crm.records().items()}
    return Rest(links, waits, history, cards, deals, _last_edits(world))


def kinds(world: SimWorld, side: Side) -> tuple[str, ...]:
    """What the side's change log calls an opportunity, and its child rows."""
    return ("opportunity",) if side is Side.NEXUDUS else world.desk.kinds


def _last_edits(world: SimWorld) -> dict[tuple[Side, str, str], tuple[int, Change]]:
    return {
        (side, change.record_id, change.field): (index, change)
        for side in Side
        for index, change in enumerate(world.double(side).changes)
        if change.kind == kinds(world, side)[0] and change.by.startswith(("ana@", "ben@"))
    }


Pair = tuple[Link, dict[Side, dict[str, Any]], dict[Side, Context]]
"""A link with both records and what it takes to read them."""


def pairs(world: SimWorld, rest: Rest) -> list[Pair]:
    async def ask() -> list[Pair]:
        await world.engine.start()
        found = []
        for link in rest.links:
            deal = rest.deals.get(link.crm_id)
            same = deal is not None and key(Side.CRM, link.crm_id, deal) == key_held(Side.CRM, link)
            if link.state == "active" and link.nexudus_id in rest.cards and deal is not None and same:
                records = {Side.NEXUDUS: rest.cards[link.nexudus_id], Side.CRM: deal}
                connection = world.bridge_of(link.connection)
                contexts = {side: await connection.context(side, record) for side, record in records.items()}
                found.append((link, records, contexts))
        return found

    return world.clock.run(ask())


def key(side: Side, record_id: str, row: dict[str, Any]) -> str:
    """What tells a record from all others for good: ERPNext gives a deleted document's name to the next one."""
    return str(row.get("creation") or record_id) if side is Side.CRM else record_id


def key_held(side: Side, link: Link) -> str:
    return link.nexudus_id if side is Side.NEXUDUS else link.crm_identity or link.crm_id


def present(rest: Rest, side: Side) -> dict[str, str]:
    """The ids of the records that there are, by their key."""
    rows = rest.cards if side is Side.NEXUDUS else rest.deals
    return {key(side, record_id, row): record_id for record_id, row in rows.items()}


def times_given(world: SimWorld, side: Side, record_id: str) -> int:
    """To how many records was an id given, one after the other?"""
    creates = (c for c in world.double(side).changes if c.action == "create" and c.kind == kinds(world, side)[0])
    return sum(change.record_id == record_id for change in creates)


def made_by_sync(world: SimWorld, side: Side) -> set[str]:
    """The keys of the records that the sync created."""
    changes, kind = world.double(side).changes, kinds(world, side)[0]
    return {
        key(side, c.record_id, c.new) for c in changes if c.action == "create" and c.by == SYNC_USER and c.kind == kind
    }


def turned_up_late(world: SimWorld, side: Side) -> bool:
    """Could a create have been given up that was done all the same: later than recovery waits, or shown later?"""
    shown_late = side is Side.NEXUDUS and world.nexudus.options.late_visible > 0
    return shown_late or bool(world.landed_late(side))


def given_up(world: SimWorld, rest: Rest, side: Side) -> set[str]:
    """The ids of the records of which recovery gave up a copy on this side as not created; a CRM's as they are now."""
    with world.store.read() as session:
        query = select(Journal).where(Journal.side == side, Journal.kind == "opportunity.create")
        rows = list(session.exec(query.where(Journal.state == "dropped")))
    if side is Side.CRM:
        return {row.nexudus_id for row in rows}
    now = present(rest, Side.CRM)
    return {now.get(row.step.get("identity", ""), row.crm_id) for row in rows}


def covered(world: SimWorld, rest: Rest, side: Side) -> set[str]:
    """The ids of the records that lie where some connection keeps them in step."""
    places = world.places.values()
    if side is Side.NEXUDUS:
        businesses = {place.business_id for place in places}
        return {i for i, row in rest.cards.items() if row.get("CrmBoardColumnCrmBoardBusinessId") in businesses}
    companies = {place.company for place in places}
    return {i for i, row in rest.deals.items() if row.get("company") in companies}


def people_touched(world: SimWorld, side: Side, record_key: str, field: str) -> bool:
    """Did anybody but the sync ever change this field of a record, or the child rows that stand for it?"""
    names = {record_key} | {
        change.record_id
        for change in world.double(side).changes
        if change.action != "update" and key(side, change.record_id, change.new or change.old) == record_key
    }
    for change in world.double(side).changes:
        if change.by == SYNC_USER:
            continue
        row = change.new or change.old
        parent = row.get("opportunity_id") if isinstance(row, dict) else None
        if (change.record_id in names and change.field == field) or (parent in names and field == "lost_reasons"):
            return True
    return False


def moved_away(world: SimWorld, rest: Rest) -> set[str]:
    """The ids of what lies where no connection keeps anything in step, on sides where a create may turn up late.

    A late copy that people moved there is not asked about.
    """
    late = [side for side in Side if turned_up_late(world, side)]
    return {one for side in late for one in set(present(rest, side).values()) - covered(world, rest, side)}
