"""What a lens needs to know of a record's surroundings: names behind ids, the zone of its days, its money's digits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo


class Directory(Protocol):
    """Names behind a system's ids, both ways (stages by name, users by e-mail)."""

    def name(self, raw: object) -> str | None:
        """The name that a raw value of a record stands for; None when the system knows no such thing."""
        ...

    def raw(self, name: str) -> object | None:
        """The raw value to write for a name (compared without regard to case); None when there is no such name."""
        ...

    def names(self) -> tuple[str, ...]:
        """All names that can be written, in the system's own order."""
        ...


class SetsAside(Protocol):
    """A directory with names that the other side need not have, such as the stages of closed deals."""

    def sets_aside(self, raw: object) -> bool:
        """Is the raw value one of those? If the other side has no word for it, it says nothing there."""
        ...


def sets_aside(directory: Directory | None, raw: object) -> bool:
    """Does a directory set this raw value aside? One without such names has no such method."""
    # asked for every value of every pair: `isinstance` of a protocol would cost as much as the rest of the merge
    asked = getattr(directory, "sets_aside", None)
    return asked is not None and bool(asked(raw))


@dataclass(frozen=True, slots=True)
class Table:
    """A directory held in memory: (raw, name) pairs; of two raws with one name the first is written."""

    pairs: tuple[tuple[object, str], ...]

    def name(self, raw: object) -> str | None:
        """The name of a raw value."""
        return next((name for value, name in self.pairs if value == raw), None)

    def raw(self, name: str) -> object | None:
        """The raw value of a name."""
        wanted = name.strip().casefold()
        return next((value for value, known in self.pairs if known.strip().casefold() == wanted), None)

    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(name for _, name in self.pairs)


@dataclass(frozen=True, slots=True)
class Context:
    """What the lenses need to know of one record's surroundings.

    `time_zone` is set where days are kept as moments (Nexudus: the location's zone), None where a day is a plain date.
    `digits` is the number of decimals of the record's currency; `currency` is the code that a new record there would
    have, None when it is free. `directories` maps a lens type ("stage", "user") or a record's path ("sales_stage") to
    the names that exist there; a path without a directory takes any text. `escaped`: free text stands there as HTML
    writes it.
    """

    time_zone: ZoneInfo | None = None
    digits: int = 2
    currency: str | None = None
    directories: Mapping[str, Directory] = field(default_factory=dict)
    escaped: bool = False
