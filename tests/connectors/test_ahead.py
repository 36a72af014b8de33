"""Pages that are asked for before it is their turn: how many, since when, and what becomes of those nobody wants."""

from collections.abc import Coroutine
from contextlib import aclosing
from datetime import timedelta

import pytest
from virtual_time import START, VirtualClock

from nexudus_sync.connectors.ahead import Ahead
from nexudus_sync.errors import Unavailable


class Server:
    """Answers page N after its `seconds`, one second if nothing is said; notes what is under way."""

    def __init__(self, clock: VirtualClock, **seconds: float) -> None:
        self.clock, self.seconds = clock, {int(name[1:]): took for name, took in seconds.items()}
        self.asked = list[int]()
        self.under_way, self.most, self.given_up = set[int](), 0, list[int]()
        self.failing = set[int]()

    async def ask(self, number: int) -> str:
        self.asked.append(number)
        self.under_way.add(number)
        self.most = max(self.most, len(self.under_way))
        answered = False
        try:
            await self.clock.sleep(self.seconds.get(number, 1.0))
            answered = True
        finally:
            self.under_way.discard(number)
            if not answered:
                self.given_up.append(number)
        if number in self.failing:
            raise Unavailable("crm", f"page {number} failed")
        return f"page {number}"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def run(clock: VirtualClock, work: Coroutine[object, object, None]) -> float:
    """How many seconds the work took."""
    began = clock.monotonic()
    clock.run(work)
    return clock.monotonic() - began


@pytest.mark.parametrize(("width", "seconds"), [(1, 8.0), (2, 4.0), (4, 2.0), (100, 1.0)])
def test_no_more_are_asked_for_at_a_time_than_the_width(clock: VirtualClock, width: int, seconds: float) -> None:
    server = Server(clock)

    async def work() -> None:
        async with aclosing(Ahead(server.ask, width, clock)) as pages:
            found = [(await pages.page(one, range(one + 1, 9))).answer for one in range(1, 9)]
        assert found == [f"page {one}" for one in range(1, 9)]

    assert run(clock, work()) <= seconds
    assert (server.most, sorted(server.asked)) == (min(width, 8), list(range(1, 9)))


def test_an_answer_is_as_old_as_its_request_and_not_as_its_turn(clock: VirtualClock) -> None:
    server = Server(clock, p1=5.0, p2=2.0)

    async def work() -> None:
        async with aclosing(Ahead(server.ask, 2, clock)) as pages:
            first, second = await pages.page(1, [2]), await pages.page(2, [3])
            third = await pages.page(3)
        assert [one.began for one in (first, second, third)] == [0.0, 0.0, 5.0]
        assert [one.at - START for one in (first, second, third)] == [timedelta(seconds=at) for at in (0, 0, 5)]

    run(clock, work())


def test_what_is_no_longer_wanted_is_given_up_at_once(clock: VirtualClock) -> None:
    server = Server(clock, p2=60.0, p3=60.0)

    async def work() -> None:
        async with aclosing(Ahead(server.ask, 3, clock)) as pages:
            await pages.page(1, [2, 3])
            assert (await pages.page(7, [8])).answer == "page 7"
            assert sorted(server.given_up) == [2, 3]
            assert server.under_way <= {8}

    assert run(clock, work()) < 60


def test_nothing_is_under_way_after_the_end(clock: VirtualClock) -> None:
    server = Server(clock, p2=60.0, p3=60.0)

    async def work() -> None:
        async with aclosing(Ahead(server.ask, 3, clock)) as pages:
            await pages.page(1, [2, 3])
        assert (sorted(server.given_up), server.under_way) == ([2, 3], set())

    run(clock, work())


def test_a_page_that_fails_fails_when_it_is_its_turn_and_not_if_nobody_wants_it(clock: VirtualClock) -> None:
    server = Server(clock, p1=5.0)
    server.failing = {2, 3}

    async def work() -> None:
        async with aclosing(Ahead(server.ask, 3, clock)) as pages:
            assert (await pages.page(1, [2, 3])).answer == "page 1"
            with pytest.raises(Unavailable, match="page 2 failed"):
                await pages.page(2, [3])
            assert (await pages.page(4)).answer == "page 4"

    run(clock, work())
