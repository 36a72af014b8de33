"""The page's words: fields, values, kinds and times as people say them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from nexudus_sync.mapping.sides import Side

_FIELDS = {
    "opportunity_amount": "Amount",
    "sales_stage": "Stage",
    "opportunity_owner": "Owner",
    "expected_closing": "Expected closing",
    "lost_reasons": "Lost reason",
    "order_lost_reason": "Lost reason in words",
    "record": "Whole record",
    "contact_email": "E-mail",
    "contact_mobile": "Mobile number",
    "party_name": "Customer",
    "customer_name": "Customer's name",
    "no_of_employees": "Employees",
}
KINDS = {
    "field": "Both sides changed it",
    "overwritten": "Overwritten unseen",
    "match": "Which record belongs to it",
    "deleted": "Deleted on one side",
    "another-record": "Another record answers",
    "unmapped": "No word for it on the other side",
    "currency": "Two currencies",
    "no-email": "No e-mail address",
    "refused": "The system said no",
    "unavailable": "The system did not answer",
    "unreadable": "Cannot be read",
    "unstable": "Does not stay as written",
    "stored-differently": "Kept in another spelling",
    "stage-acts": "The stage acts on the customer",
    "stage-contradicts": "The stage says otherwise than the status",
    "limit": "A limit is used up",
    "role": "The login lacks a right",
    "unexpected": "A fault of this program",
}
"""What a conflict or failure is about, by its kind."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SUGGESTED = re.compile(
    r"[Aa]dd it there, or to (?P<file>[^:]+): (?P<table>\S+) a line like (?P<line>.+?)"
    r"(?:; a person has to choose(?:: it has (?P<names>.+))?)?$"
)


def field_word(name: str) -> str:
    """A canonical field's name for people: "Amount" for opportunity_amount."""
    return _FIELDS.get(name) or name.replace("utm_", "UTM ").replace("_", " ").capitalize().replace("Utm", "UTM")


def kind_word(kind: str) -> str:
    """A kind of conflict or failure for people."""
    return KINDS.get(kind) or kind.replace("-", " ").capitalize()


def value_word(value: Any, field: str = "") -> str:
    """A canonical value as people write it: 9,000.00; 18 May 2027; yes; "nothing" for a blank."""
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(value_word, value))
    if isinstance(value, dict):
        return "; ".join(f"{field_word(str(name))}: {value_word(one, str(name))}" for name, one in value.items())
    if field.endswith("amount") or not isinstance(value, str):
        return _number(value)
    return _text(value)


def _text(text: str) -> str:
    """A day or a moment in words; any other text is its own word."""
    if _DAY.fullmatch(text):
        return day_word(date.fromisoformat(text))
    if _MOMENT.fullmatch(text):
        return f"{day_word(date.fromisoformat(text[:10]))}, {text[11:16]} UTC"
    return text


def _number(value: Any) -> str:
    try:
        return f"{Decimal(value):,f}"
    except (ArithmeticError, TypeError, ValueError):
        return str(value)


def day_word(day: date) -> str:
    """18 May 2027."""
    return f"{day.day} {day:%b %Y}"


@dataclass(frozen=True, slots=True)
class Times:
    """How moments are written: relative to `now`, and in `zone` where they are exact."""

    now: datetime
    zone: tzinfo | None = UTC
    """None is the machine's own zone."""

    def ago(self, moment: datetime) -> str:
        """How long ago, or in how long, a moment is; a day where that is long."""
        seconds = round((self.now - moment).total_seconds())
        if abs(seconds) >= 4 * 86400:
            local = moment.astimezone(self.zone)
            return f"{local.day} {local:%b}" if local.year == self.now.astimezone(self.zone).year else day_word(local)
        said = span_word(timedelta(seconds=abs(seconds)))
        return f"in {said}" if seconds < 0 else f"{said} ago"

    def exact(self, moment: datetime) -> str:
        """Thu 26 Nov 2026, 14:14:02 GMT."""
        local = moment.astimezone(self.zone)
        return f"{local:%a} {day_word(local)}, {local:%H:%M:%S %Z}"

    def clock(self, moment: datetime) -> str:
        """Day and time, for where the order matters: 20 Nov 2026, 16:40."""
        local, today = moment.astimezone(self.zone), self.now.astimezone(self.zone).date()
        day = "today" if local.date() == today else day_word(local)
        return f"{day}, {local:%H:%M}"

    @property
    def zone_word(self) -> str:
        """The zone's name."""
        return self.now.astimezone(self.zone).tzname() or "UTC"


def span_word(span: timedelta) -> str:
    """A length of time: 19 s, 23 min, 3 h, 2 days."""
    seconds = int(span.total_seconds())
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 36 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"


@dataclass(frozen=True, slots=True)
class Reason:
    """A failure's reason, taken apart: what is wrong, what to do, and the line of a mapping file that would help."""

    problem: str
    remedy: str = ""
    file: str = ""
    table: str = ""
    line: str = ""
    names: str = ""
    """The names that the other side has, where a person has to choose one of them."""


def reason_of(text: str, crm: str = "the CRM") -> Reason:
    """What a stored reason says; reasons have the form "problem; remedy". `crm` is how the CRM is called."""
    problem, _, remedy = re.sub(r"\bthe CRM\b", lambda _: crm, text).partition("; ")
    problem, remedy = problem[:1].upper() + problem[1:], remedy[:1].upper() + remedy[1:]
    found = _SUGGESTED.search(remedy)
    if found is None:
        return Reason(problem, remedy)
    problem = re.sub(r" for \S+$", "", problem)
    return Reason(problem, "", found["file"], found["table"], found["line"], found["names"] or "")


def side_of(value: str) -> Side | None:
    """The side of that name, None for any other text."""
    return Side(value) if value in {side.value for side in Side} else None
