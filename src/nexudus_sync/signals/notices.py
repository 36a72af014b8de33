"""Decides when people are told of what, so that they learn of it soon, once, and in one message.

Pure: the moment, the verdict and what waits come in, a message comes out, and what was told is a plain value to keep.

- A problem (a brake, a connection that keeps failing or is stale) is told a minute after it was seen, together with all
  that came up meanwhile. While it lasts it is not told again.
- What newly waits for a person is told when the oldest of it is as old as `gather`, and of each connection once in
  `every` at most.
- When every problem that was told has been over for `gather`, "all is well again" is told once. A problem that comes
  back after that is told again, but not within `every` of the last time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from nexudus_sync.clock import moment
from nexudus_sync.config.settings import SEPARATOR, tenant_of
from nexudus_sync.signals.health import Problem, Verdict
from nexudus_sync.store.waiting import New
from nexudus_sync.texts import plural

MOST = 50
"""Lines of one list in a message; of more, the others are counted."""
ROUND = timedelta(minutes=1)
"""How long a problem waits for others of the same cause."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to people."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A problem: first seen, last told, and over since; `well` says that people know that it is over."""

    title: str
    line: str
    seen: datetime
    told: datetime | None = None
    gone: datetime | None = None
    well: bool = False

    def is_new(self, now: datetime, every: timedelta) -> bool:
        """Have people to be told of it?"""
        if self.gone is not None:
            return False
        return self.told is None or (self.well and now - self.told >= every)


@dataclass(frozen=True, slots=True)
class Book:
    """What was seen and told: problems by what they are about; and by connection, up to when what waits was told."""

    problems: Mapping[str, Seen] = field(default_factory=dict)
    upto: Mapping[str, datetime] = field(default_factory=dict)
    told: Mapping[str, datetime] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """To be kept."""
        problems = {
            key: {
                "title": one.title,
                "line": one.line,
                "seen": one.seen.isoformat(),
                "told": None if one.told is None else one.told.isoformat(),
                "gone": None if one.gone is None else one.gone.isoformat(),
                "well": one.well,
            }
            for key, one in self.problems.items()
        }
        times = {name: {key: at.isoformat() for key, at in getattr(self, name).items()} for name in ("upto", "told")}
        return {"problems": problems, **times}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any] | None) -> "Book":
        """As it was kept; an empty one for None."""
        if kept is None:
            return cls()
        problems = {
            key: Seen(
                one["title"],
                one["line"],
                datetime.fromisoformat(one["seen"]),
                moment(one["told"]),
                moment(one["gone"]),
                bool(one["well"]),
            )
            for key, one in kept["problems"].items()
        }
        upto, told = ({key: datetime.fromisoformat(at) for key, at in kept[name].items()} for name in ("upto", "told"))
        return cls(problems, upto, told)


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon and how often people are told, and where they can look (the address of the page, or "").

    In a fleet, `tenant` is whose people are told; `by_tenant`: all of it, tenant by tenant.
    """

    gather: timedelta
    every: timedelta
    page: str = ""
    tenant: str = ""
    by_tenant: bool = False


def look(book: Book, verdict: Verdict, pace: Pace) -> Book:
    """The book after a look at what is wrong now."""
    now, current = verdict.at, {_key(one): one for one in verdict.problems if one.kind != "run"}
    problems = {key: _seen(one, book.problems.get(key), now) for key, one in current.items()}
    for key, one in book.problems.items():
        if key not in current and one.told is not None and not (one.well and now - one.told >= pace.every):
            problems[key] = replace(one, gone=one.gone or now)
    return replace(book, problems=problems)


def _seen(problem: Problem, before: Seen | None, now: datetime) -> Seen:
    """A problem of now, by what was known of it before."""
    if before is None:
        return Seen(problem.title, problem.line, now)
    came_back = before.well and before.gone is not None
    return replace(before, title=problem.title, line=problem.line, seen=now if came_back else before.seen, gone=None)


