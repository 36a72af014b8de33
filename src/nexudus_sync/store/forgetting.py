"""Erase what the store keeps of a person's records, for a data-protection request."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, SQLModel, and_, col, or_, select, text

from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.first_run import KEPT_AS
from nexudus_sync.store.journal import CREATE
from nexudus_sync.store.tables import Conflict, Decision, Fact, Failure, History, Journal, Link, Unlinked

UNSETTLED = ("planned", "sent")
"""The states of writes whose outcome is not known yet: they are needed to find it out."""

Ids = dict[Side, set[str]]
"""Ids of records, by the side they are of."""

OVER = ("closed", "solved", "dismissed")
"""The states of conflicts and failures that nobody waits for."""


@dataclass(slots=True)
class Held:
    """What the store holds of a person's records: counts by what it is, and what has to stay for now."""

    ids: dict[Side, set[str]] = field(default_factory=lambda: {side: set() for side in Side})
    counts: dict[str, int] = field(default_factory=dict)
    linked: list[tuple[str, str]] = field(default_factory=list)
    unsettled: int = 0

    @property
    def total(self) -> int:
        """How many rows are erased."""
        return sum(self.counts.values())


def find(session: Session, connections: Collection[str], who: str) -> Held:
    """What is held of a record with that id, or of the records of a person with that e-mail address.

    Raises ConfigError for an id that a record of each side has, which are not a pair.
    """
    mail = _mail(who)
    held = Held(_records_of(session, connections, mail) if mail else _record_of(session, connections, who))
    for link in _about(session, Link, connections, {side: set(ids) for side, ids in held.ids.items()}):
        for side in Side:
            held.ids[side].add(link.half(side).id)
        if link.state != "closed":
            held.linked.append(link.pair)
    writes = _settled(session, connections, held.ids)
    held.counts = {
        "history entries": len(_about(session, History, connections, held.ids)),
        "writes in the journal": len(writes),
        "conflicts": len(_over(session, Conflict, connections, held)),
        "failures": len(_over(session, Failure, connections, held)),
        "closed pairs": len(_closed(session, connections, held.ids)),
        "records without a counterpart": len(_alone(session, connections, held.ids)),
        "lines of a first run's report": _in_reports(session, connections, mail, erase=False),
    }
    held.unsettled = len(_about(session, Journal, connections, held.ids)) - len(writes)
    return held


def erase(session: Session, connections: Collection[str], who: str, held: Held) -> None:
    """Erase it. What is still linked stays in step, so its last values stay; so do writes without an outcome."""
    if session.connection().dialect.name == "sqlite":
        session.connection().execute(text("PRAGMA secure_delete = ON"))  # or the values stay in the file's free pages
    entries = {one.id for one in _about(session, History, connections, held.ids)}
    for decision in session.exec(select(Decision).where(col(Decision.kind) == "undo")):
        if decision.args.get("history_id") in entries:
            session.delete(decision)
    rows: Iterable[SQLModel] = (
        *_about(session, History, connections, held.ids),
        *_over(session, Conflict, connections, held),
        *_over(session, Failure, connections, held),
    )
    for row in rows:
        session.delete(row)
    for write in _settled(session, connections, held.ids):
        _empty_write(session, write)
    for link in _closed(session, connections, held.ids):
        link.nexudus_snapshot = link.crm_snapshot = {}
        link.title = link.customer = link.nexudus_changed_by = link.crm_changed_by = ""
        session.add(link)
    for alone in _alone(session, connections, held.ids):
        alone.email = alone.title = alone.external_key = alone.reason = None
        alone.customer, alone.state = "", "ignored"  # a copy of it would be made from nothing
        session.add(alone)
    _in_reports(session, connections, _mail(who), erase=True)


def _mail(who: str) -> str:
    """The address, if it is one."""
    return who.strip().casefold() if "@" in who else ""


def _empty_write(session: Session, write: Journal) -> None:
    if write.kind == CREATE and write.state != "confirmed":  # without its title it would look like any record
        session.delete(write)
        return
    write.step = {**write.step, "payload": {}, "email": "", "accepted": {}, "over": {}}
    write.fields, write.outcome = {}, write.outcome if write.state == "confirmed" else None
    session.add(write)


