"""Invariant 9: what a person wrote gives way only to what a person said, in the counterpart or of the pair."""

from collections.abc import Iterator
from typing import Any

from sim_gap import in_any_gap
from sim_rest import Rest, pairs
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.double import Change
from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.mapping import Context, Field, Side, Sync, Unreadable
from nexudus_sync.merge import kept_differently
from nexudus_sync.opportunity import hear
from nexudus_sync.store.conflicts import THIRD_VALUE
from nexudus_sync.store.tables import Conflict, Decision, Link

SAID_BY_HAND = ("title", "opportunity_amount", "utm_source", "utm_medium", "utm_campaign", "utm_content")
"""The fields in which nothing is written but what people say: no server moves, translates or fills them by itself."""


def set_back(world: SimWorld, rest: Rest) -> Iterator[tuple[Side, str, str, Change]]:
    """Each write of the sync over a person's value, by side, record and field, that says what nobody ever wrote there.

    An older state of a list, or what a server made of a text, is what nobody wrote.
    """
    with world.store.read() as session:
        if session.exec(select(Decision).where(Decision.kind == "undo")).first():
            return
    for link, _, contexts in pairs(world, rest):
        for field in world.connection.mapping.fields:
            if field.sync is Sync.TWO_WAY and field.name in SAID_BY_HAND:
                for side in Side:
                    for index, change in _over_a_person(world, side, _id(link, side), field.lens(side).path.root):
                        said = _said_there(world, link, field, side, contexts, change.new)
                        if not said and not in_any_gap(world, side, change, index):
                            yield side, _id(link, side), field.name, change


def _id(link: Link, side: Side) -> str:
    return link.nexudus_id if side is Side.NEXUDUS else link.crm_id


def _over_a_person(world: SimWorld, side: Side, record_id: str, key: str) -> Iterator[tuple[int, Change]]:
    """The writes of the sync to a key of a record right after a person's, with their places among all changes."""
    last: Change | None = None
    for index, change in enumerate(world.double(side).changes):
        if (change.record_id, change.field, change.action) != (record_id, key, "update"):
            continue
        if change.by == SYNC_USER and last is not None and last.by != SYNC_USER:
            yield index, change
        last = change


def _typed(world: SimWorld, link: Link, field: Field) -> list[Any]:
    """The third values that people typed for conflicts about a field of the pair."""
    about = {"nexudus_id": link.nexudus_id, "crm_id": link.crm_id, "field": field.name, "take": THIRD_VALUE}
    with world.store.read() as session:
        return [one.value for one in session.exec(select(Conflict).filter_by(**about))]


def _name(record_id: str) -> str:
    """What stays of a record's id when people rename it, as they do with ERPNext's (`sim_desks`)."""
    return record_id.partition(" ")[0]


def _said_there(world: SimWorld, link: Link, field: Field, side: Side, contexts: dict[Side, Context], raw: Any) -> bool:
    """Did a person ever write this in the counterpart, be it when it was made, or what the server makes of it?"""
    there, key = side.other, field.lens(side.other).path.root
    wrote = field.read(side, raw, contexts[side])
    if any(field.same(hear(field.name, value), wrote) for value in _typed(world, link, field)):
        return True
    for change in world.double(there).changes:
        if _name(change.record_id) != _name(_id(link, there)) or change.by == SYNC_USER:
            continue
        if change.action == "update" and change.field != key:
            continue
        said = change.new if change.action == "update" else (change.new or {}).get(key)
        try:
            value = field.read(there, said, contexts[there])
            if field.same(value, wrote) or kept_differently(field, side, value, wrote, contexts[side]):
                return True
        except Unreadable:
            continue
    return False
