from datetime import UTC, datetime, timedelta

import pytest
from nexudus_server import LOGIN, Server, answer, card, params, refused, sent
from pydantic import ValidationError

from nexudus_sync.connectors.base import Party, Scope
from nexudus_sync.connectors.nexudus import NexudusSettings, totp
from nexudus_sync.connectors.nexudus.dialect import role
from nexudus_sync.errors import (
    AuthenticationFailed,
    HeldUp,
    LimitReached,
    NotFound,
    OutcomeUnknown,
    Refused,
    RoleMissing,
    Unavailable,
)

ONE = "/crm/crmopportunities/7"
MANY = "/crm/crmopportunities"
SCOPE = Scope(business_id=1001)
PARTY = Party("new@example.com", "New Person")


def form(request):
    return params(request.__class__("GET", f"https://x/?{request.content.decode()}"))


async def test_the_login_is_form_encoded_and_its_token_goes_with_every_call(connector, server: Server):
    server.cards[7] = card(7)
    await connector.fetch("7")
    login, read = server.requests
    assert login.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert form(login) == {"grant_type": "password", "username": LOGIN, "password": "pa55word"}
    assert "authorization" not in login.headers
    assert read.headers["authorization"] == "Bearer t0ken"


async def test_the_one_time_code_is_that_of_the_servers_half_minute(make, server: Server, clock):
    server.skew = 600
    connector = make(totp_secret="JBSW Y3DP EHPK 3PXP")
    server.cards[7] = card(7)
    server.on("GET", ONE, answer("", 401), answer(card(7)))
    await connector.start()
    await clock.sleep(60)
    await connector.fetch("7")
    codes = [form(request)["totp"] for request in server.calls("POST", "/token")]
    assert len(codes) == 2
    assert codes[-1] == totp.code("jbswy3dpehpk3pxp", clock.moment + timedelta(seconds=600))


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_one_time_codes_are_those_of_the_standards_own_examples(seconds, code):
    secret = "GEZDGNBVGY3TQOJQ" * 2
    assert totp.code(secret, datetime.fromtimestamp(seconds, UTC)) == code


@pytest.mark.parametrize("secret", ["not base32!", "1", "   "])
def test_a_one_time_secret_that_is_no_base32_is_refused_without_showing_it(secret):
    with pytest.raises(ValidationError, match="base32") as error:
        NexudusSettings(username="a", password="b", totp_secret=secret)
    assert secret not in error.value.errors()[0]["msg"]


async def test_basic_sends_the_pair_and_never_asks_for_a_token(make, server: Server):
    server.cards[7] = card(7)
    connector = make(auth="basic")
    await connector.start()
    await connector.fetch("7")
    assert not server.calls("POST", "/token")
    assert server.requests[0].headers["authorization"].startswith("Basic ")


async def test_a_wrong_password_is_told_from_the_token_call(connector, server: Server):
    body = {"error": "invalid_grant", "error_description": "Wrong e-mail or password"}
    server.on("POST", "/token", answer(body, 400))
    with pytest.raises(AuthenticationFailed, match="Wrong e-mail or password") as error:
        await connector.start()
    assert error.value.exit_code == 2
    assert "pa55word" not in str(error.value)


@pytest.mark.parametrize("token", ["", "half \ud83d", "two\nlines", "größe", ["x"]])
async def test_a_token_that_no_header_carries_is_none(connector, server: Server, token: object):
    server.on("POST", "/token", answer({"access_token": token}))
    with pytest.raises(Unavailable, match="without a token"):
        await connector.start()
    server.on("POST", "/token", answer({"access_token": "good"}))
    await connector.start()


async def test_a_login_that_answers_without_a_token_is_a_passing_failure(connector, server: Server):
    server.on("POST", "/token", answer("<html>maintenance</html>"))
    with pytest.raises(Unavailable, match="without a token"):
        await connector.start()


async def test_basic_refused_on_the_first_call_is_a_wrong_password(make, server: Server):
    server.on("GET", ".*", answer("", 401))
    with pytest.raises(AuthenticationFailed):
        await make(auth="basic").start()


