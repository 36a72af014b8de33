"""What the contract needs to know and do of a system: a rig. docs/connectors.md tells how to write one.

A rig is one system under test: its connector, a double of the system (or the system itself, where that is a file),
and people at work in it. `HttpRig` is the rig of a system with an HTTP API, whose double is a `sandbox.double.Double`.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nexudus_sandbox.double import Double, Entry
from nexudus_sandbox.faults import Faults
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sandbox.wire import Request, Response
from nexudus_sync.connectors.base import Connector, Draft, Page, Party, Record, Row, Scope

START = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
SYNC, ANA = "sync@example.com", "ana@example.com"
"""Who the sync's login belongs to, and a person."""
KAI = "kai@example.org"
"""A party that every rig's system has from the start."""
SECRET = "contract-secret"
PAGE = 5
"""Rows on a page: small, so that a few records fill several."""


class HandClock:
    """Stands still unless it is turned or somebody sleeps."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds)
        await asyncio.sleep(0)

    def turn(self, seconds: float) -> None:
        self.at += timedelta(seconds=max(0.0, seconds))


class Rig:
    """One system under test. What stands without a value has to be given by each rig.

    Made anew for every test, by `make`: the server's clock is `offset` seconds ahead, and the connector logs in with
    `secret` (the right one unless a test gives another). `folder` is empty, for a system that is a file.
    """

    title: str
    """The record's key of an opportunity's title."""
    unknown: dict[str, Any]
    """A key that no page prints and that the server keeps, with what it holds."""
    bad_value: dict[str, Any]
    """A change of one key that the server refuses, naming the key."""
    nobody: str
    """The id of no record."""
    own_scope: Scope
    other_scope: Scope
    keeps_author: bool
    """A stamp tells the sync's own writes from others'."""
    counts_in_lists: bool = True
    """A page of a list says how many rows there are in all."""
    comes_in_pages: bool = True
    """A list takes several reads, so it can move meanwhile."""
    pages_hold: bool = False
    """Each page of a list begins behind the last id of the one before, so that nothing moves between them."""
    coarse_stamps: bool = True
    """Two edits can have one stamp."""
    has_lock: bool = False
    """An update made from a state that is not the latest is refused."""
    silent_deletes: bool = False
    """A deletion is answered with 204 and no body, so that an empty answer is a success."""
    has_login: bool = True
    has_rights: bool = True
    """A login can lack the right to read opportunities; see `forbid`."""
    zones: tuple[str | None, str | None] = (None, None)
    """The time zone of days kept as moments, in each of the two scopes; None where a day is a plain date."""
    fixed_currency: str | None = None
    """What a new record of the own scope is in, where that is not free."""

    # What can go wrong: names that `strike` understands. The contract is tried with each.
    offsets: tuple[float, ...] = (0.0, 300.0, -7200.0)
    trouble: tuple[str, ...]
    """The system answers nothing sensible, and nothing is done."""
    lost_answers: tuple[str, ...]
    """A write is done, and its answer tells nothing."""
    never_done: tuple[str, ...]
    """A write is not done, and the client cannot know."""
    never_left: tuple[str, ...]
    """A write is not done, and the client knows it."""
    late: tuple[str, ...] = ()
    """A write is done 90 seconds after the client gave up."""
    throttles: tuple[str, ...] = ()
    """The answers that mean "too many calls"; each asks to wait 7 seconds."""

    connector: Connector

    def __init__(self, folder: Path, *, offset: float = 0.0, secret: str = SECRET) -> None:
        self.folder, self.clock, self.rng = folder, HandClock(), random.Random(3)
        self.make(offset, secret)

    def make(self, offset: float, secret: str) -> None:
        """Set up the system and `connector`, on `clock` and `rng`."""
        raise NotImplementedError

    def add(self, title: str, email: str = KAI, *, elsewhere: bool = False) -> str:
        """A person adds an opportunity, in the own scope or the other one; its id."""
        raise NotImplementedError

    def edit(self, record_id: str, **changes: Any) -> None:
        """A person changes keys of an opportunity."""
        raise NotImplementedError

    def remove(self, record_id: str) -> None:
        """A person deletes an opportunity."""
        raise NotImplementedError

    def hire(self, email: str) -> None:
        """A user more."""
        raise NotImplementedError

    def forbid(self) -> None:
        """The sync's login may neither list nor read opportunities any more."""
        raise NotImplementedError

    def stored(self) -> dict[str, Record]:
        """All opportunities by id, as the system keeps them; what was handed out does not change any more."""
        raise NotImplementedError

    def moved(self) -> tuple[str, ...]:
        """The keys that the system moves by itself when a title changes."""
        raise NotImplementedError

    def strike(self, kind: str, calls: str = "", *, times: int = 1) -> None:
        """Let the next calls go wrong. `calls`: "read", "list", "create", "create party", "update", or "" for all."""
        raise NotImplementedError

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        raise NotImplementedError

    def struck(self) -> int:
        """How many calls went wrong so far."""
        raise NotImplementedError

    def while_listing(self, action: Callable[[int], object]) -> None:
        """Do something after each page of opportunities that is answered, with the number of the page."""
        raise NotImplementedError

    def writes(self) -> int:
        """How many writes reached the system, by whomever they were sent."""
        raise NotImplementedError

    def user_lists(self) -> int | None:
        """How often the list of users was read; None where that costs nothing."""
        raise NotImplementedError

    def last_change_is_ours(self) -> bool:
        """Does the system hold the sync's login for the author of the last change?"""
        raise NotImplementedError

    async def draft(self, title: str, email: str = KAI) -> Draft:
        """A new opportunity for an existing party."""
        await self.connector.context({}, self.own_scope)
        party = await self.connector.find_party(email, self.own_scope)
        assert party is not None
        return Draft({self.title: title}, party, self.own_scope, "other:1", currency="GBP")

    async def scan(self, cursor: str | None = None) -> list[Page]:
        """A whole scan of the scope."""
        return [page async for page in self.connector.scan(self.own_scope, cursor)]

    async def rows(self, cursor: str | None = None) -> dict[str, Row]:
        """A scan's rows by id; of one that came twice the later."""
        return {row.id: row for page in await self.scan(cursor) for row in page.rows}


