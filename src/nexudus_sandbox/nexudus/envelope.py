"""The envelope around every write's answer. Facts from the page "Create CrmOpportunity"."""

from collections.abc import Mapping
from typing import Any

from nexudus_sandbox.wire import Response, json_response


def done(message: str, value: Any, updated_on: str | None, by: str | None) -> Response:
    """A success."""
    return json_response(
        200,
        {
            "Status": 200,
            "Message": message,
            "Value": value,
            "OpenInDialog": False,
            "OpenInWindow": False,
            "RedirectURL": None,
            "JavaScript": None,
            "UpdatedOn": updated_on,
            "UpdatedBy": by,
            "Errors": None,
            "WasSuccessful": True,
        },
    )


def invalid(problems: Mapping[str, str], sent: Mapping[str, Any]) -> Response:
    """400: what is wrong with which property."""
    errors = [
        {"AttemptedValue": sent.get(name), "Message": problem, "PropertyName": name}
        for name, problem in problems.items()
    ]
    message = ", ".join(f"{name}: {problem}" for name, problem in problems.items())
    return json_response(400, {"Message": message, "Value": None, "Errors": errors, "WasSuccessful": False})


def failed(status: int, message: str, *, http_status: int | None = None) -> Response:
    """An envelope that says no without naming a property; the HTTP status may say something else."""
    value = {"Status": status, "Message": message, "Value": None, "Errors": None, "WasSuccessful": False}
    return json_response(http_status or status, value)


def not_found() -> Response:
    """404 as documented: a JSON string."""
    return json_response(404, "Not found")


def broken() -> Response:
    """The generic 500."""
    return json_response(500, {"Message": "An error has occurred."})
