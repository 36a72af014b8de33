"""Does a mapping round-trip? Checked before it touches a record: exhaustively over tables, by samples elsewhere.

- GetPut: writing back what was read changes nothing.
- PutGet: what was written is read back, as a value of the same class.
- NoClobber: nothing but the field's own place changes.

Beside the laws: what cannot be said on a side, and where the classes of the two sides do not nest.
"""

from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from itertools import product
from typing import Literal
from zoneinfo import ZoneInfo

from nexudus_sync.mapping import compound as compounds
from nexudus_sync.mapping.context import Context, Directory, sets_aside
from nexudus_sync.mapping.lenses import Lens
from nexudus_sync.mapping.model import Field, Mapping, OnUnmapped, Policy
from nexudus_sync.mapping.paths import Record, is_blank
from nexudus_sync.mapping.samples import example_context, raws
from nexudus_sync.mapping.sides import NoSuchName, Side, Unmapped, Unreadable
from nexudus_sync.mapping.values import fold
from nexudus_sync.opportunity import Status, Value

_NEIGHBOURS: Record = {"Untouched": {"a": [1, None, ""], "b": "\u00e9"}}
_LISTED = frozenset({"stage", "user"})
"""The types whose values are names in a list of the system's."""
DEFAULT = "default"
"""The law that a field's default can be said where it would be written."""
NAMES = {
    "GetPut": "written back unchanged",
    "PutGet": "read back as written",
    "NoClobber": "nothing else changed",
    "classes": "tables that overlap",
    "coverage": "value without counterpart",
}
"""What a check is called for people."""
_MOST = 4_000
"""Pairs of a value and a record to try per law; tables are tried whole."""

EXAMPLE_CONTEXTS: MappingABC[Side, Context] = {Side.NEXUDUS: Context(ZoneInfo("Europe/London")), Side.CRM: Context()}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check's answer. A "fail" forbids using the mapping; `field` is "" for none in particular."""

    level: Literal["ok", "warn", "fail"]
    field: str
    law: str
    detail: str
    to: Side | None = dataclass_field(default=None, compare=False)
    """The side that lacks a word for a value, where it is about that."""


def check(
    mapping: Mapping,
    contexts: MappingABC[Side, Context] = EXAMPLE_CONTEXTS,
    compound: compounds.Compound | None = None,
) -> list[Finding]:
    """Everything to report about a mapping, field by field. `contexts` hold the systems' lists if they are known.

    `compound`: what the CRM's connector tells of fields that are one value there.
    """
    found: list[Finding] = [] if compound is None else list(_together(mapping, compound))
    for field in mapping.fields:
        surroundings = {side: example_context(field.lens(side), contexts[side]) for side in Side}
        for side in Side:
            found += _laws(field, side, surroundings)
        found += _nesting(field)
        found += _coverage(field, surroundings)
        found += _default(field, contexts)
    return found + list(_resting(mapping))


def _together(mapping: Mapping, compound: compounds.Compound) -> Iterator[Finding]:
    """Try the laws on fields that are one value in the CRM, in every state and with every write."""
    name = next((field.name for field in mapping.fields if field.crm.path.root in compound.keys), None)
    if name is None:
        return
    broken = next(compounds.problems(mapping, compound), None)
    if broken is not None:
        yield Finding("fail", broken[0], broken[1], f"on the CRM side, where several fields are one value, {broken[2]}")
        return
    yield Finding("ok", name, "Compound", f"holds on the CRM side ({compounds.tried(mapping, compound)} writes)")


def _laws(field: Field, side: Side, contexts: MappingABC[Side, Context]) -> Iterator[Finding]:
    """Try the laws on one side's lens, with every value that either side's samples say."""
    strict = replace(field, policy=Policy())
    context = contexts[side]
    records = list(_records(field.lens(side), context))
    values = list(dict.fromkeys(value for at in Side for value in _said(strict, at, contexts[at])))
    for law, problem in (
        ("GetPut", next(_get_put(strict, side, records, context), None)),
        ("PutGet", next(_put_get(strict, side, values, records, context), None)),
    ):
        if problem is None:
            yield Finding("ok", field.name, law, f"holds on {_place(side)} ({len(records)} records)")
        else:
            yield problem


def _place(side: Side) -> str:
    return "the Nexudus side" if side is Side.NEXUDUS else "the CRM side"


def _records(lens: Lens, context: Context) -> Iterator[Record]:
    """Records that say each sample; one lacks the place altogether."""
    yield _NEIGHBOURS
    for raw in raws(lens, context):
        # Something has to stand there first, or a blank would not be written at all.
        yield lens.path.set(lens.path.set(_NEIGHBOURS, "x"), raw)


def _said(field: Field, side: Side, context: Context) -> Iterator[Value]:
    for record in _records(field.lens(side), context):
        try:
            yield field.get(side, record, context)
        except Unreadable:
            continue


