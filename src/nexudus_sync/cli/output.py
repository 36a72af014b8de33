"""How the command line prints: JSON, tables for people at any width, and plain lines."""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nexudus_sync import codec
from nexudus_sync.texts import CELL, LINE, cut, in_json, visible

BLANK = "–"
LIMIT = 50
"""Rows of a list that a table shows unless it is told otherwise."""
_UNBOUNDED = 10_000
_FOLDABLE = 4
"""A table with at most this many columns still reads well when its cells are folded."""


def print_json(value: Any) -> None:
    """Print the value as JSON on standard output, uncut; moments must be text already."""
    typer.echo(in_json(codec.dumps(value)))


def print_json_rows(rows: Iterable[Any]) -> None:
    """Print a JSON list on standard output row by row, so that none of any length has to be held as a whole."""
    typer.echo("[", nl=False)
    for number, row in enumerate(rows):
        typer.echo(("," if number else "") + in_json(codec.dumps(row)), nl=False)
    typer.echo("]")


def utc(moment: datetime | None) -> str | None:
    """A moment for JSON: RFC 3339 in UTC, to the second."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def console(*, errors: bool = False) -> Console:
    """A rich console on standard output or standard error. Without a terminal nothing is wrapped or coloured."""
    stream = sys.stderr if errors else sys.stdout
    boundless = not stream.isatty() and "COLUMNS" not in os.environ
    width = _UNBOUNDED if boundless else None
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def at_terminal() -> bool:
    """Can somebody read a question and answer it?"""
    return sys.stdin.isatty() and console().is_terminal


def say(text: str = "", style: str = "") -> None:
    """Print a line for people; it wraps at the terminal's width."""
    console().print(Text(cut(visible(text), LINE)), style=style or None)


def cell(value: Any) -> str:
    """A value as a table cell: blank is a dash, a moment is UTC to the minute, lists are joined.

    Terminal control is made visible, and the text is cut to what a column can show.
    """
    return cut(visible(_cell(value)), CELL)


def _cell(value: Any) -> str:
    if value is None or value in ("", []):
        return BLANK
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple):
        return ", ".join(_cell(one) for one in value)
    return " ".join(str(value).split())


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    right: Sequence[str] = (),
    empty: str = "",
) -> None:
    """Print a table; `right` names the columns of numbers. Without rows, print the line `empty` if there is one.

    A table of many columns that does not fit the terminal is printed row by row instead.
    """
    shown = [[cell(value) for value in row] for row in rows]
    right, columns = [visible(name) for name in right], [cut(visible(name), CELL) for name in columns]
    out = console()
    if not shown:
        if empty:
            say(empty)
        return
    if title:
        say(title, style="bold")
    if len(columns) > _FOLDABLE and _least_width(columns, shown) > out.width:
        for row in shown:
            out.print(_stacked(columns, row))
            out.print()
        return
    _print_grid(out, columns, shown, right)


def _print_grid(out: Console, columns: Sequence[str], shown: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    """One line per row; framed at a terminal."""
    terminal = out.is_terminal
    frame, gap = (box.SIMPLE_HEAD, 1) if terminal else (None, 2)
    table = Table(box=frame, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0))
    for name in columns:
        table.add_column(Text(name, style="bold"), justify="right" if name in right else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(value) for value in row))
    if terminal:
        out.print(table)
        out.print()
    else:
        _print_plain(out, table)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The least width of a table that breaks no words."""
    lines = [columns, *rows]
    longest = (
        max(cell_len(word) for line in lines for word in line[index].split() or [""]) for index in range(len(columns))
    )
    return sum(2 + length for length in longest)


def _stacked(columns: Sequence[str], row: Sequence[str]) -> Table:
    """One row as lines of name and value; blank values are left out."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=max(map(cell_len, columns)), no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(columns[0], style="bold"), Text(row[0], style="bold"))
    for name, value in zip(columns[1:], row[1:], strict=True):
        if value != BLANK:
            table.add_row(name, Text(value))
    return table


def _print_plain(out: Console, table: Table) -> None:
    """Print the table without the padding of the last column."""
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def say_rest(rest: int, one: str, number: int) -> None:
    """Say how many rows a table left out, if it did, and how to see them."""
    if rest:
        say(f"… and {rest:,} older; all {plural(number, one)}: --limit {number} or --json.")


def plural(count: int, one: str, many: str = "") -> str:
    """`1 conflict`, `2 conflicts`; with a comma between thousands."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def pair_of(nexudus_id: str, crm_id: str) -> str:
    """Both ids of a pair; a question mark where a side has no record yet."""
    return f"{nexudus_id or '?'} ⇄ {crm_id or '?'}"
