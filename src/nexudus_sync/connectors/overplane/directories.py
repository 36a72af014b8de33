"""Names behind Overplane's values: users by e-mail, sales stages by name."""

from collections.abc import Iterable

from nexudus_sync import addresses
from nexudus_sync.connectors.base import Record


class Names:
    """A `Directory` of names, each with what else a record may call it by. It remembers what it was asked for in vain.

    `entries` are (name, other words for it); a word that stands for two names stands for none.
    """

    def __init__(self, entries: Iterable[tuple[str, tuple[object, ...]]] = (), *, any_email: bool = False) -> None:
        self.missed: set[str] = set()
        self._any_email = any_email
        self._names: dict[str, str] = {}
        others: dict[str, set[str]] = {}
        for name, words in entries:
            self._names.setdefault(_fold(name), name)
            for word in words:
                others.setdefault(_fold(word), set()).add(name)
        self._words = {word: min(names) for word, names in others.items() if word and len(names) == 1} | self._names

    def __len__(self) -> int:
        return len(self._names)

    def name(self, raw: object) -> str | None:
        """The name a record's value stands for."""
        return self._find(self._words, _fold(raw)) if raw else None

    def raw(self, name: str) -> object | None:
        """What to write for a name: the name as the system spells it."""
        found = self._find(self._names, _fold(name))
        return name if found is None and self._any_email and "@" in name else found

    def names(self) -> tuple[str, ...]:
        """All names, in the system's order."""
        return tuple(self._names.values())

    def _find(self, among: dict[str, str], word: str) -> str | None:
        found = among.get(word)
        if found is None and word:
            self.missed.add(word)
        return found


def users(rows: list[Record]) -> Names:
    """Users by e-mail; a record may name one by id, e-mail or full name. Without users every e-mail can be written."""
    entries = [
        (addresses.key(email), (row.get("id"), row.get("full_name"), row.get("name")))
        for row in rows
        if (email := str(row.get("email") or "").strip())
    ]
    return Names(entries, any_email=not entries)


def stages(rows: list[Record]) -> Names:
    """Sales stages by name; a record may hold the id instead."""
    named = ((str(row.get("stage_name") or "").strip(), row.get("id")) for row in rows)
    return Names((name, (record_id,)) for name, record_id in named if name)


def _fold(word: object) -> str:
    return "" if word is None else str(word).strip().casefold()
