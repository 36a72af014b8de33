"""The write calls that a change takes, as the journal keeps them. Pure.

A card is created in its board's first stage as in progress and moved from there: creating one in a later stage was
answered with 500. `WonOn` and `LostOn` are the server's.
"""

from nexudus_sync.connectors.base import Draft, Party, Record, Scope, Step
from nexudus_sync.connectors.nexudus.directory import Board
from nexudus_sync.errors import Refused

CREATE, UPDATE, DELETE = "opportunity.create", "opportunity.update", "opportunity.delete"
PARTY = "party.create"

IN_PROGRESS = 1
"""The `Status` of a card that is neither won nor lost."""

_CLOSED = (2, 3)
_LATER = frozenset({"CrmBoardColumnId", "Status", "Completed", "WonOn", "LostOn"})
_OF_THE_CLOSED = frozenset({"LossReason"})


def create(system: str, draft: Draft, board: Board | None, *, with_key: bool) -> Step:
    """The step that creates the draft in the first stage of `board`. `with_key`: `SystemId` is a place for the key.

    Raises Refused when there is no such stage or no customer.
    """
    if board is None or not board.stages:
        raise Refused(system, "no board to create the opportunity in; set create_board to a board with stages")
    if not draft.party.id.isdigit():
        raise Refused(system, "the opportunity has no customer; Nexudus requires one", keys=frozenset({"CoworkerId"}))
    status = draft.record.get("Status") or IN_PROGRESS
    held_back = _LATER if status == IN_PROGRESS else _LATER | _OF_THE_CLOSED
    body: Record = {key: value for key, value in draft.record.items() if key not in held_back}
    body |= {
        "CrmBoardColumnId": board.stages[0].id,
        "CoworkerId": int(draft.party.id),
        "Status": IN_PROGRESS,
        "Position": 1,
    }
    if with_key:
        body["SystemId"] = draft.key
    said = frozenset(key for key, value in draft.record.items() if key in body and body[key] == value)
    return Step(CREATE, {"body": body, "business_id": board.business_id}, keys=said, verify=True)


def update(before: Record, after: Record, stamp: str) -> list[Step]:
    """The one step that turns `before`, read at `stamp`, into `after`; none when they are equal.

    A key that `after` lacks stays as it is.
    """
    changes = {key: value for key, value in after.items() if key not in before or before[key] != value}
    if not changes:
        return []
    keys = frozenset(changes)
    if "Status" in changes and "Completed" not in changes:
        changes["Completed"] = changes["Status"] in _CLOSED
    payload = {"changes": changes, "stamp": stamp}
    acts = bool(keys & {"Status", "CrmBoardColumnId"})
    return [Step(UPDATE, payload, keys=keys, record_id=str(before["Id"]), verify=acts)]


def delete(record_id: str) -> Step:
    """The step that deletes an opportunity."""
    return Step(DELETE, {"id": record_id}, record_id=record_id)


def party(system: str, person: Party, business_id: int | None, scope: Scope) -> Step:
    """The step that creates a customer in a location. Raises Refused without an e-mail, a name or a location."""
    if not person.email:
        raise Refused(system, "a customer cannot be created without an e-mail", keys=frozenset({"Email"}))
    if business_id is None:
        raise Refused(system, f"the location of board {scope.board_id} is not known; check board_id")
    body = {
        "Email": person.email,
        "FullName": person.name or person.company_name or person.email,
        "CompanyName": person.company_name,
    }
    return Step(PARTY, {"body": body, "business_id": business_id}, keys=frozenset(body))
