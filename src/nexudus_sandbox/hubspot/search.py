"""The search: filters, one order, pages by offset, and its limits."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from nexudus_sandbox.hubspot.errors import bad_request
from nexudus_sandbox.hubspot.objects import Values
from nexudus_sandbox.wire import Request

_LONGEST = 3_000
_FARTHEST = 10_000
_GROUPS, _EACH, _FILTERS = 5, 6, 18
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda one, other: one == other,
    "NEQ": lambda one, other: one != other,
    "GT": lambda one, other: one > other,
    "GTE": lambda one, other: one >= other,
    "LT": lambda one, other: one < other,
    "LTE": lambda one, other: one <= other,
}


def search(request: Request, rows: list[tuple[int, Values]], most: int) -> tuple[list[int], int, int | None]:
    """The ids of a page, the total, and where the next page begins. Raises HubSpotError."""
    if len(request.body) > _LONGEST:
        raise bad_request(f"The request body is longer than {_LONGEST} characters")
    body = request.object()
    groups, limit, after = body.get("filterGroups") or [], int(body.get("limit") or 10), int(body.get("after") or 0)
    _check(body, groups, limit, after, most)
    found = [row for row in rows if not groups or any(_fits(row[1], group) for group in groups)]
    found = _ordered(found, body.get("sorts") or [])
    page = [object_id for object_id, _ in found[after : after + limit]]
    return page, len(found), after + limit if after + limit < len(found) else None


def _ordered(rows: list[tuple[int, Values]], sorts: list[Any]) -> list[tuple[int, Values]]:
    found = sorted(rows, key=lambda row: row[0])
    for sort in sorts:
        name, down = (sort, False) if isinstance(sort, str) else (sort["propertyName"], sort["direction"][0] == "D")
        found.sort(key=lambda row: _comparable(row[1].get(name, ""), row[1].get(name, "")), reverse=down)
    return found


def _check(body: dict[str, Any], groups: list[Any], limit: int, after: int, most: int) -> None:
    filters = [one for group in groups for one in group["filters"]]
    too_many = len(groups) > _GROUPS or any(len(group["filters"]) > _EACH for group in groups)
    if too_many or len(filters) > _FILTERS:
        raise bad_request("Too many filters")
    if len(body.get("sorts") or []) > 1:
        raise bad_request("Only one sort is supported")
    if limit > max(most, 1):
        raise bad_request(f"The limit must be at most {most}")
    if after + limit > _FARTHEST:
        raise bad_request(f"Paging beyond {_FARTHEST} results is not supported")


def _fits(values: Values, group: dict[str, Any]) -> bool:
    return all(_matches(values, one) for one in group["filters"])


def _matches(values: Values, one: dict[str, Any]) -> bool:
    name, operator = one["propertyName"], one["operator"]
    said = values.get(name, "")
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return bool(said) is (operator == "HAS_PROPERTY")
    if operator == "IN":
        return said.lower() in one["values"]
    if operator == "CONTAINS_TOKEN":
        return str(one["value"]).strip("*").lower() in said.lower().replace(";", " ").split()
    if not said and operator != "NEQ":
        return False
    return _COMPARE[operator](_comparable(said, said), _comparable(str(one["value"]), said))


def _comparable(text: str, like: str) -> Any:
    """A value in the form in which it is compared with `like`: a moment, a number or text."""
    if len(like) >= 20 and like.endswith("Z") and like[4] == "-":
        if text.isdecimal():
            return (1, int(text))
        return (1, round(datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).timestamp() * 1000))
    if like.isdecimal() and text.isdecimal():
        return (0, int(text))
    return (2, text)