def _get_put(field: Field, side: Side, records: list[Record], context: Context) -> Iterator[Finding]:
    for record in records:
        try:
            value = field.get(side, record, context)
            changed = field.put(side, value, record, context) != record
        except Unreadable:
            continue
        if changed:
            yield _broken(field, side, "GetPut", f"writing back {value!r} changes", record)


def _put_get(
    field: Field, side: Side, values: list[Value], records: list[Record], context: Context
) -> Iterator[Finding]:
    lens = field.lens(side)
    step = 1 if lens.values else max(1, len(values) * len(records) // _MOST)
    for value in values:
        for record in records[::step]:
            try:
                after = field.put(side, value, record, context)
            except Unmapped:
                continue
            if not _says(field, side, after, context, value):
                yield _broken(field, side, "PutGet", f"{value!r} is read back as another value from", after)
            if not _spares(lens, record, after):
                yield _broken(field, side, "NoClobber", f"writing {value!r} changes more than its place in", record)


def _says(field: Field, side: Side, record: Record, context: Context, value: Value) -> bool:
    try:
        return field.same(field.get(side, record, context), value)
    except Unreadable:
        return False


def _spares(lens: Lens, before: Record, after: Record) -> bool:
    """Is nothing changed but the lens's own place?"""
    old = lens.raw(before)
    if is_blank(old):
        return all(after.get(key) == before[key] for key in before if key != lens.path.root)
    return lens.path.set(after, old) == before


def _broken(field: Field, side: Side, law: str, what: str, record: Record) -> Finding:
    raw = field.lens(side).raw(record)
    return Finding("fail", field.name, law, f"on {_place(side)}, {what:.120} {raw!r:.120}")


def _nesting(field: Field) -> Iterator[Finding]:
    """Lines of tables that overlap without one lying within the other, so that a change between them is lost."""
    nexudus, crm = field.nexudus.groups(), field.crm.groups()
    for one, other in product(nexudus, crm):
        a, b = set(map(fold, one)), set(map(fold, other))
        if a & b and not (a <= b or b <= a):
            detail = (
                f"{_list(one)} in Nexudus and {_list(other)} in the CRM overlap but do not nest: all count as one value"
            )
            yield Finding("warn", field.name, "classes", detail)


def _list(values: tuple[str, ...]) -> str:
    return " / ".join(values)


def _coverage(field: Field, contexts: MappingABC[Side, Context]) -> Iterator[Finding]:
    """Values that one side has and the other cannot say, in the directions the field travels."""
    if field.on_unmapped is OnUnmapped.SKIP:
        return
    for side in field.sources:
        values = _enumerable(field, side, contexts[side])
        spoken_for = set(map(fold, values))
        for value in values:
            try:
                field.put(side.other, value, {}, contexts[side.other])
            except Unmapped as problem:
                detail = f"{side.word}'s '{value}' cannot cross: {_proposal(problem, spoken_for)}"
                yield Finding("warn", field.name, "coverage", detail, side.other)


def _proposal(problem: Unmapped, spoken_for: set[str]) -> str:
    """What to do: a name is proposed once, and never one that another value stands for by its own name."""
    if not isinstance(problem, NoSuchName) or problem.near is None:
        return str(problem)
    if fold(problem.near) in spoken_for:
        return problem.choose
    spoken_for.add(fold(problem.near))
    return str(problem)


def _default(field: Field, contexts: MappingABC[Side, Context]) -> Iterator[Finding]:
    """A default that a side's table has no line for would never be written. What a list lacks only the system tells."""
    default = field.policy.default
    for side in dict.fromkeys(source.other for source in field.sources if default is not None):
        lens = field.lens(side)
        if lens.kind.directory(contexts[side]) is not None or lens.kind.name in _LISTED:
            continue
        try:
            lens.write(default, None, contexts[side])
        except Unmapped as problem:
            yield Finding("fail", field.name, DEFAULT, f"'{default}' is not a value in {side.word}: {problem}")


def _enumerable(field: Field, side: Side, context: Context) -> list[str]:
    """The values a side is known to have: what its table or list names, and every status where any text is taken."""
    lens = field.lens(side)
    directory = lens.kind.directory(context)
    if lens.values is None and directory is None:
        return [status.value for status in Status] if field.name == "status" else []
    if lens.values is None and directory is not None:
        return list(dict.fromkeys(name for name in directory.names() if not _is_aside(directory, name)))
    said = dict.fromkeys(str(value) for value in _said(field, side, context) if value is not None)
    return list(said)


def _is_aside(directory: Directory, name: str) -> bool:
    """Is it a name that the other side need not have?"""
    return sets_aside(directory, directory.raw(name))


def _resting(mapping: Mapping) -> Iterator[Finding]:
    """Fields that do not travel."""
    for side in Side:
        for name, lens in mapping.side(side).lenses.items():
            if mapping.find(name) is None:
                detail = f"{lens.kind.system} keeps {lens.path.text} to itself: it stays where it is, untouched"
                yield Finding("ok", name, "place", detail)
