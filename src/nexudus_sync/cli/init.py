"""`init`: a configuration and the mapping files, from a few answers."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import SecretStr

from nexudus_sync import codec, config
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.connectors import registry
from nexudus_sync.engine.assemble import HUB, mapping_of
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping.shipped import shipped

_CONFIG = """\
# Made by `nexudus-sync init`. "${{NAME}}" stands for the environment variable NAME: passwords never stand in this file.

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
_FROM_ENVIRONMENT = (SecretStr, str, Path)
_HOW_TO_MAP = 'It says where each field stands on its records; docs/connectors.md, "The mapping file", tells how.'


@dataclass(frozen=True, slots=True)
class Answers:
    """What was given as options; None is asked for."""

    name: str | None = None
    location: int | None = None
    board: int | None = None
    connector: str | None = None
    crm_url: str | None = None
    company: str | None = None


def init(root: Root, answers: Answers) -> None:
    """Ask, then write. Raises ConfigError, leaving nothing behind, for files that exist or answers of no use."""
    folder = root.config.parent / "mappings"
    _must_be_new(root.config)
    _must_be_new(folder / f"{HUB}.toml")
    text, crm = _ask(answers)
    files = {folder / f"{HUB}.toml": shipped(HUB), folder / f"{crm}.toml": mapping_of(crm), root.config: text}
    written = {path: content for path, content in files.items() if content is not None}
    for path in written:
        _must_be_new(path)
    for path, content in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    try:
        config.load(root.config, {}, secrets=False)
    except ConfigError:
        for path in written:
            path.unlink()
        raise
    say(f"Written: {', '.join(str(path) for path in written)}")
    for path in files.keys() - written.keys():
        if not path.exists():
            say(f'Now write {path}: no mapping comes with "{crm}". {_HOW_TO_MAP}')
    _tell(root.config, text)


def _must_be_new(path: Path) -> None:
    if path.exists():
        raise ConfigError(
            str(path), "is there already and stays as it is", "move it away, or name another with --config"
        )


def _ask(answers: Answers) -> tuple[str, str]:
    """The text of the configuration, and the connector's name. Raises ConfigError."""
    name = answers.name or _prompt("--name", "A name for the connection, such as the location's", "main")
    if answers.location is not None and answers.board is not None:
        raise ConfigError("init", "has both --location and --board", "give one of them")
    place = answers.board or answers.location or _prompt("--location", "The id of the Nexudus location", kind=int)
    scope = f"{'business_id' if answers.board is None else 'board_id'} = {place}"
    known = registry.names()
    connector = answers.connector or _prompt("--connector", f"The kind of CRM ({', '.join(known)})", known[0])
    model = registry.find(connector, where="--connector").Settings
    company = answers.company
    if company is None:
        company = _prompt("--company", "The CRM's company for this location (empty: all)", "")
    text = _CONFIG.format(
        crm=connector,
        connector=codec.dumps(connector),
        keys=_keys(connector, model.model_fields, answers.crm_url),
        name=codec.dumps(name),
        scope=scope,
        company=f"company = {codec.dumps(company)}\n" if company else "",
    )
    return text, connector


def _keys(connector: str, fields: Any, url: str | None) -> str:
    """The connector's own keys: its address, and what else it requires, secrets above all, from the environment."""
    lines = []
    for name, field in fields.items():
        if name == "base_url":
            address = url or _prompt(
                "--crm-url", "The address of the CRM", None if field.is_required() else field.default
            )
            lines.append(f"base_url = {codec.dumps(address)}")
        elif field.is_required() and field.annotation in _FROM_ENVIRONMENT:
            variable = re.sub(r"\W", "_", f"{connector}_{name}").upper()
            lines.append(f'{name} = "${{{variable}}}"')
    return "".join(f"{line}\n" for line in lines)


def _prompt(option: str, question: str, default: Any = None, kind: type[Any] = str) -> Any:
    """Ask at the terminal. Raises ConfigError, naming the option, where nobody answers."""
    try:
        return typer.prompt(question, default=default, type=kind)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise ConfigError("init", f"{question[0].lower()}{question[1:]} is missing", f"give it as {option}") from None


def _tell(path: Path, text: str) -> None:
    """What to do next."""
    variables = sorted({part.partition("}")[0] for part in text.split("${")[2:]} | {"NEXUDUS_USERNAME"})
    say("Now set in the environment: " + ", ".join(variables))
    option = "" if path == Root().config else f" --config {path}"
    for verb, why in (
        ("check", "tells whether all of it works"),
        ("plan", "shows what would be done"),
        ("backfill", "does it for the first time"),
        ("run", "keeps both sides in step"),
    ):
        say(f"  nexudus-sync{option} {verb}".ljust(36 + len(option)) + why)
