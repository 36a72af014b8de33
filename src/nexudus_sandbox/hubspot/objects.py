"""The objects of an account: what they say now, what they said before, and how they are linked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.hubspot.options import HubSpotOptions
from nexudus_sandbox.hubspot.shape import DEALS, KINDS, STAMPS

Values = dict[str, str]
"""What an object says: every value is text, and a blank is left out."""
EDITOR = "hs_updated_by_user_id"
_FIRST = {"deals": 31_678_812_300, "contacts": 73_279_037_000, "companies": 22_816_780_000}
ASSOCIATIONS = {(DEALS, "contacts"): 3, (DEALS, "companies"): 341, ("contacts", "companies"): 279}
"""The association's number, as HubSpot defines it."""
PRIMARY = 5
"""The number of the association to a deal's primary company."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something: a person, an app, or HubSpot itself."""

    name: str
    source: str = "CRM_UI"
    source_id: str = "userId:501"


HUBSPOT = Author("hubspot", "CALCULATED", "HubSpot")


@dataclass(frozen=True, slots=True)
class Past:
    """One value that a property had since a moment."""

    value: str
    at: datetime
    by: Author


@dataclass(slots=True)
class Object:
    """One deal, contact or company. `values` is never changed in place.

    `shown`: the states that the search may still show, each with the moment (true time) from which it does; None for
    one that it does not show.
    """

    id: int
    kind: str
    created: datetime
    updated: datetime
    values: Values = field(default_factory=dict)
    history: dict[str, list[Past]] = field(default_factory=dict)
    archived_at: datetime | None = None
    shown: list[tuple[datetime, Values | None]] = field(default_factory=list)


