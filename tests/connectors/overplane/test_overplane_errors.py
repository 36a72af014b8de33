import httpx
import pytest
from fake_overplane import OPPORTUNITY
from pydantic import ValidationError

from nexudus_sync.connectors.base import Scope
from nexudus_sync.errors import (
    AuthenticationFailed,
    HeldUp,
    NotFound,
    OutcomeUnknown,
    Refused,
    RoleMissing,
    Unavailable,
)

SCOPE = Scope(company="Example Corp")
PATCHES = ({"id": "o1", "title": "a"}, {"id": "o1", "title": "b"})


async def patched(crm):
    (step,) = crm.update_steps(*PATCHES)
    return await crm.perform(step, {"id": "o1"})


def bodies() -> list[dict]:
    return [
        {"json": {"message": "because"}},
        {"json": [1, None]},
        {"text": "because"},
        {"text": ""},
        {"json": "because"},
    ]


@pytest.mark.parametrize("body", bodies())
@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (401, AuthenticationFailed), (403, RoleMissing), (404, NotFound), (422, Refused)],
)
async def test_an_error_is_told_by_its_status_whatever_its_body(crm, server, status, error, body):
    server.before = lambda request: httpx.Response(status, **body)
    with pytest.raises(error) as caught:
        await crm.fetch("o1")
    assert "\n" not in str(caught.value)
    with pytest.raises(error):
        await patched(crm)


@pytest.mark.parametrize(
    ("body", "told"),
    [({"json": {"error": {"message": "Invalid API key"}}}, False), ({"text": ""}, True), ({"json": {"Id": 7}}, True)],
)
async def test_a_token_that_another_server_refuses_may_be_a_wrong_address(crm, server, body, told):
    server.before = lambda request: httpx.Response(401, **body)
    with pytest.raises(AuthenticationFailed) as caught:
        await crm.fetch("o1")
    assert ("check base_url" in str(caught.value)) is told


@pytest.mark.parametrize("status", [500, 502, 503, 301, 418])
async def test_a_failing_server_is_unavailable_to_a_read_and_leaves_a_write_unknown(crm, server, status):
    server.before = lambda request: httpx.Response(status, text="<html>oops</html>")
    with pytest.raises(Unavailable):
        await crm.fetch("o1")
    server.calls.clear()
    with pytest.raises(OutcomeUnknown):
        await patched(crm)
    assert len(server.calls) == 1


async def test_a_write_to_a_path_that_a_proxy_does_not_know_was_not_done(crm, server):
    server.before = lambda request: httpx.Response(404, text="<html>nothing here</html>")
    with pytest.raises(Unavailable):
        await patched(crm)


@pytest.mark.parametrize("status", [409, 429, 503])
async def test_a_change_that_was_told_when_to_come_back_waits_and_is_left_to_be_read_again(crm, server, clock, status):
    server.add(OPPORTUNITY, id="o1")
    answers = [httpx.Response(status, headers={"Retry-After": "7"})] * 2
    server.before = lambda request: answers.pop() if answers and request.method == "PATCH" else None
    started = clock.now()
    for _ in range(2):
        with pytest.raises(HeldUp, match="too many calls"):
            await patched(crm)
        await crm.fetch("o1")
    assert (await patched(crm)).record["title"] == "b"
    assert (clock.now() - started).total_seconds() >= 14


async def test_429_is_waited_out_without_a_word_of_when_to_come_back(crm, server, clock):
    answers = [httpx.Response(429)]
    server.before = lambda request: answers.pop() if answers else None
    assert [page async for page in crm.scan(SCOPE, "")][-1].complete


async def test_the_limits_of_the_configuration_are_kept(connect, server, clock):
    crm, started = connect(limits={"per_minute": 2}), clock.now()
    for _ in range(5):
        server.add(OPPORTUNITY)
        await crm.absent(server.tables[OPPORTUNITY][0]["id"], "")
    assert (clock.now() - started).total_seconds() >= 120


async def test_a_write_goes_right_after_its_read_where_its_place_was_reserved(connect, server, clock):
    crm = connect(limits={"writes_per_minute": 1})
    row, started = server.add(OPPORTUNITY), clock.now()
    for minute in range(2):
        await crm.reserve()
        read = clock.now()
        assert (read - started).total_seconds() >= 60 * minute
        before = await crm.fetch(row["id"])
        (step,) = crm.update_steps(before, before | {"title": f"Desk {minute}"})
        await crm.perform(step, before)
        assert clock.now() == read


@pytest.mark.parametrize("limits", [{"per_minute": 0}, {"per_fortnight": 1}])
def test_a_limit_of_nothing_or_of_an_unknown_window_is_no_setting(connect, limits):
    with pytest.raises(ValidationError):
        connect(limits=limits)


async def test_409_without_a_time_to_come_back_is_a_refusal(crm, server):
    server.before = lambda request: httpx.Response(409, json={"message": "exists"})
    with pytest.raises(Refused, match="exists"):
        await patched(crm)


async def test_the_token_goes_with_each_request_and_into_no_error(crm, server):
    seen = []

    def echo(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(422, json={"message": f"bad header {seen[-1]}"})

    server.before = echo
    with pytest.raises(Refused) as caught:
        await patched(crm)
    assert set(seen) == {"Bearer sk_test_secret"}
    assert "sk_test_secret" not in str(caught.value)
    assert "sk_test_secret" not in repr(crm._settings)


async def test_an_error_names_the_system_and_the_record(crm, server):
    with pytest.raises(NotFound, match=r"^crm o1: no such record: No such object: o1$"):
        await crm.fetch("o1")
