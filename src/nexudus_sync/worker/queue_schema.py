"""The queue's tables, which are Procrastinate's own, made and kept up to date while workers of two versions run.

Procrastinate's migrations come in two halves. After the first (`_pre_`) both versions can work with the queue; the
second (`_post_`) takes away what only the older one used, so it waits until no other worker is there.
"""

from collections.abc import Iterator
from pathlib import Path

from procrastinate.schema import SchemaManager

from nexudus_sync.store import Store, cluster


def prepare(store: Store) -> None:
    """Bring the queue's tables to what this version of Procrastinate needs. Raises StoreError."""
    with store.session() as session:
        known = cluster.queue_schema(session)
        if known is None:
            cluster.apply_to_queue(session, [(latest(), SchemaManager.get_schema())])
        elif known < latest():
            cluster.apply_to_queue(session, missing(known, alone=not cluster.others_at_work(session)))


def latest() -> str:
    """The name of the newest migration there is."""
    return _migrations()[-1].stem


def missing(known: str, *, alone: bool) -> Iterator[tuple[str, str]]:
    """What is to be applied after the migration `known`: name and SQL. Unless `alone`, up to a second half."""
    for path in _migrations():
        if path.stem <= known:
            continue
        if "_post_" in path.stem and not alone:
            return
        yield path.stem, path.read_text(encoding="utf-8")


def _migrations() -> list[Path]:
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
