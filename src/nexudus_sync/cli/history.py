"""`undo`: how to restore a value that the sync overwrote."""

from nexudus_sync.cli.desk import open_desk, who
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import undo as deciding


def undo(root: Root, number: int, *, force: bool) -> None:
    """Ask for the old value of an entry to be restored. Raises ConfigError, SyncError."""
    with open_desk(root) as desk, desk.store.session() as session:
        said = deciding.ask(session, desk.settings, number, force=force, by=who(), now=SystemClock().now())
    say(said)
