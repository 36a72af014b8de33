"""The mapping as a table to read: what each field is on both sides, and which values are one."""

from dataclasses import dataclass

from nexudus_sync.mapping.lenses import Lens
from nexudus_sync.mapping.model import Field, Mapping, OnUnmapped, Policy, Sync
from nexudus_sync.mapping.values import fold


@dataclass(frozen=True, slots=True)
class Meaning:
    """One class of values: what Nexudus has for it, and what the CRM has."""

    nexudus: tuple[str, ...]
    crm: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One field. A side without a place for it has "" for its path and type."""

    field: str
    nexudus: str
    nexudus_type: str
    crm: str
    crm_type: str
    sync: Sync
    on_conflict: str
    on_unmapped: str
    values: tuple[Meaning, ...] = ()


def rows(mapping: Mapping) -> list[Row]:
    """Every field of either file: those that travel first, then those that stay where they are."""
    return [_travelling(field) for field in mapping.fields] + [_resting(mapping, name) for name in _others(mapping)]


def _travelling(field: Field) -> Row:
    return _row(field.name, field.nexudus, field.crm, field.policy, _meanings(field))


def _others(mapping: Mapping) -> list[str]:
    names = dict.fromkeys([*mapping.nexudus.lenses, *mapping.crm.lenses])
    return [name for name in names if mapping.find(name) is None]


def _resting(mapping: Mapping, name: str) -> Row:
    return _row(name, mapping.nexudus.lenses.get(name), mapping.crm.lenses.get(name), Policy(Sync.OFF), ())


def _row(name: str, nexudus: Lens | None, crm: Lens | None, policy: Policy, values: tuple[Meaning, ...]) -> Row:
    default = policy.on_unmapped is OnUnmapped.DEFAULT
    return Row(
        name,
        nexudus.path.text if nexudus else "",
        nexudus.kind.name if nexudus else "",
        crm.path.text if crm else "",
        crm.kind.name if crm else "",
        policy.sync,
        policy.on_conflict.value,
        f"default: {policy.default}" if default else policy.on_unmapped.value,
        values,
    )


def _meanings(field: Field) -> tuple[Meaning, ...]:
    """Each class, with the raw names a table gives it; a side without a table says the canonical values themselves."""
    return tuple(Meaning(_own(field.nexudus, members), _own(field.crm, members)) for members in field.classes.members)


def _own(lens: Lens, members: tuple[str, ...]) -> tuple[str, ...]:
    if lens.values is None:
        return members
    folded = set(map(fold, members))
    return tuple(name for name, values in lens.values.entries if fold(values[0]) in folded)
