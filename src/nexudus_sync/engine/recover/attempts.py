"""Find out what became of writes whose answer never came. Runs before anything else in a cycle."""

from nexudus_sync.connectors.base import Step
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import note_failure, of_record
from nexudus_sync.engine.recover.creates import found_create, sent_at
from nexudus_sync.engine.recover.updates import found_in_part, found_update, link_of
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.another import note_link_error
from nexudus_sync.engine.write.confirm import close_and_count
from nexudus_sync.engine.write.perform import step_from, tell_written
from nexudus_sync.errors import Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, journal, records
from nexudus_sync.store.failures import solve_failures
from nexudus_sync.store.links import mark
from nexudus_sync.store.tables import Journal

LOOKS = 2


async def recover(cycle: Cycle) -> None:
    """Resolve every write with an unknown outcome of this connection, and of connections that no longer exist.

    A rehearsal writes nothing and resolves nothing. A write whose record cannot be read becomes a failure and stays
    unresolved. Raises AuthenticationFailed, RoleMissing, and Unavailable when a system no longer answers at all.
    """
    connection = cycle.connection
    if connection.dry:
        return
    with connection.store.session() as session:
        rows = [row for name in _connection_names(session, connection) for row in journal.pending(session, name)]
        for row in rows:
            if row.state == "planned" and row.id is not None:
                journal.mark_dropped(session, row.id, connection.clock.now(), "planned again")
    for row in rows:
        if row.state == "sent":
            await _resolve_guarded(connection, cycle.report, row)


def _connection_names(session: Session, connection: Connection) -> list[str]:
    """This connection, and those to its CRM that the configuration no longer has, or not by that name."""
    known = {connection.name, *(one.name for one in connection.siblings)}
    return [connection.name, *sorted(records.connections_to(session, connection.crm) - known)]


async def _resolve_guarded(connection: Connection, report: Report, row: Journal) -> None:
    """Resolve one write; if that is impossible now, it stays as it is and only its own records wait."""
    try:
        await _resolve(connection, report, row)
        _solve_of_ended(connection, row)
    except Exception as error:
        problem, link = of_record(error), link_of(connection, row)
        with connection.store.session() as session:
            if link is not None:
                note_link_error(session, connection, link, problem)
            else:
                note_failure(session, connection, problem, nexudus_id=row.nexudus_id, crm_id=row.crm_id)
        report.errors.append(str(problem))
        report.circuit.failed(problem)


def _solve_of_ended(connection: Connection, row: Journal) -> None:
    """Solve the failure of a write whose pair was parted in the meantime: nothing is retried for it."""
    link = link_of(connection, row)
    if row.link_id is not None and (link is None or link.state == "closed"):
        with connection.store.session() as session:
            solve_failures(session, connection.name, row.nexudus_id, row.crm_id, fields={""})


async def _resolve(connection: Connection, report: Report, row: Journal) -> None:
    """Look until the write is found, or may be considered absent."""
    assert row.id is not None
    assert row.sent_at is not None
    looks, began = row.looks, connection.clock.monotonic()
    while True:
        if await _found(connection, report, row):
            return
        looks += 1
        # by both clocks: the wall clock may have been set back since
        waited = max((connection.clock.now() - row.sent_at).total_seconds(), connection.clock.monotonic() - began)
        if looks >= LOOKS and waited >= connection.rules.absence_wait:
            break
        with connection.store.session() as session:
            kept = session.get_one(Journal, row.id)
            kept.looks = looks
        await connection.clock.sleep(max(0.0, connection.rules.absence_wait - waited) + 0.1)
    if row.link_id is not None and await found_in_part(connection, row):
        return
    with connection.store.session() as session:
        if _was_lost_before(session, row):
            name = connection.connector(Side(row.side)).name
            error = Unavailable(name, "the same write keeps getting no answer and no effect", _record_id(row))
            note_failure(session, connection, error, nexudus_id=row.nexudus_id, crm_id=row.crm_id)
        said = f"not found after {looks} looks; planned again"
        journal.mark_dropped(session, row.id, connection.clock.now(), said).not_found = True
        if row.link_id is not None:
            mark(session, Side.NEXUDUS, [row.link_id])
            mark(session, Side.CRM, [row.link_id])


def _was_lost_before(session: Session, row: Journal) -> bool:
    """Did the previous attempt at the same write end in the same way?"""
    last = journal.last_attempt(session, row)
    return last is not None and last.state == "dropped"


def _record_id(row: Journal) -> str:
    """The id of the record that a write is about: the one written to, or the one being copied."""
    ids = (row.nexudus_id, row.crm_id) if row.side == Side.NEXUDUS else (row.crm_id, row.nexudus_id)
    return ids[0] or ids[1]


async def _found(connection: Connection, report: Report, row: Journal) -> bool:
    """Is the write's effect there? Then all that follows from it is stored."""
    step = step_from(row.step)
    if step.kind == "party.create":
        return await _found_party(connection, row, step)
    if step.kind == "opportunity.create":
        return await found_create(connection, report, row, step)
    if step.kind == "opportunity.delete":
        return await _found_delete(connection, report, row)
    return await found_update(connection, row)


async def _found_party(connection: Connection, row: Journal, step: Step) -> bool:
    found = await connection.connector(Side(row.side)).find_created(step, sent_at(connection, row))
    if not found:
        return False
    with connection.store.session() as session:
        journal.mark_confirmed(session, row.id or 0, connection.clock.now(), f"found: {found[0]['id']}")
    tell_written(connection, row)
    return True


async def _found_delete(connection: Connection, report: Report, row: Journal) -> bool:
    link = link_of(connection, row)
    if link is None:
        with connection.store.session() as session:
            journal.mark_dropped(session, row.id or 0, connection.clock.now(), "its link is gone")
        return True
    side = Side(row.side)
    if not await connection.connector(side).absent(link.half(side).id, link.half(side).identity):
        return False
    with connection.store.session() as session:
        journal.mark_confirmed(session, row.id or 0, connection.clock.now(), "found: it is gone")
        close_and_count(session, connection, report, link, "deleted with its counterpart")
    tell_written(connection, row)
    return True
