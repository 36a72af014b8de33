"""`secrets.env`, beside the configuration: values for `${NAME}` that the environment does not give.

The format is python-dotenv's: lines of NAME=value, with quotes where needed. Nothing in it refers to anything else, so
that a password may contain `$`.
"""

import re
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from nexudus_sync.errors import ConfigError
from nexudus_sync.files import Unfit, read_text

NAME = "secrets.env"
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def file_of(config: Path) -> Path:
    """The file that belongs to a configuration."""
    return config.absolute().parent / NAME


def complete(environ: Mapping[str, str], config: Path) -> dict[str, str]:
    """The environment, with what it lacks taken from the file beside the configuration. Raises ConfigError.

    An empty variable counts as lacking: that is how containers pass on what nobody has set.
    """
    return {**environ, **{name: value for name, value in read(file_of(config)).items() if not environ.get(name)}}


def read(path: Path) -> dict[str, str]:
    """The values in the file, by name; none without one. Raises ConfigError, which never shows a value."""
    try:
        text = read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError:
        return {}  # a service manager may have read it as another user, and passed the values on
    except (OSError, UnicodeDecodeError, Unfit) as error:
        problem = str(error) if isinstance(error, Unfit) else "cannot be read as UTF-8 text"
        raise ConfigError(str(path), problem, "write lines like NAME=value") from None
    return parsed(text, lambda number: f"{path}:{number}")


def parsed(text: str, where: Callable[[int], str]) -> dict[str, str]:
    """The values in a text of such lines, by name. Raises ConfigError; `where` names a line by its number."""
    return {one.key: one.value or "" for one in _bindings(text, where) if one.key is not None}


def replaced(path: Path, values: Mapping[str, str]) -> str:
    """The text of the file with these values: lines with other names, and comments, stay. Raises ConfigError."""
    text = read_text(path) if path.exists() else ""
    kept = [one.original.string for one in _bindings(text, lambda number: f"{path}:{number}") if one.key not in values]
    before = "".join(kept).rstrip("\n")
    lines = [line(name, value) for name, value in values.items()]
    return "\n".join([*([before] if before else []), *lines, ""])


def line(name: str, value: str) -> str:
    """A line of the file."""
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def is_open(path: Path) -> bool:
    """May other users of the machine read it?"""
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def _bindings(text: str, where: Callable[[int], str]) -> list[Binding]:
    found = list(parse_stream(StringIO(text)))
    for one in found:
        if one.error or (one.key is not None and one.value is None):
            number = one.original.line + len(one.original.string) - len(one.original.string.lstrip("\n"))
            raise ConfigError(where(number), "is not a line like NAME=value", "put a value with ' or # in quotes")
    return found
