"""From the text of two mapping files to the mapping, and from a record to the canonical opportunity."""

import re
import tomllib
from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from functools import lru_cache
from itertools import combinations
from typing import Any

from pydantic import ValidationError

from nexudus_sync.errors import MappingError
from nexudus_sync.files import Unfit, parse_toml
from nexudus_sync.mapping.children import Rows
from nexudus_sync.mapping.context import Context
from nexudus_sync.mapping.kinds import Amount, Code, Kind, Link, Number, Stage, Text, Truth, User
from nexudus_sync.mapping.lenses import Lens
from nexudus_sync.mapping.model import Field, Mapping, OnUnmapped, Policy, SideMapping, Sync
from nexudus_sync.mapping.moments import Day, Moment
from nexudus_sync.mapping.paths import Path
from nexudus_sync.mapping.schema import CrmPlace, Default, Place, validated
from nexudus_sync.mapping.sides import Side, Unreadable
from nexudus_sync.mapping.values import Classes, Values, fold
from nexudus_sync.opportunity import Opportunity, Value
from nexudus_sync.texts import nearest

_KINDS: dict[str, type[Kind]] = {
    kind.name: kind for kind in (Text, Link, Number, Amount, Truth, Day, Moment, Stage, User, Rows)
}
_FIELD = re.compile(r"[a-z][a-z0-9_]*")


@lru_cache(maxsize=32)  # each connection and each check of the laws asks for the same few texts
def parse(text: str, source: str, side: Side) -> SideMapping:
    """Read one mapping file; `source` is the name that errors give it. Raises MappingError, one line."""
    try:
        data = parse_toml(text.removeprefix("\ufeff"))
    except Unfit as unfit:
        raise MappingError(source, str(unfit)) from None
    except tomllib.TOMLDecodeError as error:
        raise MappingError(source, f"is not valid TOML: {error}") from None
    places = validated(data, source, side)
    lenses: dict[str, Lens] = {}
    policies: dict[str, Policy] = {}
    for name, place in places.items():
        where = f"{source}: fields.{name}"
        policy = policies[name] = _policy(place)
        if _FIELD.fullmatch(name) is None:
            raise MappingError(where, "is not a field name", "use small letters, digits and _")
        if place.path is not None:
            lenses[name] = _lens(place, place.path, where, side)
        elif policy.sync is not Sync.OFF:
            raise MappingError(f"{where}.path", "is missing", 'add it, or say sync = "off" in the CRM\'s file')
        _check_default(policy, lenses.get(name), where)
    _check_paths(lenses, source)
    return SideMapping(source, lenses, policies if side is Side.CRM else {})


def pair(nexudus: SideMapping, crm: SideMapping) -> Mapping:
    """Put two files together. Raises MappingError where a field of the CRM's has no fitting place in Nexudus."""
    return Mapping(tuple(_fields(nexudus, crm)), nexudus, crm)


def opportunity(
    mapping: Mapping | SideMapping, side: Side, record: MappingABC[str, Any], context: Context
) -> Opportunity:
    """The canonical opportunity as one side's record says it.

    Values without a field in the model are in `custom`; values that the mapping cannot read are left out.
    """
    lenses = (mapping.side(side) if isinstance(mapping, Mapping) else mapping).lenses
    said: dict[str, Any] = {}
    for name, lens in lenses.items():
        try:
            said[name] = _said(name, lens, record, context)
        except Unreadable:
            continue
    custom: dict[str, Value] = {name: said.pop(name) for name in list(said) if name not in _MODELLED}
    try:
        return Opportunity(**said, custom=custom)
    except ValidationError as error:
        misfits = {str(problem["loc"][0]) for problem in error.errors()}
    custom |= {name: said.pop(name) for name in misfits}
    return Opportunity(**said, custom=custom)


_MODELLED = Opportunity.model_fields.keys() - {"id", "custom"}


def _said(name: str, lens: Lens, record: MappingABC[str, Any], context: Context) -> Any:
    several = name == "lost_reasons" and lens.kind.says is str
    return lens.all(lens.raw(record), context) if several else lens.get(record, context)


def _policy(place: Place) -> Policy:
    if not isinstance(place, CrmPlace):
        return Policy()
    if isinstance(place.on_unmapped, Default):
        return Policy(place.sync, place.on_conflict, OnUnmapped.DEFAULT, place.on_unmapped.default)
    return Policy(place.sync, place.on_conflict, OnUnmapped(place.on_unmapped))


def _lens(place: Place, path: str, where: str, side: Side) -> Lens:
    try:
        at = Path.parse(path)
    except ValueError as problem:
        raise MappingError(f"{where}.path", str(problem)) from None
    kind = _kind(place, (side.word, path, where))
    values = None if place.values is None else _values(place.values, f"{where}.values", kind)
    _check_blank(place.blank, kind, values, f"{where}.blank")
    return Lens(at, kind, values, place.blank, place.required)


