"""Where status and stage are one value in the CRM: what a card's column need not follow."""

from typing import Any

from sim_world import SimWorld

from nexudus_sandbox.double import Change
from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Link

COLUMN, STAGE = "CrmBoardColumnId", "dealstage"


def stage_rests(world: SimWorld, link: Link, deal: dict[str, Any]) -> bool:
    """May the card lie in another column than the stage of its deal says? Only while the deal is closed.

    Then the column is the card's own, and moves only where a person dragged the deal there after they were paired and
    after the card was last moved by hand, from a stage that it has not gone back to.
    """
    if deal.get("@status", "open") == "open":
        return False
    drags = _changes(world, Side.CRM, link.crm_id, STAGE)
    if not drags or drags[-1].by == SYNC_USER or _moment(world, Side.CRM, drags[-1]) <= link.created_at.timestamp() + 1:
        return True
    moves = [one for one in _changes(world, Side.NEXUDUS, link.nexudus_id, COLUMN) if one.by != SYNC_USER]
    if not moves:
        return False
    moved = _moment(world, Side.NEXUDUS, moves[-1])
    since = [one for one in drags if _moment(world, Side.CRM, one) >= moved]
    return not since or since[0].old == since[-1].new


def _changes(world: SimWorld, side: Side, record_id: str, key: str) -> list[Change]:
    found = (one for one in world.double(side).changes if one.action == "update" and one.record_id == record_id)
    return [one for one in found if one.field == key]


def _moment(world: SimWorld, side: Side, change: Change) -> float:
    """When it was, by the true clock."""
    return change.at.timestamp() - world.double(side).offset
