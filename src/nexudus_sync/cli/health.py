"""`health`: one verdict for a watchdog, with one line a problem."""

from nexudus_sync.cli.desk import open_desk
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import print_json, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.signals.health import in_short, judge

ILL = 1
"""The exit code when something is wrong."""


def health(root: Root, connection: str | None, *, as_json: bool) -> int:
    """Print the verdict. Returns the exit code: 0 when all is well."""
    with open_desk(root) as desk:
        names = None if connection is None else desk.names(connection)
        with desk.store.read() as session:
            verdict = judge(session, desk.settings, SystemClock().now(), names=names)
    if as_json:
        print_json(verdict.as_json())
    elif verdict.healthy:
        say(in_short(verdict))
    for problem in () if as_json else verdict.problems:
        say(problem.line)
    return 0 if verdict.healthy else ILL
