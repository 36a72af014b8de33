"""The verbs that look after an installation: copies of the state."""

from pathlib import Path
from typing import Annotated

import typer

from nexudus_sync.cli.frame import guarded, root_of, text_or_nothing
from nexudus_sync.cli.usage import group

_KEEP = "Look after it"
_File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]
_Source = Annotated[
    str,
    typer.Argument(
        metavar="FROM", callback=text_or_nothing, help=r"Its address, as in \[store] url.", show_default=False
    ),
]
_Target = Annotated[
    str,
    typer.Argument(metavar="TO", callback=text_or_nothing, help="The address of an empty one.", show_default=False),
]

store = group("The state as a whole.")


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    for verb in (backup, restore):
        app.command(rich_help_panel=_KEEP)(verb)
    app.add_typer(store, name="store", rich_help_panel=_KEEP)


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


@store.callback()
def _store() -> None:
    """The state as a whole."""


@store.command()
@guarded
def copy(ctx: typer.Context, source: _Source, target: _Target) -> None:
    """Copy a state between a file and PostgreSQL, either way; refused while `run` is running.

    For example: store copy sqlite:///state.db 'postgresql+psycopg://sync:${STORE_PASSWORD}@db/sync'. What arrived is
    compared with what was sent. ${NAME} stands for a value of the environment or secrets.env.
    """
    from nexudus_sync.cli import stores as work

    work.copy(root_of(ctx), source, target)
