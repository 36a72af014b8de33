"""The files that `init` writes: the configuration, the mapping files and the secrets, all of them or none."""

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from nexudus_sync import config
from nexudus_sync.errors import ConfigError

_HEAD = """\
# Made by `nexudus-sync init`. "${NAME}" stands for the environment variable NAME, or for its line in secrets.env beside
# this file: this file never contains passwords. docs/configuration.md explains every key.

"""


def configuration(
    nexudus: Mapping[str, Any],
    crm: str,
    keys: Mapping[str, Any],
    connection: Mapping[str, Any],
    *,
    with_store: bool = True,
) -> str:
    """The text of config.toml: the two systems' tables and one connection.

    `crm` is the CRM's name and `keys` its table, `connector` included. A tenant's file is without a store.
    """
    mapping = {"nexudus": "mappings/nexudus.toml", "crm": f"mappings/{keys['connector']}.toml"}
    rest = {"poll": "1m", "reconcile": "24h", "deletes": "ignore"}
    document = tomlkit.document()
    if with_store:
        document["store"] = {"url": "sqlite:///state.db"}
    document["nexudus"] = dict(nexudus)
    document["crm"] = {crm: dict(keys)}
    table = tomlkit.table()
    for key, value in {**connection, "mapping": mapping, **rest}.items():
        table[key] = _inline(value) if isinstance(value, dict) else value
    several = tomlkit.aot()
    several.append(table)
    document["connection"] = several
    return _HEAD + tomlkit.dumps(document).strip() + "\n"


def _inline(values: Mapping[str, Any]) -> Any:
    table = tomlkit.inline_table()
    table.update(values)
    return table


def check(text: str, path: Path) -> None:
    """Refuse a configuration that could not be read back. Raises ConfigError, as if it stood at `path`."""
    with tempfile.TemporaryDirectory(prefix="nexudus-sync-init-") as folder:
        beside = Path(folder) / "config.toml"
        beside.write_text(text, encoding="utf-8")
        try:
            config.load(beside, {}, secrets=False)
        except ConfigError as error:
            raise ConfigError(error.where.replace(str(beside), str(path)), error.problem, error.remedy) from None


def must_be_new(path: Path) -> None:
    """Raise ConfigError for a path where something is already, a link that leads nowhere included."""
    if os.path.lexists(path):
        raise ConfigError(
            str(path), "already exists and is left as it is", "move it away, or name another file with --config"
        )


def write(files: Mapping[Path, str], *, secret: Path, replace: Iterable[Path] = ()) -> None:
    """Write all of the files, or none; the last one decides. `secret` is readable by its owner only.

    A file in `replace` keeps its old content until the new one is whole. Raises OSError.
    """
    new: list[Path] = []
    staged: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            place = path
            if path in replace and os.path.lexists(path):
                place = staged[path] = path.with_name(f".{path.name}.new")
                place.unlink(missing_ok=True)
            if path == secret:
                os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                new.append(place)
                place.write_text(content, encoding="utf-8")
                continue
            with place.open("x", encoding="utf-8") as file:
                new.append(place)
                file.write(content)
    except BaseException:
        for path in new:
            path.unlink()
        raise
    for path, place in staged.items():
        place.replace(path)
