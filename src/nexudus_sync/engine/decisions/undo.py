"""Undo a write: bring the value that it replaced back on both sides."""

from collections.abc import Collection
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from nexudus_sync.engine.agenda import RestoredValues
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.mapping import Field, Side, Unreadable
from nexudus_sync.merge import STORED_DIFFERENTLY, Apart, kept_differently
from nexudus_sync.opportunity import Value, hear, say
from nexudus_sync.plan import Presence
from nexudus_sync.store import Session, conflicts, failures, records
from nexudus_sync.store.decisions import BROUGHT_BACK
from nexudus_sync.store.history import BY_PERSON, written_since
from nexudus_sync.store.links import mark
from nexudus_sync.store.tables import Decision, History, Link


async def prepare(connection: Connection, decision: Decision, restored: RestoredValues) -> str | None:
    """Have the settling bring a value back: mark its link, and name the value in `restored`.

    Returns why the undo is refused, such as a value that was edited since (unless forced); None when it is to be done,
    here or by the connection that has the link now. Raises the `ConnectorError` tree.
    """
    with connection.store.read() as session:
        entry = session.get(History, decision.args["history_id"])
        ids = {"nexudus_id": entry.nexudus_id, "crm_id": entry.crm_id} if entry else {}
        link = records.link_by(session, connection.crm, **ids) if entry else None
    if entry is None or link is None or link.state != "active" or link.id is None:
        return "refused: the records are no longer linked"
    if link.connection != connection.name:
        with connection.store.session() as session:
            decision.connection = link.connection
            session.add(decision)
        return None
    return await _restore(connection, decision, restored, entry, link)


async def _restore(
    connection: Connection, decision: Decision, restored: RestoredValues, entry: History, link: Link
) -> str | None:
    """Name the value to be brought back, and mark its link; or say why it is not to be."""
    field = connection.mapping.find(entry.field)
    if field is None:
        return f"refused: {entry.field} is no longer mapped"
    moved = await moved_on(connection, link, field, (entry.new, *_before(entry)))
    if moved is not None and not decision.args.get("force"):
        return f"refused: {entry.field} says {moved!r} now; use --force to bring {entry.old!r} back"
    was = [hear(entry.field, value) for value in _before(entry)]
    restored.setdefault(link.id or 0, {})[entry.field] = was[0] if len(was) == 1 else Apart(*was)
    with connection.store.session() as session:
        for side in Side:
            mark(session, side, [link.id or 0])
    return None


def _before(entry: History) -> tuple[Any, ...]:
    """What the undo brings back: one value for both sides or, before a third value, that of each."""
    return (entry.old, entry.lost) if entry.from_side == BY_PERSON else (entry.old,)


async def moved_on(connection: Connection, link: Link, field: Field, known: tuple[Any, ...]) -> Any:
    """What a field says on a side where it is none of the `known` values; None if both sides say one of them.

    A record that is gone is left to the settling, which finds out what became of it. Raises the `ConnectorError` tree.
    """
    for side in Side:
        sight = await sights.read(connection, side, link)
        if sight.presence is Presence.GONE:
            continue
        try:
            now = field.get(side, sight.record, sight.context)
            if not any(_is(field, side, sight, now, hear(field.name, value)) for value in known):
                return say(now)
        except (Unreadable, ValidationError):
            return field.lens(side).raw(sight.record)
    return None


def _is(field: Field, side: Side, sight: Sight, now: Value, known: Value) -> bool:
    """Does the side say the value, or its system's rendering of it?"""
    return field.same(now, known) or bool(kept_differently(field, side, known, now, sight.context))


def outcome_of(connection: Connection, decision: Decision, unsettled: Collection[int]) -> str | None:
    """What came of an undo after the settling: brought back, or why not. None: the next cycle tries again."""
    with connection.store.session() as session:
        entry = session.get_one(History, decision.args["history_id"])
        link = records.link_by(session, connection.crm, nexudus_id=entry.nexudus_id, crm_id=entry.crm_id)
        if link is None or link.state != "active":
            return "refused: the records are no longer linked"
        passing = ("unavailable", STORED_DIFFERENTLY)
        reason = failures.what_stops(
            session, connection.name, entry.nexudus_id, entry.crm_id, entry.field, passing=passing
        )
        if reason is not None:
            return f"refused: {reason}"
        if link.id in unsettled:
            return None
        if entry.from_side == BY_PERSON:
            _ask_again(session, connection, link, entry)
        else:
            _tell_once(session, decision, entry)
    return BROUGHT_BACK


def _ask_again(session: Session, connection: Connection, link: Link, undone: History) -> None:
    """Open the conflict that a third value had answered; the rule alone might decide it by what was edited since."""
    conflicts.open_conflict(
        session,
        connection=connection.name,
        nexudus_id=link.nexudus_id,
        crm_id=link.crm_id,
        field=undone.field,
        base=undone.new,
        nexudus=undone.old,
        crm=undone.lost,
        now=connection.clock.now(),
        link_id=link.id,
    )


def _tell_once(session: Session, decision: Decision, undone: History) -> None:
    """Keep one history entry where both sides replaced the same value by the same one: to people it is one change."""
    for one, two in pairwise(written_since(session, undone, decision.asked_at)):
        if (one.old, one.new) == (two.old, two.new) and one.from_side != two.from_side:
            # the write that is undone came from one side, so its undo goes the other way
            session.delete(two if two.from_side == undone.from_side else one)
