"""A progress bar on standard error while a long cycle runs; nothing when standard error is not a terminal."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nexudus_sync.cli.output import console

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