def _record_of(session: Session, connections: Collection[str], who: str) -> Ids:
    """The record with that id: a CRM's ids may be numbers too, so two records of different people can share one."""
    known = [side for side in Side if _is_known(session, connections, side, who)]
    if len(known) > 1:
        remedy = "give the other id of the pair that you mean, or the person's e-mail address"
        raise ConfigError(f"record {who}", "a record of each system has this id", remedy)
    return {side: {who} if side in known else set() for side in Side}


def _is_known(session: Session, connections: Collection[str], side: Side, record_id: str) -> bool:
    ids: Ids = {one: {record_id} if one is side else set() for one in Side}
    tables = (Link, History, Journal, Conflict, Failure)
    return bool(_alone(session, connections, ids)) or any(_about(session, one, connections, ids) for one in tables)


def _records_of(session: Session, connections: Collection[str], mail: str) -> Ids:
    """The ids of the records that are known to be of a person with this address."""
    found: Ids = {side: set() for side in Side}
    for row in session.exec(select(Unlinked).where(col(Unlinked.connection).in_(connections))):
        if mail in (str(row.email or "").casefold(), row.customer.casefold()):
            found[Side(row.side)].add(row.record_id)
    for write in session.exec(select(Journal).where(col(Journal.connection).in_(connections))):
        if str(write.step.get("email") or "").casefold() == mail:
            _add(found, write)
    for link in session.exec(select(Link).where(col(Link.connection).in_(connections))):
        values = [link.customer, *_texts(link.nexudus_snapshot), *_texts(link.crm_snapshot)]
        if any(value.casefold() == mail for value in values):
            _add(found, link)
    return found


def _add(found: Ids, row: Journal | Link) -> None:
    for side, record_id in ((Side.NEXUDUS, row.nexudus_id), (Side.CRM, row.crm_id)):
        if record_id:
            found[side].add(record_id)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _about(session: Session, table: Any, connections: Collection[str], ids: Ids) -> list[Any]:
    either = or_(table.nexudus_id.in_(ids[Side.NEXUDUS]), table.crm_id.in_(ids[Side.CRM]))
    return list(session.exec(select(table).where(table.connection.in_(connections), either)))


def _over(session: Session, table: Any, connections: Collection[str], held: Held) -> list[Any]:
    """What may go: all but what is open about a pair in step, which the next cycle would only raise again."""
    cards, deals = {pair[0] for pair in held.linked}, {pair[1] for pair in held.linked}
    found = _about(session, table, connections, held.ids)
    return [one for one in found if one.state in OVER or not (one.nexudus_id in cards or one.crm_id in deals)]


def _settled(session: Session, connections: Collection[str], ids: Ids) -> list[Journal]:
    return [one for one in _about(session, Journal, connections, ids) if one.state not in UNSETTLED]


def _closed(session: Session, connections: Collection[str], ids: Ids) -> list[Link]:
    return [one for one in _about(session, Link, connections, ids) if one.state == "closed"]


def _alone(session: Session, connections: Collection[str], ids: Ids) -> list[Unlinked]:
    these = (and_(col(Unlinked.side) == side.value, col(Unlinked.record_id).in_(ids[side])) for side in Side)
    return list(session.exec(select(Unlinked).where(col(Unlinked.connection).in_(connections), or_(*these))))


def _in_reports(session: Session, connections: Collection[str], mail: str, *, erase: bool) -> int:
    """How many lines of the first runs' reports name the address; `erase`: take them out."""
    count = 0
    for name in connections if mail else ():
        kept = session.get(Fact, (KEPT_AS, name))
        if kept is None or not isinstance(kept.value, dict):
            continue
        customers = kept.value.get("customers", [])
        left = [one for one in customers if str(one.get("email", "")).casefold() != mail]
        count += len(customers) - len(left)
        if erase and len(left) < len(customers):
            kept.value = {**kept.value, "customers": left}
            session.add(kept)
    return count
