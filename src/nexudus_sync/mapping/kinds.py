"""The named types of a mapping file: how a raw value is read and written.

Days and moments are in `moments`, child rows in `children`.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from decimal import Context as Arithmetic
from difflib import get_close_matches
from typing import ClassVar, TypeVar

from nexudus_sync import addresses
from nexudus_sync.mapping import markup
from nexudus_sync.mapping.context import Context, Directory
from nexudus_sync.mapping.paths import Raw
from nexudus_sync.mapping.sides import NoSuchName, Unmapped, Unreadable
from nexudus_sync.mapping.values import clean, fold, line
from nexudus_sync.opportunity import Value

_LARGEST = 30
"""Digits before the point past which a number is taken for a mistake."""
_SHOWN = 6
"""How many of a list's names an error shows."""
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_WIDE = Arithmetic(prec=2 * _LARGEST)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(ABC):
    """How one side writes a value.

    `system` names the side in a sentence, `path` is the text of the place on the record, `where` the field's
    file and key. `says` is the type of what is read. Where `folds`, case makes no difference; what is `free` is in
    people's own words.
    """

    system: str
    path: str
    where: str

    name: ClassVar[str]
    says: ClassVar[type]
    folds: ClassVar[bool] = False
    free: ClassVar[bool] = False

    @abstractmethod
    def read(self, raw: Raw, context: Context) -> Value:
        """What a raw value that is not blank says; None for one that means blank. Raises Unreadable."""

    @abstractmethod
    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The raw value that says `value` (never None), in the manner of the `old` one. Raises Unmapped."""

    def empty(self) -> Raw:
        """The raw value that says nothing."""
        return None

    def all(self, raw: Raw, context: Context) -> tuple[Value, ...]:
        """All that a raw value says, where it can hold several values."""
        return (self.read(raw, context),)

    def exists(self, name: str, context: Context) -> bool:
        """Is there such a name to write? True where the system keeps no list of them."""
        directory = self.directory(context)
        return directory is None or find(directory, name) is not None

    def directory(self, context: Context) -> Directory | None:
        """The names the side has for this place, None where any will do."""
        return None

    def unreadable(self, raw: Raw, wanted: str) -> Unreadable:
        """The error for a raw value of another kind."""
        shown = repr(raw)
        return Unreadable(
            f"{self.system} has {shown[:60]}{'…' * (len(shown) > 60)} in {self.path}, which is not {wanted}"
        )

    def missing(self, name: str, directory: Directory | None) -> NoSuchName:
        """The error for a name that the side's list lacks, with the line of the mapping file that would help."""
        names = directory.names() if directory else ()
        near = self.near(name, names)
        word = "value" if self.name == "text" else self.name
        lacking = getattr(directory, "lacking", "")
        remedy = f"{lacking and lacking + ', or '}add it there, or to {self.where}.values a line like "
        text = f"{self.system} has no {word} '{name}' for {self.path}; {remedy}"
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        choose = f"{text}{line('…', ['…', name])}; a person has to choose" + (f": it has {shown}" if names else "")
        return NoSuchName(choose if near is None else f"{text}{line(near, [near, name])}", near, choose)

    def near(self, name: str, names: tuple[str, ...]) -> str | None:
        """The one of the names that `name` may be another spelling of; None where that is a person's to say."""
        return next(iter(get_close_matches(name, names, n=1)), None)


def find(directory: Directory, name: str) -> object | None:
    """The raw value of a name, also where only the spelling of its accents differs; None when there is no such name."""
    raw = directory.raw(name)
    if raw is None:
        spelled = next((known for known in directory.names() if fold(known) == fold(name)), None)
        raw = None if spelled is None else directory.raw(spelled)
    return raw


def expect(value: Value, wanted: type[T]) -> T:
    """The value, known to be of the type. Raises Unmapped when it is not."""
    if not isinstance(value, wanted):
        raise Unmapped(f"{value!r} is not of type {wanted.__name__}")
    return value


class Text(Kind):
    """Free text, or a name from the list that the side keeps for this path."""

    name = "text"
    says = str
    free = True

    def read(self, raw: Raw, context: Context) -> Value:
        """The clean text."""
        if isinstance(raw, bool) or not isinstance(raw, str | int | Decimal):
            raise self.unreadable(raw, "text")
        directory = self.directory(context)
        known = directory.name(raw) if directory else None
        text = known if known is not None else str(raw)
        return clean(markup.plain(text) if self._is_escaped(context) else text) or None

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The text, or what the list has for it."""
        text, directory = expect(value, str), self.directory(context)
        if directory is None:
            return markup.kept(text) if self._is_escaped(context) else text
        raw = find(directory, text)
        if raw is None:
            raise self.missing(text, directory)
        return raw

    def directory(self, context: Context) -> Directory | None:
        """The list kept for the path, if any."""
        return context.directories.get(self.path)

    def _is_escaped(self, context: Context) -> bool:
        """Is it kept as HTML writes it? A name is what it is."""
        return context.escaped and self.free and self.directory(context) is None


class Link(Text):
    """The name of another document of the side's; like the side itself it takes two spellings of one name for one."""

    name = "link"
    folds = True
    free = False


