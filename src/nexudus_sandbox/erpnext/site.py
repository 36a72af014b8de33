"""A site's state: documents in plain dicts, naming series, and what a request did, undone as one when it fails."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext.master_doctypes import doctypes
from nexudus_sandbox.erpnext.meta import DocType
from nexudus_sandbox.erpnext.values import folded

LONG_AGO = datetime.min.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ROW_NAME_CHARS = "0123456789abcdefghijklmnopqrstuv"


class Table:
    """The documents of a DocType. A row is never changed in place; names are found whatever their case."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._names: dict[str, str] = {}
        self._by_value: dict[str, dict[str, dict[str, None]]] = {}

    def find(self, name: object) -> Row | None:
        """The document of that name."""
        stored = self._names.get(folded(str(name)))
        return self.rows[stored] if stored is not None else None

    def where(self, column: str, value: object) -> list[Row]:
        """The documents with that text in a column, through an index made at the first use."""
        index = self._by_value.get(column)
        if index is None:
            index = self._by_value[column] = defaultdict(dict)
            for name, row in self.rows.items():
                index[folded(str(row.get(column)))][name] = None
        return [self.rows[name] for name in index.get(folded(str(value)), ())]

    def set(self, name: str, row: Row | None) -> None:
        """Put a document in its place, or take it away."""
        old = self.rows.get(name)
        for column, index in self._by_value.items():
            if old is not None:
                index[folded(str(old.get(column)))].pop(name, None)
            if row is not None:
                index[folded(str(row.get(column)))][name] = None
        if row is None:
            self.rows.pop(name, None)
            self._names.pop(folded(name), None)
        else:
            self.rows[name] = row
            self._names[folded(name)] = name


@dataclass(frozen=True, slots=True)
class Write:
    """One document before and after."""

    doctype: str
    name: str
    before: Row | None
    after: Row | None


@dataclass(slots=True)
class Site:
    """Everything a site remembers.

    `now` gives its clock (aware UTC), `zone` is what its stamps are written in, `url` its address, `defaults` what a
    new document takes for `company`, `currency`, `country` and `language`.
    """

    version: int
    now: Callable[[], datetime]
    rng: random.Random
    zone: ZoneInfo
    url: str
    defaults: dict[str, str]
    doctypes: dict[str, DocType] = field(init=False)
    tables: dict[str, Table] = field(init=False)
    series: dict[str, int] = field(default_factory=dict)
    rates: dict[tuple[str, str], str] = field(default_factory=dict)
    """Exchange rates: (from, to) → rate."""
    collisions: set[tuple[str, str]] = field(default_factory=set)
    """Documents whose next save collides with somebody else's."""
    stamped: datetime | None = None
    """Stamps are given as of this moment while it is set: a save that began then and commits now."""
    database: str = field(init=False)
    writes: list[Write] = field(default_factory=list)
    _undo: list[Callable[[], object]] = field(default_factory=list)
    _last: datetime = LONG_AGO

    def __post_init__(self) -> None:
        self.doctypes = doctypes(self.version)
        self.tables = {name: Table() for name in self.doctypes}
        self.database = f"_{self.rng.getrandbits(64):016x}"

    def stamp(self) -> str:
        """The present moment as a document is stamped with it: naive, in the site's zone; no two are equal."""
        if self.stamped is not None:
            return self._local(self.stamped).isoformat(" ", "microseconds")
        self._last = max(self.now(), self._last + MICROSECOND)
        return self._local(self._last).isoformat(" ", "microseconds")

    def moment(self) -> datetime:
        """A moment to begin a save at that commits later."""
        self._last = max(self.now(), self._last + MICROSECOND)
        return self._last

    def today(self) -> str:
        """The site's calendar day."""
        return self._local(self.now()).date().isoformat()

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone).replace(tzinfo=None)

    def row_name(self) -> str:
        """A generated name of ten characters: four say the tenth of a second, the others are chance."""
        tenths = int(self.now().timestamp() * 10)
        when = [ROW_NAME_CHARS[tenths >> shift & 31] for shift in (15, 10, 5, 0)]
        return "".join([*when, *self.rng.choices(ROW_NAME_CHARS, k=6)])

    def find(self, doctype: str, name: object) -> Row | None:
        """A document, whatever the case of its name."""
        table = self.tables.get(doctype)
        return table.find(name) if table is not None else None

    def put(self, doctype: str, row: Row) -> None:
        """Store a document."""
        self._write(doctype, row["name"], row)

    def remove(self, doctype: str, name: str) -> None:
        """Take a document away."""
        self._write(doctype, name, None)

    def _write(self, doctype: str, name: str, row: Row | None) -> None:
        table = self.tables[doctype]
        before = table.rows.get(name)
        table.set(name, row)
        self._undo.append(lambda: table.set(name, before))
        self.writes.append(Write(doctype, name, before, row))

    def count(self, prefix: str, number: int) -> None:
        """Set where a naming series stands."""
        before = self.series.get(prefix, 0)
        self.series[prefix] = number
        self._undo.append(lambda: self.series.__setitem__(prefix, before))

    def redefine(self, meta: DocType) -> None:
        """Change a DocType."""
        before = self.doctypes[meta.name]
        self.doctypes[meta.name] = meta
        self._undo.append(lambda: self.doctypes.__setitem__(meta.name, before))

    def commit(self) -> Iterable[Write]:
        """Keep what was written since the last commit, and say what that was."""
        done, self.writes = self.writes, []
        self._undo.clear()
        return done

    def savepoint(self) -> tuple[int, int]:
        """Where `rollback` can return to."""
        return len(self._undo), len(self.writes)

    def rollback(self, to: tuple[int, int] = (0, 0)) -> None:
        """Undo what was written since the last commit, or since a savepoint."""
        while len(self._undo) > to[0]:
            self._undo.pop()()
        del self.writes[to[1] :]
