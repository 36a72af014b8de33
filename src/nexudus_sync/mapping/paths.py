"""Where a value stands in a record: `Name`, `a.b`, or `CustomFields.Data[Budget]` for the list element of that name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

Raw = Any
"""Any JSON value as `codec.loads` gives it."""
Record = dict[str, Any]
"""A system's own raw object. Never changed in place."""

_STEP = re.compile(r"(?:^|(?!^)\.)([^.\[\]]+)|\[([^\[\]]+)\]")
_NAMES = ("Name", "name", "fieldname")
"""The keys under which the systems keep the name of a custom field."""


@dataclass(frozen=True, slots=True)
class _Element:
    """A step into the element of a list that has this name."""

    name: str


_Step = str | _Element


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a record. `text` is how the mapping file writes it."""

    text: str
    steps: tuple[_Step, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a path. Raises ValueError for text that is none."""
        steps: list[_Step] = []
        end = 0
        for found in _STEP.finditer(text):
            if found.start() != end:
                break
            end = found.end()
            steps.append(found[1].strip() if found[1] else _Element(found[2].strip()))
        if end != len(text) or not steps or isinstance(steps[0], _Element):
            raise ValueError(f"'{text}' is not a path; write it like Name, a.b or CustomFields.Data[Budget]")
        return cls(text, tuple(steps))

    @property
    def root(self) -> str:
        """The record's own key that holds the place."""
        return str(self.steps[0])

    def covers(self, other: "Path") -> bool:
        """Does the other path lead to this place or into it?"""
        return other.steps[: len(self.steps)] == self.steps

    def get(self, record: Mapping[str, Any]) -> Raw:
        """The raw value; None where it or anything on the way is missing."""
        here: Raw = record
        for step in self.steps:
            here = _element(here, step.name) if isinstance(step, _Element) else _member(here, step)
        return _member(here, _value_key(here)) if isinstance(self.steps[-1], _Element) else here

    def set(self, record: Record, raw: Raw) -> Record:
        """A record with `raw` in this place and nothing else changed; `record` itself when a blank meets a blank.

        Containers that are missing are made. Raises ValueError when something else stands where a container should.
        """
        if is_blank(raw) and is_blank(self.get(record)):
            return record
        changed: Record = _set(record, self.steps, raw)
        return changed


def is_blank(raw: Raw) -> bool:
    """Null, missing, empty and white space are one value."""
    return raw is None or (isinstance(raw, str) and not raw.strip())


def _member(here: Raw, key: str) -> Raw:
    return here.get(key) if isinstance(here, Mapping) else None


def _named(element: Raw, name: str) -> bool:
    return isinstance(element, Mapping) and any(element.get(key) == name for key in _NAMES)


def _element(here: Raw, name: str) -> Raw:
    found = (element for element in here if _named(element, name)) if isinstance(here, list) else iter(())
    return next(found, None)


def _value_key(element: Raw) -> str:
    return "value" if "Value" not in (element or ()) and "value" in (element or ()) else "Value"


def _set(here: Raw, steps: tuple[_Step, ...], raw: Raw) -> Raw:
    """A copy of `here` with `raw` at the end of `steps`."""
    if not steps:
        return raw
    step, rest = steps[0], steps[1:]
    if isinstance(step, _Element):
        return _set_element(here, step.name, rest, raw)
    if here is not None and not isinstance(here, Mapping):
        raise ValueError(f"no object to hold '{step}'")
    here = here or {}
    return {**here, step: _set(here.get(step), rest, raw)}


def _set_element(here: Raw, name: str, rest: tuple[_Step, ...], raw: Raw) -> Raw:
    """A copy of a list in which the element of that name is changed, or added as Nexudus writes a custom field."""
    if here is not None and not isinstance(here, list):
        raise ValueError(f"no list to hold '{name}'")
    elements = list(here or ())
    at = next((i for i, element in enumerate(elements) if _named(element, name)), len(elements))
    if at == len(elements):
        elements.append({"Name": name, "Value": None, "Type": "string", "JsonValue": None})
    elements[at] = _set(elements[at], rest or (_value_key(elements[at]),), raw)
    return elements
