"""One engine for every CRM: outside its connector and its mapping file no code knows what a CRM is called."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexudus_sync.connectors import registry

SOURCE = Path(__file__).parent.parent / "src" / "nexudus_sync"
ELSEWHERE = ("connectors", "sandbox")
"""Where systems are at home: their connectors, and the doubles that stand for them."""
NAMES = re.compile("overplane|erpnext|frappe|hubspot", re.IGNORECASE)
TOLD = {
    "opportunity.py": "the canonical record is modelled on one of them, and its documentation says so",
    "mapping/moments.py": "a docstring names the page that shows an odd spelling of times",
    "cli/app.py": "`demo --crm` offers the doubles by name",
    "config/load.py": "an error message gives an example",
}
"""Who may name one all the same, in words for people, and why; never in a comparison."""


def modules() -> list[Path]:
    """Everything but connectors and doubles."""
    return [path for path in sorted(SOURCE.rglob("*.py")) if path.relative_to(SOURCE).parts[0] not in ELSEWHERE]


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def naming(text: str) -> Iterator[int]:
    """The lines of a module on which a system is named: in a name, a text or a comment."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if NAMES.search(token.string):
            yield token.start[0]


def deciding(text: str) -> Iterator[int]:
    """The lines on which something is decided by a system's name: comparisons, matches, look-ups and imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare | ast.MatchValue | ast.Subscript | ast.Import | ast.ImportFrom):
            said = ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            said = ast.unparse(node) if node.func.attr in {"startswith", "endswith", "get", "find"} else ""
        else:
            continue
        if NAMES.search(said):
            yield node.lineno


def test_the_names_are_those_of_all_crms_there_are() -> None:
    assert [name for name in registry.names() if not NAMES.search(name)] == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_module_names_a_crm(path: Path) -> None:
    if name_of(path) not in TOLD:
        assert list(naming(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nothing_is_decided_by_a_crms_name(path: Path) -> None:
    assert list(deciding(path.read_text(encoding="utf-8"))) == []


def test_the_exceptions_are_none_of_the_engine_or_what_it_stands_on() -> None:
    shell = ("engine", "store", "plan", "merge.py", "daemon.py")
    assert [name for name in TOLD if name.startswith(shell)] == []
    assert [name for name in TOLD if not list(naming((SOURCE / name).read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize(
    "text",
    [
        'if connector.name == "erpnext":\n    pass\n',
        'match kind:\n    case "overplane":\n        pass\n',
        'wait = {"erpnext": 5}["erpnext"]\n',
        'if name.startswith("ERPNext"):\n    pass\n',
        "from nexudus_sync.connectors.overplane import OverplaneConnector\n",
        'if name in ("hubspot", "erpnext"):\n    pass\n',
    ],
)
def test_the_rule_catches_what_it_is_for(text: str) -> None:
    assert list(naming(text))
    assert list(deciding(text))


def test_the_rule_passes_what_only_looks_like_it() -> None:
    assert list(deciding('HELP = "such as erpnext"\nif name == "nexudus":\n    pass\n')) == []
