"""Looking for a text in the rows of a list: in the titles and customers of their records, in ids and in values."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.ask import Ask, one_of
from nexudus_sync.store.only import literal, named_by

_LIKE = "lower({}) LIKE lower(:like) ESCAPE '!'"


def like(text: str) -> dict[str, str]:
    """The parameters of the condition for this text."""
    return {"like": f"%{literal(text)}%", "text": text}


FEW = 50
"""Connections of a fleet that are worth naming: of more, most of the links are looked through anyway."""


def condition(columns: Iterable[str], connections: Collection[str] = ()) -> str:
    """The condition on a row `i` that it, or its record, names the text.

    The records' names are looked through once for all rows, not for each. In values, case counts where the database
    says so: `lower` would take four times as long. `connections`: those that the row may be of, which the statement
    names as `one_of("connection", …)` does; a few of a fleet's are looked through and no others.
    """
    said = " OR ".join(_LIKE.format(name) for name in ("title", "customer"))
    links, mine = "", ""
    if 0 < len(connections) <= FEW and all("/" in name for name in connections):
        named, _ = one_of("connection", connections)
        links = f"crm IN (SELECT crm FROM connection_state WHERE {named.replace('connection IN', 'name IN', 1)})"  # noqa: S608
        mine = f"{named} AND "
    linked = f"(i.connection, i.nexudus_id) IN ({named_by('nexudus_id', said, links)})"
    alone = f"(SELECT connection, record_id FROM unlinked WHERE {mine}side = '{{}}' AND ({said}))"  # noqa: S608
    card = f"(i.connection, i.nexudus_id) IN {alone.format('nexudus')}"
    record = f"(i.nexudus_id = '' AND (i.connection, i.crm_id) IN {alone.format('crm')})"
    values = [f"{column} LIKE :like ESCAPE '!'" for column in columns]
    return f"({' OR '.join([*values, 'i.nexudus_id = :text', 'i.crm_id = :text', linked, card, record])})"


@dataclass(frozen=True, slots=True)
class Found:
    """A record that a search found; an id is "" where it has no counterpart. `state` is its link's, or its own."""

    connection: str
    nexudus_id: str
    crm_id: str
    title: str
    customer: str
    state: str


def records(ask: Ask, connections: tuple[str, ...], text: str, most: int) -> list[Found]:
    """The records of these connections with this text in their title or customer, or with this id."""
    mine, names = one_of("connection", connections)
    said = " OR ".join(_LIKE.format(name) for name in ("title", "customer"))
    linked = (
        "SELECT connection, nexudus_id, crm_id, title, customer, state FROM link "  # noqa: S608
        f"WHERE {mine} AND (nexudus_id = :text OR crm_id = :text OR {said}) ORDER BY state, id DESC LIMIT :most"
    )
    alone = (
        "SELECT connection, side, record_id, title, customer, state FROM unlinked "  # noqa: S608
        f"WHERE {mine} AND (record_id = :text OR {said}) ORDER BY record_id LIMIT :most"
    )
    values = {**names, **like(text), "most": most}
    found = [Found(*map(str, row)) for row in ask(linked, values)]
    for connection, side, record_id, title, customer, state in list(ask(alone, values)):
        ids = (record_id, "") if side == Side.NEXUDUS else ("", record_id)
        found.append(Found(connection, ids[0], ids[1], title or "", customer or "", state))
    return found[:most]
