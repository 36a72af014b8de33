"""`link`, `unlink`, `ignore`: decisions about pairs for the next cycle."""

from nexudus_sync.cli.desk import open_desk, who
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import pairing
from nexudus_sync.texts import pair_of


def link(root: Root, nexudus: str, crm: str, connection: str | None) -> None:
    """Ask for two records to be paired. Raises ConfigError for an impossible id, SyncError when one is linked."""
    by, now = who(), SystemClock().now()
    with open_desk(root) as desk, desk.store.session() as session:
        name, unknown = pairing.link(session, desk.settings, nexudus, crm, connection, by=by, now=now)
    say(f"{pair_of(nexudus, crm)} will be linked at the next cycle of {name}.")
    _tell_unknown(unknown)


def unlink(root: Root, record: str, connection: str | None) -> None:
    """Ask for a pair to be unlinked. Raises ConfigError for an unknown record, SyncError when it is not linked."""
    by, now = who(), SystemClock().now()
    with open_desk(root) as desk, desk.store.session() as session:
        found = pairing.unlink(session, desk.settings, record, connection, by=by, now=now)
        pair = pair_of(found.nexudus_id, found.crm_id)
    say(f"{pair} will be unlinked at the next cycle; both records are kept, and neither is created again.")


def ignore(root: Root, record: str, connection: str | None) -> None:
    """Ask for an unpaired record to be left alone. Raises SyncError when it is linked."""
    by, now = who(), SystemClock().now()
    with open_desk(root) as desk, desk.store.session() as session:
        found = pairing.ignore(session, desk.settings, record, connection, by=by, now=now)
    say(f"{record} of {found.side.word} will be left alone from the next cycle on.")
    _tell_unknown([] if found.known else [record])


def _tell_unknown(records: list[str]) -> None:
    """A record that no cycle has seen may exist all the same: only the system can tell."""
    for record in records:
        say(f"  No cycle has seen {record} yet. If it does not exist, the next cycle refuses this and says so.")
