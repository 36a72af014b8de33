"""Text as it is compared, and value tables: what a side writes for each canonical value."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from nexudus_sync import codec
from nexudus_sync.mapping.sides import Unmapped, Unreadable

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def clean(text: str) -> str:
    """Text as both sides are taken to mean it: composed Unicode, line feeds only, no white space around it."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").strip())


@lru_cache(maxsize=4096)  # names of tables, compared again and again
def fold(text: str) -> str:
    """The form in which two names are equal if they differ only in case or in how accents are encoded."""
    return unicodedata.normalize("NFC", clean(text).casefold())


@dataclass(frozen=True, slots=True)
class Values:
    """A value table: each own name of a side with the canonical values it is read as; the first one is what it says.

    `where` is the table's file and key. Where the side keeps a list of names (stages, users) the table is open: a name
    that no line mentions stands for itself.
    """

    entries: tuple[tuple[str, tuple[str, ...]], ...]
    where: str

    def read(self, own: str, *, is_open: bool) -> str:
        """The canonical value of an own name. Raises Unreadable for one the table lacks."""
        for name, values in self.entries:
            if fold(name) == fold(own):
                return values[0]
        if is_open:
            return own
        raise Unreadable(f"'{own}' is not in {self.where}; add a line like {line(own, '…')}")

    def write(self, value: str, exists: Callable[[str], bool], *, is_open: bool) -> str:
        """The own name for a canonical value: the first line's that exists on the side. Raises Unmapped."""
        names = [name for name, values in self.entries if fold(value) in map(fold, values)]
        if is_open and fold(value) not in {fold(name) for name, _ in self.entries}:
            names.append(value)
        if not names:
            raise Unmapped(f"'{value}' is not in {self.where}; add it to the line it belongs to")
        return next(filter(exists, names), names[0])


def line(own: str, value: str | list[str]) -> str:
    """A line of a value table, as it is to be written."""
    key = own if _BARE.fullmatch(own) else codec.dumps(own)
    values = [value] if isinstance(value, str) else value
    said = ", ".join(codec.dumps(one) for one in values)
    return f"{key} = {said if isinstance(value, str) else f'[{said}]'}"


@dataclass(frozen=True, slots=True)
class Classes:
    """Which canonical values count as one: both sides' tables joined. Case makes no difference."""

    members: tuple[tuple[str, ...], ...] = ()
    _of: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_of", {fold(value): group for group in self.members for value in group})

    @classmethod
    def join(cls, groups: Iterable[tuple[str, ...]]) -> "Classes":
        """The finest classes in which every group lies within one."""
        classes: list[dict[str, str]] = []
        for group in groups:
            classes = _joined(classes, {fold(value): value for value in group})
        return cls(tuple(tuple(known.values()) for known in classes))

    def of(self, value: str) -> tuple[str, ...]:
        """All members of the value's class, itself included, in the tables' order."""
        return self._of.get(fold(value), (value,))

    def same(self, a: str, b: str) -> bool:
        """Are the two of one class?"""
        return fold(b) in map(fold, self.of(a))


def _joined(classes: list[dict[str, str]], group: dict[str, str]) -> list[dict[str, str]]:
    """The classes once a group lies within one: the first that it touches takes in the others, and the group."""
    touching = [known for known in classes if known.keys() & group.keys()]
    if not touching:
        return [*classes, group]
    first, *others = touching
    for other in (*others, group):
        for key, value in other.items():
            first.setdefault(key, value)
    return [known for known in classes if known not in others]