def _kind(place: Place, about: tuple[str, str, str]) -> Kind:
    """The named type with its options; each option goes with one type only."""
    if (place.type == "rows") != (place.key is not None):
        raise MappingError(
            f"{about[2]}.key", "names the text inside a row", 'it goes with type = "rows", and only with it'
        )
    if place.zero_is_blank is not None and place.type != "decimal":
        raise MappingError(f"{about[2]}.zero_is_blank", "is about amounts", 'it goes with type = "decimal" only')
    if place.key is not None:
        return Rows(*about, place.key)
    if place.type == "decimal":
        return Amount(*about, place.zero_is_blank is not False)
    if place.type == "text" and place.values is not None:
        return Code(*about)
    return _KINDS[place.type](*about)


def _values(table: dict[str, list[str]], where: str, kind: Kind) -> Values:
    if kind.says is not str:
        raise MappingError(where, f'a value table does not go with type = "{kind.name}"', "leave the type out")
    if not table:
        raise MappingError(where, "is empty", "add a line, or leave the table out")
    for name, values in table.items():
        if not values:
            raise MappingError(f"{where}.{name}", "lists nothing", "name at least one value")
        _check_once(values, f"{where}.{name}")
    _check_once(list(table), where)
    _check_apart(table, where)
    return Values(tuple((name, tuple(values)) for name, values in table.items()), where)


def _check_once(names: list[str], where: str) -> None:
    seen = set[str]()
    for name in names:
        if fold(name) in seen:
            raise MappingError(where, f"'{name}' is listed twice", "leave one of them out")
        seen.add(fold(name))


def _check_apart(table: dict[str, list[str]], where: str) -> None:
    """Refuse a value on two lines that say different things: it makes them one class, and a change between is lost."""
    lines = dict[str, list[str]]()
    for name, values in table.items():
        for value in values:
            for line in lines.setdefault(fold(value), []):
                says, other = values[0], table[line][0]
                if fold(says) != fold(other):
                    problem = f"'{value}' is also on line '{line}', which says '{other}' and not '{says}'"
                    raise MappingError(f"{where}.{name}", problem, "leave it in one of the two lines")
            lines[fold(value)].append(name)


def _check_blank(blank: str | None, kind: Kind, values: Values | None, where: str) -> None:
    if blank is None:
        return
    if kind.says is not str:
        raise MappingError(where, f'does not go with type = "{kind.name}"', "leave it out")
    known = [value for _, group in values.entries for value in group] if values else [blank]
    if fold(blank) not in map(fold, known):
        raise MappingError(where, f"'{blank}' is in no line of the value table", nearest(blank, known))


def _check_default(policy: Policy, lens: Lens | None, where: str) -> None:
    if policy.default is not None and lens is not None and lens.kind.says is not str:
        raise MappingError(
            f"{where}.on_unmapped", f'a default does not go with type = "{lens.kind.name}"', 'use "park" or "skip"'
        )


def _check_paths(lenses: dict[str, Lens], source: str) -> None:
    """Two fields in one place would write over each other."""
    for (a, one), (b, two) in combinations(lenses.items(), 2):
        if one.path.covers(two.path) or two.path.covers(one.path):
            raise MappingError(
                f"{source}: fields.{b}.path",
                f"'{two.path.text}' is already the path of '{a}'",
                "give each field its own",
            )


def _fields(nexudus: SideMapping, crm: SideMapping) -> Iterator[Field]:
    for name, policy in crm.policies.items():
        if policy.sync is Sync.OFF:
            continue
        where = f"{crm.source}: fields.{name}"
        if name not in nexudus.lenses:
            raise MappingError(where, f"{nexudus.source} has no such field", nearest(name, nexudus.lenses))
        one, two = nexudus.lenses[name], crm.lenses[name]
        _check_kinds(one.kind, two.kind, where, nexudus.source)
        yield Field(name, one, two, policy, Classes.join([*one.groups(), *two.groups()]))


def _check_kinds(nexudus: Kind, crm: Kind, where: str, source: str) -> None:
    if nexudus.says is not crm.says:
        problem = f'is of type "{crm.name}", but "{nexudus.name}" in {source}'
        raise MappingError(f"{where}.type", problem, "give both sides matching types")
    if isinstance(nexudus, Amount) and isinstance(crm, Amount) and nexudus.zero_is_blank is not crm.zero_is_blank:
        raise MappingError(f"{where}.zero_is_blank", f"differs from {source}", "say the same in both files")
