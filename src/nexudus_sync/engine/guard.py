"""One bad record never stops the others: its errors become its failures."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.inbox import note_failure, of_record
from nexudus_sync.engine.read.changes import note_stamps
from nexudus_sync.engine.read.fetch import Outdated
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.write.another import note_link_error
from nexudus_sync.errors import NotPlanned, OutcomeUnknown, SyncError, Unforeseen
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Link


@dataclass(slots=True)
class Guarded:
    """Whether the guarded block went well."""

    ok: bool = False


@contextmanager
def guard(
    connection: Connection, report: Report, link: Link, sights: Mapping[Side, Sight] | None = None
) -> Iterator[Guarded]:
    """Guard the work on one link: an error about it becomes its failure, and the cycle goes on with the next link.

    The stamps of its `sights` are kept. Raises what ends the cycle: AuthenticationFailed, RoleMissing, StoreError, and
    the error of a system that no longer answers at all.
    """
    guarded, ids = Guarded(), ids_of(link)
    try:
        yield guarded
    except (Outdated, NotPlanned):
        return  # its mark stays: the next poll reads it again
    except Exception as error:
        problem = of_record(error)
        if isinstance(problem, OutcomeUnknown | Unforeseen):  # after the latter, the link's own state cannot be trusted
            note_error(connection, report, problem, ids)
            return
        with connection.store.session() as session:
            note_stamps(session, link, sights or {}, connection.clock.now())
            note_link_error(session, connection, link, problem)
        report.errors.append(str(problem))
        report.circuit.failed(problem)
    else:
        report.circuit.worked()
        guarded.ok = True


def note_error(connection: Connection, report: Report, error: SyncError, ids: Mapping[str, str]) -> None:
    """Keep what went wrong with a pair. Raises the error when a system no longer answers at all."""
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
