import random

import httpx
import pytest
from sandbox_client import CARDS, OPPORTUNITIES, START, SYNC, Crm, Office, basic

from nexudus_sandbox.faults import KINDS, Faults, exchange
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sandbox.wire import Request


class Wired:
    """An office behind httpx, with faults on the way."""

    def __init__(self, *, latency: float | None = None) -> None:
        self.office, self.faults = Office(), Faults(random.Random(3))
        transport = DoubleTransport(
            self.office.double,
            self.faults,
            clock=self.office.clock,
            latency=None if latency is None else lambda: latency,
        )
        headers = {"Authorization": basic(SYNC, "secret")}
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://nexudus.test", headers=headers, timeout=httpx.Timeout(60)
        )

    async def create(self) -> httpx.Response:
        return await self.client.post(CARDS, json=self.office.body())

    @property
    def cards(self) -> int:
        return len(self.office.double.records())

    @property
    def passed(self) -> float:
        return (self.office.clock.at - START).total_seconds()


async def test_a_request_reaches_the_double_whole() -> None:
    wired = Wired(latency=0.25)
    wired.office.card(Name="Désk & café")
    answer = await wired.client.get(CARDS, params={"CrmOpportunity_Name": "désk & café", "size": 5})
    assert answer.json()["TotalItems"] == 1
    assert answer.headers["date"].endswith("GMT")
    assert wired.passed == 0.25


@pytest.mark.parametrize(
    ("kind", "error", "cards", "seconds"),
    [
        ("connect", httpx.ConnectError, 0, 0),
        ("drop", httpx.RemoteProtocolError, 0, 0),
        ("drop_after", httpx.RemoteProtocolError, 1, 0),
        ("timeout_before", httpx.ReadTimeout, 0, 60),
        ("timeout_after", httpx.ReadTimeout, 1, 60),
    ],
)
async def test_a_connection_that_breaks_says_nothing_of_what_was_done(
    kind: str, error: type[Exception], cards: int, seconds: int
) -> None:
    wired = Wired()
    wired.faults.add(kind, "POST")
    with pytest.raises(error):
        await wired.create()
    assert (wired.cards, wired.passed) == (cards, seconds)
    assert (await wired.create()).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "cards"),
    [
        ("throttle_409", 409, 0),
        ("throttle_429", 429, 0),
        ("error_500_before", 500, 0),
        ("error_500_after", 500, 1),
        ("html", 200, 0),
        ("html_after", 200, 1),
        ("empty", 200, 1),
        ("truncated", 200, 1),
    ],
)
async def test_an_answer_that_is_replaced_or_spoilt_may_have_been_applied(kind: str, status: int, cards: int) -> None:
    wired = Wired()
    wired.faults.add(kind, "POST")
    answer = await wired.create()
    assert (answer.status_code, wired.cards) == (status, cards)
    if kind in {"html", "html_after", "empty", "truncated"}:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            answer.json()


async def test_a_late_commit_lands_after_the_client_gave_up() -> None:
    wired = Wired()
    wired.faults.add("late_commit", "POST", seconds=90)
    with pytest.raises(httpx.ReadTimeout):
        await wired.create()
    assert (wired.cards, wired.passed) == (0, 60)
    wired.office.clock.turn(29)
    assert wired.cards == 0
    wired.office.clock.turn(1)
    assert wired.cards == 1


async def test_a_slow_answer_comes_in_time_or_not() -> None:
    wired = Wired()
    wired.faults.add("slow", seconds=20)
    assert (await wired.create()).status_code == 200
    assert wired.passed == 20
    wired.faults.add("slow", seconds=61)
    with pytest.raises(httpx.ReadTimeout):
        await wired.create()
    assert (wired.cards, wired.passed) == (2, 80)


async def test_a_wrong_total_spoils_listings_and_nothing_else() -> None:
    wired = Wired()
    wired.faults.add("wrong_total", times=3)
    assert (await wired.client.get(CARDS)).json()["TotalItems"] == 7
    assert (await wired.create()).json()["WasSuccessful"] is True
    assert (await wired.client.get("/api/nothing")).status_code == 404


@pytest.mark.parametrize("total", [None, 1200])
def test_a_wrong_total_leaves_a_single_opportunity_alone_though_it_has_a_total_of_its_own(total: int | None) -> None:
    crm, faults = Crm(), Faults()
    row_id = crm.opportunity(total=total)
    faults.add("wrong_total", times=2)
    answers = [
        exchange(crm.double, faults, Request("GET", path, headers=crm.caller.headers)).response
        for path in (f"{OPPORTUNITIES}/{row_id}", OPPORTUNITIES)
    ]
    one, listed = (answer.json() for answer in answers if answer is not None)
    assert one == crm.double.record(row_id)
    assert (one["total"], listed["total"]) == (total, 1 + 7)


async def test_without_a_read_time_out_silence_lasts_as_long_as_the_fault() -> None:
    wired = Wired()
    wired.faults.add("timeout_before", seconds=300)
    with pytest.raises(httpx.ReadTimeout):
        await wired.client.get(CARDS, timeout=None)
    assert wired.passed == 300


async def test_a_fault_strikes_the_nth_request_it_concerns_so_many_times() -> None:
    wired = Wired()
    wired.faults.add("error_500_before", f"GET {CARDS}$", nth=2, times=2)
    statuses = []
    for _ in range(5):
        statuses.append((await wired.client.get(CARDS)).status_code)
        await wired.create()
    assert statuses == [200, 500, 500, 200, 200]
    assert [kind for kind, _ in wired.faults.injected] == ["error_500_before"] * 2


async def test_a_fault_can_strike_by_chance_until_the_plan_is_cleared() -> None:
    wired = Wired()
    wired.faults.add("throttle_429", lambda request: not request.is_write, share=0.5)
    statuses = [(await wired.client.get(CARDS)).status_code for _ in range(40)]
    assert 8 < statuses.count(429) < 32
    wired.faults.clear()
    assert (await wired.client.get(CARDS)).status_code == 200


def test_an_unknown_kind_of_fault_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no such fault: earthquake; there are connect, drop"):
        Faults().add("earthquake")
    assert len(KINDS) == 16


ODD = {"record_403": 403, "locked_423": 423, "nonsense_headers": 302, "echo": 400}


@pytest.mark.parametrize("kind", ODD)
async def test_an_odd_refusal_does_nothing(kind: str) -> None:
    wired = Wired()
    wired.faults.add(kind, "POST")
    answer = await wired.create()
    assert (answer.status_code, wired.cards) == (ODD[kind], 0)
    if kind == "echo":
        assert basic(SYNC, "secret") in answer.json()["message"]
    if kind == "locked_423":
        assert answer.headers["Retry-After"] == "3"


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("no_total", {"TotalItems": None}),
        ("null_list", {"Records": None, "TotalItems": 0}),
        ("endless", {"HasNextPage": True}),
    ],
)
async def test_an_odd_list_says_something_else(kind: str, changed: dict[str, object]) -> None:
    wired = Wired()
    wired.office.card(Name="Desk")
    wired.faults.add(kind)
    body = (await wired.client.get(CARDS)).json()
    assert {key: body[key] for key in changed} == changed


async def test_an_old_encoding_is_labelled_so() -> None:
    wired = Wired()
    wired.office.card(Name="Désk")
    wired.faults.add("latin_1")
    answer = await wired.client.get(CARDS)
    assert answer.headers["Content-Type"] == "application/json; charset=ISO-8859-1"
    assert "Désk" in answer.content.decode("latin-1")
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode()
