"""One field of one side: where it stands, how it is written, and what its values mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nexudus_sync.mapping.context import Context
from nexudus_sync.mapping.kinds import Kind
from nexudus_sync.mapping.paths import Path, Raw, is_blank
from nexudus_sync.mapping.sides import Unmapped
from nexudus_sync.mapping.values import Values
from nexudus_sync.opportunity import Value


@dataclass(frozen=True, slots=True)
class Lens:
    """How one side says one field. `blank` is what a blank is read as; where `required`, a blank cannot be written."""

    path: Path
    kind: Kind
    values: Values | None = None
    blank: str | None = None
    required: bool = False

    @property
    def folds(self) -> bool:
        """Does case make no difference between two values?"""
        return self.kind.folds or self.values is not None

    def is_free(self, context: Context) -> bool:
        """Does it hold people's own words, and not a name from a list or a table?"""
        return self.kind.free and self.values is None and self.kind.directory(context) is None

    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The canonical values that this side takes together, a group for each line of its table."""
        return tuple(values for _, values in self.values.entries) if self.values else ()

    def raw(self, record: Mapping[str, Any]) -> Raw:
        """The raw value in a record; None where it is missing."""
        return self.path.get(record)

    def read(self, raw: Raw, context: Context) -> Value:
        """What a raw value says. Raises Unreadable."""
        own = None if is_blank(raw) else self.kind.read(raw, context)
        return self.blank if own is None else self._meaning(own, context)

    def all(self, raw: Raw, context: Context) -> tuple[Value, ...]:
        """All that a raw value says, where it can hold several values. Raises Unreadable."""
        said = () if is_blank(raw) else self.kind.all(raw, context)
        return tuple(self._meaning(own, context) for own in said if own is not None)

    def get(self, record: Mapping[str, Any], context: Context) -> Value:
        """What a record says. Raises Unreadable."""
        return self.read(self.raw(record), context)

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The raw value that says `value`, in the manner of the one that stands there. Raises Unmapped."""
        if value is None:
            if self.required or self.blank is not None:
                raise Unmapped(f"{self.kind.system} requires {self.path.text}; fill it in on the other side")
            return self.kind.empty()
        if self.values is not None:
            value = self.values.write(
                str(value), lambda name: self.kind.exists(name, context), is_open=self._is_open(context)
            )
        return self.kind.write(value, old, context)

    def _meaning(self, own: Value, context: Context) -> Value:
        return own if self.values is None else self.values.read(str(own), is_open=self._is_open(context))

    def _is_open(self, context: Context) -> bool:
        """Does a name that the value table lacks stand for itself?"""
        return self.kind.directory(context) is not None
