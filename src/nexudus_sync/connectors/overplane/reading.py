"""What an Overplane opportunity says about itself; pure. Facts from the page "The Opportunity object"."""

from datetime import datetime, timedelta

from nexudus_sync import clock
from nexudus_sync.connectors.base import Facts, Party, Record, Row, Scope, Stamp
from nexudus_sync.connectors.customers import customer_of
from nexudus_sync.connectors.overplane.moments import moment, squeeze
from nexudus_sync.connectors.overplane.steps import CHILDREN
from nexudus_sync.errors import storable

_NO_CONTENT = frozenset({"updated_at", "first_response_time", CHILDREN})
"""`first_response_time` is counted by the server; child rows are not in a listed record."""
_NOW = timedelta(seconds=2)
"""A stamp has whole seconds, and so has the `Date` header that the server's clock is known by."""


def stamp(record: Record) -> Stamp:
    """`updated_at`, the only thing that moves with an edit; nobody is named as its author."""
    text = squeeze(record.get("updated_at"))
    return Stamp(storable(text), clock.moment(text))


def row(record: Record, server_time: datetime) -> Row:
    """The line of a scan whose call was made at `server_time`, by the server's clock."""
    mark = stamp(record)
    return Row(str(record["id"]), mark, record, hot=mark.at is not None and mark.at > server_time - _NOW)


def in_scope(record: Record, scope: Scope) -> bool:
    """Does its company match? A scope without a company takes all."""
    return scope.company is None or text(record, "company") == scope.company.strip()


def content(record: Record) -> Record:
    """The record without what changes by itself."""
    shown = record.copy()  # leaving out is much quicker than picking, and each row of each poll comes here
    for key in _NO_CONTENT:
        shown.pop(key, None)
    return shown


def facts(record: Record, party: Party | None) -> Facts:
    """What matching needs; `party` is the customer, lead or prospect it names, if that is known.

    The opportunity's own contact comes before its party's.
    """
    customer = customer_of(text(record, "contact_email"), text(record, "customer_name"), party)
    return Facts(
        id=str(record["id"]) if record.get("id") else "",
        created_at=moment(record.get("created_at")),
        email=customer.email,
        spelled=customer.spelled,
        customer_name=customer.name,
        company_name=customer.company_name,
        company=text(record, "company") or None,
        currency=text(record, "currency").upper() or None,
        party=customer.party(text(record, "opportunity_from") or "Lead", text(record, "party_name")),
    )


def text(record: Record, key: str) -> str:
    """A value as trimmed text; "" for a blank."""
    value = record.get(key)
    return "" if value is None else str(value).strip()
