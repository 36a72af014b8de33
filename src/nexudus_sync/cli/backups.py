"""`backup` and `restore`: copies of the state, made while `run` works."""

from datetime import datetime
from pathlib import Path

from nexudus_sync.cli.desk import load_settings
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.errors import ConfigError
from nexudus_sync.store import Store
from nexudus_sync.store import backup as copies
from nexudus_sync.store.schema import HEAD


def backup(root: Root, file: Path) -> None:
    """Copy the state to a new file. Raises ConfigError, StoreError."""
    copies.back_up(_file(root), file)
    say(f"Wrote {file}. It is as confidential as the CRM; passwords and the configuration are not in it.")


def restore(root: Root, file: Path) -> None:
    """Put a copy back in place of the state. Raises ConfigError, StoreError, StoreLocked."""
    state = _file(root)
    aside = copies.free(state.with_name(f"{state.name}.before-restore-{datetime.now().astimezone():%Y%m%d-%H%M%S}"))
    found = copies.restore(file, state, aside=aside)
    say(f"{state} is now what {file} holds.")
    if aside.exists():
        say(f"What was there before is in {aside}.")
    if found != HEAD:
        say(f"It was written by an earlier version (schema {found}) and is upgraded when it is first opened.")
    say("Look at `nexudus-sync plan` before you start `run` again.")


def _file(root: Root) -> Path:
    if root.tenant is not None:
        raise ConfigError("--tenant", "one store holds all tenants", "leave it out")
    settings = load_settings(root, secrets=False)
    try:
        return Store.file(settings.store_url, base_dir=settings.base_dir)
    except ConfigError as error:
        raise ConfigError(f"{settings.path}: {error.where}", error.problem, error.remedy) from error
