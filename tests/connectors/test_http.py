import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from virtual_time import START, VirtualClock

from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.budget import Budget, Limiter, Limits, Unlimited
from nexudus_sync.connectors.http import UNSAID, Answer, Http, retry_after
from nexudus_sync.connectors.offset import ClockOffset
from nexudus_sync.errors import (
    AuthenticationFailed,
    ConnectorError,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    Refused,
    Unavailable,
)

Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]
SECRET = "tok-s3cret"


class PlainDialect:
    """A system that logs in with a token, throttles with 429 and means its status codes."""

    system = "Plain"

    def __init__(self) -> None:
        self.logins = 0
        self.renewable = True

    def throttled(self, answer: Answer) -> float | None:
        return retry_after(answer) if answer.status == 429 else None

    def error(self, answer: Answer) -> ConnectorError | None:
        if answer.status == 200 and '"ok": false' in answer.text:
            return Refused(self.system, "it said so")
        kinds = {401: AuthenticationFailed, 404: NotFound, 422: Refused, 507: Unavailable}
        return kinds[answer.status](self.system, answer.says()) if answer.status in kinds else None

    async def headers(self, http: Http) -> Mapping[str, str]:
        if not self.logins:
            await self.renew(http)
        return {"Authorization": f"Bearer {SECRET}{self.logins}"}

    async def renew(self, http: Http) -> bool:
        if self.renewable:
            answer = await http.raw("POST", "/token", data={"password": SECRET})
            assert answer.json() == {}
            self.logins += 1
        return self.renewable


class Server:
    """Answers from a list, the last one again and again; keeps what was asked, without the logins."""

    def __init__(self, *answers: httpx.Response | Exception | Handler) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.logins: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            self.logins.append(request)
            return httpx.Response(200, json={})
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        result = answer(request)
        return result if isinstance(result, httpx.Response) else await result


