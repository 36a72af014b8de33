"""The answers that options give to `init`, checked before anything is asked or requested."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nexudus_sync.config.load import check_base_url
from nexudus_sync.config.settings import Text, TimeZone
from nexudus_sync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers given as options; None is asked for.

    `keys` are KEY=VALUE of the systems' own tables, beginning with "nexudus." or "crm."; `stages` and `reasons` are
    pairs NEXUDUS=CRM. `create_property`: make the CRM's field for the external key. `offline`: try no login. `replace`:
    replace files that exist. `asks` False: ask nothing.
    """

    name: str | None = None
    location: int | None = None
    board: int | None = None
    connector: str | None = None
    crm_url: str | None = None
    company: str | None = None
    time_zone: str | None = None
    create_board: int | None = None
    create_property: bool = False
    keys: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    offline: bool = False
    replace: bool = False
    asks: bool = True

    def options(self) -> list[tuple[str, object]]:
        """Each option that a configuration without logins needs, with its value; None when it was not given."""
        place = self.board if self.location is None else self.location
        return [
            ("--name", self.name),
            ("--location", place),
            ("--connector", self.connector),
            ("--crm-url", self.crm_url),
            ("--company", self.company),
        ]

    @property
    def complete(self) -> bool:
        """Do the options say all that a configuration needs, so that no login has to be tried?"""
        return not (self.keys or self.stages or self.reasons) and all(given is not None for _, given in self.options())

    def scope(self) -> dict[str, int] | None:
        """The scope that options give."""
        if self.location is not None:
            return {"business_id": self.location}
        return None if self.board is None else {"board_id": self.board}


@dataclass(frozen=True, slots=True)
class Given:
    """`--set` and the pairs, taken apart: the tables' keys, dotted, and (name in Nexudus, name in the CRM) by field."""

    nexudus: Mapping[str, str] = field(default_factory=dict)
    crm: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


def check(answers: Answers) -> Given:
    """Refuse unusable options before anything is asked, so that nothing is typed in vain. Raises ConfigError."""
    if answers.location is not None and answers.board is not None:
        raise ConfigError("init", "has both --location and --board", "give only one of them")
    _refuse_without_login(answers)
    for option, given, parse in (
        ("--name", answers.name, text),
        ("--company", answers.company, text_or_none),
        ("--crm-url (base_url)", answers.crm_url, address),
        ("--time-zone", answers.time_zone, zone),
    ):
        try:
            _ = parse(given) if given else None
        except ValueError as error:
            raise ConfigError(option, str(error)) from None
        except ConfigError as error:
            raise ConfigError(option, error.problem, error.remedy) from None
    tables = _tables(answers.keys)
    pairs = {"sales_stage": _pairs("--stage", answers.stages), "lost_reasons": _pairs("--lost-reason", answers.reasons)}
    return Given(tables["nexudus"], tables["crm"], pairs)


def _refuse_without_login(answers: Answers) -> None:
    """Raise ConfigError for an option that needs a login where none is tried."""
    if answers.create_property and (answers.offline or answers.complete):
        raise ConfigError("--create-property", "needs a login to the CRM", "run `check --create-property` afterwards")
    if answers.offline and (answers.stages or answers.reasons):
        option = "--stage" if answers.stages else "--lost-reason"
        raise ConfigError(option, "needs the names that the systems know", "leave --offline out")


def _tables(keys: Iterable[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {"nexudus": {}, "crm": {}}
    for one in keys:
        name, sign, value = one.partition("=")
        table, _, key = name.partition(".")
        if not sign or table not in found or not key:
            # the value may be a password: it is not repeated
            raise ConfigError("--set", "is not like nexudus.KEY=VALUE or crm.KEY=VALUE", "see docs/configuration.md")
        found[table][key] = value
    return found


def _pairs(option: str, given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    found = []
    for one in given:
        own, sign, other = (part.strip() for part in one.partition("="))
        if not sign or not own or not other:
            raise ConfigError(option, f"'{one}' is not a pair", f'write {option} "NAME IN NEXUDUS=NAME IN THE CRM"')
        found.append((own, other))
    return tuple(found)


def literal(value: str) -> Any:
    """The value of a key as TOML reads it: a number, true, a list; anything else is text."""
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def text(given: str) -> str:
    """One line of text. Raises ValueError."""
    if "${" in given:
        raise ValueError("${ starts the name of an environment variable in the file; leave it out")
    return _validated(Text, given)


def text_or_none(given: str) -> str:
    """One line of text, or nothing. Raises ValueError."""
    return text(given) if given.strip() else ""


def zone(given: str) -> str:
    """The name of a time zone. Raises ValueError."""
    return _validated(TimeZone, given)


def number(given: str) -> int:
    """An id of Nexudus. Raises ValueError."""
    if not given.strip().isdecimal() or int(given) == 0:
        raise ValueError("an id is a whole number above 0")
    return int(given)


def address(given: str) -> str:
    """The address of a system. Raises ConfigError."""
    check_base_url(given.strip(), "the address")
    return given.strip()


def _validated(kind: Any, given: str) -> str:
    try:
        found: str = TypeAdapter(kind).validate_python(given.strip())
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return found
