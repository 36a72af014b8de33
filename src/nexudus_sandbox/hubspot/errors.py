"""HubSpot's refusals, in its own shapes (recorded ones in tests/data/hubspot)."""

from collections.abc import Iterable, Sequence
from typing import Any

from nexudus_sandbox.wire import Response, json_response
from nexudus_sync import codec

CORRELATION = "5f6b0d4e-6a6f-4c39-9a59-3e7f1f0c8a11"
_PAGE = (
    '<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>\n'
    "<title>Error 404 Not Found</title>\n</head>\n<body><h2>HTTP ERROR 404</h2>\n<p>Resource not found</p>\n"
    "</body>\n</html>\n"
)


class HubSpotError(Exception):
    """The server will not do this; `response` is its answer."""

    def __init__(self, response: Response, message: str) -> None:
        self.response = response
        super().__init__(message)


def refusal(status: int, category: str, message: str, **more: Any) -> HubSpotError:
    """An error with a body of the usual form; `more` are further keys of it."""
    body = {"status": "error", "message": message, "correlationId": CORRELATION, "category": category, **more}
    return HubSpotError(json_response(status, {key: value for key, value in body.items() if value}), message)


def invalid(problems: Sequence[tuple[str, str, str]], *, in_context: bool = True) -> HubSpotError:
    """Properties that are refused: (code, property, what is wrong with it)."""
    details = [{"isValid": False, "message": said, "error": code, "name": name} for code, name, said in problems]
    message = f"Property values were not valid: {codec.dumps(details)}"
    named = [{"message": said, "code": code, "context": {"propertyName": [name]}} for code, name, said in problems]
    return refusal(400, "VALIDATION_ERROR", message, errors=named if in_context else None)


def bad_request(message: str) -> HubSpotError:
    """A call that makes no sense."""
    return refusal(400, "VALIDATION_ERROR", message)


def not_found(form: str) -> HubSpotError:
    """HubSpot's own 404: a page for people, known by its header."""
    header = {"X-HubSpot-NotFound": "true"}
    if form == "json":
        body = {"status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND"}
        answer = json_response(404, {**body, "correlationId": CORRELATION})
        return HubSpotError(Response(404, {**answer.headers, **header}, answer.body), "resource not found")
    return HubSpotError(
        Response(404, {"Content-Type": "text/html;charset=iso-8859-1", **header}, _PAGE.encode()), "resource not found"
    )


def no_such_path() -> Response:
    """A 404 of something in front of HubSpot: without its header."""
    return Response(404, {"Content-Type": "text/html"}, b"<html><body>404 page not found</body></html>")


def missing_scopes(scopes: Iterable[str]) -> HubSpotError:
    """The token lacks a right: one of these is needed."""
    message = (
        "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
        "https://developers.hubspot.com/scopes."
    )
    error = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": sorted(scopes)},
    }
    links = {"scopes": "https://developers.hubspot.com/scopes"}
    return refusal(403, "MISSING_SCOPES", message, errors=[error], links=links)


def unauthorized() -> Response:
    """The token is not known."""
    message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
    body = {"status": "error", "message": message, "correlationId": CORRELATION, "category": "INVALID_AUTHENTICATION"}
    return json_response(401, body)


def throttled(policy: str) -> Response:
    """Too many calls: `policy` is TEN_SECONDLY_ROLLING, DAILY or SECONDLY. There is no `Retry-After`."""
    said = {"SECONDLY": "secondly", "DAILY": "daily"}.get(policy, "ten_secondly_rolling")
    body = {"status": "error", "message": f"You have reached your {said} limit.", "errorType": "RATE_LIMIT"}
    return json_response(429, {**body, "correlationId": CORRELATION, "policyName": policy})


def migrating(seconds: int) -> Response:
    """The account is moved to another data centre."""
    answer = json_response(477, {"status": "error", "message": "Migration in progress", "correlationId": CORRELATION})
    return Response(477, {**answer.headers, "Retry-After": str(seconds)}, answer.body)
