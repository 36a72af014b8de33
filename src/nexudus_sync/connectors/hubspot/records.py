"""What a HubSpot deal says of itself; pure.

A record has the properties of the deal at its top. Beside them are `@id`, `@createdAt`, `@updatedAt`,
the status that its stage stands for, and the ids of its contacts.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from nexudus_sync import addresses
from nexudus_sync.clock import moment
from nexudus_sync.connectors.base import Facts, Party, Record, Row, Stamp

ID, CREATED, UPDATED, STATUS, CONTACTS = "@id", "@createdAt", "@updatedAt", "@status", "@contacts"
STAGE, PIPELINE, CURRENCY, NAME, CLOSE, AMOUNT = (
    "dealstage",
    "pipeline",
    "deal_currency_code",
    "dealname",
    "closedate",
    "amount",
)
MERGED = "hs_merged_object_ids"
STAMP = "hs_lastmodifieddate"
EDITOR = "hs_updated_by_user_id"
USUAL = (NAME, STAGE, PIPELINE, AMOUNT, CLOSE, CURRENCY, "hubspot_owner_id", "closed_lost_reason", MERGED, EDITOR)
"""The properties that are read whatever the mapping names."""
_MOVING = frozenset({UPDATED, STAMP, "createdate", "hs_object_id", MERGED, EDITOR})
HOT = timedelta(seconds=2)
"""How long a second change can hide behind a stamp: the index and the stamp are not written together."""


def lifted(raw: Mapping[str, Any], contacts: Iterable[str], statuses: Mapping[tuple[str, str], str]) -> Record:
    """The record of a deal as the API shows it. `statuses`: (pipeline, stage) → status."""
    properties = {key: value for key, value in (raw.get("properties") or {}).items() if value not in (None, "")}
    record: Record = {
        **properties,
        ID: str(raw["id"]),
        CREATED: raw.get("createdAt"),
        UPDATED: raw.get("updatedAt"),
        CONTACTS: sorted(contacts, key=lambda one: (len(one), one)),
    }
    return with_status(record, statuses)


def with_status(record: Record, statuses: Mapping[tuple[str, str], str]) -> Record:
    """The record with the status that its stage stands for; without a stage it is open."""
    place = (text(record, PIPELINE), text(record, STAGE))
    return {**record, STATUS: statuses.get(place, "open")}


def linked(raw: Mapping[str, Any]) -> list[str]:
    """The ids of the contacts in an answer that was asked for them."""
    found = (raw.get("associations") or {}).get("contacts") or {}
    return list(dict.fromkeys(str(one["id"]) for one in found.get("results") or ()))


def stamp(record: Record, author: str = "") -> Stamp:
    """`updatedAt`, which HubSpot moves by itself as well. `author`: the user who is said to have edited it last."""
    token = str(record.get(UPDATED) or "")
    return Stamp(token, moment(token) if token else None, author=author)


def row(record: Record, now: datetime, author: str, *, lagging: bool) -> Row:
    """A listed deal; `now` is the server's clock."""
    told = stamp(record, author)
    hot = told.at is not None and now - told.at < HOT
    return Row(str(record[ID]), told, record, hot=hot, lagging=lagging)


def content(record: Record) -> Record:
    """What people can change: no stamps, and not the contacts, which are not synced."""
    return {key: value for key, value in record.items() if key not in _MOVING and key != CONTACTS}


def facts(record: Record, party: Party | None, pipeline: str | None, currency: str | None, key: str) -> Facts:
    """What matching needs to know; `party` is its contact, `currency` the one it has if it says none."""
    known = party or Party("", "")
    email = addresses.comparable(known.email)
    return Facts(
        id=text(record, ID),
        created_at=moment(record.get(CREATED)),
        email=email,
        spelled=known.email,
        customer_name=known.name or None,
        company_name=known.company_name,
        company=pipeline,
        currency=(text(record, CURRENCY) or currency or "").upper() or None,
        external_key=text(record, key) or None if key else None,
        party=party if email else None,
        merged=tuple(filter(None, text(record, MERGED).split(";"))),
    )


def text(record: Mapping[str, Any], key: str) -> str:
    """A value as text; "" for none."""
    value = record.get(key)
    return "" if value is None else str(value)
