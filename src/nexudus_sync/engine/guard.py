"""One bad record never stops the others: its errors become its failures."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import note_failure, of_record
from nexudus_sync.engine.pairs.work import Work
from nexudus_sync.engine.read.fetch import Outdated
from nexudus_sync.engine.read.snapshots import note_stamps
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.another import fail
from nexudus_sync.errors import OutcomeUnknown, SyncError, Unforeseen
from nexudus_sync.store.tables import Link


async def guarded(
    connection: Connection, report: Report, link: Link, action: Callable[..., Awaitable[None]], *args: Any
) -> bool:
    """Do something for one link; an error of that record becomes its failure. Returns whether it went well."""
    ids = ids_of(link)
    try:
        await action(*args)
    except Outdated:
        return False  # its mark stays: the next polls look again
    except Exception as error:
        problem = of_record(error)
        if isinstance(problem, OutcomeUnknown | Unforeseen):  # after the latter nothing of the link is sure
            note(connection, report, problem, ids)
            return False
        with connection.store.session() as session:
            note_stamps(
                session, link, next((a.sights for a in args if isinstance(a, Work)), {}), connection.clock.now()
            )
            fail(session, connection, link, problem)
        report.errors.append(str(problem))
        report.circuit.failed(problem)
        return False
    report.circuit.worked()
    return True


def note(connection: Connection, report: Report, error: SyncError, ids: Mapping[str, str]) -> None:
    """Keep what went wrong with a pair. Raises the error when a system does not answer at all any more."""
    if isinstance(error, OutcomeUnknown):
        report.unknown.append(str(error))
    else:
        with connection.store.session() as session:
            note_failure(session, connection, error, **ids)
        report.errors.append(str(error))
    report.circuit.failed(error)


def ids_of(link: Link) -> dict[str, str]:
    """The ids by which failures name a link."""
    return {"nexudus_id": link.nexudus_id, "crm_id": link.crm_id}
