"""Reading what people wrote: plain files of a reasonable size, TOML of a reasonable depth."""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

LARGEST = 2**20
"""Bytes of a file that a person writes by hand."""
DEEPEST = 20
"""Tables and lists within each other."""


class Unfit(Exception):
    """What is there cannot be what was meant; the text says why, to follow the file's name."""


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The text of a file, without a byte order mark. Raises OSError, UnicodeDecodeError, and Unfit,
    also above `largest` bytes.

    Nothing is waited for: a pipe may never say a word, and a device never stop.
    """
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(file, "rb") as opened:
        found = os.fstat(file)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError
        if not stat.S_ISREG(found.st_mode):
            raise Unfit("is a pipe or a device, not a file")
        content = opened.read(largest + 1)
    if len(content) > largest:
        raise Unfit(f"is larger than {largest >> 20} MiB")
    return content.decode("utf-8-sig")


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a file. Raises tomllib.TOMLDecodeError, and Unfit for tables that nobody could follow."""
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        tables = None
    if tables is None or not _is_shallow(tables):
        raise Unfit(f"nests more than {DEEPEST} tables or lists within each other")
    return tables


def _is_shallow(tables: dict[str, Any]) -> bool:
    level: list[Any] = [tables]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        level = [one for one in level if isinstance(one, dict | list)]
    return not level
