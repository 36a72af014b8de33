"""`pause` and `resume`: stop the cycles of one connection for as long as a person wants."""

from nexudus_sync.cli.desk import open_desk, who
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import connections


def pause(root: Root, name: str) -> None:
    """Pause a connection. Raises ConfigError for a name that is not configured."""
    with open_desk(root) as desk, desk.store.session() as session:
        (name,) = desk.names(name)  # in full, so that what is said can be typed without --tenant
        new = connections.pause(session, desk.settings, name, by=who(), now=SystemClock().now())
    said = "is paused; a cycle that is under way is finished" if new else "was paused already"
    say(f"{name} {said}. `nexudus-sync resume {name}` lets it run again.")


def resume(root: Root, name: str) -> None:
    """Let a connection run again. Raises ConfigError for a name that is not configured."""
    with open_desk(root) as desk, desk.store.session() as session:
        (name,), who_runs = desk.names(name), "a worker" if desk.settings.in_fleet else "`run`"
        was = connections.resume(session, desk.settings, name, now=SystemClock().now())
    say(f"{name} runs again: {who_runs} takes it up at its next poll." if was else f"{name} was not paused.")
