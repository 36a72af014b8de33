"""Which rows of a list are wanted: by field, kind, age, or any text of the row or its record's name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nexudus_sync.store.ask import stored

Where = tuple[list[str], dict[str, Any]]
"""Conditions that all have to hold, and the values in them."""


def named_by(column: str, said: str, within: str = "") -> str:
    """Of the links of which that is true: each connection to the link's CRM, with an id of the link.

    What is true is asked first and by itself: an index has all that it takes, and the rows are long. `within` narrows
    the links down before that.
    """
    said = f"{within} AND ({said})" if within else said
    return (
        f"SELECT kin.name, found.{column} FROM link found JOIN connection_state kin ON kin.crm = found.crm "  # noqa: S608
        f"WHERE found.id IN (SELECT id FROM link WHERE {said})"
    )


_LIKE = "(lower({0}) LIKE lower(:text) ESCAPE '!' OR lower({0}) LIKE :small ESCAPE '!')"
# SQLite's `lower` knows ASCII only: "É" stays as it is in a row, and has to in what is looked for
_CALLED = f"({_LIKE.format('title')} OR {_LIKE.format('customer')})"
_NAMED = f"""
(connection, nexudus_id) IN ({named_by("nexudus_id", _CALLED)})
OR (connection, crm_id) IN ({named_by("crm_id", _CALLED)})
OR (connection, nexudus_id) IN (SELECT connection, record_id FROM unlinked WHERE side = 'nexudus' AND {_CALLED})
OR (connection, crm_id) IN (SELECT connection, record_id FROM unlinked WHERE side = 'crm' AND {_CALLED})
"""  # noqa: S608 - none of it is from outside; and each of these is asked once, not once a row


@dataclass(frozen=True, slots=True)
class Only:
    """What is asked for; None: anything. `text` may be part of a value, an id, a title or a customer, in any case."""

    field: str | None = None
    kind: str | None = None
    text: str | None = None
    before: datetime | None = None

    def of(self, since: str, texts: Sequence[str]) -> Where:
        """The conditions; `since` is the column of its age, `texts` those that hold text."""
        found: list[str] = []
        values: dict[str, Any] = {}
        if self.field is not None:
            found.append("field = :field")
            values["field"] = self.field
        if self.kind is not None:
            found.append("kind = :kind")
            values["kind"] = self.kind
        if self.before is not None:
            found.append(f"{since} < :before")
            values["before"] = stored(self.before)
        if self.text is not None:
            told = " OR ".join(_LIKE.format(name) for name in (*texts, "nexudus_id", "crm_id"))
            found.append(f"({told} OR {_NAMED})")
            values |= {name: f"%{literal(said)}%" for name, said in (("text", self.text), ("small", self.text.lower()))}
        return found, values


ALL = Only()
"""Every row."""


def literal(text: str) -> str:
    """The text as LIKE finds it: its own % and _ stand for themselves."""
    return "".join(f"!{char}" if char in "!%_" else char for char in text)
