"""Which names of one system mean which names of the other: alike by name, else asked, then written into a mapping."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import tomlkit
from tomlkit.items import Array, Table

from nexudus_sync.mapping import Lens
from nexudus_sync.mapping.values import fold

WORDS = {"sales_stage": "stage", "lost_reasons": "lost reason"}
"""The fields whose names are paired, and what people call one of their values."""
OPTIONS = {"sales_stage": "--stage", "lost_reasons": "--lost-reason"}

Pairs = tuple[tuple[str, str], ...]
"""(name in Nexudus, name in the CRM)."""


@dataclass(frozen=True, slots=True)
class Lists:
    """The names of one field on both sides. A name of Nexudus may have several spellings, the first for people."""

    field: str
    nexudus: tuple[tuple[str, ...], ...]
    crm: tuple[str, ...]
    pairs: Pairs = ()

    def alike(self) -> int:
        """How many names of Nexudus are on both sides."""
        known = set(map(fold, self.crm))
        return sum(any(fold(one) in known for one in spellings) for spellings in self.nexudus)

    def alone(self) -> tuple[list[str], list[str]]:
        """The names without a counterpart, of Nexudus and of the CRM."""
        said = {fold(own) for own, _ in self.pairs}
        meant = {fold(other) for _, other in self.pairs}
        known = set(map(fold, self.crm))
        own = [spellings[0] for spellings in self.nexudus if not known.union(said).intersection(map(fold, spellings))]
        here = {fold(one) for spellings in self.nexudus for one in spellings}
        return own, [name for name in self.crm if fold(name) not in here | meant]


def lists_of(name: str, lens: Lens, known: Mapping[str, tuple[str, ...]], crm: Mapping[str, tuple[str, ...]]) -> Lists:
    """The names of a field on both sides; Nexudus's are those of its value table, else those it lists."""
    if lens.values is not None and name not in known:
        own = tuple(values for _, values in lens.values.entries)
    else:
        own = tuple((one,) for one in known.get(name, ()))
    return Lists(name, own, crm.get(name, ()))


def written(text: str, found: Iterable[Lists]) -> str:
    """The Nexudus mapping with the pairs added; its comments stay.

    A name of the CRM that two of Nexudus's stand for is written back as the one that is alike, else the first. The
    text is not checked: pairs that contradict each other make a mapping that is refused when it is parsed.
    """
    document = tomlkit.parse(text)
    for lists in found:
        if lists.pairs:
            _write(document["fields"][lists.field], lists)
    return tomlkit.dumps(document)


def _write(place: Table, lists: Lists) -> None:
    if "values" not in place:
        place.add("values", _new_table(lists))
        return
    table = place["values"]
    assert isinstance(table, Table)
    lines = {key: [str(one) for one in _listed(value)] for key, value in table.items()}
    for own, other in lists.pairs:
        if key := _line(lines, own):
            shared = any(fold(other) in map(fold, values) for one, values in lines.items() if one != key)
            lines[key] = [other, *lines[key]] if _is_said(lists, own, other) else [*lines[key], other]
            if shared:  # the line that says it so far stays before this one, and is what the CRM's name is read as
                del table[key]
            table[key] = _array(lines[key])


def _line(lines: Mapping[str, list[str]], own: str) -> str | None:
    """The key of the line that a name of Nexudus is on."""
    return next((key for key, values in lines.items() if fold(own) in map(fold, (key, *values))), None)


def _is_said(lists: Lists, own: str, other: str) -> bool:
    """Is this what the CRM is told? A name that is on both sides is told as itself; else the first of its pairs."""
    known = set(map(fold, lists.crm))
    spellings = next((one for one in lists.nexudus if fold(own) in map(fold, one)), (own,))
    first = next(crm for name, crm in lists.pairs if fold(name) == fold(own))
    return not known.intersection(map(fold, spellings)) and first == other


def _new_table(lists: Lists) -> Table:
    """A table for names that Nexudus keeps in a list of its own: those that no line mentions stand for themselves."""
    lines: dict[str, list[str]] = {}
    here = {fold(spellings[0]): spellings[0] for spellings in lists.nexudus}
    known = {fold(name): name for name in lists.crm}
    for own, other in lists.pairs:
        if namesake := here.get(fold(other)):  # before the pair, so that the CRM's name is written as its namesake
            lines.setdefault(namesake, [other])
        if fold(own) in known:
            lines.setdefault(own, [known[fold(own)]])
    for own, other in lists.pairs:
        values = lines.setdefault(own, [])
        if fold(other) not in map(fold, values):
            values.append(other)
    table = tomlkit.table()
    for own, values in lines.items():
        table.add(own, _array(values))
    return table


def _array(values: Sequence[str]) -> Array:
    array = tomlkit.array()
    array.extend(values)
    return array


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]
