"""`init`: write a configuration and the mapping files, from a few answers."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import SecretStr, TypeAdapter, ValidationError

from nexudus_sync import codec, config
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.config.load import check_base_url
from nexudus_sync.config.settings import Text
from nexudus_sync.connectors import registry
from nexudus_sync.engine.startup.assemble import HUB, mapping_of
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping.shipped import shipped

_CONFIG = """\
# Made by `nexudus-sync init`. "${{NAME}}" stands for the environment variable NAME: this file never contains passwords.

[store]
url = "sqlite:///state.db"

[nexudus]
username = "${{NEXUDUS_USERNAME}}"
password = "${{NEXUDUS_PASSWORD}}"

[crm.{crm}]
connector = {connector}
{keys}
[[connection]]
name = {name}
crm = "{crm}"
scope = {{ {scope} }}
{company}mapping = {{ nexudus = "mappings/nexudus.toml", crm = "mappings/{crm}.toml" }}
poll = "1m"
reconcile = "24h"
deletes = "ignore"
"""
T = TypeVar("T")

_FROM_ENVIRONMENT = (SecretStr, str, Path)
_HOW_TO_MAP = 'It says where each field is on the records of the CRM; see "The mapping file" in docs/connectors.md.'


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers given as options; None is asked for."""

    name: str | None = None
    location: int | None = None
    board: int | None = None
    connector: str | None = None
    crm_url: str | None = None
    company: str | None = None

    def options(self) -> list[tuple[str, object]]:
        """Each option with its value, None when it was not given."""
        place = self.board if self.location is None else self.location
        return [
            ("--name", self.name),
            ("--location", place),
            ("--connector", self.connector),
            ("--crm-url", self.crm_url),
            ("--company", self.company),
        ]


def init(root: Root, answers: Answers) -> None:
    """Ask, then write. Raises ConfigError, leaving nothing behind, for existing files or unusable answers."""
    folder = root.config.parent / "mappings"
    _must_be_new(root.config)
    _must_be_new(folder / f"{HUB}.toml")
    text, crm = _ask(answers, folder)
    files = {folder / f"{HUB}.toml": shipped(HUB), folder / f"{crm}.toml": mapping_of(crm), root.config: text}
    written = {path: content for path, content in files.items() if content is not None}
    for path in written:
        _must_be_new(path)
    _write(written)
    try:
        config.load(root.config, {}, secrets=False)
    except ConfigError:
        _remove(written)
        raise
    say(f"Wrote {', '.join(str(path) for path in written)}")
    for path in files.keys() - written.keys():
        if not path.exists():
            say(f'Now write {path}: "{crm}" comes without a mapping. {_HOW_TO_MAP}')
    _tell(root.config, text)


def _write(files: Mapping[Path, str]) -> None:
    """Write all of the files, or none of them."""
    made: list[Path] = []
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(content)
    except BaseException:
        _remove(made)
        raise


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink()


def _must_be_new(path: Path) -> None:
    if os.path.lexists(path):  # a dangling link is in the way as well
        raise ConfigError(
            str(path), "already exists and is left as it is", "move it away, or name another file with --config"
        )


def _ask(answers: Answers, folder: Path) -> tuple[str, str]:
    """The text of the configuration, and the connector's name. Raises ConfigError."""
    if answers.location is not None and answers.board is not None:
        raise ConfigError("init", "has both --location and --board", "give only one of them")
    _check_options(answers)
    known = registry.names()

    def connector_of(given: str) -> str:
        registry.find(given, where="--connector")
        _must_be_new(folder / f"{given}.toml")
        return given

    def prompt(option: str, question: str, parse: Callable[[str], T], default: str | None = None) -> T:
        return _prompt(answers, option, question, parse, default)

    name = answers.name or prompt("--name", "A name for the connection, such as the location's name", _text, "main")
    place = answers.board or answers.location or prompt("--location", "The id of the Nexudus location", _id)
    scope = f"{'business_id' if answers.board is None else 'board_id'} = {place}"
    connector = answers.connector or prompt(
        "--connector", f"The kind of CRM ({', '.join(known)})", connector_of, known[0]
    )
    company, part = answers.company, getattr(registry.find(connector, where="--connector"), "part", "company")
    if company is None:
        company = prompt("--company", f"The CRM's {part} for this location (empty: all)", _text_or_none, "")
    text = _CONFIG.format(
        crm=connector,
        connector=codec.dumps(connector),
        keys=_keys(connector, answers),
        name=codec.dumps(name),
        scope=scope,
        company=f"{part} = {codec.dumps(company)}\n" if company else "",
    )
    return text, connector


