"""Names that a field may hold: documents it can link to, and users by e-mail. Read once a process, and on a miss."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from nexudus_sync import addresses
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Record
from nexudus_sync.connectors.cached import PATIENCE, Cached
from nexudus_sync.connectors.erpnext import roles
from nexudus_sync.connectors.erpnext.api import NAMES, Api, Query
from nexudus_sync.connectors.erpnext.dialect import Duplicate
from nexudus_sync.connectors.erpnext.records import text
from nexudus_sync.connectors.erpnext.site import Site
from nexudus_sync.errors import Refused, RoleMissing, Stale
from nexudus_sync.mapping.context import Directory

USER = "user"
"""The lens type whose directory the users are."""
_NAMED_BY = {
    "Sales Stage": "stage_name",
    "Opportunity Lost Reason": "lost_reason",
    "Lead Source": "source_name",
    "Campaign": "campaign_name",
}
"""The field that names a new document; the others are named by `name` itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document: `raw` is its name, `name` what people call it, `others` what else it goes by."""

    raw: str
    name: str
    others: tuple[str, ...] = ()
    writable: bool = True


class Names:
    """A `Directory`, compared without regard to case as the site does. It remembers what it was asked for in vain.

    `takes_any`: the list cannot be read; `can_grow`: a name it lacks is created when it is written; `remedy`: what a
    person can do about names it lacks; `lacking`: which role it would take to create them, where that was wanted.
    """

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        *,
        takes_any: bool = False,
        can_grow: bool = False,
        remedy: str = "",
        lacking: str = "",
    ) -> None:
        self.missed: set[str] = set()
        self.takes_any, self.can_grow = takes_any, can_grow
        self.remedy, self.lacking = remedy, lacking
        self._by_raw: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        self._names: list[str] = []
        others: dict[str, set[str]] = {}
        for entry in entries:
            self.add(entry)
            for word in filter(None, map(_fold, entry.others)):
                others.setdefault(word, set()).add(entry.name)
        self._others = {word: min(names) for word, names in others.items() if len(names) == 1}

    def add(self, entry: Entry) -> None:
        """Add one document."""
        self._by_raw.setdefault(_fold(entry.raw), entry.name)
        if entry.writable and self._by_name.setdefault(_fold(entry.name), entry.raw) == entry.raw:
            self._names.append(entry.name)

    def knows(self, raw: object) -> bool:
        """Is there such a document?"""
        return _fold(raw) in self._by_raw

    def name(self, raw: object) -> str | None:
        """The name a record's value stands for."""
        word = _fold(raw)
        found = self._by_raw.get(word) or self._others.get(word)
        if found is None and word and not self.takes_any:
            self.missed.add(word)
        return found

    def raw(self, name: str) -> object | None:
        """What to write for a name, as the site spells it."""
        found = self._by_name.get(_fold(name))
        if found is not None or self.takes_any:
            return found or name.strip()
        self.missed.add(_fold(name))
        return name.strip() if self.can_grow else None

    def names(self) -> tuple[str, ...]:
        """All names that can be written, in the site's order."""
        return tuple(self._names)


