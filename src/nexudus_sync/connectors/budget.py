"""The request budget: who may call next, and when, so that no limit of a system is ever exceeded.

A server counts a call when it arrives, which is not when it was sent: two calls a second apart may arrive closer. So
every window is stretched by twice what the latencies of late differ.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from nexudus_sync.clock import Clock, SystemClock
from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.limits import Limits as Limits
from nexudus_sync.connectors.spending import SHARE, Blocked, Spending
from nexudus_sync.connectors.window import Window
from nexudus_sync.store.ledger import Ledger

if TYPE_CHECKING:
    from nexudus_sync.store.database import Store

_LOW = frozenset({Priority.RECONCILE, Priority.BACKFILL})
_FLOOR = 50  # while a low priority waits, one call in N is its own
_TICK = 0.001
_LONG_WAIT = 90.0  # seconds; waiting for the next minute is the usual pace and not worth a line


class Budget(Protocol):
    """Asked by a client before every call."""

    async def acquire(self, *, write: bool, creation: bool, priority: Priority, reserved: bool = False) -> None:
        """Wait until one call may be made. `write`: not a GET; `creation`: it creates a customer.

        `reserved`: it uses a place that `reserve` took, if there is one for it. Raises LimitReached when the day's
        customer creations are used up.
        """
        ...

    async def reserve(self, *, priority: Priority) -> None:
        """Wait until a write other than a creation may be made, and keep its place for two seconds."""
        ...

    def pause(self, seconds: float) -> None:
        """Hold back all calls for this long: the server asked for it."""
        ...

    def observe(self, latency: float) -> None:
        """Record how many seconds a call took."""
        ...

    def left(self) -> Mapping[str, tuple[int, int]]:
        """How many calls are left of each limit, and the limit, by its name."""
        ...

    def close(self) -> None:
        """Give back the leased calls that were not used."""
        ...


class Unlimited:
    """The budget of a system whose limits are not known: only `pause` holds calls back."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._paused_until = float("-inf")

    async def acquire(self, *, write: bool, creation: bool, priority: Priority, reserved: bool = False) -> None:
        """Wait until no pause is in force."""
        while (seconds := self._paused_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(max(seconds, _TICK))

    async def reserve(self, *, priority: Priority) -> None:
        """Wait until no pause is in force; there is no place to keep."""
        await self.acquire(write=True, creation=False, priority=priority)

    def pause(self, seconds: float) -> None:
        """Hold back all calls for this long."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def observe(self, latency: float) -> None:
        """Latencies make no difference here."""

    def left(self) -> Mapping[str, tuple[int, int]]:
        """There is no limit."""
        return {}

    def close(self) -> None:
        """Nothing was leased."""


@dataclass(slots=True, eq=False)
class _Waiter:
    kinds: tuple[str, ...]
    priority: Priority
    turn: int
    granted: asyncio.Future[None]
    try_: Callable[[bool], Blocked | None]
    """Takes what it waits for, or says until when there is no room; True: it may use what others leave idle."""
    first: bool = False
    """It has its place already, so it goes before the others."""
    told: bool = False
    """The log already says that it waits for long."""


class Limiter:
    """Keeps to `limits` by sliding windows, across processes and restarts where it has a ledger.

    Calls of higher priority go first. RECONCILE and BACKFILL together use at most 70 % of the hour and the day, but
    that BACKFILL may go on while nothing of a higher priority waits, as far as that keeps no live call waiting
    (`Spending._idle`). While one of them waits, one call in fifty is its own, so that it always gets on. `lane` names
    the login in the ledger (see `lane_of`), `system` the system in errors and logs.
    """

    def __init__(
        self, limits: Limits, *, clock: Clock, ledger: Ledger | None, lane: str, system: str = "request budget"
    ) -> None:
        self._spending = Spending(_windows(limits), clock, ledger, lane, system)
        self._clock = clock
        self._log = structlog.get_logger(system=system)
        self._paused_until = float("-inf")
        self._waiters: list[_Waiter] = []
        self._turn = 0
        self._passed: Counter[Priority] = Counter()
        """The number of calls that went ahead of each low priority since its last call."""
        self._next = self._wake_at = float("inf")
        self._alarm: asyncio.Task[None] | None = None

    async def acquire(self, *, write: bool, creation: bool, priority: Priority, reserved: bool = False) -> None:
        """Wait until one call may be made; if `reserved`, from a place of `reserve` if one is kept for such a call.

        Raises LimitReached when the day's customer creations are used up, StoreError when the ledger cannot be used.
        """
        kinds = _kinds(write, creation, priority)
        place = self._spending.claim(kinds) if reserved else None
        if place is None:
            await self._wait(kinds, priority, partial(self._spending.spend, kinds))
        else:
            await self._wait(kinds, priority, partial(self._spending.use, place, kinds), first=True)

    async def reserve(self, *, priority: Priority) -> None:
        """Wait until a write other than a creation may be made, and keep its place for the next write.

        The write then waits only for other calls of the same second. A place that is not used within two seconds
        lapses: nothing was spent, and the write waits like any other. A place taken at a low priority serves
        a higher one too, but not the other way round. Raises StoreError when the ledger cannot be used.
        """
        kinds = _kinds(True, False, priority)
        await self._wait(kinds, priority, partial(self._spending.keep, kinds))

    def pause(self, seconds: float) -> None:
        """Hold back all calls for this long."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def observe(self, latency: float) -> None:
        """Record how many seconds a call took."""
        self._spending.observe(latency)

    def left(self) -> Mapping[str, tuple[int, int]]:
        """How many calls are left of each limit, and the limit, as far as this process knows."""
        return self._spending.left()

    def close(self) -> None:
        """Give back the leased calls that were not used. Raises StoreError when the ledger cannot be used."""
        self._spending.close()

    async def _wait(
        self, kinds: tuple[str, ...], priority: Priority, try_: Callable[[bool], Blocked | None], *, first: bool = False
    ) -> None:
        self._turn += 1
        waiter = _Waiter(kinds, priority, self._turn, asyncio.get_running_loop().create_future(), try_, first)
        self._waiters.append(waiter)
        try:
            self._serve()
            self._set_alarm()
            await waiter.granted
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            if waiter.granted.cancelled():
                self._next = self._clock.monotonic()  # what it held back need not wait for the next alarm
                self._set_alarm()
            if not self._waiters and self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None  # it is not done yet, and the next to wait must not rely on it

    def _set_alarm(self) -> None:
        """Make sure that waiters are served when the next of them may go."""
        if not self._waiters:
            return
        if self._alarm is not None and not self._alarm.done():
            if self._wake_at <= self._next:
                return
            self._alarm.cancel()
        self._wake_at = self._next
        self._alarm = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        try:
            while self._waiters:
                self._wake_at = self._next
                await self._clock.sleep(max(self._wake_at - self._clock.monotonic(), _TICK))
                self._serve()
        except Exception as error:
            # Nobody awaits this task: whoever waits must learn of it, or waits for ever.
            for waiter in self._waiters:
                if not waiter.granted.done():
                    waiter.granted.set_exception(error)

    def _serve(self) -> None:
        """Let go every waiter that may, the first in rank first; `_next` is then when to look again."""
        while self._waiters:
            if self._clock.monotonic() < self._paused_until:
                self._next = self._paused_until
                return
            self._next = float("inf")
            if not any(self._settle(waiter) for waiter in self._first_of_each_kind()):
                return

    def _first_of_each_kind(self) -> list[_Waiter]:
        """In order of rank; behind one that must wait, those that need the same must wait as well."""
        first: dict[tuple[str, ...], _Waiter] = {}
        for waiter in sorted(self._waiters, key=self._rank):
            first.setdefault(waiter.kinds, waiter)
        return list(first.values())

    def _rank(self, waiter: _Waiter) -> tuple[bool, bool, Priority, int]:
        return not waiter.first, self._passed[waiter.priority] < _FLOOR, waiter.priority, waiter.turn

    def _settle(self, waiter: _Waiter) -> bool:
        """Let the waiter go, or fail, if its time has come."""
        if waiter.granted.done():  # cancelled meanwhile
            self._waiters.remove(waiter)
            return True
        try:
            idle = waiter.priority is Priority.BACKFILL and all(other.priority in _LOW for other in self._waiters)
            blocked = waiter.try_(idle)
        except Exception as error:  # the caller's own to handle; the others may have better luck
            waiter.granted.set_exception(error)
        else:
            if blocked is not None:
                self._next = min(self._next, blocked.until)
                self._tell(waiter, blocked)
                return False
            self._count_passed(waiter)
            waiter.granted.set_result(None)
        self._waiters.remove(waiter)
        return True

    def _count_passed(self, waiter: _Waiter) -> None:
        for priority in {other.priority for other in self._waiters} & _LOW:
            if priority > waiter.priority:
                self._passed[priority] += 1
        self._passed[waiter.priority] = 0

    def _tell(self, waiter: _Waiter, blocked: Blocked) -> None:
        """Log, once per call, that it is waiting for long."""
        seconds = blocked.until - self._clock.monotonic()
        if seconds >= _LONG_WAIT and not waiter.told:
            waiter.told = True
            self._log.info("budget.waiting", seconds=round(seconds), limit=blocked.limit, priority=waiter.priority.name)


def budget_for(limits: Limits, clock: Clock, store: "Store | None", lane: str, system: str) -> Budget:
    """The budget of a system of which nothing is counted but what the configuration limits."""
    if limits.are_none:
        return Unlimited(clock)
    return Limiter(limits, clock=clock, ledger=None if store is None else Ledger(store), lane=lane, system=system)


def lane_of(base_url: str, username: str, limits: Limits | None = None) -> str:
    """The name of a login's lane in the ledger: limits are counted per login, or per account if they name one.

    Tells nothing of the login itself.
    """
    account = None if limits is None else limits.account
    who = username if account is None else f"account\n{account}"
    return hashlib.sha256(f"{base_url.rstrip('/')}\n{who}".encode()).hexdigest()[:16]


def _kinds(write: bool, creation: bool, priority: Priority) -> tuple[str, ...]:
    """What a call counts as."""
    kinds = ["calls"] + ["writes"] * write + ["creations"] * creation
    if priority in _LOW:
        kinds += ["low_calls"] + ["low_writes"] * write
    return tuple(kinds)


def _windows(limits: Limits) -> list[Window]:
    """A window for each limit there is, and one for the low priorities' share of each long one."""
    table = (
        ("calls", 1, "per_second"),
        ("calls", 60, "per_minute"),
        ("calls", 3600, "per_hour"),
        ("calls", 86400, "per_day"),
        ("writes", 60, "writes_per_minute"),
        ("writes", 86400, "writes_per_day"),
        ("creations", 86400, "customer_creations_per_day"),
    )
    windows = []
    for kind, seconds, name in table:
        limit = getattr(limits, name)
        if limit is None:
            continue
        windows.append(Window(kind, seconds, limit, name))
        if seconds >= 3600 and kind != "creations":
            share = max(1, limit * SHARE // 100)
            windows.append(Window(f"low_{kind}", seconds, share, f"{SHARE} % of {name}"))
    return windows
