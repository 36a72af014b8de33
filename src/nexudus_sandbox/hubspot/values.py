"""What a property takes: values as the API and people send them, checked and made text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from nexudus_sandbox.hubspot.errors import invalid
from nexudus_sandbox.hubspot.objects import Object, Objects, Values, iso
from nexudus_sandbox.hubspot.options import HubSpotOptions
from nexudus_sandbox.hubspot.pipelines import Pipelines
from nexudus_sandbox.hubspot.shape import CONTACTS, Properties, Property

_LONGEST = 65_536
Problem = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """What an administrator demands: where `trigger` has this value, `required` must not be blank."""

    trigger: str
    value: str
    required: str


@dataclass(slots=True)
class Checker:
    """Checks what is written. `required` are the properties that a create must have, `rules` the conditional ones.

    `owners` are the ids that a record can belong to.
    """

    options: HubSpotOptions
    properties: Properties
    pipelines: Pipelines
    owners: dict[str, dict[str, Any]]
    required: set[str]
    rules: list[Rule]

    def clean(self, kind: str, values: Mapping[str, Any], *, system: bool = False) -> Values:
        """The values as text. Raises HubSpotError for what is refused; `system`: HubSpot itself may set anything."""
        problems: list[Problem] = []
        cleaned = {name: self._text(kind, name, value, problems, system) for name, value in values.items()}
        if problems:
            raise invalid(problems, in_context=self.options.fields_in_errors)
        return cleaned

    def stage(self, one: Object | None, values: Values) -> None:
        """Raises HubSpotError for a stage that is not one of the deal's pipeline."""
        known = one.values if one else {}
        pipeline = values.get("pipeline", known.get("pipeline"))
        stage = values.get("dealstage", known.get("dealstage"))
        if not ({"pipeline", "dealstage"} & values.keys()) or not stage or self.options.foreign_stage == "accept":
            return
        if self.pipelines.stage(pipeline, stage) is None:
            said = f"{stage} was not one of the allowed options of pipeline {pipeline}"
            raise invalid([("INVALID_OPTION", "dealstage", said)], in_context=self.options.fields_in_errors)

    def admin(self, one: Object | None, values: Values) -> None:
        """Raises HubSpotError where an administrator's rule is broken (only API 2026-09 and later ask)."""
        after = {**(one.values if one else {}), **values}
        problems = []
        if one is None:
            problems += [
                ("MISSING_REQUIRED_PROPERTY", name, f"A value for {name} must be provided")
                for name in sorted(self.required)
                if not after.get(name)
            ]
        for rule in self.rules:
            touched = rule.trigger in values or rule.required in values
            if touched and after.get(rule.trigger) == rule.value and not after.get(rule.required):
                said = f"{rule.required} is required because of a conditional property rule based on [{rule.trigger}]"
                problems.append(("MISSING_CONDITIONAL_REQUIRED_PROPERTY", rule.required, said))
        if problems:
            raise invalid(problems)

    def unique(self, kind: str, one: Object | None, values: Values, objects: Objects) -> tuple[str, Object] | None:
        """A unique property whose value another object has, and that object."""
        for name in self.properties.unique(kind):
            value = values.get(name)
            for other in objects.live(kind) if value else ():
                if other is not one and value in spoken(other, name):
                    return name, other
        return None

    def _text(self, kind: str, name: str, value: Any, problems: list[Problem], system: bool) -> str:
        definition = self.properties.live(kind, name)
        if definition is None:
            problems.append(("PROPERTY_DOESNT_EXIST", name, f'Property "{name}" does not exist'))
            return ""
        if definition.computed and not system:
            problems.append(("READ_ONLY_VALUE", name, f'"{name}" is a read only property; its value cannot be set.'))
            return ""
        text = _plain(value)
        if kind == CONTACTS and name == "email":
            text = text.strip().lower()
        try:
            return self._checked(definition, text) if text else ""
        except ValueError as error:
            problems.append((str(error.args[0]), name, f"{text} {error.args[1]}"))
            return ""

    def _checked(self, definition: Property, text: str) -> str:
        if definition.name == "hubspot_owner_id" and text not in self.owners:
            raise ValueError("INVALID_OWNER_ID", "is not an active owner id")
        if definition.type == "number":
            try:
                return str(Decimal(text))
            except InvalidOperation:
                raise ValueError("INVALID_INTEGER", "was not a valid number.") from None
        if definition.type in ("date", "datetime"):
            return moment_text(text, definition.type)
        if definition.options and not set(text.split(";")) <= set(definition.options):
            raise ValueError("INVALID_OPTION", f"was not one of the allowed options: {list(definition.options)}")
        if len(text) > _LONGEST:
            raise ValueError("PROPERTY_VALUE_TOO_LONG", "is too long")
        return text


def spoken(one: Object, name: str) -> set[str]:
    """All values that count as taken: a contact's additional addresses are its own too."""
    found = {one.values.get(name, "")}
    if one.kind == CONTACTS and name == "email":
        found |= set(one.values.get("hs_additional_emails", "").split(";"))
    return found - {""}


def moment_text(text: str, kind: str) -> str:
    """A date or moment as it is kept. Raises ValueError(code, what is wrong)."""
    try:
        if re.fullmatch(r"-?\d+", text):
            at = datetime.fromtimestamp(int(text) / 1000, UTC)
        else:
            at = datetime.fromisoformat(text.replace("Z", "+00:00"))
            at = at.replace(tzinfo=at.tzinfo or UTC)
    except (ValueError, OverflowError):
        raise ValueError("INVALID_DATE", f"was not a valid {kind}.") from None
    return at.astimezone(UTC).date().isoformat() if kind == "date" else iso(at)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def closing(one: Object | None, values: Values, pipelines: Pipelines) -> bool:
    """Does a deal enter a won or lost stage that it was not in the likes of before?"""
    known = one.values if one else {}
    pipeline = values.get("pipeline", known.get("pipeline"))
    after = pipelines.stage(pipeline, values.get("dealstage"))
    before = pipelines.stage(known.get("pipeline"), known.get("dealstage"))
    if after is None or not after.closed:
        return False
    return before is None or not before.closed or before.probability != after.probability
