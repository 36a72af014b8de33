"""Under a lease, each attempt at a write asks right before its first byte whether it may still be sent."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from loopback import OK, answers, talking
from test_http import Rig, answer
from test_transports import Kind

from nexudus_sync.connectors.http import Http
from nexudus_sync.connectors.permit import IN_FORCE, Permit
from nexudus_sync.errors import LeaseLost, OutcomeUnknown, Refused

LATE = 30.0


class Lease:
    """Says yes as often as it was told to, then no."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked = 0

    def may_send(self) -> bool:
        self.asked += 1
        return self.asked <= self.times


def lost() -> LeaseLost:
    return LeaseLost("over")


def permit(times: int) -> Permit:
    return Permit(Lease(times).may_send, lost, LATE)


@pytest.fixture
def over() -> Iterator[Permit]:
    """The permit of a lease that has ended."""
    one = permit(0)
    token = IN_FORCE.set(one)
    yield one
    IN_FORCE.reset(token)


def test_a_write_without_its_lease_is_not_sent(over: Permit) -> None:
    rig = Rig(answer())
    with pytest.raises(LeaseLost):
        rig.send("POST", "/things", {"a": 1})
    assert rig.server.asked == []
    assert over.calls == 0


def test_reads_and_logins_need_no_lease(over: Permit) -> None:
    rig = Rig(answer())
    assert rig.get("/things") == {}
    assert rig.get("/search", body={"a": 1}) == {}
    assert len(rig.server.logins) == 1


def sent(rig: Rig, allowed: Permit) -> None:
    async def work(http: Http) -> None:
        IN_FORCE.set(allowed)
        await http.send("POST", "/things", {"a": 1})

    rig.run(work)


@pytest.mark.parametrize(
    "first", [httpx.ConnectError("refused"), answer(429, Retry_After="5"), answer(423), answer(401)]
)
def test_another_attempt_asks_again(first: httpx.Response | Exception) -> None:
    rig = Rig(first, answer())
    with pytest.raises(LeaseLost):
        sent(rig, permit(1))
    assert len(rig.server.asked) == 1


def test_what_never_left_does_not_count_as_sent() -> None:
    allowed = permit(1)
    with pytest.raises(LeaseLost):
        sent(Rig(httpx.ConnectError("refused"), answer()), allowed)
    assert allowed.calls == 0


def test_a_write_takes_no_longer_than_a_successor_waits() -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(LATE + 1)
        return answer()

    rig, allowed = Rig(slow), permit(1)
    with pytest.raises(OutcomeUnknown, match="timed out"):
        sent(rig, allowed)
    assert allowed.calls == 1
    assert rig.clock.seconds == pytest.approx(LATE)


def step(allowed: Permit, *ends: Exception | None) -> None:
    for end in ends:
        with suppress(LeaseLost, OutcomeUnknown, Refused, ValueError), allowed.step():
            allowed.calls += 1
            if end is not None:
                raise end


def test_a_step_that_ended_well_or_was_refused_leaves_nothing_in_doubt() -> None:
    allowed = permit(1)
    step(allowed, None, Refused("erp", "no"), lost())
    assert not allowed.in_doubt


@pytest.mark.parametrize("end", [OutcomeUnknown("erp", "no answer"), ValueError("a bug")])
def test_a_step_without_an_answer_is_in_doubt_whatever_follows(end: Exception) -> None:
    allowed = permit(1)
    step(allowed, end, None, Refused("erp", "no"))
    assert allowed.in_doubt


def test_a_step_that_is_under_way_is_in_doubt() -> None:
    allowed = permit(1)
    with allowed.step():
        assert allowed.in_doubt
    assert not allowed.in_doubt


@pytest.mark.sockets
@pytest.mark.parametrize("kind", ["fast", "httpx"])
async def test_a_lease_that_ends_while_the_connection_is_made_is_seen_before_the_first_byte(kind: Kind) -> None:
    allowed = permit(1)
    async with talking(kind, answers(OK)) as (server, http):
        token = IN_FORCE.set(allowed)
        with pytest.raises(LeaseLost):
            await http.send("POST", "/things", {"a": 1})
        IN_FORCE.reset(token)
    assert server.written == []
    assert allowed.calls == 0


@pytest.mark.sockets
@pytest.mark.parametrize("kind", ["fast", "httpx"])
async def test_a_write_under_a_lease_is_sent_once(kind: Kind) -> None:
    async with talking(kind, answers(OK)) as (server, http):
        token = IN_FORCE.set(permit(2))
        await http.send("POST", "/things", {"a": 1})
        IN_FORCE.reset(token)
    assert len(server.written) == 1
