"""Tells people what `notices` says is due, and keeps in the store what they were told."""

import asyncio
import platform
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from nexudus_sync.clock import Clock
from nexudus_sync.config import NotifySettings, Settings
from nexudus_sync.errors import StoreError
from nexudus_sync.signals.health import Verdict, judge
from nexudus_sync.signals.notices import Book, Notice, Pace, due, look
from nexudus_sync.signals.senders import APP, Send, Sent
from nexudus_sync.store import Store, running, waiting
from nexudus_sync.store.waiting import New

LOOK_EVERY = timedelta(seconds=30)
"""How often it is looked whether a message is due."""
RETRY_AFTER = timedelta(minutes=5)
"""How long after a message that went to nobody the next try is made."""

TURN_LASTS = 4 * LOOK_EVERY
"""How long the turn to tell stays with a worker that gives no sign."""

T = TypeVar("T")


class Herald:
    """Looks, and sends what is due. A message that cannot be sent is a warning, and is tried again later.

    In a fleet, each tenant's own addresses are told of it, and the fleet's of all tenants. `page` is the address of the
    page, "" without one; `settings` may be replaced. Of several workers, which `worker` tells apart, one tells.
    """

    def __init__(self, settings: Settings, store: Store, clock: Clock, send: Send, worker: str = "") -> None:
        self._store, self._clock, self._send, self._worker = store, clock, send, worker
        self.settings = settings
        self._log = structlog.get_logger("nexudus_sync.signals")
        self._not_before: dict[str, datetime] = {}
        self.page = ""

    @property
    def wanted(self) -> bool:
        """Is there anybody to tell?"""
        return bool(self._audiences())

    async def look(self) -> None:
        """Send the messages that are due, if any is. Never raises StoreError."""
        audiences, now = self._audiences(), self._clock.now()
        if not audiences:
            return
        try:
            if not self._is_my_turn(now):
                return
            with self._store.read() as session:
                verdict = judge(session, self.settings, now)
            for tenant, notify in audiences.items():
                await self._look(tenant, notify, verdict.only(tenant) if tenant else verdict)
        except StoreError as error:
            self._log.warning("notice.failed", error=str(error))

    def _audiences(self) -> dict[str, NotifySettings]:
        """Who is told: each tenant's own people, and under "" those who are told of everything."""
        found = {"": self.settings.notify} if self.settings.notify.urls else {}
        for tenant in sorted({self.settings.owner(one.name) for one in self.settings.connections} - {""}):
            own = self.settings.of(f"{tenant}/")
            if own is not self.settings and own.notify.urls:
                found[tenant] = own.notify
        return found

    def _is_my_turn(self, now: datetime) -> bool:
        if not self._worker:
            return True
        with self._store.session() as session:
            return running.may_tell(session, self._worker, now, TURN_LASTS)

    async def _look(self, tenant: str, notify: NotifySettings, verdict: Verdict) -> None:
        """Send what is due to one audience, and keep what it was told."""
        now = verdict.at
        page = f"{self.page} (on {platform.node()})" if self.page else ""  # a loopback address works there alone
        pace = Pace(notify.gather, notify.every, page, tenant, by_tenant=self.settings.in_fleet and not tenant)
        before, new = self._news(tenant, verdict)
        book = look(before, verdict, pace)
        message, rests = due(book, verdict, new, pace), self._not_before.get(tenant)
        if message is not None and (rests is None or now >= rests):
            notice, told = message
            if await self._went(tenant, notify, notice):
                book = told
        if book != before:
            with self._store.session() as session:
                running.keep_told(session, book.as_json(), tenant)

    def _news(self, tenant: str, verdict: Verdict) -> tuple[Book, list[New]]:
        """What these people were told, and what newly waits."""
        with self._store.read() as session:
            before = Book.of_json(running.told(session, tenant))
            names = [one.name for one in verdict.connections if one.conflicts or one.failures]
            found = (waiting.new_since(session, name, before.upto.get(name)) for name in names)
            return before, [one for one in found if one is not None]

    async def _went(self, tenant: str, notify: NotifySettings, notice: Notice) -> bool:
        """Did it go to anybody?"""
        addresses, whose = notify.addresses(), f" ({tenant})" if tenant else ""
        sent = await _beside(lambda: self._send(addresses, f"{APP}{whose}: {notice.title}", notice.body))
        went = any(one.went for one in sent)
        self._not_before.pop(tenant, None)
        if not went:
            self._not_before[tenant] = self._clock.now() + RETRY_AFTER
        self._tell(tenant, notice, sent)
        return went

    def _tell(self, tenant: str, notice: Notice, sent: list[Sent]) -> None:
        about = {"tenant": tenant} if tenant else {}
        for one in sent:
            if not one.went:
                self._log.warning("notice.failed", to=one.kind, error=one.why, **about)
        if any(one.went for one in sent):
            self._log.info("notice.sent", title=notice.title, to=[one.kind for one in sent if one.went], **about)


async def _beside(work: Callable[[], T]) -> T:
    """Do the work in a thread that nobody waits for at the end of the process. Raises what the work raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():  # cancelled meanwhile
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="notice", daemon=True).start()
    return await done
