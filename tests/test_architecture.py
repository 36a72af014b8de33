"""The shape of the code: layers, a pure core, and modules and functions that fit a reader's head."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter import configuration
from importlinter.application import use_cases
from radon.complexity import cc_visit
from radon.visitors import Class, Function

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src"
SOURCE = SOURCES / "nexudus_sync"
ENGINE = SOURCE / "engine"
MODULES = sorted(SOURCES.rglob("*.py"))
CLOCK_READERS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "monotonic"),
    ("time", "sleep"),
    ("asyncio", "sleep"),
}
SIMULATED = ("mapping", "store", "connectors", "config", "engine")
"""The packages that a simulation runs in virtual time: they get the time from a Clock."""


def functions(found: list[Function | Class]) -> Iterator[Function]:
    """Functions and methods, without those inside them, which count with them."""
    for one in found:
        if isinstance(one, Class):
            yield from one.methods
            yield from functions(one.inner_classes)
        else:
            yield one


def trees(paths: list[Path]) -> Iterator[tuple[str, ast.Module]]:
    for path in paths:
        yield str(path.relative_to(SOURCES)), ast.parse(path.read_text(encoding="utf-8"))


def test_each_layer_imports_only_what_lies_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    configuration.configure()
    kept = use_cases.lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None, no_logo=True)
    assert kept, capsys.readouterr().out


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {str(path.relative_to(SOURCES)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    long = [
        f"{name}: {node.name}"
        for name, tree in trees(MODULES)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= 50
    ]
    assert long == []


def test_no_function_has_more_than_12_ways_through_it() -> None:
    """By radon, which counts comprehensions and boolean operators too: what is pressed into one is no simpler."""
    complex_ones = {
        f"{path.relative_to(SOURCES)}: {one.fullname}"
        for path in MODULES
        for one in functions(cc_visit(path.read_text(encoding="utf-8")))
        if one.complexity > 12
    }
    assert complex_ones == set()


def test_no_file_of_the_engine_is_a_crumb() -> None:
    files = [path for path in ENGINE.rglob("*.py") if path.name != "__init__.py"]
    short = {str(path.relative_to(ENGINE)) for path in files if len(path.read_text("utf-8").splitlines()) < 40}
    assert short == set()


def test_no_room_of_the_engine_has_more_than_eight_files() -> None:
    rooms = {path.parent for path in ENGINE.rglob("*.py") if path.parent != ENGINE}
    files = {room.name: len([path for path in room.glob("*.py") if path.name != "__init__.py"]) for room in rooms}
    assert {name: number for name, number in files.items() if number > 8} == {}


def test_what_a_simulation_runs_reads_no_clock_of_its_own() -> None:
    simulated = [path for name in SIMULATED for path in (SOURCE / name).rglob("*.py")]
    pure = [SOURCE / "opportunity.py", SOURCE / "merge.py", *(SOURCE / "plan").glob("*.py")]
    readers = [
        f"{name}:{node.lineno}"
        for name, tree in trees(simulated + pure)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in CLOCK_READERS
    ]
    assert readers == []
