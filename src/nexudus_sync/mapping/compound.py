"""Fields that are one value in a system, such as a deal's status and stage: do the laws hold for both together?

Each field has its own lens, and the system's connector makes one value of what they say. So it is tried here what
comes of every write in every state of an example.
"""

from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from itertools import product
from typing import Any, Protocol

from nexudus_sync.mapping.context import Context
from nexudus_sync.mapping.model import Field, Mapping
from nexudus_sync.mapping.paths import Record
from nexudus_sync.mapping.sides import Side, Unmapped, Unreadable
from nexudus_sync.opportunity import Value


class Compound(Protocol):
    """What a connector tells of keys that are one value: an example to try the laws with.

    `keys`: the records' keys; what is written to the first of them prevails. `context` has the example's names.
    """

    keys: tuple[str, ...]
    context: Context

    def states(self) -> list[Record]:
        """A record in each state that the value can have."""
        ...

    def settled(self, before: Record, after: Record) -> Record:
        """What the record says once what differs is written, as far as it may be written; `before` if nothing may."""
        ...


_Write = dict[str, Value]


def problems(mapping: Mapping, compound: Compound) -> Iterator[tuple[str, str, str]]:
    """What breaks a law: (field, law, what)."""
    by_key = {field.crm.path.root: field for field in mapping.fields if field.crm.path.root in compound.keys}
    fields = [by_key[key] for key in compound.keys if key in by_key]
    for before in compound.states():
        for write in _writes(fields, compound):
            yield from _problem(fields, compound, before, write)


def tried(mapping: Mapping, compound: Compound) -> int:
    """How many writes are tried."""
    fields = [field for field in mapping.fields if field.crm.path.root in compound.keys]
    return len(compound.states()) * len(list(_writes(fields, compound)))


def _writes(fields: list[Field], compound: Compound) -> Iterator[_Write]:
    """Every value of each field, alone and with every value of the others; and what each state says itself."""
    said = [dict.fromkeys(_get(field, state, compound) for state in compound.states()) for field in fields]
    for values in product(*([None, *one] for one in said)):
        yield {field.name: value for field, value in zip(fields, values, strict=True) if value is not None}


def _problem(fields: list[Field], compound: Compound, before: Record, write: _Write) -> Iterator[tuple[str, str, str]]:
    try:
        after = _put(fields, compound, before, write)
    except Unmapped:
        return
    settled, shown = compound.settled(before, after), _shown(before, compound)
    news = [field for field in fields if field.name in write and not _says(field, before, write, compound)]
    if not news and settled != before:
        yield fields[0].name, "GetPut", f"writing back {write} changes {shown}"
    elif any(settled.get(key) != before.get(key) for key in before if key not in compound.keys):
        yield fields[0].name, "NoClobber", f"writing {write} changes more than its place in {shown}"
    elif settled != before and not _says(news[0], settled, write, compound):  # else it was refused, which is shown
        told = f"{write[news[0].name]!r} is read back as another value from {_shown(settled, compound)}"
        yield news[0].name, "PutGet", told


def _put(fields: list[Field], compound: Compound, record: Record, write: _Write) -> Record:
    """The record with all that is written. Raises Unmapped."""
    for field in fields:
        if field.name in write:
            record = field.put(Side.CRM, write[field.name], record, compound.context)
    return record


def _says(field: Field, record: Record, write: _Write, compound: Compound) -> bool:
    return field.same(_get(field, record, compound), write[field.name])


def _get(field: Field, record: MappingABC[str, Any], compound: Compound) -> Value:
    try:
        return field.get(Side.CRM, record, compound.context)
    except Unreadable:
        return None


def _shown(record: Record, compound: Compound) -> str:
    return ", ".join(f"{key} {record.get(key)!r}" for key in compound.keys)