def _check_options(answers: Answers) -> None:
    """Refuse an unusable option before anything is asked, so that nothing is typed in vain. Raises ConfigError."""
    for option, given, parse in (
        ("--name", answers.name, _text),
        ("--company", answers.company, _text_or_none),
        ("--crm-url (base_url)", answers.crm_url, _address),
    ):
        try:
            _ = parse(given) if given else None
        except ValueError as error:
            raise ConfigError(option, str(error)) from None
        except ConfigError as error:
            raise ConfigError(option, error.problem, error.remedy) from None


def _text(given: str) -> str:
    if "${" in given:
        raise ValueError("${ starts the name of an environment variable in the file; leave it out")
    try:
        return TypeAdapter(Text).validate_python(given.strip())
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _text_or_none(given: str) -> str:
    return _text(given) if given.strip() else ""


def _id(given: str) -> int:
    if not given.strip().isdecimal() or int(given) == 0:
        raise ValueError("an id is a whole number above 0")
    return int(given)


def _address(given: str) -> str:
    check_base_url(given.strip(), "the address")
    return given.strip()


def _keys(connector: str, answers: Answers) -> str:
    """The connector's own keys: its address, and what else it requires, such as secrets, from the environment."""
    lines = []
    for name, field in registry.find(connector, where="--connector").Settings.model_fields.items():
        if name == "base_url":
            usual = None if field.is_required() else field.default
            address = answers.crm_url or _prompt(answers, "--crm-url", "The address of the CRM", _address, usual)
            lines.append(f"base_url = {codec.dumps(address)}")
        elif field.is_required() and field.annotation in _FROM_ENVIRONMENT:
            variable = re.sub(r"\W", "_", f"{connector}_{name}").upper()
            lines.append(f'{name} = "${{{variable}}}"')
    return "".join(f"{line}\n" for line in lines)


def _prompt(answers: Answers, option: str, question: str, parse: Callable[[str], T], default: str | None) -> T:
    """Ask at the terminal, again when the answer is unusable, so that nothing typed before is lost.

    Raises ConfigError, naming the missing options, when there is no terminal.
    """
    while True:
        try:
            given = typer.prompt(question, default=default, type=str)
        except typer.Abort:
            if sys.stdin.isatty():
                raise
            raise _unanswered(answers, option, question) from None
        try:
            return parse(given)
        except (ValueError, ConfigError) as error:
            typer.echo(f"{error}. Please try again.")


def _unanswered(answers: Answers, option: str, question: str) -> ConfigError:
    missing = [name for name, given in answers.options() if given is None and name != option]
    more = f"; without a terminal it also needs {', '.join(missing)}" if missing else ""
    return ConfigError("init", f"{question[0].lower()}{question[1:]} is missing", f"give it as {option}{more}")


def _tell(path: Path, text: str) -> None:
    """Print what to do next."""
    variables = sorted({part.partition("}")[0] for part in text.split("${")[2:]} | {"NEXUDUS_USERNAME"})
    say("Now set these environment variables: " + ", ".join(variables))
    option = "" if path == Root().config else f" --config {path}"
    for verb, why in (
        ("check", "checks that everything works"),
        ("plan", "shows what would be done"),
        ("backfill", "does the first run"),
        ("run", "keeps both sides in step"),
    ):
        say(f"  nexudus-sync{option} {verb}".ljust(36 + len(option)) + why)
