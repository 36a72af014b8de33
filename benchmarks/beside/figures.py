"""Arithmetic and tables of `peers.py`, apart from everything that runs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

NEXUDUS, CRM = 0, 1


@dataclass(frozen=True, slots=True)
class Run:
    """One process, measured from outside: `cpu` (user and system) and `wall` in seconds, `peak` in MB.

    `calls` is how many requests each system had of it, `units` how often it did the work it is measured by.
    """

    cpu: float
    wall: float
    peak: float
    calls: tuple[int, int]
    units: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of the table says: milliseconds and requests a record, and the whole of the longest run."""

    name: str
    cpu_ms: float
    wall_ms: float
    nexudus_calls: float
    crm_calls: float
    whole_cpu: float
    whole_wall: float
    peak: float

    def as_json(self) -> dict[str, Any]:
        """The row for `--json`, figures rounded to what they are worth."""
        return {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()}


def steady(few: float, many: float, records: tuple[int, int]) -> float:
    """What one record more costs, from runs over few and many: whatever each run pays once cancels out.

    Raises ValueError unless `records`, the two numbers, grow.
    """
    if records[1] <= records[0]:
        raise ValueError(f"{records[1]} records are not more than {records[0]}")
    return (many - few) / (records[1] - records[0])


def row(name: str, few: Sequence[Run], many: Sequence[Run], records: tuple[int, int]) -> Row:
    """The medians of all rounds, by unit of work."""
    units = many[0].units

    def each(get: str) -> float:
        values = [[float(getattr(run, get)) for run in runs] for runs in (few, many)]
        return steady(median(values[0]), median(values[1]), records) / units

    def calls(side: int) -> float:
        return steady(median(run.calls[side] for run in few), median(run.calls[side] for run in many), records) / units

    return Row(
        name,
        each("cpu") * 1000,
        each("wall") * 1000,
        calls(NEXUDUS),
        calls(CRM),
        median(run.cpu for run in many),
        median(run.wall for run in many),
        max(run.peak for run in many),
    )


HEAD = (
    "processor ms/record",
    "× floor",
    "Nexudus calls/record",
    "CRM calls/record",
    "wall ms/record",
    "whole run: processor s",
    "wall s",
    "peak MB",
)


def table(rows: Sequence[Row], floor: str) -> str:
    """The rows as Markdown; `floor` names the row that the others are compared with, if it is there."""
    base = next((one.cpu_ms for one in rows if one.name == floor), 0.0)
    lines = [("", *HEAD)]
    for one in rows:
        times = f"{one.cpu_ms / base:.1f}" if base > 0 else "–"
        lines.append(
            (
                one.name,
                f"{one.cpu_ms:.2f}",
                times,
                f"{one.nexudus_calls:.2f}",
                f"{one.crm_calls:.2f}",
                f"{one.wall_ms:.2f}",
                f"{one.whole_cpu:.1f}",
                f"{one.whole_wall:.1f}",
                f"{one.peak:.0f}",
            )
        )
    return markdown(lines)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown: the first line is its head, the first column text, the others numbers."""
    head, *rest = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|---|" + "---:|" * (len(lines[0]) - 1), *rest])
