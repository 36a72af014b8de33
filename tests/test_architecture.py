"""The shape of the code: layers, a pure core, and modules and functions that fit a reader's head."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter import configuration
from importlinter.application import use_cases

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "nexudus_sync"
MODULES = sorted(SOURCE.rglob("*.py"))
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


def trees(paths: list[Path]) -> Iterator[tuple[str, ast.Module]]:
    for path in paths:
        yield str(path.relative_to(SOURCE)), ast.parse(path.read_text(encoding="utf-8"))


def test_each_layer_imports_only_what_lies_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    configuration.configure()
    kept = use_cases.lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None, no_logo=True)
    assert kept, capsys.readouterr().out


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
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


def test_what_a_simulation_runs_reads_no_clock_of_its_own() -> None:
    simulated = [path for path in MODULES if path.relative_to(SOURCE).parts[0].removesuffix(".py") in SIMULATED]
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
