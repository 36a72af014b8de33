"""Tells people what `notices` says is due, and keeps in the store what they were told."""

import asyncio
import platform
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from nexudus_sync.clock import Clock
from nexudus_sync.config import Settings
from nexudus_sync.errors import StoreError
from nexudus_sync.signals.health import judge
from nexudus_sync.signals.notices import Book, Notice, Pace, due, look
from nexudus_sync.signals.senders import APP, Send, Sent
from nexudus_sync.store import Store, running, waiting

LOOK_EVERY = timedelta(seconds=30)
"""How often it is looked whether a message is due."""
RETRY_AFTER = timedelta(minutes=5)
"""How long after a message that went to nobody the next try is made."""

T = TypeVar("T")


class Herald:
    """Looks, and sends what is due. A message that cannot be sent is a warning, and is tried again later.

    `page` is the address of the page, "" without one; `settings` may be replaced.
    """

    def __init__(self, settings: Settings, store: Store, clock: Clock, send: Send) -> None:
        self._store, self._clock, self._send = store, clock, send
        self.settings = settings
        self._log = structlog.get_logger("nexudus_sync.signals")
        self._not_before: datetime | None = None
        self.page = ""

    @property
    def wanted(self) -> bool:
        """Is there anybody to tell?"""
        return bool(self.settings.notify.urls)

    async def look(self) -> None:
        """Send the message that is due, if one is. Never raises StoreError."""
        try:
            await self._look()
        except StoreError as error:
            self._log.warning("notice.failed", error=str(error))

    async def _look(self) -> None:
        notify, now = self.settings.notify, self._clock.now()
        page = f"{self.page} (on {platform.node()})" if self.page else ""  # a loopback address works there alone
        pace = Pace(notify.gather, notify.every, page)
        with self._store.read() as session:
            before = Book.of_json(running.told(session))
            verdict = judge(session, self.settings, now)
            names = [one.name for one in verdict.connections]
            new = [found for name in names if (found := waiting.new_since(session, name, before.upto.get(name)))]
        book = look(before, verdict, pace)
        message = due(book, verdict, new, pace)
        if message is not None and (self._not_before is None or now >= self._not_before):
            notice, told = message
            if await self._went(notice):
                book = told
        if book != before:
            with self._store.session() as session:
                running.keep_told(session, book.as_json())

    async def _went(self, notice: Notice) -> bool:
        """Did it go to anybody?"""
        addresses = self.settings.notify.addresses()
        sent = await _beside(lambda: self._send(addresses, f"{APP}: {notice.title}", notice.body))
        went = any(one.went for one in sent)
        self._not_before = None if went else self._clock.now() + RETRY_AFTER
        self._tell(notice, sent)
        return went

    def _tell(self, notice: Notice, sent: list[Sent]) -> None:
        for one in sent:
            if not one.went:
                self._log.warning("notice.failed", to=one.kind, error=one.why)
        if any(one.went for one in sent):
            self._log.info("notice.sent", title=notice.title, to=[one.kind for one in sent if one.went])


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