def answer(status: int = 200, body: str = "{}", **headers: str) -> httpx.Response:
    return httpx.Response(status, text=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


class Rig:
    """A client, its server, and a clock that jumps."""

    def __init__(self, *answers: httpx.Response | Exception | Handler, budget: Budget | None = None) -> None:
        self.clock = VirtualClock()
        self.dialect = PlainDialect()
        self.server = Server(*answers)
        self.budget = budget or Unlimited(self.clock)

    def run(self, work: Callable[[Http], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            http = Http(
                "https://plain.example/api",
                self.dialect,
                clock=self.clock,
                rng=random.Random(1),
                budget=self.budget,
                transport=httpx.MockTransport(self.server),
            )
            try:
                return await work(http)
            finally:
                await http.aclose()

        return self.clock.run(main())

    def get(self, path: str = "/things", **options: Any) -> Any:
        return self.run(lambda http: http.get(path, **options))

    def send(self, method: str = "POST", path: str = "/things", body: Any = None, **options: Any) -> Any:
        return self.run(lambda http: http.send(method, path, body, **options))


# --- reading


def test_a_read_gives_the_parsed_answer_with_money_as_decimal() -> None:
    rig = Rig(answer(body='\ufeff{"Value": 12.50}'))
    assert rig.get("/things", params={"page": "1"}) == {"Value": Decimal("12.50")}
    (request,) = rig.server.asked
    assert str(request.url) == "https://plain.example/api/things?page=1"
    assert request.headers["Authorization"] == f"Bearer {SECRET}1"
    assert request.headers["Accept"] == "application/json"
    assert request.content == b""


PASSING = [
    answer(500),
    answer(503, "<html>"),
    answer(507),
    answer(200, "<html>maintenance</html>"),
    answer(200, ""),
    answer(200, '{"cut": '),
    answer(200, "[" * 100_000),
    answer(302, Location="https://elsewhere.example/"),
    httpx.ConnectError("no route"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("hung up"),
    httpx.DecodingError("not gzip"),
]


@pytest.mark.parametrize("trouble", PASSING, ids=str)
def test_a_read_that_fails_in_passing_is_tried_again(trouble: httpx.Response | Exception) -> None:
    rig = Rig(trouble, trouble, trouble, answer(body="[1]"))
    assert rig.get() == [1]
    assert 0 < rig.clock.seconds < 0.5 + 1 + 2
    assert len(rig.server.logins) == 1


@pytest.mark.parametrize("trouble", PASSING, ids=str)
def test_a_read_that_keeps_failing_is_unavailable_after_four_tries(trouble: httpx.Response | Exception) -> None:
    rig = Rig(trouble)
    with pytest.raises(Unavailable) as raised:
        rig.get("/things/7")
    assert type(raised.value) is Unavailable
    assert "GET /things/7" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(rig.server.asked) == 4


@pytest.mark.parametrize(
    ("body", "word"),
    [("<html>", "HTML"), ("  ", "an empty body"), ('{"a"', "broken or cut off")],
)
def test_an_answer_that_is_no_json_says_what_it_is(body: str, word: str) -> None:
    with pytest.raises(Unavailable, match=f"the system: GET /x was answered 200 with .*{word}"):
        Answer("GET", "/x", 200, {}, body).json()


def test_what_the_dialect_calls_an_error_is_raised_and_not_tried_again() -> None:
    for status, kind in ((404, NotFound), (422, Refused)):
        rig = Rig(answer(status))
        with pytest.raises(kind):
            rig.get()
        assert len(rig.server.asked) == 1


def test_a_certificate_that_does_not_fit_is_told() -> None:
    rig = Rig(httpx.ConnectError("certificate verify\nfailed"))
    with pytest.raises(Unavailable, match=r"cannot be reached \(ConnectError: certificate verify failed\)"):
        rig.get()


def test_a_proxy_s_error_text_is_not_told() -> None:
    rig = Rig(httpx.ProxyError("http://user:pass@proxy"))
    with pytest.raises(Unavailable) as raised:
        rig.get()
    assert "pass@" not in str(raised.value)


# --- writing


def test_a_write_is_sent_as_json_with_the_digits_money_has() -> None:
    rig = Rig(answer(201, '{"id": 7}'))
    got = rig.send("PUT", "/things", {"Value": Decimal("1.10"), "Name": "Café"}, params={"fast": "1"})
    assert (got.status, got.method, got.path, got.system) == (201, "PUT", "/things", "Plain")
    assert got.json() == {"id": 7}
    (request,) = rig.server.asked
    assert request.content == '{"Value":1.10,"Name":"Café"}'.encode()
    assert request.headers["Content-Type"] == "application/json"
    assert request.url.query == b"fast=1"


def test_a_write_without_a_body_sends_none() -> None:
    rig = Rig(answer(204, ""))
    assert rig.send("DELETE", "/things/7").status == 204
    (request,) = rig.server.asked
    assert "Content-Type" not in request.headers
    assert request.content == b""


@pytest.mark.parametrize(
    "trouble",
    [
        answer(500),
        answer(502, "<html>"),
        answer(200, "<html>"),
        answer(200, ""),
        answer(201, '{"id": 1'),
        answer(301, Location="/elsewhere"),
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.WriteError("reset"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("hung up"),
        httpx.DecodingError("not gzip"),
    ],
    ids=str,
)
def test_a_write_that_left_and_got_no_clear_answer_is_of_unknown_outcome_and_not_repeated(
    trouble: httpx.Response | Exception,
) -> None:
    rig = Rig(trouble, answer())
    with pytest.raises(OutcomeUnknown, match="POST /things"):
        rig.send(body={})
    assert len(rig.server.asked) == 1


@pytest.mark.parametrize("trouble", [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no")])
def test_a_write_that_never_left_tries_to_connect_again_and_is_unavailable_in_the_end(trouble: Exception) -> None:
    assert Rig(trouble, trouble, answer()).send(body={}).status == 200
    rig = Rig(trouble)
    with pytest.raises(Unavailable):
        rig.send(body={})
    assert len(rig.server.asked) == 4


def test_the_dialect_has_the_first_word_on_a_write_s_answer() -> None:
    for said, kind in ((answer(200, '{"ok": false}'), Refused), (answer(507, "<html>"), Unavailable)):
        rig = Rig(said)
        with pytest.raises(kind):
            rig.send(body={})
        assert len(rig.server.asked) == 1


def test_an_error_status_the_dialect_takes_for_a_success_is_returned() -> None:
    assert Rig(answer(410, "gone")).send("DELETE", "/things/7").status == 410


# --- throttling


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_throttled_call_waits_as_long_as_it_is_told_and_is_sent_again(method: str) -> None:
    rig = Rig(answer(429, "", Retry_After="7.5"), answer(429, "", Retry_After="0"), answer(body='{"id": 1}'))
    assert (rig.get() if method == "GET" else rig.send(body={}).json()) == {"id": 1}
    assert rig.clock.seconds == pytest.approx(7.6)
    assert len(rig.server.asked) == 3


def test_throttling_that_does_not_say_how_long_is_waited_out_longer_each_time() -> None:
    rig = Rig(answer(429), answer(429, Retry_After="soon"), answer(429), answer())
    rig.get()
    assert rig.clock.seconds == pytest.approx(5 + 10 + 20)


def test_a_throttled_call_holds_the_others_back_too() -> None:
    rig = Rig(answer(429, "", Retry_After="30"), answer())

    async def both(http: Http) -> None:
        first = asyncio.create_task(http.get("/one"))
        await asyncio.sleep(1)
        await http.get("/two")
        assert rig.clock.seconds == pytest.approx(30)
        await first

    rig.run(both)


def test_throttling_for_more_than_ten_minutes_in_a_row_is_an_error() -> None:
    rig = Rig(answer(429, "", Retry_After="60"))
    with pytest.raises(Unavailable, match="for 11 minutes: too many calls"):
        rig.get()
    assert len(rig.server.asked) == 12


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("9" * 400, "more than a year"),
        ("90000", "25 hours"),
        ("99999999999", "than a year"),
        ("864000", "10 days"),
    ],
)
def test_a_wait_of_more_than_an_hour_is_told_at_once_and_not_waited_for(said: str, told: str) -> None:
    rig = Rig(answer(429, "", Retry_After=said), answer())
    with pytest.raises(Unavailable, match=told):
        rig.get()
    assert rig.clock.seconds == 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": " 0.25 "}, 0.25),
        ({"Retry-After": "Mon, 02 Mar 2026 12:00:30 GMT", "Date": "Mon, 02 Mar 2026 12:00:10 GMT"}, 20.0),
        ({"Retry-After": "Mon, 02 Mar 2026 12:00:00 GMT", "Date": "Mon, 02 Mar 2026 12:00:10 GMT"}, 0.0),
        ({"Retry-After": "Mon, 02 Mar 2026 12:00:00 GMT"}, UNSAID),
        ({"Retry-After": "-3"}, UNSAID),
        ({"Retry-After": "nan"}, UNSAID),
        ({"Retry-After": "soon", "Date": "Mon, 02 Mar 2026 12:00:10 GMT"}, UNSAID),
        ({}, UNSAID),
    ],
)
def test_retry_after_is_read_as_a_number_or_as_a_date_by_the_server_s_clock(
    headers: dict[str, str], seconds: float
) -> None:
    assert retry_after(Answer("GET", "/", 429, headers, "")) == seconds


# --- the budget


def test_every_call_is_asked_for_with_what_it_is() -> None:
    asked = []

    class Watching(Unlimited):
        async def acquire(self, *, write: bool, creation: bool, priority: Priority, reserved: bool = False) -> None:
            asked.append((write, creation, priority, reserved))

    rig = Rig(answer(500), answer(), budget=Watching())

    async def work(http: Http) -> None:
        await http.get("/things", priority=Priority.BACKFILL)
        await http.send("POST", "/customers", {}, creation=True, priority=Priority.RETRY)

    rig.run(work)
    assert asked == [
        (True, False, Priority.LIVE, False),  # the login
        (False, False, Priority.BACKFILL, False),
        (False, False, Priority.BACKFILL, False),
        (True, True, Priority.RETRY, True),
    ]


def test_a_write_whose_place_was_reserved_goes_right_after_its_read() -> None:
    sent: list[tuple[str, float]] = []

    def at(request: httpx.Request) -> httpx.Response:
        sent.append((request.method, rig.clock.seconds))
        return answer()

    rig = Rig(at)
    rig.budget = Limiter(Limits(writes_per_minute=1), clock=rig.clock, ledger=None, lane="x")
    rig.dialect.logins = 1

    async def work(http: Http) -> None:
        for _ in range(2):
            await http.reserve(priority=Priority.RETRY)
            await http.get("/things/1")
            await http.send("PUT", "/things/1", {}, priority=Priority.RETRY)

    rig.run(work)
    assert [method for method, _ in sent] == ["GET", "PUT", "GET", "PUT"]
    assert sent[1][1] == sent[0][1] == 0
    assert sent[3][1] == sent[2][1] > 60


def test_a_creation_beyond_the_limit_is_not_sent() -> None:
    rig = Rig(answer())
    rig.budget = Limiter(Limits(customer_creations_per_day=1), clock=rig.clock, ledger=None, lane="x")

    async def work(http: Http) -> None:
        await http.send("POST", "/customers", {}, creation=True)
        with pytest.raises(LimitReached):
            await http.send("POST", "/customers", {}, creation=True)

    rig.run(work)
    assert len(rig.server.asked) == 1


def test_the_budget_learns_latencies() -> None:
    seen = []

    class Watching(Unlimited):
        def observe(self, latency: float) -> None:
            seen.append(latency)

    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(1.5)
        return answer()

    rig = Rig(slow, budget=Watching())
    rig.get()
    assert seen == [0, 1.5]


def test_a_watcher_is_told_the_kind_of_each_call_that_was_answered_and_how_long_it_took() -> None:
    told: list[tuple[str, float]] = []

    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(1.5)
        return answer()

    rig = Rig(slow)

    async def work(http: Http) -> None:
        http.watcher = lambda kind, seconds: told.append((kind, seconds))
        await http.get("/things")
        await http.get("/things/search", body={"what": "all"})
        await http.send("PUT", "/things/1", {})

    rig.run(work)
    assert told == [("login", 0.0), ("read", 1.5), ("read", 1.5), ("write", 1.5)]


def test_calls_are_counted_by_method_and_path_without_ids() -> None:
    rig = Rig(answer())

    async def work(http: Http) -> None:
        for path in ("/crm/things/12", "/crm/things/13", "/v2/doc/CRM-OPP-2026-00001", "/users/a%40b.example?x=1"):
            await http.get(path)
        await http.send("DELETE", "/crm/things/6f1ed002ab5595859014ebf0951522d9")
        assert dict(http.calls) == {
            "POST /token": 1,
            "GET /crm/things/{id}": 2,
            "GET /v2/doc/{id}": 1,
            "GET /users/{id}": 1,
            "DELETE /crm/things/{id}": 1,
        }

    rig.run(work)


# --- logging in


def test_a_401_renews_the_login_once_and_the_call_is_sent_again_a_write_too() -> None:
    for method in ("GET", "POST"):
        rig = Rig(answer(401), answer())
        rig.get() if method == "GET" else rig.send(body={})
        assert [request.headers["Authorization"][-1] for request in rig.server.asked] == ["1", "2"]


def test_a_second_401_is_the_dialect_s_to_explain() -> None:
    rig = Rig(answer(401))
    with pytest.raises(AuthenticationFailed):
        rig.get()
    assert len(rig.server.asked) == 2


def test_a_401_with_nothing_to_renew_is_not_sent_again() -> None:
    rig = Rig(answer(401))
    rig.dialect.renewable, rig.dialect.logins = False, 1
    with pytest.raises(AuthenticationFailed):
        rig.send(body={})
    assert len(rig.server.asked) == 1


def test_calls_side_by_side_log_in_once_and_renew_once() -> None:
    async def expired(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.1)
        return answer(401 if request.headers["Authorization"].endswith("1") else 200)

    rig = Rig(expired)

    async def work(http: Http) -> None:
        await asyncio.gather(*(http.get("/things") for _ in range(5)))

    rig.run(work)
    assert len(rig.server.logins) == 2
    assert len(rig.server.asked) == 10


def test_the_login_sends_a_form_and_no_authorization_and_any_plain_answer_is_its_caller_s() -> None:
    rig = Rig(answer(400, '{"error": "invalid_grant"}', Set_Cookie="sid=1"))

    async def work(http: Http) -> Answer:
        await http.raw("GET", "/other", headers={"X-Try": "1"})
        return await http.raw("POST", "/other", data={"grant_type": "password"}, headers={"client_id": "me"})

    assert rig.run(work).status == 400
    request = rig.server.asked[-1]
    assert request.content == b"grant_type=password"
    assert request.headers["client_id"] == "me"
    assert "Authorization" not in request.headers
    assert "Cookie" not in request.headers


@pytest.mark.parametrize("trouble", [answer(500), httpx.ReadTimeout("slow")], ids=str)
def test_a_login_is_tried_four_times_and_not_four_times_for_every_try_of_the_call(
    trouble: httpx.Response | Exception,
) -> None:
    rig = Rig(trouble)

    async def headers(http: Http) -> Mapping[str, str]:
        await http.raw("POST", "/log-in")
        raise AssertionError

    rig.dialect.headers = headers  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        rig.send(body={})
    assert len(rig.server.asked) == 4


# --- what the log says


def test_the_log_names_calls_retries_and_throttling_and_no_secret() -> None:
    rig = Rig(answer(429, "", Retry_After="1"), answer(500, SECRET), httpx.ReadError("reset"), answer())
    with capture_logs() as logs:
        rig.get("/things/7", params={"email": SECRET})
    events = [(line["event"], line.get("status")) for line in logs]
    assert events == [
        ("http.call", 200),
        ("http.call", 429),
        ("http.throttled", 429),
        ("http.call", 500),
        ("http.retry", None),
        ("http.call", None),
        ("http.retry", None),
        ("http.call", 200),
    ]
    assert all(line["system"] == "Plain" and line["method"] and line["path"] for line in logs)
    assert SECRET not in str(logs)


def test_a_log_can_be_passed_in() -> None:
    class Log:
        lines: list[str] = []  # noqa: RUF012

        def debug(self, event: str, **values: object) -> None:
            self.lines.append(event)

    async def work() -> None:
        http = Http(
            "https://plain.example",
            PlainDialect(),
            clock=VirtualClock(),
            rng=random.Random(1),
            budget=Unlimited(),
            transport=httpx.MockTransport(Server(answer())),
            log=Log(),
        )
        await http.get("/things")
        await http.aclose()

    asyncio.run(work())
    assert Log.lines == ["http.call", "http.call"]


# --- the server's clock


def test_the_offset_is_unknown_before_the_first_date_and_unreadable_dates_teach_nothing() -> None:
    rig = Rig(answer(Date="yesterday"))

    async def work(http: Http) -> float | None:
        assert http.offset is None
        await http.get("/things")
        return http.offset

    assert rig.run(work) is None


def test_the_offset_is_found_to_within_half_a_second_and_better_with_more_answers() -> None:
    ahead = 93.7

    async def dated(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.03)
        moment = rig.clock.now() + timedelta(seconds=ahead)
        await asyncio.sleep(0.03)
        return answer(Date=moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    rig = Rig(dated)

    async def work(http: Http) -> None:
        await http.get("/things")
        assert http.offset == pytest.approx(ahead, abs=0.6)
        for _ in range(20):
            await asyncio.sleep(0.31)
            await http.get("/things")
        assert http.offset == pytest.approx(ahead, abs=0.1)

    rig.run(work)


@given(
    ahead=st.floats(-1000, 1000),
    calls=st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2), st.floats(0, 100)), min_size=1, max_size=30),
)
def test_the_true_offset_is_never_further_off_than_half_a_second_and_half_the_fastest_round_trip(
    ahead: float, calls: list[tuple[float, float, float]]
) -> None:
    offset, moment = ClockOffset(), START
    for there, back, pause in calls:
        sent, moment = moment, moment + timedelta(seconds=there)
        date = (moment + timedelta(seconds=ahead)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        moment += timedelta(seconds=back)
        offset.learn(date, sent, moment)
        moment += timedelta(seconds=pause)
    assert offset.seconds is not None
    fastest = min(there + back for there, back, _ in calls[-20:])
    assert abs(offset.seconds - ahead) <= 0.5 + fastest / 2 + 1e-5


def test_a_clock_that_was_set_makes_the_older_answers_void() -> None:
    offset = ClockOffset()
    for _ in range(20):
        offset.learn("Sun, 01 Mar 2026 12:00:00 GMT", START, START)
    offset.learn("Sun, 01 Mar 2026 13:00:00 -0000", START, START)
    assert offset.seconds == pytest.approx(3600 + 0.5 - 0.25)


# --- reads that are asked by POST, and lanes


def test_a_read_with_a_body_is_asked_by_post_and_tried_again() -> None:
    rig = Rig(httpx.ReadTimeout("slow"), answer(500), answer(body="[1]"))
    assert rig.get("/things/search", body={"limit": 7}) == [1]
    assert [(one.method, one.content) for one in rig.server.asked] == [("POST", b'{"limit":7}')] * 3
    assert {one.headers["Content-Type"] for one in rig.server.asked} == {"application/json"}


class Counting(Unlimited):
    """Keeps what was asked for."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.asked: list[bool] = []

    async def acquire(self, *, write: bool, creation: bool, priority: Priority, reserved: bool = False) -> None:
        self.asked.append(write)
        await super().acquire(write=write, creation=creation, priority=priority, reserved=reserved)


def test_calls_that_are_counted_by_themselves_have_a_budget_of_their_own() -> None:
    clock = VirtualClock()
    usual, searches = Counting(clock), Counting(clock)

    async def work() -> float:
        server = Server(answer(429, Retry_After="30"), answer())
        http = Http(
            "https://plain.example/api",
            PlainDialect(),
            clock=clock,
            rng=random.Random(1),
            budget=usual,
            lanes={"/search": searches},
            transport=httpx.MockTransport(server),
        )
        await http.get("/things/search", body={})
        waited = clock.seconds
        await http.get("/things")
        await http.aclose()
        return waited

    assert clock.run(work()) == pytest.approx(30)
    assert (usual.asked, searches.asked) == ([True, False], [False, False])  # the first is the login
