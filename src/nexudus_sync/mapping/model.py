"""A mapping as the sync works with it: fields, each a pair of lenses with the rules for moving a value between them."""

from collections.abc import Mapping as MappingABC
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nexudus_sync.mapping.context import Context, sets_aside
from nexudus_sync.mapping.lenses import Lens
from nexudus_sync.mapping.paths import Path, Raw, Record
from nexudus_sync.mapping.sides import Side, Unmapped, Unreadable
from nexudus_sync.mapping.values import Classes
from nexudus_sync.opportunity import Value


class Sync(StrEnum):
    """Which way a field travels."""

    TWO_WAY = "two-way"
    FROM_NEXUDUS = "from-nexudus"
    FROM_CRM = "from-crm"
    OFF = "off"


_SOURCES = {
    Sync.TWO_WAY: (Side.NEXUDUS, Side.CRM),
    Sync.FROM_NEXUDUS: (Side.NEXUDUS,),
    Sync.FROM_CRM: (Side.CRM,),
    Sync.OFF: (),
}


class OnConflict(StrEnum):
    """Who wins when both sides changed a field to different values."""

    NEWEST = "newest"
    NEXUDUS = "nexudus"
    CRM = "crm"
    MANUAL = "manual"


class OnUnmapped(StrEnum):
    """A value that the other side cannot say waits as a visible failure, is passed over, or gives way to a default."""

    PARK = "park"
    SKIP = "skip"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the CRM's file says of a field besides its place. `default` goes with `OnUnmapped.DEFAULT`."""

    sync: Sync = Sync.TWO_WAY
    on_conflict: OnConflict = OnConflict.NEWEST
    on_unmapped: OnUnmapped = OnUnmapped.PARK
    default: str | None = None


@dataclass(frozen=True, slots=True)
class SideMapping:
    """One mapping file: a lens for each field that has a place, and (CRM only) each field's policy.

    `source` is the name that errors give the file.
    """

    source: str
    lenses: MappingABC[str, Lens]
    policies: MappingABC[str, Policy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of both sides."""

    name: str
    nexudus: Lens
    crm: Lens
    policy: Policy = Policy()
    classes: Classes = field(default_factory=Classes)

    @property
    def sync(self) -> Sync:
        """Which way it travels."""
        return self.policy.sync

    @property
    def sources(self) -> tuple[Side, ...]:
        """The sides whose edits travel."""
        return _SOURCES[self.sync]

    @property
    def on_conflict(self) -> OnConflict:
        """Who wins."""
        return self.policy.on_conflict

    @property
    def on_unmapped(self) -> OnUnmapped:
        """What becomes of a value that cannot be said; a default is already seen to by `put`."""
        return self.policy.on_unmapped

    def lens(self, side: Side) -> Lens:
        """The field's lens of one side."""
        return self.nexudus if side is Side.NEXUDUS else self.crm

    def same(self, a: Value, b: Value) -> bool:
        """Do two canonical values mean the same? By class; for free text, numbers and dates by value."""
        if isinstance(a, str) and isinstance(b, str) and (self.nexudus.folds or self.crm.folds):
            return self.classes.same(a, b)
        return a == b

    def read(self, side: Side, raw: Raw, context: Context) -> Value:
        """What a raw value of a side says. Raises Unreadable."""
        return self.lens(side).read(raw, context)

    def get(self, side: Side, record: MappingABC[str, Any], context: Context) -> Value:
        """What a record of a side says. Raises Unreadable."""
        return self.lens(side).get(record, context)

    def is_aside(self, side: Side, record: MappingABC[str, Any], context: Context, there: Context) -> bool:
        """Is the record's value one that the other side need not know, and has no word for? `there` is its context."""
        lens, raw = self.lens(side), self.lens(side).raw(record)
        if not sets_aside(lens.kind.directory(context), raw):
            return False
        try:
            self._raw(self.lens(side.other), lens.read(raw, context), None, there)
        except (Unmapped, Unreadable):
            return True
        return False

    def put(self, side: Side, value: Value, record: Record, context: Context, *, literal: bool = False) -> Record:
        """The record with the value on it; the record itself when it already says a value of the same class.

        `literal`: that very value, whatever of its class stands there. Raises Unmapped when the value cannot be said
        there, nor (unless `literal`) another of its class, nor the policy's default.
        """
        lens = self.lens(side)
        try:
            said = lens.get(record, context)
        except Unreadable as problem:
            raise Unmapped(f"the present value is not overwritten: {problem}") from None
        if literal:
            return self._set(lens, lens.write(value, lens.raw(record), context), record)
        try:
            return self._say(value, said, lens, record, context)
        except Unmapped:
            if self.policy.default is None:
                raise
        return self._say(self.policy.default, said, lens, record, context)

    def _say(self, value: Value, said: Value, lens: Lens, record: Record, context: Context) -> Record:
        if self.same(said, value):
            return record
        return self._set(lens, self._raw(lens, value, lens.raw(record), context), record)

    def _set(self, lens: Lens, raw: Raw, record: Record) -> Record:
        try:
            return lens.path.set(record, raw)
        except ValueError as problem:
            raise Unmapped(
                f"{lens.kind.system} has {problem} in {lens.path.text}; fix the record or the path"
            ) from None

    def _raw(self, lens: Lens, value: Value, old: Raw, context: Context) -> Raw:
        """What says the value, or another of its class. Raises Unmapped, about the value itself."""
        try:
            return lens.write(value, old, context)
        except Unmapped:
            for member in self.classes.of(value) if isinstance(value, str) else ():
                with suppress(Unmapped):
                    return lens.write(member, old, context)
            raise


@dataclass(frozen=True, slots=True)
class Mapping:
    """Both files together. `fields`: those that travel, in the CRM file's order; the others stay where they are."""

    fields: tuple[Field, ...]
    nexudus: SideMapping
    crm: SideMapping

    def side(self, side: Side) -> SideMapping:
        """The file of one side."""
        return self.nexudus if side is Side.NEXUDUS else self.crm

    def find(self, name: str) -> Field | None:
        """The field of that name, None when it does not travel."""
        return next((known for known in self.fields if known.name == name), None)

    def field(self, name: str) -> Field:
        """The field of that name. Raises KeyError when it does not travel."""
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return found

    def paths(self, side: Side) -> tuple[Path, ...]:
        """The places of a side's record that travel."""
        return tuple(known.lens(side).path for known in self.fields)

    def snapshot(self, side: Side, record: MappingABC[str, Any]) -> dict[str, Raw]:
        """What those places say, by the path's text, for a later comparison."""
        return {path.text: path.get(record) for path in self.paths(side)}
