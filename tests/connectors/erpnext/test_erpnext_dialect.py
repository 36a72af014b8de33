import pytest
from erpnext_site import samples
from pydantic import SecretStr

from nexudus_sync import codec
from nexudus_sync.connectors.erpnext.dialect import BadLink, Collision, Duplicate, ERPNextDialect, target
from nexudus_sync.connectors.erpnext.roles import role
from nexudus_sync.connectors.http import UNSAID, Answer
from nexudus_sync.errors import (
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    OutcomeUnknown,
    Refused,
    RoleMissing,
    Stale,
    Unavailable,
)

DIALECT = ERPNextDialect("erp", "key", SecretStr("top-secret"))
OPPORTUNITY = "/api/resource/Opportunity"


def error(
    status: int, text: str, method: str = "GET", path: str = OPPORTUNITY, **headers: str
) -> ConnectorError | None:
    return DIALECT.error(Answer(method, path, status, headers, text, "erp"))


def recorded(version: int, name: str) -> ConnectorError | None:
    call = samples(version)[name]
    request, answer = call["request"], call["response"]
    text = answer["_text"] if "_text" in answer else codec.dumps(answer)
    return error(call["status"], text, request["method"], request["path"])


EXPECTED = {
    "error_missing_party": Refused,
    "error_unknown_party": BadLink,
    "error_bad_status": Refused,
    "error_unknown_lost_reason_create": BadLink,
    "error_title_too_long": Refused,
    "error_bad_date": Refused,
    "error_json_list": OutcomeUnknown,
    "error_permission_create": RoleMissing,
    "error_permission_list": RoleMissing,
    "error_not_found": NotFound,
    "error_no_such_doctype": RoleMissing,
    "error_no_such_doctype_get": Unavailable,
    "error_timestamp_mismatch": Stale,
    "error_modified_truncated_seconds": Stale,
    "update_modified_null": Stale,
    "update_creation_owner": Refused,
    "update_name_in_body": NotFound,
    "error_update_not_found": NotFound,
    "error_delete_linked_quotation": Refused,
    "delete_from_prospect": Refused,
    "error_delete_again": NotFound,
    "error_get_deleted": NotFound,
    "deleted_document_list_sync": RoleMissing,
    "error_list_unknown_filter_field": Refused,
    "error_list_bad_filters": Unavailable,
    "v2_error_missing_party": Refused,
    "v2_error_not_found": NotFound,
    "v2_error_duplicate_name": Duplicate,
    "v2_error_timestamp_mismatch": Stale,
    "error_v2_no_such_method": Unavailable,
}


@pytest.mark.parametrize("version", [15, 16])
@pytest.mark.parametrize("name", EXPECTED)
def test_what_the_real_servers_answered_is_told_apart(version: int, name: str) -> None:
    assert type(recorded(version, name)) is EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("error_duplicate_external_ref", Duplicate),
        ("error_lead_duplicate_email", Duplicate),
        ("concurrent_prospect_3", Collision),
        ("utm_source_create_sync", RoleMissing),
        ("sales_stage_list_sales", RoleMissing),
        ("error_lead_bad_email", Refused),
        ("error_lead_bad_phone", Refused),
        ("error_lead_delete_linked", Refused),
    ],
)
def test_what_only_the_newer_server_was_asked_is_told_apart(name: str, expected: type[ConnectorError]) -> None:
    assert type(recorded(16, name)) is expected


