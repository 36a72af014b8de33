"""An event loop that jumps to its next timer instead of waiting, so that a day of calls takes a moment."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy
from sqlmodel import Session, SQLModel, create_engine

from nexudus_sync.store.tables import Spent

T = TypeVar("T")
START = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


class DeadlockError(Exception):
    """Everything waits and nothing will ever happen."""


class _Jumping(selectors.SelectSelector):
    jump: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise DeadlockError
            self.jump(timeout)
        return ready


class VirtualClock:
    """A clock for coroutines run by `run`; `wall` sets the wall clock apart from the monotonic one."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.wall = START

    def now(self) -> datetime:
        return self.wall + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end in virtual time, which goes on where the last run ended. Raises DeadlockError."""
        selector = _Jumping()
        selector.jump = self._jump
        loop = asyncio.SelectorEventLoop(selector)
        loop.time = self.monotonic  # type: ignore[method-assign]
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(work)

    def _jump(self, seconds: float) -> None:
        self.seconds += seconds


class MemoryStore:
    """A store with the ledger's table only, in memory."""

    def __init__(self) -> None:
        self._engine = create_engine(
            "sqlite://", poolclass=sqlalchemy.StaticPool, connect_args={"check_same_thread": False}
        )
        SQLModel.metadata.create_all(self._engine, tables=[Spent.__table__])  # type: ignore[attr-defined]
        self.sessions = 0

    @contextmanager
    def session(self) -> Iterator[Session]:
        self.sessions += 1
        with Session(self._engine) as session:
            yield session
            session.commit()

    def scoped(self, scope: str) -> "MemoryStore":
        return self

    def close(self) -> None:
        self._engine.dispose()
