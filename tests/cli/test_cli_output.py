"""How values and tables look."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rich.console import Console

from nexudus_sync import texts
from nexudus_sync.cli import output
from nexudus_sync.cli.backfill import about, span_of
from nexudus_sync.cli.progress import progress

LONG = "a title of several words that is long enough to be folded somewhere"


def on_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> io.StringIO:
    """Pretend to print on a terminal of that width."""
    written = io.StringIO()

    def console(*, errors: bool = False) -> Console:
        return Console(file=written, force_terminal=True, width=width, color_system=None, markup=False)

    monkeypatch.setattr(output, "console", console)
    monkeypatch.setattr("nexudus_sync.cli.progress.console", console)
    return written


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        ("", "–"),
        ([], "–"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (Decimal("1E+3"), "1000"),
        (["a", None], "a, –"),
        ("two\nlines", "two lines"),
        (datetime(2026, 3, 2, 8, 1, 2, tzinfo=UTC), "2026-03-02 08:01"),
    ],
)
def test_a_cell_says_its_value(value: object, shown: str) -> None:
    assert output.cell(value) == shown


def test_counts_are_said_as_people_do() -> None:
    assert texts.plural(1, "conflict") == "1 conflict"
    assert texts.plural(1200, "opportunity", "opportunities") == "1,200 opportunities"


def test_in_a_pipe_a_table_is_plain_and_never_folded(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("id", "title", "c", "d", "e"), [(1, LONG * 4, "x", "y", None)], title="All", right=("id",))
    assert capsys.readouterr().out.splitlines() == [
        "All",
        f"id  title{' ' * (len(LONG) * 4 - 5)}  c  d  e",
        f" 1  {LONG * 4}  x  y  –",
    ]


def test_on_a_terminal_a_table_fits_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    written = on_terminal(monkeypatch, 60)
    output.print_table(("id", "title", "c", "d", "e"), [(1, LONG, "x", "y", "z")])
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].split() == ["id", "title", "c", "d", "e"]


def test_a_table_whose_words_do_not_fit_is_printed_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    written = on_terminal(monkeypatch, 40)
    output.print_table(("id", "title", "record", "d", "e"), [(1, LONG, "opportunity_" * 3, None, "z")])
    lines = [line.strip() for line in written.getvalue().splitlines()]
    assert lines[0].split() == ["id", "1"]
    assert lines[-2].split() == ["e", "z"]
    assert not any(line.startswith("d ") for line in lines)


def test_markup_in_data_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_table(("a",), [("[bold]x[/bold] :smile:",)])
    assert "[bold]x[/bold] :smile:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "less than two minutes"), (150, "about 3 minutes"), (7200, "about 2 hours"), (200_000, "about 3 days")],
)
def test_lengths_of_time_are_rounded_up(seconds: int, said: str) -> None:
    assert about(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (10, 90, "less than two minutes"),
        (10, 600, "up to about 10 minutes"),
        (180, 700, "3 minutes to 12 minutes"),
        (7000, 20_000, "117 minutes to 6 hours"),
        (7200, 7200, "about 2 hours"),
    ],
)
def test_a_range_of_time_is_told_by_its_two_ends(least: int, most: int, said: str) -> None:
    assert span_of(timedelta(seconds=least), timedelta(seconds=most)) == said


async def test_progress_is_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    written = on_terminal(monkeypatch, 80)
    async with progress("london", 4, lambda: 3):
        pass
    assert "london" in written.getvalue()


async def test_progress_is_quiet_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    async with progress("london", 4, lambda: 3):
        pass
    assert capsys.readouterr() == ("", "")
