"""Brings a database to this version's schema. Alembic is imported only when there is something to migrate.

The schema's history is one file a revision under `migrations/versions`; a new one is also named last in `REVISIONS`, in
`versions`, and `tests/store/data/make_store.py` writes the sample store that proves later versions can still open it.

A revision is to leave a store that the version before can work with, and to say so in its name (`versions.works_with`):
it only adds, and what it adds to a table that there was has a default of the server's. What has to go, goes a release
later. `tests/store/test_store_compatible.py` holds those that say so to it.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from nexudus_sync.errors import StoreError
from nexudus_sync.store.options import UPGRADES
from nexudus_sync.store.versions import HEAD as HEAD
from nexudus_sync.store.versions import REVISIONS as REVISIONS
from nexudus_sync.store.versions import works_with

START_AGAIN = "restore it from a backup, or delete it to start again (everything is then matched again)"
"""What to do about an empty store."""

MIGRATIONS = Path(__file__).parent / "migrations"
"""Alembic's script folder, part of the package."""


def revision(connection: Connection, label: str) -> str | None:
    """The revision the database is at; None for an empty one.

    A newer one that this version can work with counts as `HEAD`. Raises StoreError, naming the store by `label`, for
    another newer version's store and for a database of something else.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreError(f"{label} is a database of something else, not a store; change [store] url")
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found is None and len(tables) > 1:
        raise StoreError(f"{label} does not say which version wrote it; restore it from a backup")
    if found is not None and works_with(found):
        return HEAD
    if found is not None and found not in REVISIONS:
        raise StoreError(f"{label} was written by a newer nexudus-sync (schema {found}); upgrade nexudus-sync")
    return found


def other_version(found: str | None, label: str) -> str:
    """What to say of a store at an earlier schema, or an empty database (None), where nothing may be upgraded."""
    if found is None:
        return f"{label} is empty, not a store"
    return f"{label} is of an earlier version (schema {found}); `nexudus-sync status` with it brings it up to date"


def migrate(engine: Engine, label: str) -> None:
    """Bring the database to `HEAD` in one transaction, so that a crash leaves the old schema whole."""
    with engine.execution_options(**{UPGRADES: True}).begin() as connection:
        # Asked again under the write lock: another process may have migrated in between.
        if revision(connection, label) != HEAD:
            _upgrade(connection)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
    if connection.dialect.name == "postgresql":
        from nexudus_sync.store.alike import make_alike

        make_alike(connection)
