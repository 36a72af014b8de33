"""`failures`: what could not be carried over; a person can retry or dismiss it."""

from nexudus_sync.cli.desk import open_desk
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import failures
from nexudus_sync.deciding.records import refuse_tenants
from nexudus_sync.errors import ConfigError
from nexudus_sync.store.failures import open_failures
from nexudus_sync.texts import plural


def retry(root: Root, number: int | None, *, every: bool) -> None:
    """Retry failures at the next cycle. Raises ConfigError, SyncError."""
    if (number is None) != every:
        raise ConfigError("failures retry", "needs either an ID or --all", "give one of them")
    now = SystemClock().now()
    with open_desk(root) as desk, desk.store.session() as session:
        if number is None:
            found = open_failures(session, desk.names())
            refuse_tenants(desk.settings, "failures retry --all", [one.connection for one in found])
            count, later = len(found), failures.retry_all(session, desk.settings, found, now=now)
        else:
            failures.retry(session, desk.settings, number, now=now)
            count, later = 1, 0
    say(f"{plural(count, 'failure')} will be retried at the next cycle.")
    if later:
        say(f"{later:,} of them were refused for the same reason as another: they follow if that one succeeds.")


def dismiss(root: Root, number: int) -> None:
    """Hide a failure. Raises ConfigError when no failure has that id, SyncError when it is solved."""
    with open_desk(root) as desk, desk.store.session() as session:
        failures.dismiss(session, desk.settings, number)
    say(f"Failure {number} is dismissed; it comes back if its reason changes.")