async def test_basic_refused_later_is_a_missing_role(make, server: Server):
    server.cards[7] = card(7)
    connector = make(auth="basic")
    await connector.start()
    server.on("GET", ONE, answer("", 401))
    with pytest.raises(RoleMissing, match="CrmOpportunity-Read"):
        await connector.fetch("7")


async def test_a_token_that_ended_is_replaced_once_and_the_call_sent_again(connector, server: Server, clock):
    server.on("GET", ONE, answer("", 401), answer(card(7)))
    await connector.start()
    await clock.sleep(604_800)
    assert (await connector.fetch("7"))["Id"] == 7
    assert len(server.calls("POST", "/token")) == 2


async def test_a_second_401_names_the_missing_role(connector, server: Server, clock):
    server.on("GET", ONE, answer("<html>no</html>", 401))
    await connector.start()
    await clock.sleep(3600)
    with pytest.raises(RoleMissing, match="CrmOpportunity-Read"):
        await connector.fetch("7")
    assert len(server.calls("POST", "/token")) == 2


async def test_a_401_right_after_the_login_asks_for_no_second_token(connector, server: Server):
    server.on("GET", ONE, answer("", 401))
    with pytest.raises(RoleMissing):
        await connector.fetch("7")
    assert len(server.calls("POST", "/token")) == 1


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", MANY, "CrmOpportunity-List"),
        ("GET", ONE, "CrmOpportunity-Read"),
        ("POST", MANY, "CrmOpportunity-Create"),
        ("PUT", MANY, "CrmOpportunity-Edit"),
        ("DELETE", ONE, "CrmOpportunity-Delete"),
        ("POST", f"{MANY}/runcommand", "CrmOpportunity-Edit"),
        ("GET", f"{MANY}/commands", "CrmOpportunity-List"),
        ("POST", "/spaces/coworkers", "Coworker-Create"),
        ("GET", "/sys/audittrailentries", "AuditTrailEntry-List"),
        ("GET", "/utils/enums", "enums-List"),
    ],
)
def test_each_call_knows_the_role_it_needs(method, path, name):
    assert role(method, path) == name


@pytest.mark.parametrize(
    ("first", "seconds"),
    [
        (answer("", 409, **{"Retry-After": "7"}), 7),
        (answer("", 409), 5),
        (answer("Wait 1.5 seconds", 429), 1.5),
        (answer("Slow down", 429, **{"Retry-After": "soon"}), 5),
        (answer("", 503, **{"Retry-After": "3"}), 3),
    ],
)
async def test_throttling_is_waited_out_and_is_no_error(connector, server: Server, clock, first, seconds):
    server.on("GET", ONE, first, answer(card(7)))
    await connector.start()
    started = clock.moment
    assert (await connector.fetch("7"))["Id"] == 7
    assert (clock.moment - started).total_seconds() >= seconds


async def test_a_throttled_delete_is_not_sent_again_for_the_card_may_have_been_edited(connector, server: Server):
    server.on("DELETE", ONE, answer("", 409, **{"Retry-After": "1"}), answer({"WasSuccessful": True, "Value": None}))
    with pytest.raises(HeldUp, match="too many calls"):
        await connector.perform(connector.delete_step("7"))
    assert len(server.calls("DELETE", "/7")) == 1


async def put(connector, server: Server, response):
    server.cards[7] = card(7)
    server.on("PUT", MANY, response)
    before = await connector.fetch("7")
    (step,) = connector.update_steps(before, {**before, "Name": "New"})
    return await connector.perform(step, before)


async def test_a_validation_error_names_the_keys_it_is_about(connector, server: Server):
    with pytest.raises(Refused, match="Status: is a required field") as error:
        await put(connector, server, refused("Status: is a required field", "Status", "Position"))
    assert error.value.keys == {"Status", "Position"}


async def test_a_validation_error_without_a_message_is_told_from_its_errors(connector, server: Server):
    with pytest.raises(Refused, match="Status: is a required field"):
        await put(connector, server, refused("", "Status"))


