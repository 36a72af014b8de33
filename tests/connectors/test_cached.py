"""Lists that are read once and kept: who is told to look again, and when."""

import asyncio

import pytest

from nexudus_sync.clock import SystemClock
from nexudus_sync.connectors.cached import Cached
from nexudus_sync.errors import Unavailable


class Source:
    """Counts its reads; each waits until the gate is open."""

    def __init__(self) -> None:
        self.reads, self.gate, self.down = 0, asyncio.Event(), False
        self.gate.set()

    async def read(self) -> int:
        self.reads += 1
        await self.gate.wait()
        if self.down:
            raise Unavailable("crm", "is down")
        return self.reads


@pytest.fixture
async def source() -> Source:
    return Source()


@pytest.fixture
async def kept(source: Source) -> Cached[int]:
    cached = Cached(source.read, SystemClock())
    assert await cached.value() == 1
    return cached


async def test_what_is_kept_is_not_read_again(kept: Cached[int]) -> None:
    assert await kept.value() == 1


async def test_asked_afresh_it_is_read_once_more(kept: Cached[int]) -> None:
    kept.ask_afresh()
    assert [await kept.value(), await kept.value()] == [2, 2]


async def test_if_it_cannot_be_read_now_the_kept_copy_will_do(kept: Cached[int], source: Source) -> None:
    source.down = True
    kept.ask_afresh()
    assert [await kept.value(), await kept.value()] == [1, 1]
    assert source.reads == 2


async def test_a_read_that_was_given_up_is_made_when_it_is_next_needed(kept: Cached[int], source: Source) -> None:
    kept.ask_afresh()
    source.gate.clear()
    reading = asyncio.create_task(kept.value())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    source.gate.set()
    assert await kept.value() == 3


async def test_who_asks_afresh_during_a_read_gets_another_one(kept: Cached[int], source: Source) -> None:
    kept.ask_afresh()
    source.gate.clear()
    reading = asyncio.create_task(kept.value())
    await asyncio.sleep(0)
    kept.ask_afresh()
    source.gate.set()
    assert [await reading, await kept.value()] == [2, 3]
