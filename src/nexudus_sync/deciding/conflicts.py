"""Conflicts: take a side, type a third value, take an answer back; and what each of these does, in words."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from nexudus_sync.config import Settings
from nexudus_sync.deciding.records import no_such
from nexudus_sync.engine.startup.assemble import load_mapping, plain_contexts
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import Context, Field, Lens, Side, Unmapped
from nexudus_sync.opportunity import Status, Value, hear, say
from nexudus_sync.store import Session
from nexudus_sync.store.conflicts import RECORD, THIRD_VALUE, ask_again
from nexudus_sync.store.tables import Conflict, ConflictKind
from nexudus_sync.texts import pair_of

Seen = tuple[Any, Any]
"""What a conflict showed when a person decided, Nexudus's value first."""


def take(
    session: Session,
    settings: Settings,
    number: int,
    side: Side,
    *,
    by: str,
    now: datetime,
    seen: Seen | None = None,
) -> Conflict:
    """Take one side's value. `seen`: what the person was shown, if that is known.

    Raises ConfigError when no conflict has that id or that side has nothing to take, SyncError when it is closed or
    shows other values by now.
    """
    one = _open(session, settings, number, seen)
    if one.kind == ConflictKind.MATCH and side is not own_side(one):
        problem = f"conflict {number} asks which record belongs to {own_id(one)}"
        raise ConfigError(f"--take {side.value}", problem, f"resolve it with {how(one)}")
    return _answer(session, one, side.value, None, by, now)


def say_value(
    session: Session,
    settings: Settings,
    number: int,
    text: str,
    *,
    by: str,
    now: datetime,
    seen: Seen | None = None,
) -> Conflict:
    """Give both sides a third value, as a person typed it; "" empties the field.

    Raises ConfigError when no conflict has that id or the value cannot stand on both sides, SyncError when it is closed
    or shows other values by now. Names that only the systems know are left to the next cycle, which asks again if one
    of them has no such name.
    """
    one = _open(session, settings, number, seen)
    where = f"conflict {number}"
    if one.kind != ConflictKind.FIELD:
        raise ConfigError(where, "is not about two values of a field", f"resolve it with {how(one)}")
    connection = next((each for each in settings.connections if each.name == one.connection), None)
    if connection is None:
        raise ConfigError(where, f"its connection {one.connection} is not configured", "configure it again")
    field = load_mapping(settings, connection).find(one.field)
    if field is None or len(field.sources) != len(Side):
        raise ConfigError(where, f"{one.field} does not travel both ways", f"resolve it with {how(one)}")
    value = _value(field, text)
    for side, context in plain_contexts(settings, connection).items():
        try:
            _try(field.lens(side), value, context)
        except Unmapped as problem:
            raise ConfigError(f"value {text!r}", f"{side.word} cannot hold it: {problem}") from None
    return _answer(session, one, THIRD_VALUE, say(value), by, now)


def _try(lens: Lens, value: Value, context: Context) -> None:
    """Write it for a trial, unless only a system's directory could tell. Raises Unmapped."""
    if value is None or isinstance(value, Decimal) or lens.values is not None or lens.is_free(context):
        lens.write(value, None, context)


def take_back(session: Session, settings: Settings, number: int) -> Conflict:
    """Take an answer back before a cycle carries it out. Raises ConfigError, SyncError when there is none to take."""
    one = _found(session, settings, number)
    if one.state != "resolved":
        done = "was carried out already" if one.state == "closed" else "has no answer yet"
        raise SyncError(f"conflict {number} {done}; there is nothing to take back")
    ask_again(one)
    session.add(one)
    return one


def own_side(one: Conflict) -> Side:
    """The side of the record that a question about its counterpart is about."""
    return Side.NEXUDUS if one.nexudus_id else Side.CRM


def own_id(one: Conflict) -> str:
    """The id of that record."""
    return one.nexudus_id or one.crm_id


def how(one: Conflict) -> str:
    """The commands that resolve it."""
    chosen = f"`nexudus-sync conflicts resolve {one.id} --take"
    if one.kind != ConflictKind.MATCH:
        third = ", or `--value TEXT` for a third value" if one.kind == ConflictKind.FIELD else ""
        return f"{chosen} nexudus` or `--take crm`{third}"
    pair = f"{one.nexudus_id or 'NEXUDUS'} {one.crm_id or 'CRM'}"
    own = f"{chosen} {own_side(one).value}` to copy it as a new record"
    return f"`nexudus-sync link {pair}`, or `nexudus-sync ignore {own_id(one)}`, or {own}"


def what_happens(one: Conflict) -> str:
    """What the answer that was given does, in the words of the question."""
    pair = pair_of(one.nexudus_id, one.crm_id)
    if one.take == THIRD_VALUE:
        return f"{one.field} of {pair}: both sides get {_shown(one.value)}"
    side = Side(one.take or "")
    if one.kind == ConflictKind.MATCH:
        return f"{own_id(one)} of {side.word} is copied to {side.other.word} as a new record"
    value = one.nexudus if side is Side.NEXUDUS else one.crm
    if one.kind == ConflictKind.ANOTHER and one.side == side.value:
        return f"{pair}: the other record in {side.word} replaces the one known before"
    if one.field == RECORD:
        if one.kind == ConflictKind.DELETED and one.side != side.value:
            return f"{pair}: the deletion in {side.word} is taken: the record in {side.other.word} is deleted too"
        return f"{pair}: the record in {side.word} is kept, and the pair is closed"
    if one.kind != ConflictKind.OVERWRITTEN:
        return f"{one.field} of {pair}: both sides get {_shown(value)}"
    if side is Side.NEXUDUS:
        return f"{one.field} of {pair}: {value!r} is restored on both sides"
    return f"{one.field} of {pair} stays {value!r}, and the question is closed"


def _shown(value: Any) -> str:
    return "no value" if value is None else repr(value)


def _value(field: Field, text: str) -> Value:
    """What was typed, as the field's own type. Raises ConfigError."""
    typed: Any = text if text.strip() else None
    try:
        if field.name == "status" and typed is not None:
            return next(one for one in Status if one.value.casefold() == typed.strip().casefold()).value
        return hear(field.name, typed)
    except StopIteration:
        raise ConfigError(f"value {text!r}", "is not a status", f"one of {', '.join(Status)}") from None
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ConfigError(f"value {text!r}", f"{field.name} cannot be that: {problem}") from None


def _found(session: Session, settings: Settings, number: int) -> Conflict:
    one = session.get(Conflict, number)
    if one is None or not settings.sees(one.connection):
        raise no_such("conflict", number, "see `nexudus-sync conflicts list`")
    return one


def _open(session: Session, settings: Settings, number: int, seen: Seen | None) -> Conflict:
    one = _found(session, settings, number)
    if one.state == "closed":
        raise SyncError(f"conflict {number} is closed: both sides agree, or it was resolved before")
    if seen is not None and seen != (one.nexudus, one.crm):
        raise SyncError(f"conflict {number} shows other values by now; look at it again")
    return one


def _answer(session: Session, one: Conflict, chosen: str, value: Any, by: str, now: datetime) -> Conflict:
    one.state, one.take, one.value, one.decided_by, one.decided_at = "resolved", chosen, value, by, now
    session.add(one)
    return one
