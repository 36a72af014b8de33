"""What a request meets before it reaches the site."""

import base64
from dataclasses import replace

import httpx
import pytest
from erpnext_recordings import Time, site

from nexudus_sandbox.erpnext import ERPNextDouble, ERPNextOptions, RateLimit, User
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sandbox.wire import Request
from nexudus_sync.clock import SystemClock

LIST = "/api/resource/Opportunity"
WHO = "/api/method/frappe.auth.get_logged_user"


def test_basic_credentials_are_the_key_and_the_secret(double: ERPNextDouble) -> None:
    header = "Basic " + base64.b64encode(b"sync:sync-secret").decode()
    assert double.handle(Request("GET", WHO, {}, {"authorization": header})).json() == {"message": "sync@example.com"}


@pytest.mark.parametrize("header", ["Basic ???", "Basic a", "Bearer abc", "token sync", "token sync:wrong", "nonsense"])
def test_what_is_nobodys_key_is_401(double: ERPNextDouble, header: str) -> None:
    response = double.handle(Request("GET", WHO, {}, {"authorization": header}))
    assert (response.status, response.json()) == (401, {"exc_type": "AuthenticationError"})


def test_a_guest_may_call_no_function_but_the_time_zone(double: ERPNextDouble) -> None:
    response = double.handle(Request("GET", WHO))
    assert (response.status, response.json()["exc_type"]) == (403, "PermissionError")


def test_a_403_of_version_16_names_the_protected_resource(client, double: ERPNextDouble) -> None:
    response = client.send("GET", "/api/resource/Deleted Document")
    assert response.headers["WWW-Authenticate"].endswith('/.well-known/oauth-protected-resource"')


def test_a_new_user_can_log_in_and_is_listed(client, double: ERPNextDouble) -> None:
    double.add_user(User("marta@example.com", frozenset({"Sales User"}), "marta", "s3"))
    header = {"authorization": "token marta:s3"}
    assert double.handle(Request("GET", LIST, {}, header)).json() == {"data": []}
    rows = client.get("/api/resource/User", filters=[["email", "=", "marta@example.com"]], fields=["user_type"])
    assert rows["data"] == [{"user_type": "System User"}]


def test_a_form_body_may_carry_the_document_as_json(double: ERPNextDouble) -> None:
    headers = {
        "authorization": double.authorization("sync"),
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    body = b"data=%7B%22lost_reason%22%3A%22Too+far%22%7D"
    response = double.handle(Request("POST", "/api/resource/Opportunity Lost Reason", {}, headers, body))
    assert response.json()["data"]["name"] == "Too far"


def test_a_url_too_long_is_answered_with_a_page(client) -> None:
    response = client.send("GET", LIST, filters="x" * 4100)
    assert (response.status, response.headers["Content-Type"]) == (414, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/somewhere", "text/html; charset=utf-8"),
        ("PATCH", f"{LIST}/x", "application/json"),
        ("GET", "/api/nothing/here", "application/json"),
        ("GET", "/api/v2/nothing/here", "application/json"),
        ("DELETE", "/api/v2/document/Opportunity", "application/json"),
    ],
)
def test_what_does_not_exist_is_404(client, method: str, path: str, kind: str) -> None:
    response = client.send(method, path)
    assert (response.status, response.headers["Content-Type"]) == (404, kind)


def test_version_1_answers_under_its_own_path_too(client) -> None:
    assert client.get("/api/v1/resource/Opportunity") == {"data": []}


def test_maintenance_is_503(client, double: ERPNextDouble) -> None:
    double.options.maintenance = True
    response = client.send("GET", LIST)
    assert (response.status, response.json()["exc_type"]) == (503, "SessionStopped")


def test_without_a_rate_limit_no_answer_speaks_of_one(client) -> None:
    assert "X-RateLimit-Limit" not in client.send("GET", LIST).headers


def test_the_rate_limit_counts_server_time_and_opens_again_with_the_next_window(client, time: Time) -> None:
    client.double.options = ERPNextOptions(rate_limit=RateLimit(0.2, 10), seconds_per_call=0.1)
    first, second, third = (client.send("GET", LIST) for _ in range(3))
    assert first.headers["X-RateLimit-Remaining"] == "100000"
    assert second.headers["X-RateLimit-Remaining"] == "0"
    assert (third.status, third.json()) == (429, {"exc_type": "TooManyRequestsError"})
    headers = {name: third.headers[name] for name in third.headers if name.startswith(("X-Rate", "Retry"))}
    assert headers == {
        "X-RateLimit-Reset": "10",
        "X-RateLimit-Limit": "200000",
        "X-RateLimit-Remaining": "0",
        "Retry-After": "10",
    }
    time.pass_by(10)
    assert client.send("GET", LIST).status == 200


def test_a_body_that_is_no_json_is_refused_before_the_login(old: ERPNextDouble, double: ERPNextDouble) -> None:
    broken = Request("POST", LIST, {}, {"content-type": "application/json"}, b'{"a": 1,')
    assert (double.handle(broken).status, double.handle(broken).json()["exc_type"]) == (417, "DataError")
    assert (old.handle(broken).status, old.handle(broken).json()["exc_type"]) == (500, "JSONDecodeError")


def test_wrong_parameters_are_an_error_of_the_server(client) -> None:
    response = client.send("GET", LIST, limit_start="x")
    assert (response.status, response.json()["exc_type"]) == (500, "ValueError")


def test_every_request_is_logged_with_who_asked(client, double: ERPNextDouble) -> None:
    client.list()
    double.handle(replace(Request("GET", LIST), headers={}))
    assert [(entry.user, entry.status) for entry in double.log] == [("sync@example.com", 200), ("Guest", 403)]


async def test_a_client_reaches_names_with_spaces_and_slashes(double: ERPNextDouble) -> None:
    headers = {"Authorization": double.authorization("sync")}
    transport = DoubleTransport(double, clock=SystemClock())
    async with httpx.AsyncClient(transport=transport, base_url="http://erp.example", headers=headers) as http:
        answer = await http.get("/api/resource/Sales Stage/Negotiation%2FReview")
    assert answer.json()["data"]["stage_name"] == "Negotiation/Review"


def test_the_clock_of_the_site_can_run_ahead(time: Time) -> None:
    ahead = ERPNextDouble(time, offset=90)
    name = ahead.create("x", opportunity_from="Company", party_name="Example Coworking")
    assert ahead.record(name)["modified"].startswith("2026-11-20 16:01:30")
    assert site(16, time).handle(Request("GET", LIST)).headers["Date"] == "Fri, 20 Nov 2026 15:00:00 GMT"
