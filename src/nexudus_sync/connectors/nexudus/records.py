"""What the engine asks of an opportunity's record, whole or as a list row carries it. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from nexudus_sync import addresses
from nexudus_sync.connectors.base import Facts, Record, Row, Scope, Stamp
from nexudus_sync.connectors.nexudus import filters, moments
from nexudus_sync.errors import storable

BOARD = "CrmBoardColumnCrmBoardId"
BUSINESS = "CrmBoardColumnCrmBoardBusinessId"
CURRENCY = "CrmBoardColumnCrmBoardBusinessCurrencyCode"
NOT_LISTED = frozenset(
    {"TeamId", "Notes", "Value", "Reminded", "LeadSource", "LossReason", "Position"}
    | {"UtmSource", "UtmMedium", "UtmCampaign", "UtmContent", "UtmTerm"}
)
"""The keys that list rows leave out (page "Search CrmOpportunities")."""

_NO_CONTENT = NOT_LISTED | {"UpdatedOn", "UpdatedBy", "CrmUpdatedOn", "IsNew"}
_SYSTEM = "[System]"
_STILL_NOW = timedelta(seconds=2)

_REFERENCES = frozenset(
    {"CoworkerId", "TeamId", "OpportunityTypeId", "ResponsibleId", "ReferrerId", "AgentId", "CrmBoardColumnId"}
)
"""Keys of a card that name another record by its number."""
_WHOLE = re.compile(r"(-?\d+(\.0+)?)?")
_SCALARS = frozenset(
    {"Name", "Status", "LossReason", "Completed", "Value", "DueDate", "Notes", "Position", "LeadSource"}
)


def stamp(record: Record, login: str) -> Stamp:
    """`UpdatedOn` with `UpdatedBy`; own when the latter is the login the sync works under, minor when it is nobody."""
    at, author = moments.parse(record.get("UpdatedOn")), str(record.get("UpdatedBy") or "")
    told = at.isoformat() if at else str(record.get("UpdatedOn") or "")
    return Stamp(storable(f"{told}|{author}"), at, is_login(author, login), author == _SYSTEM, storable(author))


def is_login(author: object, login: str) -> bool:
    """Does `UpdatedBy` name the login?"""
    return str(author or "").strip().casefold() == login.strip().casefold()


def row(record: Record, login: str, read_at: datetime) -> Row:
    """One line of a scan. `read_at`: when it was asked for, by the server's clock, whose stamps have whole seconds."""
    mark = stamp(record, login)
    hot = not mark.own and mark.at is not None and mark.at >= read_at - _STILL_NOW
    return Row(str(record["Id"]), mark, record, hot=hot, minor=mark.minor)


def facts(record: Record) -> Facts:
    """What matching needs to know. After a restore Nexudus reuses ids: `UniqueId` tells the cards of one id apart."""
    spelled = text(record, "CoworkerEmail") or ""
    return Facts(
        id=str(record.get("Id") or ""),
        identity=(text(record, "UniqueId") or "").lower(),
        created_at=moments.parse(record.get("CreatedOn")),
        email=addresses.comparable(spelled),
        spelled=spelled,
        customer_name=text(record, "CoworkerFullName"),
        company_name=text(record, "CoworkerCompanyName"),
        currency=text(record, CURRENCY),
        external_key=text(record, "SystemId"),
    )


def digest_view(record: Record) -> Record:
    """The content that rows carry: the same for a row and for the whole record it belongs to; blanks are left out."""
    return {key: value for key, value in record.items() if key not in _NO_CONTENT and value is not None}


def scope_filter(scope: Scope) -> Mapping[str, filters.Value]:
    """The equality filter that selects a scope's cards."""
    if scope.board_id is not None:
        return {"CrmOpportunity_CrmBoardColumn_CrmBoard_Id": scope.board_id}
    return {"CrmOpportunity_CrmBoardColumn_CrmBoard_Business_Id": scope.business_id or 0}


def since_filter(cursor: str, overlap: float) -> Mapping[str, filters.Value]:
    """The lower bound alone: an upper one would let an edit move a row out of the pages still to be read."""
    return {"from_CrmOpportunity_UpdatedOn": datetime.fromisoformat(cursor) - timedelta(seconds=overlap)}


def next_cursor(cursor: str | None, started: datetime, lag: float) -> str:
    """Where the next scan begins: the server's time when this one started, less the lag, and never backwards."""
    reached = started - timedelta(seconds=lag)
    before = None if cursor is None else datetime.fromisoformat(cursor)
    if before is not None and before <= started:  # one that is ahead was set under a wrong clock
        reached = max(reached, before)
    return reached.isoformat()


def text(record: Record, key: str) -> str | None:
    """A value as trimmed text; None for a blank, and for anything but text."""
    value = record.get(key)
    return value.strip() or None if isinstance(value, str) else None


def odd_value(record: Record) -> str:
    """The first value on a card that its key cannot have, mapped or not; "" when all are possible.

    A PUT sends the whole card: a broken value from the server would be written back for good.
    """
    for key, value in record.items():
        if key in _REFERENCES:
            fits = value is None or (not isinstance(value, bool) and _WHOLE.fullmatch(str(value)) is not None)
        else:
            fits = not (isinstance(value, list | dict) and (key in _SCALARS or key.endswith("Id")))
        if not fits:
            return f"{key} {value!r}"[:80]
    return ""
