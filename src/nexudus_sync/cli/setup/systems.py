"""The two systems while they are being connected: their keys, asked for and tried by logging in."""

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr, ValidationError

from nexudus_sync.cli.setup import answers
from nexudus_sync.cli.setup.asking import Asker
from nexudus_sync.clock import SystemClock
from nexudus_sync.config.problems import refuse
from nexudus_sync.connectors import registry
from nexudus_sync.connectors.base import Connector
from nexudus_sync.connectors.setup import Choice, GuidesSetup, Question
from nexudus_sync.engine.startup.assemble import Transports
from nexudus_sync.errors import ConfigError

ADDRESS = "base_url"
_FROM_ENVIRONMENT = (SecretStr, str, Path)
TRANSPORTS: Transports = {}
"""By system name: what carries requests in place of the network, for tests."""


@dataclass(slots=True)
class Table:
    """One system's table of the configuration while it is filled.

    `name` is the system's name, `word` the one that `--set` gives it. `values` are by key, dotted for tables within,
    and text as a person typed it; secrets are among them. `given` are the variables that the environment gives.
    """

    name: str
    word: Literal["nexudus", "crm"]
    kind: registry.ConnectorType
    values: dict[str, str] = field(default_factory=dict)
    given: frozenset[str] = frozenset()

    def questions(self) -> tuple[Question, ...]:
        """What a person is asked for: what the connector says, else what its settings require."""
        own: tuple[Question, ...] | None = getattr(self.kind, "questions", None)
        if own is not None:
            return own
        fields = self.kind.Settings.model_fields.items()
        needed = [
            name
            for name, one in fields
            if name == ADDRESS or (one.is_required() and one.annotation in _FROM_ENVIRONMENT)
        ]
        return tuple(Question(name, f"{self.name}: {name}", hidden=name != ADDRESS) for name in needed)

    @property
    def part(self) -> str:
        """The key by which a connection names its part of the system: what the system calls it."""
        return str(getattr(self.kind, "part", "company"))

    @property
    def needs_part(self) -> bool:
        """Does nothing go well unless a connection names its part?"""
        return bool(getattr(self.kind, "needs_part", False))

    def variable(self, key: str) -> str:
        """The environment variable that the configuration names for a key."""
        return re.sub(r"\W", "_", f"{self.name}_{key}").upper()

    def usual_address(self) -> str | None:
        """The address that is right for nearly everybody; None where everybody has their own."""
        found = self.kind.Settings.model_fields.get(ADDRESS)
        return None if found is None or found.is_required() else str(found.default)

    def lines(self) -> dict[str, Any]:
        """The keys as the configuration says them: the address, variables, and what `--set` gave besides."""
        found: dict[str, Any] = {}
        for question in self.questions():
            value = self.values.get(question.key)
            if question.key == ADDRESS:
                found |= {ADDRESS: value} if value else {}
            elif value or not question.optional:
                found[question.key] = f"${{{self.variable(question.key)}}}"
        for key, value in self._others():
            _put(found, key, answers.literal(value))
        return found

    def secrets(self) -> dict[str, str]:
        """What belongs into the file of secrets: variable → value, without what the environment gives."""
        asked = {self.variable(one.key): self.values.get(one.key, "") for one in self.questions() if one.key != ADDRESS}
        return {name: value for name, value in asked.items() if value and name not in self.given}

    def variables(self) -> frozenset[str]:
        """The variables that the configuration names for what was asked."""
        named = self.lines().keys() - {ADDRESS}
        return frozenset(self.variable(one.key) for one in self.questions() if one.key in named)

    def hidden(self) -> frozenset[str]:
        """The values that nothing may show."""
        shown = {one.key for one in self.questions() if not one.hidden}
        return frozenset(value for key, value in self.values.items() if key not in shown and len(value) > 3)

    def settings(self, where: str) -> BaseModel:
        """The table as the connector's settings. Raises ConfigError."""
        asked = {one.key for one in self.questions()}
        table: dict[str, Any] = {key: value for key, value in self.values.items() if key in asked and value}
        for key, value in self._others():
            _put(table, key, answers.literal(value))
        try:
            return self.kind.Settings.model_validate(table)
        except ValidationError as error:
            raise refuse(error, self.kind.Settings, Path(where), (self.word,)) from None

    def _others(self) -> Iterable[tuple[str, str]]:
        asked = {one.key for one in self.questions()}
        return ((key, value) for key, value in self.values.items() if key not in asked)


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for one in tables:
        table = table.setdefault(one, {})
    table[last] = value


def fill(table: Table, known: Mapping[str, str], asker: Asker, *, again: bool = False) -> None:
    """Ask for what is not known. `known`: variables with their values. `again`: what was given did not work.

    Raises ConfigError, naming the option, when there is nobody to ask.
    """
    typed = False
    for question in table.questions():
        key, variable = question.key, table.variable(question.key)
        if key != ADDRESS and not table.values.get(key) and variable in known:
            table.values[key] = known[variable]
        if variable in table.given and key != ADDRESS:
            continue
        if question.optional and not typed:
            continue  # a login that is known needs no more
        if again or not table.values.get(key):
            table.values[key] = _asked(table, question, asker)
            typed = typed or key != ADDRESS


def _asked(table: Table, question: Question, asker: Asker) -> str:
    if question.key == ADDRESS:
        return _address(table, question, asker)
    if not asker.asks and question.optional:
        return ""
    before = table.values.get(question.key) or ""
    option = f"--set {table.word}.{question.key}=… or as {table.variable(question.key)} in the environment"
    text, parse = question.text, _left_out if question.optional else _filled
    if before and question.hidden:
        text = text.partition(" (")[0] + (
            " (Enter: as before; -: none)" if question.optional else " (Enter: as before)"
        )
    default = before or ("" if question.optional else None)
    return asker.ask(option, text, parse, default=default, hidden=question.hidden)


def _address(table: Table, question: Question, asker: Asker) -> str:
    before, usual = table.values.get(ADDRESS), table.usual_address()
    if not asker.asks and usual:
        return usual
    return asker.ask(f"--set {table.word}.{ADDRESS}=…", question.text, answers.address, default=before or usual)


def _left_out(value: str) -> str:
    return "" if value.strip() == "-" else value.strip()


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty")
    return value.strip()


async def connect(table: Table) -> tuple[Connector, list[Choice]]:
    """Log in, and read what there is to choose from. Raises ConfigError, ConnectorError, leaving nothing open."""
    if address := table.values.get(ADDRESS):
        try:
            answers.address(address)
        except ConfigError as error:
            raise ConfigError(f"{table.word}.{ADDRESS}", error.problem, error.remedy) from None
    connector = table.kind(
        table.name,
        table.settings("init"),
        clock=SystemClock(),
        rng=random.Random(),  # noqa: S311 - spreads retries, no secret
        transport=TRANSPORTS.get(table.name),
    )
    try:
        await connector.start()
        choices = await connector.choices() if isinstance(connector, GuidesSetup) else []
    except BaseException:
        await connector.aclose()
        raise
    return connector, choices
