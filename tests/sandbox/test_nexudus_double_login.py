import pyotp
import pytest
from sandbox_client import CARDS, START, SYNC, Caller, Office, basic

TOKEN = "/api/token"


def bearer(office: Office, token: str) -> Caller:
    return Caller(office.double, authorization=f"Bearer {token}")


def test_a_password_gives_a_token_that_opens_the_api_for_seven_days() -> None:
    office = Office()
    grant = Caller(office.double).form(TOKEN, grant_type="password", username=SYNC, password="secret").json()
    assert (grant["token_type"], grant["expires_in"]) == ("bearer", 604_799)
    caller = bearer(office, grant["access_token"])
    assert caller.get(CARDS).status == 200
    office.clock.turn(604_799)
    assert caller.get(CARDS).status == 401


def test_a_wrong_password_is_an_invalid_grant() -> None:
    answer = Caller(Office().double).form(TOKEN, grant_type="password", username=SYNC, password="wrong")
    assert (answer.status, answer.json()["error"]) == (400, "invalid_grant")


def test_a_json_body_is_an_unsupported_grant_type() -> None:
    answer = Caller(Office().double, **{"content-type": "application/json"}).send(
        "POST", TOKEN, {"grant_type": "password", "username": SYNC, "password": "secret"}
    )
    assert (answer.status, answer.json()) == (400, {"error": "unsupported_grant_type"})


def test_a_refresh_token_works_once_and_is_replaced() -> None:
    office = Office()
    caller = Caller(office.double)
    first = caller.form(TOKEN, grant_type="password", username=SYNC, password="secret").json()
    second = caller.form(TOKEN, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    again = caller.form(TOKEN, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert bearer(office, second["access_token"]).get(CARDS).status == 200
    assert second["refresh_token"] != first["refresh_token"]
    assert (again.status, again.json()["error"]) == (400, "invalid_grant")


def test_a_refresh_token_is_bound_to_the_client_id_it_was_given_to() -> None:
    office = Office()
    first = Caller(office.double, client_id="here").form(TOKEN, grant_type="password", username=SYNC, password="secret")
    token = first.json()["refresh_token"]
    elsewhere = Caller(office.double, client_id="there")
    assert elsewhere.form(TOKEN, grant_type="refresh_token", refresh_token=token).status == 400


def test_a_refresh_token_ends_after_fifteen_days() -> None:
    office = Office()
    caller = Caller(office.double)
    token = caller.form(TOKEN, grant_type="password", username=SYNC, password="secret").json()["refresh_token"]
    office.clock.turn(15 * 86_400)
    assert caller.form(TOKEN, grant_type="refresh_token", refresh_token=token).status == 400


def test_with_a_one_time_code_configured_the_password_alone_will_not_do() -> None:
    office, secret = Office(), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    office.double.add_account(SYNC, "secret", totp_secret=secret)
    caller, form = Caller(office.double), {"grant_type": "password", "username": SYNC, "password": "secret"}
    assert caller.form(TOKEN, **form).json()["error"] == "invalid_grant"
    assert caller.form(TOKEN, **form, totp=pyotp.TOTP(secret).at(START)).status == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer nonsense", "Basic nonsense", "Basic /w==", basic(SYNC, "wrong"), basic("nobody@example.com", "x")],
)
def test_a_login_that_does_not_hold_is_answered_401_with_a_page(authorization: str) -> None:
    answer = Caller(Office().double, authorization=authorization).get(CARDS)
    assert answer.status == 401
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_missing_role_is_answered_401_with_an_empty_body() -> None:
    office = Office()
    office.double.add_account("few@example.com", "x", roles=frozenset({"CrmOpportunity-List"}))
    caller, card = Caller(office.double, authorization=basic("few@example.com", "x")), office.card()
    assert caller.get(CARDS).status == 200
    one = caller.get(f"{CARDS}/{card}")
    assert (one.status, one.body) == (401, b"")
    assert caller.get("/api/utils/enums", name="eCrmOpportunityStatus").status == 200


def test_ended_sessions_need_a_new_login() -> None:
    office = Office()
    grant = Caller(office.double).form(TOKEN, grant_type="password", username=SYNC, password="secret").json()
    office.double.login.end_sessions()
    assert bearer(office, grant["access_token"]).get(CARDS).status == 401
