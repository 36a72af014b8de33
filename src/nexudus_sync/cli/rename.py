"""`connection rename`: give a connection another name in the state."""

import typer

from nexudus_sync.cli.desk import asking, open_desk
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import at_terminal, say
from nexudus_sync.errors import ConfigError
from nexudus_sync.store import renaming
from nexudus_sync.texts import nearest, plural


def rename(root: Root, old: str, new: str, *, yes: bool) -> None:
    """Rename it in every table, in one transaction. Raises ConfigError, and StoreLocked while `run` works."""
    with open_desk(root) as desk, desk.store.lock():
        old, new = desk.settings.full_name(old), desk.settings.full_name(new)
        with desk.store.read() as session:
            known = renaming.names(session)
        if old not in known:
            raise ConfigError(f"connection {old}", "the state knows no such connection", nearest(old, sorted(known)))
        if new in known or not new.strip() or new != new.strip() or not new.isprintable():
            problem = "the state already has a connection of that name" if new in known else "cannot be a name"
            raise ConfigError(f"connection {new}", problem, "choose another name")
        if not yes and not _agreed(old, new):
            say("Nothing was changed.")
            return
        with desk.store.session() as session:
            count = renaming.rename(session, old, new)
        configured = {one.name for one in desk.settings.connections}
    say(f"{old} is called {new} in the state now ({plural(count, 'row')}).")
    if new not in configured:
        say(f'Write name = "{new}" in {desk.settings.path} before the next sync; else it starts with an empty {old}.')


def _agreed(old: str, new: str) -> bool:
    if not at_terminal():
        raise ConfigError("connection rename", "no terminal to confirm on", "add --yes")
    with asking():
        return typer.confirm(f"Rename {old} to {new}, with its pairs, history and all that waits?")
