"""Work on one link, whose errors are that link's failures and never the others'."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nexudus_sync.engine.agree import note_stamps
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.doubts import fail
from nexudus_sync.engine.guard import of_record
from nexudus_sync.engine.outcomes import note_failure
from nexudus_sync.engine.reading import Outdated
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.work import Work
from nexudus_sync.errors import OutcomeUnknown, SyncError, Unforeseen
from nexudus_sync.store.tables import Link


async def guarded(
    bridge: Bridge, report: Report, link: Link, action: Callable[..., Awaitable[None]], *args: Any
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
            note(bridge, report, problem, ids)
            return False
        with bridge.store.session() as session:
            note_stamps(session, link, next((a.sights for a in args if isinstance(a, Work)), {}), bridge.clock.now())
            fail(session, bridge, link, problem)
        report.errors.append(str(problem))
        report.circuit.failed(problem)
        return False
    report.circuit.worked()
    return True


def note(bridge: Bridge, report: Report, error: SyncError, ids: Mapping[str, str]) -> None:
    """Keep what went wrong with a pair. Raises the error when a system does not answer at all any more."""
    if isinstance(error, OutcomeUnknown):
        report.unknown.append(str(error))
    else:
        with bridge.store.session() as session:
            note_failure(session, bridge, error, **ids)
        report.errors.append(str(error))
    report.circuit.failed(error)


def ids_of(link: Link) -> dict[str, str]:
    """The ids by which failures name a link."""
    return {"nexudus_id": link.nexudus_id, "crm_id": link.crm_id}
