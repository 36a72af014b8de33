"""What the law checker tries: for each type the raw values that are most likely to break a law."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import cycle

from nexudus_sync.mapping.children import Rows
from nexudus_sync.mapping.context import Context, Table
from nexudus_sync.mapping.lenses import Lens
from nexudus_sync.mapping.paths import Raw

_TEXTS: tuple[Raw, ...] = (
    "Meeting room",
    "  padded\t",
    "two\r\nlines\rthree",
    "Zoë's café, 12º",
    "Zoe\u0308's cafe\u0301",
    "株式会社 🏢 ₤",
    "STRASSE",
    "straße",
    "Desk & Co <Ltd>",
    "Desk &amp; Co &lt;Ltd&gt;",
    "0",
    "x" * 5_000,
    7,
)
_BLANKS: tuple[Raw, ...] = (None, "", " \t")
_AMOUNTS: tuple[Raw, ...] = (
    0,
    1,
    Decimal("0.00"),
    Decimal("0.004"),
    Decimal("0.005"),
    Decimal("1234.5"),
    Decimal("1234.500"),
    Decimal("-3.10"),
    Decimal("999999999999.99"),
    10**15,
    "99.90",
    "0",
)
_NUMBERS: tuple[Raw, ...] = (0, 1, -7, 10**15, "12", Decimal("3.0"))
_TRUTHS: tuple[Raw, ...] = (True, False, 0, 1, "true", "False")
_TIMES = (
    "00:00:00Z",
    "00:30:00Z",
    "01:30:00.123Z",
    "02:15:00",
    "11: 59: 59Z",
    "12:00:00+05:30",
    "23:30:00Z",
    "23:59:59Z",
)
"""The hours that daylight saving skips or repeats, those near a midnight, and the ways in which systems write them."""
_FIRST_DAY, _DAYS = date(2024, 1, 1), 731
_FAR_DAYS: tuple[Raw, ...] = ("1970-01-01", "1999-12-31T23:59:59Z", "2099-12-31T00:00:00Z", "2024-02-29 09:00:00")

EXAMPLE_STAGES = ("New lead", "Tour booked", "Proposal sent", "Won", "Lost")
EXAMPLE_USERS = ("sam@example.com", "Zoë@example.org")


def raws(lens: Lens, context: Context) -> list[Raw]:
    """Raw values of a field: all there are where a table or a list names them, else the awkward ones of its type."""
    keys = [key for name, _ in lens.values.entries for key in _spellings(name)] if lens.values else []
    directory = lens.kind.directory(context)
    listed = [directory.raw(name) for name in directory.names()] if directory else []
    if isinstance(lens.kind, Rows):
        return [*_BLANKS, [], *_rows(lens.kind.key, [*map(str, [*keys, *listed]), *_TEXTS])]
    if lens.values or directory:
        return [*_BLANKS, *keys, *listed]
    return [*_BLANKS, *_of_type(lens.kind.name)]


def _of_type(name: str) -> list[Raw]:
    if name in {"day", "datetime"}:
        return list(_moments())
    return list({"decimal": _AMOUNTS, "number": _NUMBERS, "boolean": _TRUTHS}.get(name, _TEXTS))


def _spellings(name: str) -> tuple[Raw, ...]:
    """A table's key as text, and as the number it may stand for."""
    return (name, int(name)) if name.isdecimal() else (name,)


def _moments() -> Iterator[str]:
    yield from _FAR_DAYS
    times = cycle(_TIMES)
    for offset in range(_DAYS):
        day = _FIRST_DAY + timedelta(days=offset)
        yield day.isoformat()
        yield f"{day.isoformat()}T{next(times)}"


def _rows(key: str, texts: list[Raw]) -> Iterator[Raw]:
    """Each text as the only row, and as the first of several that are listed out of order."""
    for text in texts:
        yield [{"id": "r1", "idx": 1, key: text}]
        yield [
            {"id": "r9", "created_at": "2024-01-02T09:00:00Z", key: "Later"},
            {"id": "r2", "idx": 2, key: "Other", "note": None},
            {"id": "r1", "idx": 1, key: text},
        ]


def example_context(lens: Lens, context: Context) -> Context:
    """The context with a list of stages or users, where the lens needs one and a real one is not at hand."""
    name = lens.kind.name
    if name not in {"stage", "user"} or lens.kind.directory(context) is not None:
        return context
    known = EXAMPLE_STAGES if name == "stage" else EXAMPLE_USERS
    own = tuple(key for key, _ in lens.values.entries) if lens.values else ()
    table = Table(tuple(enumerate(dict.fromkeys((*own, *known)), start=101)))
    return replace(context, directories={**context.directories, name: table})
