"""In which line of a TOML file a key stands, so that an error can name it: `config.toml:12: nexudus.username: …`."""

import re
from pathlib import Path

from nexudus_sync.files import Unfit, read_text

_PLACE = re.compile(
    r"(?P<file>[^\n:]*[^\n:\d][^\n:]*): "
    r"(?P<key>\[\w+\] \w+|[A-Za-z_][\w\-]*(?:\[\d+\]|\.[\w\-]+|\.\"[^\"]*\")*)(?=[: (,]|$)"
)
"""How an error begins that names a file and a key."""
_HEADING = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
_KEY = re.compile(r"\s*((?:[\w\-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w\-]+|\"[^\"]*\"|'[^']*'))*)\s*=(.*)")
_PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|\[(\d+)\]|([\w\-]+)")

Place = tuple[str | int, ...]


def with_line(text: str, config: Path) -> str:
    """The text of an error, with the line after the file's name where that can be found out.

    `config`: the configuration, whatever its name; any other file has to be called `….toml`.
    """
    found = _PLACE.match(text)
    if found is None:
        return text
    path = Path(found["file"])
    if path != config and path.suffix != ".toml":
        return text
    try:
        line = line_of(read_text(path), _parts(found["key"]))
    except (OSError, ValueError, Unfit):
        return text
    return text if line is None else f"{found['file']}:{line}{text[found.end('file') :]}"


def line_of(text: str, key: Place) -> int | None:
    """The line, from 1 on, of a key such as ("connection", 0, "name"); of its table where the key is missing."""
    known = _positions(text)
    ends = range(len(key), 0, -1)
    return next((known[key[:end]] for end in ends if key[:end] in known), None)


def _parts(key: str) -> Place:
    found = _PART.findall(key)
    return tuple(int(index) if index else double or single or bare for double, single, index, bare in found)


def _positions(text: str) -> dict[Place, int]:
    """The line of each table and key. What an inline table or a list holds is where that begins."""
    found: dict[Place, int] = {}
    table: Place = ()
    rest = _Rest()
    for number, line in enumerate(text.splitlines(), 1):
        if rest.takes(line):
            continue
        if heading := _HEADING.match(line):
            table = _table(found, _parts(heading[2]), is_list=heading[1] == "[[")
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            place = (*table, *_parts(key[1]))
            for end in range(len(table) + 1, len(place) + 1):
                found.setdefault(place[:end], number)
            rest.begin(key[2])
    return found


def _table(known: dict[Place, int], name: Place, *, is_list: bool) -> Place:
    """The place of a table: within a list of tables it belongs to the last of these."""
    place: Place = ()
    for number, part in enumerate(name, 1):
        place = (*place, part)
        count = sum(one[:-1] == place and isinstance(one[-1], int) for one in known if one)
        if is_list and number == len(name):
            return (*place, count)
        if count:
            place = (*place, count - 1)
    return place


class _Rest:
    """The lines of a value that goes on after its first: a text in three quotes, a list."""

    def __init__(self) -> None:
        self.quotes, self.open = "", 0

    def begin(self, value: str) -> None:
        """A value begins."""
        for quotes in ('"""', "'''"):
            if value.count(quotes) == 1:
                self.quotes = quotes
                return
        self.open = _opened(value)

    def takes(self, line: str) -> bool:
        """Does the line belong to it?"""
        if self.quotes:
            self.quotes = "" if self.quotes in line else self.quotes
            return True
        if self.open > 0:
            self.open += _opened(line)
            return True
        return False


def _opened(text: str) -> int:
    """How many brackets are open at the end of a line, without those in texts and comments."""
    bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", "", text).partition("#")[0]
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
