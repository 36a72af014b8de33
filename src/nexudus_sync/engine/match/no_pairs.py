"""The `no-pairs` brake: two sides that share no customer are not copied into each other without asking."""

from collections.abc import Iterable

from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.match.match import match
from nexudus_sync.engine.match.waiting import has_email
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, brakes, journal, links, unlinked
from nexudus_sync.store.tables import Brake, Fact

NAME = "no-pairs"
ENOUGH = 20
"""With this many e-mail addresses on each side, it is odd that none is on both."""
FEW = 20
"""A `--limit` of at most N creates is a trial, which needs no answer."""
FINE, LOOKED = "fine", "looked"
"""The verdict: pairs were found or a side is nearly empty; or none yet, since it was only a trial."""


async def judge(cycle: Cycle) -> None:
    """Before a connection's first create and before any write: does matching find pairs? They are settled later.

    Sets the brake if there are none and nobody has confirmed that this is right.
    """
    if not undecided(cycle.connection):
        return
    cycle.paired_early = await match(cycle)
    if cycle.paired_early or cycle.to_create:
        may_create(cycle.connection, cycle.report, cycle.options.limit)


def passes(brake: Brake, limit: int | None) -> bool:
    """May a trial run pass the brake? It stays set for all other runs: nobody has answered it."""
    return brake.name == NAME and limit is not None and limit <= FEW


def undecided(connection: Connection) -> bool:
    """Is it still undecided whether this connection may create records?"""
    with connection.store.read() as session:
        if brakes.was_answered(session, connection.name, NAME):
            return False
        verdict = session.get(Fact, _key(connection))
        if verdict is not None:
            return bool(verdict.value == LOOKED)
        return journal.count_created(session, connection.name) <= FEW  # more: a store from before there was this brake


def may_create(connection: Connection, report: Report, limit: int | None) -> bool:
    """May the first creates be made, now that everything was matched? Sets the brake if a person has to confirm it."""
    with connection.store.session() as session:
        counts = {side: _reachable(session, connection, side) for side in Side}
        found = links.count(session, connection.name) > journal.count_created(session, connection.name)
        if found or min(counts.values()) < ENOUGH:
            session.merge(Fact(**_key(connection), value=FINE))
            return True
        if limit is not None and limit <= FEW:
            session.merge(Fact(**_key(connection), value=LOOKED))
            return True
        said = " and ".join(f"{count} in {connection.connector(side).name}" for side, count in counts.items())
        evidence = f"not one of the records with e-mail addresses ({said}) is on both sides"
        brake = Brake(connection=connection.name, name=NAME, evidence=evidence, set_at=connection.clock.now())
        brake.judged = {"scope": _scope(connection)}
        session.add(brake)
    report.stop(NAME)
    return False


def answer(connection: Connection) -> None:
    """Lift the brake: a person at a terminal confirmed that it is right."""
    with connection.store.session() as session:
        for brake in brakes.of_name(session, connection.name, NAME, "set"):
            brake.state, brake.released_at = "gone", connection.clock.now()
            session.add(brake)


def lift_if_corrected(session: Session, connection: Connection, found: Iterable[Brake]) -> list[Brake]:
    """Forget a brake that was set for another scope: a person corrected the scope, so it is judged again.

    `found`: the brakes that are set; returns those that still are.
    """
    kept = list[Brake]()
    for brake in found:
        if brake.name == NAME and brake.judged.get("scope", _scope(connection)) != _scope(connection):
            session.delete(brake)
        else:
            kept.append(brake)
    session.flush()
    return kept


def _scope(connection: Connection) -> list[int | str | None]:
    """The scope on both sides, as the store keeps it."""
    cards, deals = connection.scope(Side.NEXUDUS), connection.scope(Side.CRM)
    return [cards.business_id, cards.board_id, deals.company]


def _key(connection: Connection) -> dict[str, str]:
    return {"system": connection.crm, "key": f"{NAME}: {connection.name}"}


def _reachable(session: Session, connection: Connection, side: Side) -> int:
    """How many records of a side have an e-mail address; every linked record has one."""
    alone = unlinked.with_address(session, connection.name, side)
    return sum(map(has_email, alone)) + links.count(session, connection.name)