def due(book: Book, verdict: Verdict, new: Iterable[New], pace: Pace) -> tuple[Notice, Book] | None:
    """The message that is due now, if one is, and the book as it is once that was sent."""
    now = verdict.at
    fresh = {key: one for key, one in book.problems.items() if one.is_new(now, pace.every)}
    waits = [one for one in new if now - book.told.get(one.connection, now - pace.every) >= pace.every]
    if any(now - one.seen >= ROUND for one in fresh.values()) or any(now - one.oldest >= pace.gather for one in waits):
        return _digest(book, verdict, fresh, waits, pace), _told(book, fresh, waits, now)
    return None if fresh else _all_well(book, now, pace)


def _told(book: Book, fresh: Mapping[str, Seen], waits: Sequence[New], now: datetime) -> Book:
    """The book once these were told."""
    problems = {key: replace(one, told=now, well=False) for key, one in fresh.items()}
    upto = {one.connection: one.newest for one in waits}
    told = dict.fromkeys(upto, now)
    return Book({**book.problems, **problems}, {**book.upto, **upto}, {**book.told, **told})


def _all_well(book: Book, now: datetime, pace: Pace) -> tuple[Notice, Book] | None:
    """That all is well again, if people were told otherwise, and it has lasted."""
    told = {key: one for key, one in book.problems.items() if one.told is not None and not one.well}
    if not told or any(one.gone is None or now - one.gone < pace.gather for one in told.values()):
        return None
    well = {key: replace(one, well=True) for key, one in told.items()}
    body = ["This is over:", *_lines(((key, one.title) for key, one in told.items()), pace)]
    return Notice("all is well again", _text(body, pace)), replace(book, problems={**book.problems, **well})


def _digest(book: Book, verdict: Verdict, fresh: Mapping[str, Seen], waits: Sequence[New], pace: Pace) -> Notice:
    title = [one.title for one in fresh.values()] if len(fresh) < 2 else [f"{len(fresh)} problems"]
    body = _lines(((key, one.line) for key, one in fresh.items()), pace)
    still = [(key, one.line) for key, one in book.problems.items() if key not in fresh and one.gone is None]
    if still:
        body += ["Still the case:", *_lines(still, pace)]
    if waits:
        title.append(f"{_counted(waits)} for you")
        body += _items(verdict, waits, pace)
    return Notice("; ".join(title), _text(body, pace))


def _items(verdict: Verdict, waits: Sequence[New], pace: Pace) -> list[str]:
    """What newly waits, and how to see it."""
    in_all = {one.name: one.conflicts + one.failures for one in verdict.connections}
    said = [
        (one.connection, f"{one.connection}: {_counted([one])} ({in_all.get(one.connection, 0)} in all)")
        for one in waits
    ]
    whose = f" --tenant {pace.tenant}" if pace.tenant else ""
    look_at = f"To see them: `nexudus-sync conflicts list{whose}` and `nexudus-sync failures list{whose}`."
    return ["New since the last message:", *_lines(said, pace), look_at]


def _lines(said: Iterable[tuple[str, str]], pace: Pace) -> list[str]:
    """The lines of a list, each given with the connection that it is about; tenant by tenant where there are several.

    No message is longer than people read.
    """
    rows, found, last = list(said), list[str](), ""
    if pace.by_tenant:
        rows.sort(key=lambda row: tenant_of(row[0]))
    for about, line in rows[:MOST]:
        tenant = tenant_of(about) if pace.by_tenant else ""
        if tenant != last:
            found.append(f"{tenant}:")
        found.append(f"- {line}")
        last = tenant
    return [*found, f"… and {len(rows) - MOST:,} more"] if len(rows) > MOST else found


def _counted(new: Sequence[New]) -> str:
    """How many of them wait: `2 conflicts and 1 failure wait`."""
    conflicts, failures = sum(one.conflicts for one in new), sum(one.failures for one in new)
    parts = [plural(conflicts, "conflict")] if conflicts else []
    parts += [plural(failures, "failure")] if failures else []
    return f"{' and '.join(parts)} {'waits' if conflicts + failures == 1 else 'wait'}"


def _text(lines: Sequence[str], pace: Pace) -> str:
    page = [f"Its page: {pace.page}"] if pace.page else []
    return "\n".join([*lines, *page])


def _key(problem: Problem) -> str:
    """What a problem is about: one that fails and then is stale is the same trouble."""
    what = f"brake {problem.name}" if problem.kind == "brake" else "trouble"
    if problem.kind == "config":
        return f"{problem.tenant}{SEPARATOR}: the configuration"
    return f"{problem.connection}: {what}"
