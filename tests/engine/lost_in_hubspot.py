"""Edits that fall between the sync's GET of a deal and its PATCH, and the questions that show them."""

import json
from collections.abc import Callable
from typing import Any

from nexudus_sandbox.wire import Request, Response
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict
from small_office import TOM, SmallOffice


def in_the_gap(office: SmallOffice, deal: str, *edits: Callable[[], object]) -> None:
    """Once, right after the sync has read the deal by its id, people edit it."""
    armed = [True]

    def edit(request: Request, _: Response) -> None:
        if armed and request.method == "GET" and request.path.endswith(f"/deals/{deal}"):
            armed.clear()
            for one in edits:
                one()
                office.clock.turn(0.01)

    office.deals.watchers.append(edit)


def lost(office: SmallOffice, deal: str, theirs: dict[str, Any]) -> Callable[[], object]:
    return lambda: office.deals.edit(deal, TOM, **theirs)


def asked_about_histories(office: SmallOffice, since: int = 0) -> list[int]:
    """How many deals each of the calls that asked for histories was about."""
    asked = [one for one in office.deals.log[since:] if b'propertiesWithHistory":["' in one.body]
    return [len(json.loads(one.body)["inputs"]) for one in asked]


def questions(office: SmallOffice) -> list[tuple[str, Any, Any]]:
    """Of each open question: the field, what Nexudus says, and what was lost in HubSpot."""
    found = office.rows(Conflict, state="open")
    assert all(one.kind == "overwritten" and one.side == "crm" for one in found)
    return [(one.field, one.nexudus, one.crm) for one in found]


def answer(office: SmallOffice, take: Side) -> None:
    with office.engine.store.session() as session:
        for one in office.rows(Conflict, state="open"):
            one.state, one.take, one.decided_by = "resolved", take.value, "sofia"
            session.add(one)


def owner(office: SmallOffice, email: str) -> str:
    return str(office.deals.account.owner_of(email))


def user(office: SmallOffice, email: str) -> int:
    return next(key for key, one in office.cards.directory.users.items() if one["Email"] == email)