async def test_a_200_that_was_not_successful_is_a_refusal(connector, server: Server):
    with pytest.raises(Refused, match="nope"):
        await put(connector, server, refused("nope", "Name", status=200))


async def test_a_500_that_lists_validation_errors_is_a_refusal(connector, server: Server):
    with pytest.raises(Refused) as error:
        await put(connector, server, refused("bad", "OpportunityTypeId", status=500))
    assert error.value.keys == {"OpportunityTypeId"}


@pytest.mark.parametrize(
    "response",
    [
        answer({"Message": "An error has occurred."}, 500),
        answer("<html>Ooops! There was a problem</html>", 500),
        answer("<html>fine</html>"),
        answer(""),
        answer('{"Status": 200, "WasSucc'),
        answer({"Value": {"Id": 7}}),
        answer("<html>nowhere</html>", 404),
        answer("", 302),
    ],
)
async def test_a_write_answered_unreadably_may_have_been_done(connector, server: Server, response):
    with pytest.raises(OutcomeUnknown):
        await put(connector, server, response)
    assert len(server.calls("PUT", "crmopportunities")) == 1


async def test_a_write_to_a_missing_record_says_so(connector, server: Server):
    with pytest.raises(NotFound):
        await put(connector, server, answer('"Not found"', 404))


async def test_a_refusal_without_an_envelope_is_one_plain_line(connector, server: Server):
    with pytest.raises(Refused) as error:
        await put(connector, server, answer("<html><body>Bad\n<b>request</b></body></html>" + "x" * 500, 400))
    assert "\n" not in str(error.value)
    assert "<" not in str(error.value)
    assert len(str(error.value)) < 300


async def test_a_read_answered_with_500_is_tried_again(connector, server: Server):
    server.on("GET", ONE, answer({"Message": "An error has occurred."}, 500), answer(card(7)))
    assert (await connector.fetch("7"))["Id"] == 7


@pytest.mark.parametrize("response", [answer("", 200), answer("<html>hi</html>"), answer("<html>404</html>", 404)])
async def test_a_read_answered_with_a_web_page_or_nothing_is_a_passing_failure(connector, server: Server, response):
    server.on("GET", ONE, response)
    with pytest.raises(Unavailable):
        await connector.fetch("7")


async def test_a_record_whose_notes_speak_of_an_envelope_is_still_a_record(connector, server: Server):
    server.cards[7] = card(7, Notes='{"WasSuccessful": false}')
    assert (await connector.fetch("7"))["Id"] == 7


async def test_a_read_that_was_not_successful_is_a_refusal(connector, server: Server):
    server.on("GET", ONE, answer({"WasSuccessful": False, "Message": None, "Errors": None}))
    with pytest.raises(Refused, match="no reason given"):
        await connector.fetch("7")


@pytest.mark.parametrize(
    "response",
    [answer("Access Denied", 403), answer("Access Denied", 400), refused("Access Denied", status=200)],
)
async def test_a_denied_customer_is_the_days_limit(connector, server: Server, response):
    await connector.find_party("new@example.com", SCOPE)
    server.on("POST", "/spaces/coworkers", response)
    step = connector.party_step(PARTY, SCOPE)
    with pytest.raises(LimitReached, match="Coworker-Create"):
        await connector.perform(step)


async def test_the_customer_is_told_apart_from_a_denied_opportunity(connector, server: Server):
    with pytest.raises(RoleMissing, match="CrmOpportunity-Edit"):
        await put(connector, server, answer("Access Denied", 403))
    assert sent(server.calls("PUT", "crmopportunities")[0])["Name"] == "New"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"Message": "under review"}, "refused: under review"),
        ({"message": "under <b>review</b>"}, "refused: under review"),
        ({"error": {"code": 7}}, 'refused: {"error":{"code":7}}'),
        ("<h1>under review</h1>", "refused: under review"),
    ],
)
async def test_a_refusal_without_an_envelope_is_told_in_its_own_words(
    connector, server: Server, body: object, told: str
):
    server.on("GET", "/crm/crmopportunities/7", answer(body, 451))
    with pytest.raises(Refused) as caught:
        await connector.fetch("7")
    assert caught.value.message == told
