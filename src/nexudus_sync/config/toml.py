"""Reading config.toml: text, TOML, and `${NAME}` from the environment."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nexudus_sync.errors import ConfigError
from nexudus_sync.files import Unfit, parse_toml, read_text

Location = tuple[str | int, ...]
"""The place of a value in the file: table names, keys and list indexes."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def place(path: Path, location: Location) -> str:
    """File and key as a person reads them: `config.toml: connection[0].scope.board_id`."""
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f"{'.' if key else ''}{part}"
    return f"{path}: {key}" if key else str(path)


def read(path: Path) -> dict[str, Any]:
    """Read and parse the file. Raises ConfigError, with the line if the parser gives it."""
    try:
        return parse_toml(read_text(path))
    except FileNotFoundError:
        remedy = "run `nexudus-sync init` to create one, or name another file with --config"
        raise ConfigError(str(path), "no such file", remedy) from None
    except IsADirectoryError:
        raise ConfigError(str(path), "is a folder", "name the file in it with --config") from None
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}", "check its permissions") from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is not UTF-8 text", "save it as UTF-8") from None
    except Unfit as unfit:
        raise ConfigError(str(path), str(unfit), "name the configuration file with --config") from None
    except ValueError as error:
        raise _syntax(path, str(error)) from None


def is_fleet(path: Path) -> bool:
    """Does the file say that it is a fleet's? False for one that cannot be read, which others tell."""
    try:
        return "fleet" in read(path)
    except ConfigError:
        return False


def _syntax(path: Path, message: str) -> ConfigError:
    at = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if at is None:
        return ConfigError(str(path), f"is not valid TOML: {message}")
    return ConfigError(f"{path}:{at[1]}", f"is not valid TOML: {message[: at.start()]} (column {at[2]})")


def is_reference(value: object) -> bool:
    """Is it one `${NAME}` and nothing else?"""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def references(value: Any) -> set[str]:
    """The names of all environment variables that a value, or anything in it, refers to."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return set().union(*map(references, inner))
    return set(_REFERENCE.findall(value)) if isinstance(value, str) else set()


def substitute(value: Any, environ: Mapping[str, str], path: Path, location: Location = ()) -> Any:
    """Replace every `${NAME}` in every text. Raises ConfigError naming file and all variables that are not set."""
    missing: dict[str, Location] = {}
    for at, text in _texts(value, location):
        for name in _REFERENCE.findall(text):
            if not environ.get(name):
                missing.setdefault(name, at)
    if missing:
        raise _not_set(missing, environ, path)
    return _substitute(value, environ, path, location)


def _texts(value: Any, location: Location) -> Iterator[tuple[Location, str]]:
    """Each text of a table, with its place."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _texts(one, (*location, key))
    if isinstance(value, str):
        yield location, value


def _not_set(missing: Mapping[str, Location], environ: Mapping[str, str], path: Path) -> ConfigError:
    states = {name: "empty" if name in environ else "not set" for name in missing}
    if len(missing) == 1:
        (name,) = missing
        problem = f"the environment variable {name} is {states[name]}"
        remedy = f"set {name} before nexudus-sync starts, or in secrets.env beside the file"
        return ConfigError(place(path, missing[name]), problem, remedy)
    said = ", ".join(f"{name} ({state})" if state == "empty" else name for name, state in states.items())
    remedy = "set them before nexudus-sync starts, or in secrets.env beside the file"
    return ConfigError(str(path), f"environment variables are not set: {said}", remedy)


def _substitute(value: Any, environ: Mapping[str, str], path: Path, location: Location) -> Any:
    if isinstance(value, dict):
        return {key: _substitute(inner, environ, path, (*location, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substitute(inner, environ, path, (*location, index)) for index, inner in enumerate(value)]
    return _fill(value, environ, place(path, location)) if isinstance(value, str) else value


def _fill(text: str, environ: Mapping[str, str], where: str) -> str:
    for name in _REFERENCE.findall(text):
        if misfit := _misfit(environ[name]):
            raise ConfigError(where, f"the environment variable {name} contains {misfit}", "set it again without")
    if "${" in _REFERENCE.sub("", text):
        raise ConfigError(where, "'${' starts the name of an environment variable", "write ${NAME}")
    return _REFERENCE.sub(lambda found: environ[found[1]], text)


def _misfit(text: str) -> str:
    """What makes the text unfit for any key or request; "" when it is fit."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "bytes that are not UTF-8"
    return "a line break or another control character" if any(unicodedata.category(c) == "Cc" for c in text) else ""
