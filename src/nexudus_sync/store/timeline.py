"""All that happened to one record, from its link, its history, and what waited for people, the newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nexudus_sync.store.ask import Ask, moment, value

MOST = 200
"""Entries of each sort that are looked at."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `what`: "written", "asked", "decided", "failed", "decision".

    `number` is that of the row it comes from, `said` holds the row's own columns that tell more.
    """

    at: datetime
    what: str
    number: int
    said: dict[str, Any]


def of_pair(ask: Ask, connection: str, nexudus_id: str, crm_id: str, link_id: int | None) -> list[Event]:
    """What happened to the pair of these ids; an id is "" for a record without a counterpart."""
    named = {"nexudus_id": nexudus_id, "crm_id": crm_id, "most": MOST, "connection": connection}
    found = [*_written(ask, named), *_asked(ask, named), *_failed(ask, named), *_decisions(ask, named, link_id)]
    return sorted(found, key=lambda event: (event.at, event.number), reverse=True)


_ABOUT = {
    "both": "nexudus_id = :nexudus_id AND crm_id IN (:crm_id, '')",
    "record": "crm_id = :crm_id AND nexudus_id IN (:nexudus_id, '')",
}

_KIN = """(connection = :connection OR connection IN (SELECT other.name FROM connection_state other
JOIN connection_state own ON own.crm = other.crm WHERE own.name = :connection))"""
"""The card may have come from another connection to the same CRM."""


def _rows(ask: Ask, columns: str, table: str, named: dict[str, Any], order: str) -> list[Any]:
    """The rows that name both records, or one of them and no other."""
    found: dict[int, Any] = {}
    for key, about in _ABOUT.items():
        if not named["nexudus_id" if key == "both" else "crm_id"]:
            continue
        sql = f"SELECT {columns} FROM {table} WHERE {about} AND {_KIN} ORDER BY {order} DESC LIMIT :most"  # noqa: S608
        found |= {row[0]: row for row in ask(sql, named)}
    return list(found.values())


def _written(ask: Ask, named: dict[str, Any]) -> Iterator[Event]:
    columns = "id, at, field, old, new, lost, from_side"
    for number, at, field, old, new, lost, from_side in _rows(ask, columns, "history", named, "id"):
        said = {"field": field, "old": value(old), "new": value(new), "lost": value(lost), "from": from_side}
        yield from _event(at, "written", number, said)


def _asked(ask: Ask, named: dict[str, Any]) -> Iterator[Event]:
    columns = "id, opened_at, field, kind, nexudus, crm, take, value, decided_by, decided_at, state"
    for row in _rows(ask, columns, "conflict", named, "id"):
        number, at, field, kind, nexudus, crm, take, third, by, decided, state = row
        said = {"field": field, "kind": kind, "nexudus": value(nexudus), "crm": value(crm), "state": state}
        yield from _event(at, "asked", number, said)
        if take is not None:
            yield from _event(decided, "decided", number, {**said, "take": take, "value": value(third), "by": by or ""})


def _failed(ask: Ask, named: dict[str, Any]) -> Iterator[Event]:
    columns = "id, first_at, last_at, field, kind, reason, attempts, state"
    for number, first, last, field, kind, reason, attempts, state in _rows(ask, columns, "failure", named, "id"):
        said = {
            "field": field,
            "kind": kind,
            "reason": reason,
            "attempts": attempts,
            "state": state,
            "last": moment(last),
        }
        yield from _event(first, "failed", number, said)


def _decisions(ask: Ask, named: dict[str, Any], link_id: int | None) -> Iterator[Event]:
    """What people asked for at the command line or on the page."""
    ids = {named["nexudus_id"], named["crm_id"]} - {""}
    rows = ask(
        "SELECT id, kind, args, asked_at, outcome, asked_by FROM decision WHERE connection = :connection "
        "ORDER BY id DESC LIMIT :most",
        {"connection": named["connection"], "most": 5 * MOST},
    )
    for number, kind, args, asked, outcome, by in list(rows):
        said = value(args)
        about = {str(said.get(key, "")) for key in ("nexudus_id", "crm_id", "record_id")} & ids
        if about or (link_id is not None and said.get("link_id") == link_id):
            yield from _event(asked, "decision", number, {"kind": kind, "outcome": outcome or "", "by": by or ""})


def _event(at: Any, what: str, number: int, said: dict[str, Any]) -> Iterator[Event]:
    happened = moment(at)
    if happened is not None:
        yield Event(happened, what, number, said)


@dataclass(frozen=True, slots=True)
class Write:
    """A write to one side: its kind, its state, and by field what was sent, or would have been."""

    side: str
    kind: str
    state: str
    fields: dict[str, Any]


def last_write(ask: Ask, connection: str, nexudus_id: str, crm_id: str) -> Write | None:
    """The latest write about a pair, or about a record without a counterpart."""
    rows = ask(
        "SELECT side, kind, state, fields FROM journal WHERE connection = :connection "
        "AND nexudus_id = :nexudus_id AND crm_id = :crm_id ORDER BY id DESC LIMIT 1",
        {"connection": connection, "nexudus_id": nexudus_id, "crm_id": crm_id},
    )
    return next((Write(side, kind, state, value(fields) or {}) for side, kind, state, fields in list(rows)), None)