@pytest.mark.parametrize("version", [15, 16])
def test_every_recorded_success_is_one(version: int) -> None:
    for name, call in samples(version).items():
        if call["status"] < 300:
            assert recorded(version, name) is None, name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("utm_source_create_sync", "the user may not create UTM Source: give it the role Marketing Manager in ERPNext"),
        ("sales_stage_list_sales", "the user may not read Sales Stage: give it the role Sales Manager in ERPNext"),
        ("error_permission_list", "the user may not read Opportunity: give it the role Sales User in ERPNext"),
        ("deleted_document_list_sync", "give it the role System Manager in ERPNext"),
        ("error_unknown_party", "refused (LinkValidationError): Could not find Party: NOPE"),
        ("error_bad_date", "Incorrect date value: '31/12/2026'"),
        ("delete_from_prospect", "Cannot delete or cancel because Opportunity CRM-OPP"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(name: str, said: str) -> None:
    assert said in str(recorded(16, name))


def test_a_call_without_a_login_is_a_403_and_no_missing_role() -> None:
    found = error(403, "{}", path="/api/method/frappe.auth.get_logged_user")
    assert isinstance(found, AuthenticationFailed)
    assert "Authorization header" in str(found)
    assert isinstance(error(401, '{"exc_type": "AuthenticationError"}'), AuthenticationFailed)
    assert str(error(403, "{}", path="/api/method/frappe.client.get_count")).endswith("get_count")


@pytest.mark.parametrize("kind", ["QueryDeadlockError", "QueryTimeoutError", "DocumentLockedError"])
def test_a_save_that_another_one_undid_may_be_sent_again(kind: str) -> None:
    assert type(error(500, f'{{"exc_type": "{kind}"}}', "PUT")) is Collision


@pytest.mark.parametrize("kind", ["SessionStopped", "InReadOnlyMode"])
def test_a_site_that_is_closed_was_written_nothing(kind: str) -> None:
    found = error(503, f'{{"exc_type": "{kind}"}}', "POST")
    assert type(found) is Unavailable
    assert "maintenance" in str(found)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("text", ["<html>", "", '{"exc_type": "ConnectionError"}'])
def test_after_a_failure_of_the_server_a_write_may_have_been_done(status: int, text: str) -> None:
    assert type(error(status, text, "POST")) is OutcomeUnknown
    assert type(error(status, text)) is Unavailable


def test_a_value_the_database_cannot_take_is_refused_though_the_site_keeps_the_reason_to_itself() -> None:
    assert isinstance(error(500, '{"exc_type": "DataError"}', "PUT"), Refused)
    assert isinstance(error(500, '{"exc_type": "OperationalError"}', "PUT"), OutcomeUnknown)


def test_a_page_instead_of_a_missing_document_proves_nothing() -> None:
    assert type(error(404, "<html>", path=f"{OPPORTUNITY}/A")) is Unavailable
    assert type(error(404, '{"exc_type": "DoesNotExistError"}', path=f"{OPPORTUNITY}/A")) is NotFound


def test_an_address_that_is_too_long_is_a_refusal() -> None:
    assert type(error(414, "<html>")) is Refused


async def test_refusals_are_asked_for_in_english() -> None:
    """A call with a token is in the language of its header; without one in the site's, and no field would be named."""
    assert (await DIALECT.headers(None))["Accept-Language"] == "en"  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_that_forbids_is_a_proxys_and_no_missing_role(method: str) -> None:
    found = error(403, "<html><h1>403 Forbidden</h1></html>", method)
    assert type(found) is Unavailable
    assert "a server in front of ERPNext" in str(found)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_left_to_the_client_which_says_so(method: str) -> None:
    assert error(301, "<html>Moved Permanently</html>", method) is None


def test_only_429_asks_to_wait() -> None:
    def throttled(status: int, **headers: str) -> float | None:
        return DIALECT.throttled(Answer("GET", OPPORTUNITY, status, headers, "", "erp"))

    assert throttled(429, **{"Retry-After": "17"}) == 17
    assert throttled(429) == UNSAID
    assert throttled(503, **{"Retry-After": "17"}) is None


async def test_the_token_is_sent_and_never_told() -> None:
    headers = await DIALECT.headers(None)  # type: ignore[arg-type]
    assert headers["Authorization"] == "token key:top-secret"
    assert not await DIALECT.renew(None)  # type: ignore[arg-type]
    assert "top-secret" not in str(error(417, '{"exc_type": "X", "exception": "X: token key:top-secret"}'))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/resource/Sales%20Stage", ("Sales Stage", None)),
        ("/api/resource/Opportunity/A%2FB%20c", ("Opportunity", "A/B c")),
        ("/api/v2/document/Opportunity", ("Opportunity", None)),
        ("/api/method/frappe.client.get_list", ("", None)),
    ],
)
def test_a_path_names_a_doctype_and_a_document(path: str, expected: tuple[str, str | None]) -> None:
    assert target(path) == expected


def test_each_right_has_a_role() -> None:
    assert role("Opportunity", "delete") == "Sales User"
    assert role("Campaign", "create") == "Sales Manager"
