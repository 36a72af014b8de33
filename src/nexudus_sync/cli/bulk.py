"""Decisions about many at once: by filter, after a preview."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import typer

from nexudus_sync.cli.desk import Desk, asking, open_desk, who
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.lists import print_conflicts, print_failures
from nexudus_sync.cli.output import at_terminal, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import conflicts, failures
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, lists
from nexudus_sync.store.ask import over
from nexudus_sync.store.conflicts import RECORD
from nexudus_sync.store.lists import ConflictRow
from nexudus_sync.store.only import ALL, Only
from nexudus_sync.store.tables import ConflictKind, Failure
from nexudus_sync.texts import plural

SHOWN = 10
"""How many of those concerned the preview shows."""
AT_ONCE = 200
"""How many are stored in one transaction, so that none of them keeps `run` waiting for long."""
MOST = 2**31
"""As many as there are."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What all of them get: a side, or a third value."""

    take: str | None
    value: str | None

    def __str__(self) -> str:
        return (
            f"both sides get {self.value!r}" if self.take is None else f"the value of {Side(self.take).word} is taken"
        )


def is_narrow(connection: str | None, only: Only) -> bool:
    """Was a filter given?"""
    return connection is not None or only != ALL


def refuse_filters(verb: str, connection: str | None, only: Only) -> None:
    """Raise ConfigError when filters were given beside an ID or --all: what is meant?"""
    if is_narrow(connection, only):
        raise ConfigError(verb, "an ID or --all goes with no filter", "leave out the one or the other")


def _need_filter(verb: str, connection: str | None, only: Only) -> None:
    if not is_narrow(connection, only):
        raise ConfigError(verb, "needs an ID, or a filter such as --field", "see `conflicts list` or `failures list`")


def resolve(root: Root, connection: str | None, only: Only, answer: Answer, *, yes: bool) -> None:
    """Give one answer to all conflicts that the filters name. Raises ConfigError, SyncError."""
    _need_filter("conflicts resolve", connection, only)
    with open_desk(root) as desk:
        with desk.store.read() as session:
            ask = over(session)
            found = list(lists.conflicts(ask, desk.names(connection), only=only).newest_first(MOST))
            chosen = [one for one in found if _goes(one, only, answer)]
            print_conflicts(chosen[:SHOWN], ask)
        _tell_left(len(chosen), len(found) - len(chosen))
        if not chosen or not _agreed(f"{plural(len(chosen), 'conflict')}: {answer}", yes=yes):
            return
        done, problems = _each(desk, chosen, lambda session, one: _answer(desk, session, one, answer))
    say(f"{plural(done, 'conflict')} resolved; the next cycle carries it out.")
    for problem in problems[:SHOWN]:
        say(f"  left open: {problem}")


def _goes(one: ConflictRow, only: Only, answer: Answer) -> bool:
    """May a bulk answer include it? Whole records and overwritten values only when named, and never a deletion."""
    if one.kind == ConflictKind.DELETED and one.side != answer.take:
        return False  # that would delete the edited record
    special = one.field == RECORD or one.kind != ConflictKind.FIELD
    return not special or only.kind == one.kind


def _answer(desk: Desk, session: Session, one: ConflictRow, answer: Answer) -> None:
    by, now, seen = who(), SystemClock().now(), (one.nexudus, one.crm)
    if answer.take is not None:
        conflicts.take(session, desk.settings, one.id, Side(answer.take), by=by, now=now, seen=seen)
    else:
        conflicts.say_value(session, desk.settings, one.id, answer.value or "", by=by, now=now, seen=seen)


def _each(
    desk: Desk, chosen: Sequence[ConflictRow], work: Callable[[Session, ConflictRow], None]
) -> tuple[int, list[str]]:
    """Do the work for each, some in a transaction; returns how many went well, and what was refused."""
    problems = list[str]()
    for start in range(0, len(chosen), AT_ONCE):
        with desk.store.session() as session:
            for one in chosen[start : start + AT_ONCE]:
                try:
                    work(session, one)
                except SyncError as error:  # was raised before anything about this one was changed
                    problems.append(str(error))
    return len(chosen) - len(problems), problems


def retry(root: Root, connection: str | None, only: Only, *, yes: bool) -> None:
    """Retry the failures that the filters name. Raises ConfigError."""
    with open_desk(root) as desk:
        ids = _previewed(desk, connection, only)
        if not ids or not _agreed(f"Retry {plural(len(ids), 'failure')} at the next cycle", yes=yes):
            return
        with desk.store.session() as session:
            found = [one for number in ids if (one := session.get(Failure, number)) and one.state == "open"]
            later = failures.retry_all(session, desk.settings, found, now=SystemClock().now())
    say(f"{plural(len(found), 'failure')} will be retried at the next cycle.")
    if later:
        say(f"{later:,} of them were refused for the same reason as another: they follow if that one succeeds.")


def dismiss(root: Root, connection: str | None, only: Only, *, yes: bool) -> None:
    """Hide the failures that the filters name. Raises ConfigError."""
    _need_filter("failures dismiss", connection, only)
    with open_desk(root) as desk:
        ids = _previewed(desk, connection, only)
        if not ids or not _agreed(f"Dismiss {plural(len(ids), 'failure')}", yes=yes):
            return
        with desk.store.session() as session:
            found = [one for number in ids if (one := session.get(Failure, number)) and one.state == "open"]
            for one in found:
                failures.dismiss(session, desk.settings, one.id or 0)
    say(f"{plural(len(found), 'failure')} dismissed; each comes back if its reason changes.")


def _previewed(desk: Desk, connection: str | None, only: Only) -> Sequence[int]:
    """Show what the filters name, and return the ids of all of it."""
    with desk.store.read() as session:
        ask = over(session)
        found = list(lists.failures(ask, desk.names(connection), only).newest_first(MOST))
        print_failures(found[:SHOWN], ask)
    _tell_left(len(found), 0)
    return [one.id for one in found]


def _tell_left(count: int, left_out: int) -> None:
    if count > SHOWN:
        say(f"… and {count - SHOWN:,} more.")
    if left_out:
        says = "is" if left_out == 1 else "are"
        say(
            f"{plural(left_out, 'question')} about whole records or overwritten values {says} left out: "
            "name them with --kind, or decide them one by one."
        )


def _agreed(what: str, *, yes: bool) -> bool:
    """Ask at the terminal. Raises ConfigError when there is no terminal."""
    if yes:
        return True
    if not at_terminal():
        raise ConfigError("an answer to several", "no terminal to confirm on", "add --yes")
    with asking():
        return typer.confirm(f"{what}?")