class Directories:
    """The directories of one site, by record key; the users under the type's name.

    `create_missing`: what a value needs and the site lacks is created, where the user's roles allow it.
    """

    def __init__(self, api: Api, system: str, clock: Clock, *, create_missing: bool) -> None:
        self._api, self._system, self._clock = api, system, clock
        self._create_missing = create_missing
        self._users = Cached(self._read_users, clock)
        self._links: dict[str, Cached[Names]] = {}
        self._refused: dict[tuple[str, str], tuple[Refused, float]] = {}
        self._numbered: set[str] = set()
        """DocTypes whose documents the site names otherwise than it is asked to."""

    async def of(self, record: Record, site: Site) -> dict[str, Directory]:
        """What the lenses of a record need, read again where something was looked for in vain."""
        found: dict[str, Directory] = {USER: await self._current(self._users, record.get("opportunity_owner"))}
        for key, doctype in site.links.items():
            rows = record.get(key)
            raws = (
                [row.get("lost_reason") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else [rows]
            )
            names = await self._current(self._link(doctype), *raws)
            if not names.takes_any:
                found[key] = names
        return found

    async def ensure(self, doctype: str, name: str) -> None:
        """Make sure that a document exists before something links to it. Raises Stale when it cannot be created."""
        names = await self._link(doctype).value()
        if names.takes_any or names.knows(name) or not names.can_grow:
            return
        self._refuse_again(doctype, name)
        try:
            created = await self._api.create(doctype, {_NAMED_BY.get(doctype, "name"): name})
        except Refused as refused:
            if isinstance(refused, Duplicate) and refused.named:
                return
            self._refused[doctype, _fold(name)] = (refused, self._clock.monotonic())
            raise
        except RoleMissing as error:
            names.can_grow = False
            raise Stale(self._system, error.message) from error
        made = text(created, "name")
        names.add(Entry(made, made))
        if not names.knows(name):
            self._numbered.add(doctype)
            names.can_grow = False
            raise Stale(self._system, f'ERPNext chooses the name of a {doctype}: "{name}" became "{made}"')

    def _refuse_again(self, doctype: str, name: str) -> None:
        """Raise Refused for a name that was refused just now: it need not be asked for again with the next record."""
        refused, at = self._refused.get((doctype, _fold(name)), (None, 0.0))
        if refused is not None and self._clock.monotonic() - at < PATIENCE:
            raise refused

    def forget(self) -> None:
        """A document that was known is gone: read the lists again."""
        self._links.clear()

    def ask_afresh(self) -> None:
        """Ask again for names that were refused or not found."""
        self._refused.clear()
        for kept in (self._users, *self._links.values()):
            kept.ask_afresh()

    async def read(self, doctype: str) -> Names:
        """The documents a field may link to, as they are now."""
        try:
            rows = await self._api.rows(doctype, NAMES)
        except RoleMissing:
            return Names(takes_any=True)
        can_grow = self._create_missing and doctype not in self._numbered and await self._api.may("create", doctype)
        entries = (Entry(str(row["name"]), str(row["name"])) for row in rows)
        lacking = "" if can_grow else self._lacking(doctype)
        return Names(entries, can_grow=can_grow, remedy=self._remedy(doctype), lacking=lacking)

    def _lacking(self, doctype: str) -> str:
        """The role that the sync would need, where it is to create what is missing."""
        wanted = self._create_missing and doctype not in self._numbered
        return roles.lacking("the user", doctype, "create") if wanted else ""

    def _remedy(self, doctype: str) -> str:
        """How a name gets into a list: by hand, or by the sync if it is allowed and has the role."""
        added = f"add what is missing to the list {doctype} in ERPNext"
        if lacking := self._lacking(doctype):
            return f"{lacking}, or {added}"
        role = roles.role(doctype, "create")
        return f"{added}, or set create_missing = true in [crm.{self._system}] (its user then needs the role {role})"

    def _link(self, doctype: str) -> Cached[Names]:
        return self._links.setdefault(doctype, Cached(partial(self.read, doctype), self._clock))

    async def _read_users(self) -> Names:
        """Users by e-mail; who is disabled is still recognised. A user's name is mostly, not always, their e-mail."""
        try:
            rows = await self._api.rows("User", Query(("name", "email", "full_name", "enabled")))
        except RoleMissing:
            return Names(takes_any=True)
        return Names(
            Entry(str(row["name"]), email, (text(row, "full_name"), email), writable=bool(row.get("enabled")))
            for row in rows
            if (email := addresses.key(text(row, "email")))
        )

    async def _current(self, cached: Cached[Names], *raws: object) -> Names:
        """The names, read again where this record, or a lens since the last time, asked for one that is not there."""
        names = await cached.value()
        for raw in filter(None, raws):
            names.name(raw)
        misses, names.missed = names.missed, set()
        return await cached.despite(misses) if misses else names


def _fold(word: object) -> str:
    return "" if word is None else str(word).strip().casefold()
