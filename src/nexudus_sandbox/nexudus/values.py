"""What a field takes: the checks and the forms the server gives what it is sent."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Coerce = Callable[[Any], Any]


def moment(at: datetime) -> str:
    """A moment as the API prints it: whole seconds and a Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def whole(value: Any) -> int:
    """A whole number, also as text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("not a whole number")
    number = int(value)
    if isinstance(value, Decimal) and number != value:
        raise ValueError("not a whole number")
    return number


def money(value: Any) -> Decimal | int:
    """A number, also as text. Raises ValueError."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    try:
        return Decimal(value)
    except (InvalidOperation, TypeError) as error:
        raise ValueError("not a number") from error


def boolean(value: Any) -> bool:
    """True or false, also as text. Raises ValueError."""
    if isinstance(value, bool):
        return value
    try:
        return {"true": True, "false": False}[str(value).lower()]
    except KeyError as error:
        raise ValueError("not true or false") from error


def text(value: Any) -> str:
    """Text. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("not text")
    return value


def date(value: Any) -> str:
    """A date or a moment, kept in UTC; without a zone it is taken for UTC. Raises ValueError."""
    at = datetime.fromisoformat(text(value))
    return moment(at if at.tzinfo else at.replace(tzinfo=UTC))


def anything(value: Any) -> Any:
    """Whatever it is."""
    return value


def member(names: dict[int, str]) -> Coerce:
    """A member of an enum, by its number."""

    def check(value: Any) -> int:
        number = whole(value)
        if number not in names:
            raise ValueError("not a member")
        return number

    return check
