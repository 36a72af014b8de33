"""Do the tests see a change that breaks something? A sample of small changes all over the engine and the connectors.

    python benchmarks/mutants.py --number 100 --record mutants.jsonl

makes that many mutants of the source, one small change each, drawn by `--seed`. For each it runs the tests that came
past the changed line, and after them those that are not measured (simulated histories, crashes and planted bugs), until
one fails. Which tests came past a line is found by one run of the default tests with `--cov-context=test`, kept in
`--folder`. Prints how many mutants were caught, and each that was not; exits 1 when there is one.

What survives here is looked at by hand: many such changes break no promise (a log line, a limit that is never reached).
`docs/mutation.md` tells of the pure core, where each single mutant counts.
"""

import argparse
import ast
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("src") / "nexudus_sync"
COPIED = ("src", "tests", "mappings", "benchmarks", "docs", "pyproject.toml", "README.md", "config.example.toml")
UNMEASURED = (
    "test_planted_bugs.py", "test_histories.py", "test_crash_points.py", "test_stateful.py", "test_burst.py",
)  # fmt: skip
"""Tests of `tests/simulation` that coverage is not measured in: they may come past any line."""
FIRST = 40
"""How many of the tests that came past a line are tried before all others."""
PATIENCE = 900.0
"""Seconds after which a mutant that makes the tests hang counts as caught."""

COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Is: "is not",
    ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: in this file, these characters become that text."""

    path: str
    line: int
    start: int
    end: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} [{self.start}:{self.end}] -> {self.text!r}"

    def applied(self, source: str) -> str:
        """The file with the change in it. Offsets count bytes, as `ast` does."""
        raw = source.encode()
        return (raw[: self.start] + self.text.encode() + raw[self.end :]).decode()


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mutant of a file."""
    source = (ROOT / path).read_text(encoding="utf-8")
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.walk(ast.parse(source)):
        for at, text in _changes(node, source):
            start = starts[at.lineno - 1] + at.col_offset
            end = starts[(at.end_lineno or at.lineno) - 1] + (at.end_col_offset or 0)
            yield Mutant(str(path), at.lineno, start, end, text)


def _changes(node: ast.AST, source: str) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """What a mutation puts in place of which part of a node."""
    said = lambda part: ast.get_source_segment(source, part) or ""  # noqa: E731
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield test, f"(not ({said(test)}))"
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARED:
            yield node, f"({said(left)} {COMPARED[type(op)]} {said(right)})"
        case ast.BoolOp(op=op, values=values):
            word = " or " if isinstance(op, ast.And) else " and "
            yield node, f"({word.join(f'({said(one)})' for one in values)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({said(operand)})"
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(value)) | ast.Constant(value=float(value)):
            yield node, str(value + 1)
        case ast.Return(value=ast.expr() as value) if not _is_nothing(value):
            yield value, "None"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield node, "pass"


def _is_nothing(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def sample(folders: list[str], number: int, seed: int) -> list[Mutant]:
    """So many mutants of all there are."""
    files = sorted(path.relative_to(ROOT) for name in folders for path in (ROOT / PACKAGE / name).rglob("*.py"))
    found = [mutant for path in files for mutant in mutants(path)]
    return random.Random(seed).sample(found, number)


class Bench:
    """A copy of the project in which the mutants are tried."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / ".coverage"
        if not self.data.exists():
            folder.mkdir(parents=True, exist_ok=True)
            for name in COPIED:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, folder / name)  # type: ignore[operator]
            self._run("-q", "-n", "auto", "--dist", "worksteal", "--cov", "--cov-context=test", "--cov-report=")

    def _run(self, *words: str, patience: float | None = None) -> bool:
        """Did the tests pass?"""
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
        try:
            ended = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, timeout=patience, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return ended.returncode == 0

    def past(self, mutant: Mutant) -> list[str]:
        """The tests that came past the line, as pytest names them."""
        with sqlite3.connect(self.data) as data:
            rows = data.execute(
                "SELECT DISTINCT context.context FROM arc JOIN file ON file.id = arc.file_id"
                " JOIN context ON context.id = arc.context_id"
                " WHERE file.path LIKE ? AND (arc.fromno = ? OR arc.tono = ?)",
                (f"%{mutant.path}", mutant.line, mutant.line),
            )
            names = {context.partition("|")[0] for (context,) in rows}
        return sorted(name for name in names if name.startswith("tests/"))

    def catches(self, mutant: Mutant) -> bool:
        """Does a test fail with this change?"""
        path = self.folder / mutant.path
        source = path.read_text(encoding="utf-8")
        tests = self.past(mutant)
        random.Random(0).shuffle(tests)
        simulation = [f"tests/simulation/{name}" for name in UNMEASURED]
        try:
            path.write_text(mutant.applied(source), encoding="utf-8")
            return any(
                not self._run("-x", "-q", *some, patience=PATIENCE)
                for some in (tests[:FIRST], tests[FIRST:], simulation)
                if some
            )
        finally:
            path.write_text(source, encoding="utf-8")


def main() -> int:
    """Try the sample; returns 1 when a mutant survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--of", nargs="*", default=["engine", "connectors"], metavar="FOLDER")
    parser.add_argument("--folder", type=Path, help="where the copy is kept; left out: made anew")
    parser.add_argument("--record", type=Path, metavar="FILE", help="keep what was found; try only what is not there")
    options = parser.parse_args()
    known: dict[str, bool] = {}
    if options.record and options.record.exists():
        known = dict(json.loads(line) for line in options.record.read_text(encoding="utf-8").splitlines())
    with tempfile.TemporaryDirectory() as made:
        bench = Bench(options.folder or Path(made) / "copy")
        for mutant in sample(options.of, options.number, options.seed):
            if str(mutant) not in known:
                known[str(mutant)] = bench.catches(mutant)
                if options.record:
                    with options.record.open("a", encoding="utf-8") as file:
                        file.write(json.dumps([str(mutant), known[str(mutant)]]) + "\n")
    survived = [name for name, caught in known.items() if not caught]
    print(*survived, f"{len(known) - len(survived)} of {len(known)} caught", sep="\n")
    return int(bool(survived))


if __name__ == "__main__":
    sys.exit(main())