class Code(Text):
    """A key of a value table: whole numbers and true/false are written as such, unless the record holds text."""

    folds = True
    free = False

    def read(self, raw: Raw, context: Context) -> Value:
        """The key as the table writes it."""
        if isinstance(raw, bool):
            return str(raw).lower()
        if isinstance(raw, Decimal) and raw == raw.to_integral_value():
            return str(int(raw))
        return super().read(raw, context)

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The key's number, truth value or text."""
        key = expect(value, str)
        if isinstance(old, str) or self.directory(context) is not None:
            return super().write(key, old, context)
        if key in {"true", "false"}:
            return key == "true"
        return int(key) if _WHOLE.fullmatch(key) else key


class Stage(Kind):
    """A stage by its name within the board."""

    name = "stage"
    says = str
    folds = True

    def read(self, raw: Raw, context: Context) -> Value:
        """The name behind the id."""
        directory = self.directory(context)
        known = directory.name(raw) if directory and isinstance(raw, str | int) else None
        if known is None:
            raise self.unreadable(raw, f"a known {self.name}")
        return clean(known) or None

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The id behind the name."""
        name, directory = expect(value, str), self.directory(context)
        raw = find(directory, name) if directory else None
        if raw is None:
            raise self.missing(name, directory)
        return raw

    def directory(self, context: Context) -> Directory | None:
        """The list of stages (or users) of the record's surroundings."""
        return context.directories.get(self.name)


class User(Stage):
    """A user by e-mail, lower case."""

    name = "user"

    def near(self, name: str, names: tuple[str, ...]) -> str | None:
        """One with the same name before the @: addresses that only look alike are different people's."""
        before = fold(name).partition("@")[0]
        alike = [known for known in names if fold(known).partition("@")[0] == before]
        return alike[0] if len(alike) == 1 else None

    def read(self, raw: Raw, context: Context) -> Value:
        """The e-mail behind the id; one that stands there itself is itself."""
        try:
            known = super().read(raw, context)
        except Unreadable:
            if not isinstance(raw, str) or "@" not in raw:
                raise
            known = clean(raw)
        return addresses.key(str(known)) if known else None


class Number(Kind):
    """A whole number."""

    name = "number"
    says = int

    def read(self, raw: Raw, context: Context) -> Value:
        """The number."""
        number = _decimal(self, raw)
        if number != number.to_integral_value():
            raise self.unreadable(raw, "a whole number")
        return int(number)

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The number."""
        return expect(value, int)


@dataclass(frozen=True, slots=True)
class Amount(Kind):
    """An amount in the minor unit of the record's currency. Where `zero_is_blank`, 0 says nothing."""

    zero_is_blank: bool = True

    name = "decimal"
    says = Decimal

    def read(self, raw: Raw, context: Context) -> Value:
        """The amount, rounded half up to the currency's digits."""
        amount = _round(_decimal(self, raw), context)
        return None if self.zero_is_blank and not amount else amount

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The amount with the currency's digits. One that could not be read again is refused."""
        amount = expect(value, Decimal)
        if not _is_in_range(amount):
            raise Unmapped("the number is too large")
        return _round(amount, context)


class Truth(Kind):
    """True or false; 1 and 0 where the record writes it so."""

    name = "boolean"
    says = bool

    def read(self, raw: Raw, context: Context) -> Value:
        """The truth value."""
        word = fold(str(raw))
        if word not in {"true", "1", "false", "0"}:
            raise self.unreadable(raw, "true or false")
        return word in {"true", "1"}

    def write(self, value: Value, old: Raw, context: Context) -> Raw:
        """The truth value, as a number if it was one."""
        truth = expect(value, bool)
        return int(truth) if isinstance(old, int) and not isinstance(old, bool) else truth


def _decimal(kind: Kind, raw: Raw) -> Decimal:
    """A number of reasonable size. Raises Unreadable."""
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal | str):
        raise kind.unreadable(raw, "a number")
    try:
        number = Decimal(raw)
    except InvalidOperation:
        raise kind.unreadable(raw, "a number") from None
    if not _is_in_range(number):
        raise kind.unreadable(raw, "a number in range")
    return number


def _is_in_range(number: Decimal) -> bool:
    return number.is_finite() and number.adjusted() < _LARGEST


def _round(amount: Decimal, context: Context) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-context.digits), rounding=ROUND_HALF_UP, context=_WIDE)