@dataclass(slots=True)
class Objects:
    """All objects. `moment` is the server's clock, `true_now` the one that lags are counted by.

    `changed` is told who did it, the kind, the id, and the values before and after.
    """

    options: HubSpotOptions
    moment: Callable[[], datetime]
    true_now: Callable[[], datetime]
    changed: Callable[[str, str, int, Row | None, Row | None], None]
    rows: dict[str, dict[int, Object]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    merged: dict[int, int] = field(default_factory=dict)
    """The id of a merged object → that of the one it was merged into."""
    links: dict[tuple[str, int, str], dict[int, set[int]]] = field(default_factory=dict)
    """(kind, id, kind of the others) → the others' ids, each with the numbers of its associations."""
    _last: dict[str, int] = field(default_factory=lambda: dict(_FIRST))

    def get(self, kind: str, object_id: int, *, archived: bool = False) -> Object | None:
        """The object with that id, if it is (not) archived. A merged id may stand for its survivor."""
        while object_id in self.merged and self.options.merged_answers == "survivor":
            object_id = self.merged[object_id]
        found = self.rows[kind].get(object_id)
        return found if found is not None and (found.archived_at is not None) is archived else None

    def live(self, kind: str) -> list[Object]:
        """The objects that are not archived, by id."""
        return [one for _, one in sorted(self.rows[kind].items()) if one.archived_at is None]

    def where(self, kind: str, name: str, value: str) -> Object | None:
        """The object that says this, archived ones left out."""
        return next((one for one in self.live(kind) if one.values.get(name) == value), None)

    def add(
        self,
        kind: str,
        values: Mapping[str, str],
        by: Author,
        *,
        at: datetime | None = None,
        updated: datetime | None = None,
    ) -> Object:
        """A new object; `at` makes it an old one, as if it had always been there."""
        self._last[kind] += 1
        now = at or self.moment()
        made = Object(self._last[kind], kind, now, updated or now)
        own = {"createdate": iso(now), "hs_object_id": str(made.id), "hs_object_source": by.source}
        own |= {"hs_object_source_id": by.source_id} if by.source == "INTEGRATION" else {}
        self.rows[kind][made.id] = made
        self._write(made, {**values, **own}, by)
        if at is None:
            self._show(made)
            self.changed(by.name, kind, made.id, None, self.row(made))
        else:
            made.shown = [(datetime.min.replace(tzinfo=UTC), made.values)]
        return made

    def set(self, one: Object, values: Mapping[str, str], by: Author, itself: Mapping[str, str] | None = None) -> None:
        """Change values; a blank clears. The stamp moves even if nothing differs. `itself`: what HubSpot adds."""
        before = self.row(one)
        one.updated = max(self.moment(), one.updated)
        self._write(one, values, by)
        if itself:
            self._write(one, itself, HUBSPOT)
        self._show(one)
        self.changed(by.name, one.kind, one.id, before, self.row(one))

    def archive(self, one: Object, by: Author) -> None:
        """Put it into the recycle bin; its stamp stays."""
        before = self.row(one)
        one.archived_at = self.moment()
        self._show(one)
        self.changed(by.name, one.kind, one.id, before, None)

    def restore(self, one: Object, by: Author) -> None:
        """Take it out of the recycle bin."""
        one.archived_at = None
        self._show(one)
        self.changed(by.name, one.kind, one.id, None, self.row(one))

    def forget(self, one: Object, by: Author) -> None:
        """Delete it for ever, without a trace."""
        self.changed(by.name, one.kind, one.id, self.row(one), None)
        del self.rows[one.kind][one.id]

    def merge(self, primary: Object, other: Object, by: Author) -> Object:
        """Make one object of two: a new one, or the primary, as the switch says."""
        values = {**other.values, **primary.values}
        linked = {kind: self.others(primary, kind) + self.others(other, kind) for kind in KINDS}
        past = {**other.history, **primary.history}
        self.forget(other, by)
        survivor = primary
        if not self.options.merge_keeps_primary:
            self.forget(primary, by)
            survivor = self.add(primary.kind, {}, by)
        named = [one.id for one in (primary, other) if one.id != survivor.id]
        own = {name: value for name, value in values.items() if name not in ("hs_object_id", "createdate")}
        survivor.history = past | survivor.history
        self.merged |= dict.fromkeys(named, survivor.id)
        self.set(survivor, {**own, "hs_merged_object_ids": ";".join(map(str, named))}, by)
        for kind, ids in linked.items():
            for each in ids:
                self.link(survivor, kind, each)
        return survivor

    def link(self, one: Object, kind: str, other: int, number: int | None = None) -> None:
        """Associate two objects."""
        known = ASSOCIATIONS.get((one.kind, kind), 0)
        self.links.setdefault((one.kind, one.id, kind), {}).setdefault(other, set()).add(number or known)
        if self.options.associations_move_stamp:
            self.set(one, {}, HUBSPOT)

    def others(self, one: Object, kind: str) -> list[int]:
        """The ids of the associated objects of a kind, archived ones left out."""
        found = self.links.get((one.kind, one.id, kind), {})
        return [other for other in sorted(found) if self.get(kind, other) is not None]

    def indexed(self, kind: str) -> list[tuple[int, Values]]:
        """What the search sees: each object as it was a while ago."""
        now, found = self.true_now(), []
        for one in self.rows[kind].values():
            while len(one.shown) > 1 and one.shown[1][0] <= now:
                one.shown.pop(0)
            if one.shown and one.shown[0][0] <= now and one.shown[0][1] is not None:
                found.append((one.id, one.shown[0][1]))
        return found

    def row(self, one: Object) -> Row:
        """An object as a test looks at it."""
        return dict(one.values)

    def hide_from_search(self, one: Object) -> None:
        """Let the index lose the newest state: it comes back with the next change."""
        one.shown = one.shown[:-1] or [(self.true_now(), None)]

    def _write(self, one: Object, values: Mapping[str, str], by: Author) -> None:
        now, after = one.updated, dict(one.values)
        stamped = {STAMPS[one.kind]: iso(now), **self._editor(one, by)}
        for name, value in {**values, **stamped}.items():
            if value == one.values.get(name, ""):
                continue
            past = one.history.setdefault(name, [])
            past.insert(0, Past(value, now, by))
            del past[self.options.history_depth :]
            after[name] = value
        one.values = {name: value for name, value in after.items() if value != ""}

    def _editor(self, one: Object, by: Author) -> Values:
        """The property that says which user changed a deal last."""
        user = user_of(by)
        if one.kind != DEALS or not self.options.names_editor or by is HUBSPOT:
            return {}
        if user is None:
            return {EDITOR: ""} if self.options.apps_clear_editor else {}
        return {EDITOR: str(user)}

    def _show(self, one: Object) -> None:
        """The search shows the state of now, later."""
        at = self.true_now() + timedelta(seconds=self.options.search_lag)
        one.shown.append((at, None if one.archived_at else one.values))


def iso(at: datetime) -> str:
    """A moment as HubSpot writes it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def ids_of(values: Iterable[Any]) -> list[int]:
    """Ids as numbers; what is none is left out."""
    return [int(value) for value in map(str, values) if value.isdecimal()]


def with_source(by: Author, options: HubSpotOptions) -> Author:
    """An app's write as the history tells it."""
    if options.keys_are_users:
        return Author(by.name)
    return by if options.says_source else replace(by, source="API", source_id="")


def user_of(by: Author) -> int | None:
    """The user behind a change; None where an app or HubSpot itself made it."""
    kind, _, number = by.source_id.partition(":")
    return int(number) if kind == "userId" else None
