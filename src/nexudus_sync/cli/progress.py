"""A progress bar on standard error while a long cycle runs; nothing when standard error is not a terminal."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nexudus_sync.cli.output import console
from nexudus_sync.engine.report import Report
from nexudus_sync.texts import plural

EVERY = 0.2
"""Seconds between two updates of the bar."""


@asynccontextmanager
async def progress(what: str, total: int, done: Callable[[], int]) -> AsyncIterator[None]:
    """Show the progress of the work in the block; `done` counts up to `total`."""
    out = console(errors=True)
    if not out.is_terminal:
        yield
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(what, total=total or None)

        async def watch() -> None:
            while True:
                bar.update(task, completed=min(done(), total))
                await asyncio.sleep(EVERY)

        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()


@asynccontextmanager
async def watching(what: str, report: Report) -> AsyncIterator[None]:
    """Show what a cycle has done so far, as its report fills: how much there is to do is not known before."""
    async with saying(lambda: f"{what}: {_so_far(report)}"):
        yield


@asynccontextmanager
async def saying(text: Callable[[], str]) -> AsyncIterator[None]:
    """Show a line that changes while the block works, and the time that it has taken."""
    out = console(errors=True)
    if not out.is_terminal:
        yield
        return
    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=out, transient=True) as line:
        task = line.add_task(text())

        async def watch() -> None:
            while True:
                line.update(task, description=text())
                await asyncio.sleep(EVERY)

        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()


def _so_far(report: Report) -> str:
    """What a report holds by now, in words."""
    listed, marked = sum(report.listed.values()), max(report.marked.values(), default=0)
    said = [f"{listed:,} listed"] if listed else ["asking both systems"]
    said += [f"{report.settled:,} of {max(marked + report.pairs, report.settled):,} compared"] if marked else []
    said += [plural(sum(report.created.values()), "copy", "copies")] if report.created else []
    said += [plural(report.written, "write")] if report.written else []
    return " · ".join(said)
