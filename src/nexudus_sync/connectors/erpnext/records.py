"""What an ERPNext opportunity says of itself; pure. Facts from erpnext (crm/doctype/opportunity)."""

from collections.abc import Iterable
from datetime import datetime

from nexudus_sync.connectors.base import Facts, Hold, Party, Record, Row, Scope, Stamp
from nexudus_sync.connectors.customers import customer_of
from nexudus_sync.connectors.erpnext import stamps
from nexudus_sync.connectors.erpnext.site import Site
from nexudus_sync.errors import storable
from nexudus_sync.mapping.markup import plain

FIELDS = (
    "name",
    "creation",
    "modified",
    "modified_by",
    "owner",
    "company",
    "opportunity_from",
    "party_name",
    "customer_name",
    "contact_email",
    "title",
    "status",
    "sales_stage",
    "order_lost_reason",
    "opportunity_amount",
    "currency",
    "probability",
    "expected_closing",
    "opportunity_owner",
)
"""What every listed opportunity carries beside `Site.listed`: what the shipped mapping names, and what matching needs.

A rename of a linked document (a stage, a source) changes the opportunity without moving `modified`: only what is listed
shows it.
"""
_STAMPS = frozenset({"modified", "modified_by"})
SHORT = frozenset({"title", "contact_email", "utm_source", "utm_medium", "utm_campaign", "utm_content"})
"""The keys that ERPNext keeps in a Data field."""
SHORT_TEXT = 140
"""Characters that a Data field holds."""


def seen(document: Record, site: Site) -> Record:
    """A document as the mapping file sees it, whatever the version: version 15's fields under their later names too."""
    return document | {key: document.get(own) for key, own in site.own.items()}


def stamp(record: Record, site: Site, now: datetime) -> Stamp:
    """`modified`, to the microsecond: no two states share one. `now` is by the server's clock."""
    raw = record.get("modified")
    author = text(record, "modified_by")
    own = author.casefold() == site.user.casefold()
    return Stamp(storable(text(record, "modified")), stamps.moment(raw, site.zone, now), own, author=storable(author))


def row(document: Record, site: Site, now: datetime) -> Row:
    """A line of a scan."""
    record = seen(document, site)
    return Row(str(record["name"]), stamp(record, site, now), record)


def in_scope(record: Record, scope: Scope) -> bool:
    """Does its company match, in any case as the site itself compares? A scope without a company takes all."""
    return scope.company is None or text(record, "company").casefold() == scope.company.strip().casefold()


def content(record: Record) -> Record:
    """The record without its stamps: every save moves them, also one that changes nothing."""
    return {key: value for key, value in record.items() if key not in _STAMPS}


def facts(record: Record, site: Site, party: Party | None, now: datetime) -> Facts:
    """What matching needs; `party` is the lead or customer it names, if that is known.

    Names are reused after a deletion, so `creation` tells two records of one name apart.
    """
    customer = customer_of(said(record, "contact_email"), said(record, "customer_name"), party)
    return Facts(
        id=text(record, "name"),
        identity=text(record, "creation"),
        created_at=stamps.moment(record.get("creation"), site.zone, now),
        email=customer.email,
        spelled=customer.spelled,
        customer_name=customer.name,
        company_name=customer.company_name,
        company=text(record, "company") or None,
        currency=text(record, "currency").upper() or None,
        external_key=text(record, site.key_field) or None if site.key_field else None,
        party=customer.party(text(record, "opportunity_from") or "Lead", text(record, "party_name")),
    )


def refusals(before: Record | None, after: Record, site: Site) -> list[Hold]:
    """What the site would drop without a word, or refuse together with all the rest of the record."""
    changed = {key for key, value in after.items() if value != (before or {}).get(key)}
    return [*_without_place(changed & site.lacks), *_too_long(changed & SHORT, after)]


def _without_place(keys: Iterable[str]) -> Iterable[Hold]:
    for key in sorted(keys):
        reason = f'this ERPNext has no {key} (version 16 has it): set sync = "off" for it in the mapping file'
        yield Hold("no-such-field", reason, key=key)


def _too_long(keys: Iterable[str], after: Record) -> Iterable[Hold]:
    for key in sorted(keys):
        length = len(text(after, key))
        if length > SHORT_TEXT:
            reason = f"ERPNext takes {SHORT_TEXT} characters in {key}, this has {length}: shorten it in Nexudus"
            yield Hold("too-long", reason, key=key)


def said(record: Record, key: str) -> str:
    """A text as people see it: the site keeps what looks like HTML escaped."""
    return plain(text(record, key))


def text(record: Record, key: str) -> str:
    """A value as trimmed text; "" for a blank."""
    value = record.get(key)
    return "" if value is None else str(value).strip()
