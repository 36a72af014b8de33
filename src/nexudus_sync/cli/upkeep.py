"""The verbs that look after an installation: copies of the state."""

from pathlib import Path
from typing import Annotated

import typer

from nexudus_sync.cli.frame import guarded, root_of

_KEEP = "Look after it"
_File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    for verb in (backup, restore):
        app.command(rich_help_panel=_KEEP)(verb)


@guarded
def backup(ctx: typer.Context, file: _File) -> None:
    """Copy the state to a new file; also while `run` is running.

    The copy is whole, checked, and readable by its owner only. Never overwrites a file.
    """
    from nexudus_sync.cli import backups as work

    work.backup(root_of(ctx), file)


@guarded
def restore(ctx: typer.Context, file: _File) -> None:
    """Put a copy back in place of the state; refused while `run` is running.

    The copy is checked first. What the state held is kept beside it, as state.db.before-restore-….
    """
    from nexudus_sync.cli import backups as work

    work.restore(root_of(ctx), file)
