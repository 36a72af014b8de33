"""How the command line prints: JSON, tables for people at any width, and plain lines."""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nexudus_sync import codec
from nexudus_sync.cli.times import ago, when
from nexudus_sync.texts import CELL, LINE, cut, in_json, visible

BLANK = "–"
_UNBOUNDED = 10_000
_FORMULA = frozenset("=+-@\t\r")
"""How a text begins that a spreadsheet runs."""
_PAGE = 200
"""Rows of a table that are laid out at a time."""
_KEY = 4
"""Columns that the keys of cards have."""
_FOLDABLE = 4
"""A table with at most this many columns still reads well when its cells are folded."""


def print_json(value: Any) -> None:
    """Print the value as JSON on standard output, uncut; moments must be text already."""
    typer.echo(in_json(codec.dumps(value)))


def print_json_list(rows: Iterable[Any]) -> None:
    """Print the rows as a JSON list on standard output, each as it comes: however many, they take no memory."""
    texts = (in_json(codec.dumps(row)) for row in rows)
    typer.echo("[" + next(texts, ""), nl=False)  # if the first cannot be read, nothing is printed
    for text in texts:
        typer.echo(f",{text}", nl=False)
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


def spreadsheet(value: Any) -> str:
    """A value as a cell of a CSV file; one that a spreadsheet would take for a formula begins with an apostrophe."""
    if value is None or isinstance(value, datetime):
        return utc(value) or ""
    text = value if isinstance(value, str) else "" if value == [] else _cell(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in _FORMULA else text


def print_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print the rows as CSV on standard output, each as it comes, with a heading."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(columns)
    for row in rows:
        out.writerow([visible(spreadsheet(row.get(name))) for name in columns])


@dataclass(frozen=True, slots=True)
class Card:
    """A row of a list where a table of it does not fit: a key, a heading, and lines below it."""

    key: str
    heading: str
    lines: Sequence[str]


def at_terminal() -> bool:
    """Can somebody read a question and answer it?"""
    return sys.stdin.isatty() and console().is_terminal


def say(text: str = "", style: str = "") -> None:
    """Print a line for people; it wraps at the terminal's width."""
    console().print(Text(cut(visible(text), LINE)), style=style or None)


def cell(value: Any) -> str:
    """A value as a table cell: blank is a dash, lists are joined, a moment is told as `times` tells it.

    Terminal control is made visible, and the text is cut to what a column can show.
    """
    return cut(visible(_cell(value)), CELL)


def _cell(value: Any) -> str:
    if value is None or value in ("", []):
        return BLANK
    if isinstance(value, datetime):
        return ago(value) if sys.stdout.isatty() else when(value)
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
    card: Callable[[Sequence[str]], Card] | None = None,
) -> None:
    """Print a table; `right` names the columns of numbers. Without rows, print the line `empty` if there is one.

    A table of many columns that does not fit the terminal is printed row by row instead, and one that has a `card` as
    cards as soon as a cell would have to be folded.
    Rows are taken a page at a time: the first page decides the look of all, and a terminal gets a heading for each.
    """
    right, columns = [visible(name) for name in right], [cut(visible(name), CELL) for name in columns]
    out, pages = console(), _pages(rows)
    first = next(pages, None)
    if first is None:
        if empty:
            say(empty)
        return
    if title:
        say(title, style="bold")
    if out.width == _UNBOUNDED:
        _print_plain(columns, first, pages, right)
    elif card is not None and _whole_width(columns, first) > out.width:
        _print_cards(out, map(card, chain(first, chain.from_iterable(pages))))
    elif len(columns) > _FOLDABLE and _least_width(columns, first) > out.width:
        _print_stacked(out, columns, chain(first, chain.from_iterable(pages)))
    else:
        _print_grids(out, columns, chain([first], pages), right)


def _pages(rows: Iterable[Sequence[Any]]) -> Iterator[list[list[str]]]:
    """The rows as cells, some at a time."""
    left = iter(rows)
    while page := [[cell(value) for value in row] for row in islice(left, _PAGE)]:
        yield page


def _print_grids(
    out: Console, columns: Sequence[str], pages: Iterable[Sequence[Sequence[str]]], right: Sequence[str]
) -> None:
    for page in pages:
        _print_grid(out, columns, page, right)


def _print_grid(out: Console, columns: Sequence[str], shown: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    """One line per row; framed at a terminal."""
    terminal = out.is_terminal
    frame, gap = (box.SIMPLE_HEAD, 1) if terminal else (None, 2)
    table = Table(box=frame, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0))
    for name in columns:
        table.add_column(Text(name, style="bold"), justify="right" if name in right else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(value) for value in row))
    _print_trimmed(out, table)
    if terminal:
        out.print()


def _print_plain(
    columns: Sequence[str], first: list[list[str]], more: Iterable[list[list[str]]], right: Sequence[str]
) -> None:
    """One line per row, however long: for programs and files. A later page keeps the first one's widths if it can."""
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *first, strict=True)]
    for row in chain([columns], first, chain.from_iterable(more)):
        cells = zip(columns, row, widths, strict=True)
        typer.echo("  ".join(_padded(value, width, name in right) for name, value, width in cells).rstrip())


def _padded(value: str, width: int, right: bool) -> str:
    gap = " " * (width - cell_len(value))
    return gap + value if right else value + gap


def _whole_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The width of a table that folds no cell."""
    return sum(2 + max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True))


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The least width of a table that breaks no words."""
    lines = [columns, *rows]
    longest = (
        max(cell_len(word) for line in lines for word in line[index].split() or [""]) for index in range(len(columns))
    )
    return sum(2 + length for length in longest)


def _print_stacked(out: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    for row in rows:
        out.print(_stacked(columns, row))
        out.print()


def _print_cards(out: Console, cards: Iterable[Card]) -> None:
    for one in cards:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(min_width=_KEY, no_wrap=True, justify="right")
        table.add_column(overflow="fold")
        table.add_row(Text(one.key, style="bold"), Text(one.heading, style="bold"))
        for line in one.lines:
            table.add_row("", Text(line))
        _print_trimmed(out, table)
    if out.is_terminal:
        out.print()


def _print_trimmed(out: Console, table: Table) -> None:
    """Print a table; where nobody sees colours, without the spaces at the ends of its lines."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


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
