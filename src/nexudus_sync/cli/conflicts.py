"""`conflicts`: fields that both sides changed to different values, for a person to decide."""

from typing import Any

from nexudus_sync.cli.desk import open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.lists import conflict_state
from nexudus_sync.cli.output import pair_of, print_table, say
from nexudus_sync.engine.inbox import RECORD
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Store
from nexudus_sync.store.tables import Conflict, ConflictKind

UNCLOSED = ("open", "resolved")
"""The states of what is in the table."""


def show(root: Root, number: int) -> None:
    """Print one conflict in full. Raises ConfigError when no conflict has that id."""
    with open_desk(root) as desk, desk.store.read() as session:
        one = session.get(Conflict, number)
    if one is None:
        raise no_such("conflict", number, "see `nexudus-sync conflicts list`")
    rows: list[tuple[str, Any]] = [
        ("connection", one.connection),
        ("record", pair_of(one.nexudus_id, one.crm_id)),
        ("field", one.field),
        ("when they last agreed", one.base),
        ("Nexudus says", one.nexudus),
        ("the CRM says", one.crm),
        ("open since (UTC)", one.opened_at),
        ("state", conflict_state(one)),
    ]
    rows += [("why", one.reason)] if one.reason else []
    print_table(("conflict", str(one.id)), rows)
    if one.state == "open":
        say(f"Resolve it with {_how(one)}.")


def resolve(root: Root, number: int, take: str) -> None:
    """Store a person's decision for the next cycle. Raises ConfigError, SyncError."""
    with open_desk(root) as desk:
        one = decide(desk.store, number, take)
    say(f"{_what_happens(one, take)}, at the next cycle.")


def decide(store: Store, number: int, take: str) -> Conflict:
    """Store which side's value is taken.

    Raises ConfigError when no conflict has that id or that side has nothing to take, SyncError when it is closed.
    """
    with store.session() as session:
        one = session.get(Conflict, number)
        if one is None:
            raise no_such("conflict", number, "see `nexudus-sync conflicts list`")
        if one.state == "closed":
            raise SyncError(f"conflict {number} is closed: both sides agree, or it was resolved before")
        if _asks_for_counterpart(one) and take != _own(one).value:
            problem = f"conflict {number} asks which record belongs to {_own_id(one)}"
            raise ConfigError(f"--take {take}", problem, f"resolve it with {_how(one)}")
        one.state, one.take = "resolved", take
        session.add(one)
    return one


def _asks_for_counterpart(one: Conflict) -> bool:
    """Does it ask which of several records is the counterpart, or about a late copy?"""
    return one.kind == ConflictKind.MATCH


def _own(one: Conflict) -> Side:
    return Side.NEXUDUS if one.nexudus_id else Side.CRM


def _own_id(one: Conflict) -> str:
    return one.nexudus_id or one.crm_id


def _how(one: Conflict) -> str:
    """The commands that resolve it."""
    take = f"`nexudus-sync conflicts resolve {one.id} --take"
    if not _asks_for_counterpart(one):
        return f"{take} nexudus` or `--take crm`"
    pair = f"{one.nexudus_id or 'NEXUDUS'} {one.crm_id or 'CRM'}"
    own = f"{take} {_own(one).value}` to copy it as a new record"
    return f"`nexudus-sync link {pair}`, or `nexudus-sync ignore {_own_id(one)}`, or {own}"


def _what_happens(one: Conflict, take: str) -> str:
    """What taking this side does, in the words of the question."""
    side, pair = Side(take), pair_of(one.nexudus_id, one.crm_id)
    if _asks_for_counterpart(one):
        return f"{_own_id(one)} of {side.word} is copied to {side.other.word} as a new record"
    value = one.nexudus if side is Side.NEXUDUS else one.crm
    if one.kind == ConflictKind.ANOTHER and one.side == side.value:
        return f"{pair}: the other record in {side.word} replaces the one known before"
    if one.field == RECORD:
        if one.kind == ConflictKind.DELETED and one.side != side.value:
            return f"{pair}: the deletion in {side.word} is taken: the record in {side.other.word} is deleted too"
        return f"{pair}: the record in {side.word} is kept, and the pair is closed"
    if one.kind != ConflictKind.OVERWRITTEN:
        return f"{one.field} of {pair}: both sides get {value!r}"
    if side is Side.NEXUDUS:
        return f"{one.field} of {pair}: {value!r} is restored on both sides"
    return f"{one.field} of {pair} stays {value!r}, and the question is closed"
