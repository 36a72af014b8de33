"""What people know records by: the title and customer of a pair, or of a record without a counterpart."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

from nexudus_sync.store.ask import Ask

_AT_ONCE = 200
"""Pairs that one statement asks about: each needs a parameter, and databases limit those."""

Pair = tuple[str, str]
"""The ids of both records, Nexudus's first; "" where there is none."""


@dataclass(frozen=True, slots=True)
class Name:
    """What a pair goes by. Who last changed each record is as its system names them, "" where it does not tell."""

    title: str = ""
    customer: str = ""
    nexudus_changed_by: str = ""
    crm_changed_by: str = ""


_LINKS = """
SELECT nexudus_id, crm_id, title, customer, nexudus_changed_by, crm_changed_by FROM link
WHERE crm IN (SELECT DISTINCT crm FROM link) AND {} ORDER BY id
"""
_ALONE = """
SELECT side, record_id, title, customer, email FROM unlinked
WHERE connection IN (SELECT DISTINCT connection FROM unlinked) AND {}
"""
# Both indexes begin with what the first condition names: without it, every one of the long rows is looked at.


def names(ask: Ask, pairs: Iterable[Pair]) -> dict[Pair, Name]:
    """The names of these pairs, and of records alone; without those that no cycle has named yet."""
    found, left = dict[Pair, Name](), iter(sorted(set(pairs)))
    while part := list(islice(left, _AT_ONCE)):
        whole = [pair for pair in part if all(pair)]
        found |= _of_links(ask, whole)
        found |= _alone(ask, [pair for pair in part if not all(pair)])
    return found


def _of_links(ask: Ask, pairs: Collection[Pair]) -> dict[Pair, Name]:
    if not pairs:
        return {}
    wanted, marks, named = set(pairs), *_marked({nexudus_id for nexudus_id, _ in pairs})
    rows = ask(_LINKS.format(f"nexudus_id IN ({marks})"), named)  # the newest of a pair comes last, and so counts
    return {(row[0], row[1]): Name(*row[2:]) for row in rows if (row[0], row[1]) in wanted}


def _alone(ask: Ask, pairs: Collection[Pair]) -> dict[Pair, Name]:
    """The names of records with an id on one side only, whether or not they have got a counterpart since."""
    nexudus = {nexudus_id for nexudus_id, _ in pairs if nexudus_id}
    crm = {crm_id for _, crm_id in pairs if crm_id}
    found = {(record, ""): name for record, name in _of_side(ask, "nexudus", nexudus).items()}
    return found | {("", record): name for record, name in _of_side(ask, "crm", crm).items()}


def _of_side(ask: Ask, side: str, ids: Collection[str]) -> dict[str, Name]:
    if not ids:
        return {}
    (marks, named), at = _marked(ids), 0 if side == "nexudus" else 1
    found = {row[at]: Name(*row[2:]) for row in ask(_LINKS.format(f"{side}_id IN ({marks})"), named)}
    alone = ask(_ALONE.format(f"side = '{side}' AND record_id IN ({marks})"), named)
    return found | {record: Name(title or "", customer or email or "") for _, record, title, customer, email in alone}


def _marked(ids: Collection[str]) -> tuple[str, dict[str, str]]:
    """The placeholders of an IN, and their values."""
    named = {f"i{number}": record for number, record in enumerate(sorted(ids))}
    return ", ".join(f":{name}" for name in named), named