class HttpRig(Rig):
    """A system with an HTTP API: `double` stands for it, `transport` leads there, `faults` strike on the way."""

    path: str
    """Where opportunities are listed and created."""
    party_path: str
    """Where a party is created."""
    user_path: str
    """Where users are listed."""
    trouble = ("error_500_before", "html", "empty", "truncated", "drop", "connect", "timeout_before")
    lost_answers = ("timeout_after", "drop_after", "error_500_after", "html_after", "empty", "truncated")
    never_done = ("timeout_before", "drop", "html")
    never_left = ("connect",)
    late = ("late_commit",)
    throttles: tuple[str, ...] = ("throttle_409", "throttle_429")

    double: Any

    def make(self, offset: float, secret: str) -> None:
        self.faults = Faults(random.Random(5))
        self.double = self.make_double(offset)
        self.connector = self.make_connector(DoubleTransport(self.double, self.faults, clock=self.clock), secret)

    def make_double(self, offset: float) -> Double:
        """A double that knows `SYNC` by `SECRET`, the party `KAI`, and both scopes."""
        raise NotImplementedError

    def make_connector(self, transport: DoubleTransport, secret: str) -> Connector:
        """The connector on that transport, with `clock` and `rng`."""
        raise NotImplementedError

    def remove(self, record_id: str) -> None:
        self.double.delete(record_id, ANA)

    def stored(self) -> dict[str, Record]:
        return {str(record_id): row for record_id, row in self.double.records().items()}

    def strike(self, kind: str, calls: str = "", *, times: int = 1) -> None:
        patterns = {
            "": "",
            "read": "^GET",
            "list": f"^GET {self.path}$",
            "create": f"^POST {self.path}$",
            "create party": f"^POST {self.party_path}$",
            "update": "^(PUT|PATCH)",
        }
        seconds = {"throttle_409": 7.0, "throttle_429": 7.0, "late_commit": 90.0}.get(kind)
        self.faults.add(kind, patterns[calls], times=times, seconds=seconds)

    def heal(self) -> None:
        self.faults.clear()

    def struck(self) -> int:
        return len(self.faults.injected)

    def while_listing(self, action: Callable[[int], object]) -> None:
        pages = 0

        def watch(request: Request, response: Response) -> None:
            nonlocal pages
            if request.path == self.path and request.method == "GET":
                pages += 1
                action(pages)

        self.double.watchers.append(watch)

    def writes(self) -> int:
        log: list[Entry] = self.double.log
        return sum(entry.method != "GET" for entry in log)

    def user_lists(self) -> int | None:
        log: list[Entry] = self.double.log
        return sum(entry.path.lower() == self.user_path.lower() for entry in log)

    def last_change_is_ours(self) -> bool:
        return bool(self.double.changes[-1].by == SYNC)


def new_party(email: str) -> Party:
    """Somebody whom no system knows."""
    return Party(email, "Noor Haddad", "Haddad Films")
