"""Child rows of which the first one's text is the value (a CRM's lost reasons); the other rows are carried along."""

from dataclasses import dataclass
from typing import Any

from nexudus_sync.mapping.context import Context
from nexudus_sync.mapping.kinds import Text
from nexudus_sync.mapping.paths import Raw, is_blank
from nexudus_sync.opportunity import Value

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows(Text):
    """A list of rows; `key` names the text inside each. The first is the lowest by (idx, time of creation, id)."""

    key: str = ""

    name = "rows"
    free = False

    def read(self, raw: Raw, context: Context) -> Value:
        """The first row's text; None where no row has any."""
        return next(iter(self.all(raw, context)), None)

    def all(self, raw: Raw, context: Context) -> tuple[Value, ...]:
        """Every row's text, in the rows' order."""
        texts = [
            Text.read(self, row[self.key], context) for row in self._ordered(raw) if not is_blank(row.get(self.key))
        ]
        return tuple(text for text in texts if text is not None)

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The rows with the first one's text replaced, in the order they had; one new row where there was none."""
        text = Text.write(self, value, None, context)
        if is_blank(old) or not old:
            return [{self.key: text}]
        rows = self._ordered(old)
        first = next((row for row in rows if not is_blank(row.get(self.key))), rows[0])
        return [{**row, self.key: text} if row is first else row for row in old]

    def empty(self) -> Raw:
        """No rows: one that stayed would become the first."""
        return []

    def _ordered(self, raw: Raw) -> list[Row]:
        if not isinstance(raw, list) or not all(isinstance(row, dict) for row in raw):
            raise self.unreadable(raw, "a list of rows")
        return sorted(raw, key=_position)


def _position(row: Row) -> tuple[bool, int, str, str]:
    """Where a row stands: numbered rows first, then by time of creation and id."""
    idx = row.get("idx")
    born = row.get("created_at") or row.get("creation") or ""
    after = (str(born), str(row.get("id") or row.get("name") or ""))
    return (False, idx, *after) if isinstance(idx, int) else (True, 0, *after)
