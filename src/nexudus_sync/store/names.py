"""What people know records by: the title and customer of a pair, or of a record without a counterpart."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from nexudus_sync.store.ask import Ask, one_of

_AT_ONCE = 200
"""Pairs that one statement asks about: each needs a parameter, and databases limit those."""

About = tuple[str, str, str]
"""A connection, and the ids of both records, Nexudus's first; "" where there is none."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a pair goes by. Who last changed each record is as its system names them, "" where it does not tell."""

    title: str = ""
    customer: str = ""
    nexudus_changed_by: str = ""
    crm_changed_by: str = ""


class OfRecords(Protocol):
    """A row about a pair of records, or about one without a counterpart."""

    @property
    def connection(self) -> str:
        """The connection's name."""

    @property
    def nexudus_id(self) -> str:
        """The card's id, "" for none."""

    @property
    def crm_id(self) -> str:
        """The CRM's id, "" for none."""


def about(row: OfRecords) -> About:
    """What a row is about, as `names` asks for it."""
    return row.connection, row.nexudus_id, row.crm_id


_KIN = "SELECT name, crm FROM connection_state WHERE crm IN (SELECT crm FROM connection_state WHERE {})"
_CRMS = "SELECT DISTINCT connection, crm FROM link WHERE {}"
_LINKS = """
SELECT nexudus_id, crm_id, crm, title, customer, nexudus_changed_by, crm_changed_by FROM link
WHERE {} AND {} ORDER BY id
"""
_ALONE = """
SELECT side, record_id, connection, title, customer, email FROM unlinked
WHERE {} AND {}
"""
# Both indexes begin with what the first condition names: without it, every one of the long rows is looked at.


class _Kin:
    """Which CRM each connection is to: a pair is called alike in all connections to one CRM, and in no other."""

    def __init__(self, ask: Ask, connections: Collection[str]) -> None:
        mine, named = one_of("name", sorted(connections))
        known = {str(name): str(crm) for name, crm in ask(_KIN.format(mine), named)}
        if missing := set(connections) - known.keys():
            mine, named = one_of("connection", sorted(missing))
            known |= {str(name): str(crm) for name, crm in ask(_CRMS.format(mine), named)}
        self.crm_of = {name: known.get(name, "") for name in connections}
        self.connections = known | self.crm_of


def names(ask: Ask, asked: Iterable[About]) -> dict[About, Name]:
    """The names of these pairs, and of records alone; without those that no cycle has named yet."""
    wanted = sorted(set(asked))
    kin, found, left = _Kin(ask, {one[0] for one in wanted}), dict[About, Name](), iter(wanted)
    while part := list(islice(left, _AT_ONCE)):
        whole = [one for one in part if all(one[1:])]
        found |= _of_links(ask, kin, whole)
        found |= _alone(ask, kin, [one for one in part if not all(one[1:])])
    return found


def _of_links(ask: Ask, kin: _Kin, asked: Collection[About]) -> dict[About, Name]:
    if not asked:
        return {}
    rows = _linked(ask, kin, "nexudus", {nexudus_id for _, nexudus_id, _ in asked})
    called = {
        (row[2], row[0], row[1]): Name(*row[3:]) for row in rows
    }  # the newest of a pair comes last, and so counts
    keys = {one: (kin.crm_of[one[0]], *one[1:]) for one in asked}
    return {one: called[key] for one, key in keys.items() if key in called}


def _alone(ask: Ask, kin: _Kin, asked: Collection[About]) -> dict[About, Name]:
    """The names of records with an id on one side only, whether or not they have got a counterpart since."""
    found = dict[About, Name]()
    for at, side in ((1, "nexudus"), (2, "crm")):
        ids = {one[at] for one in asked if one[at]}
        called = _of_side(ask, kin, side, ids) if ids else {}
        keys = {one: (kin.crm_of[one[0]], one[at]) for one in asked if one[at]}
        found |= {one: called[key] for one, key in keys.items() if key in called}
    return found


def _of_side(ask: Ask, kin: _Kin, side: str, ids: Collection[str]) -> dict[tuple[str, str], Name]:
    """By CRM and id."""
    at = 0 if side == "nexudus" else 1
    found = {(row[2], row[at]): Name(*row[3:]) for row in _linked(ask, kin, side, ids)}
    (mine, connections), (these, records) = (
        one_of("connection", sorted(kin.connections)),
        one_of("record_id", sorted(ids)),
    )
    rows = ask(_ALONE.format(mine, f"side = '{side}' AND {these}"), {**connections, **records})
    for _, record, connection, title, customer, email in rows:
        found[kin.connections[connection], record] = Name(title or "", customer or email or "")
    return found


def _linked(ask: Ask, kin: _Kin, side: str, ids: Collection[str]) -> Iterator[Any]:
    (mine, crms), (these, records) = one_of("crm", sorted(set(kin.crm_of.values()))), one_of(f"{side}_id", sorted(ids))
    return ask(_LINKS.format(mine, these), {**crms, **records})
