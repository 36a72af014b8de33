"""Two versions on one store: a revision that says an earlier version can work with its store takes nothing away."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, inspect, text

from nexudus_sync.errors import StoreError
from nexudus_sync.store import Store, schema, versions
from nexudus_sync.store.tables import ConnectionState, LeaseRow

SAY_SO = [(one.partition("_for_")[2], one) for one in schema.REVISIONS if "_for_" in one]
"""The revisions that say so, each after the one from which on its store can be worked with."""


def taken_away(before: Connection, after: Connection) -> Iterator[str]:
    """What a version that knows the tables `before` cannot do, or not find, in those `after`."""
    then, now = inspect(before), inspect(after)
    for table in sorted(set(then.get_table_names()) - {"alembic_version"}):
        if not now.has_table(table):
            yield f"{table} is gone"
            continue
        known = {column["name"]: column for column in then.get_columns(table)}
        found = {column["name"]: column for column in now.get_columns(table)}
        yield from (f"{table}.{name} is gone" for name in known.keys() - found.keys())
        for name, column in found.items():
            if name in known and (str(column["type"]), column["nullable"]) != _kind(known[name]):
                yield f"{table}.{name} is of another kind"
            if name not in known and not column["nullable"] and column["default"] is None:
                yield f"{table}.{name} has no default"
        rules = [{tuple(one["column_names"]) for one in each.get_unique_constraints(table)} for each in (then, now)]
        yield from (f"{table} has a further rule about {', '.join(columns)}" for columns in rules[1] - rules[0])


def _kind(column: object) -> tuple[str, bool]:
    return str(column["type"]), column["nullable"]  # type: ignore[index]


def migrated(revision: str) -> Connection:
    """A database in memory at that revision."""
    connection = create_engine("sqlite://").connect()
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    return connection


@pytest.mark.parametrize(("earlier", "later"), [("0004", "0005"), *SAY_SO])
def test_a_revision_that_says_so_only_adds(earlier: str, later: str) -> None:
    with migrated(earlier) as before, migrated(later) as after:
        assert list(taken_away(before, after)) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("ALTER TABLE brake DROP COLUMN size", ["brake.size is gone"]),
        ("DROP TABLE spent", ["spent is gone"]),
        ("ALTER TABLE fact ADD COLUMN by TEXT NOT NULL DEFAULT ''", []),
        ("ALTER TABLE fact ADD COLUMN by TEXT", []),
        ("CREATE TABLE more (id INTEGER)", []),
        ("ALTER TABLE fact RENAME COLUMN value TO said", ["fact.value is gone"]),
    ],
)
def test_what_is_taken_away_is_found(change: str, found: list[str]) -> None:
    with migrated(schema.HEAD) as before, migrated(schema.HEAD) as after:
        after.execute(text(change))
        assert list(taken_away(before, after)) == found


def test_a_column_without_a_default_and_another_rule_are_found() -> None:
    with create_engine("sqlite://").connect() as before, create_engine("sqlite://").connect() as after:
        before.execute(text("CREATE TABLE fact (system TEXT, value TEXT)"))
        after.execute(text("CREATE TABLE fact (system TEXT, value INTEGER, by TEXT NOT NULL, UNIQUE (system, by))"))
        assert list(taken_away(before, after)) == [
            "fact.value is of another kind",
            "fact.by has no default",
            "fact has a further rule about system, by",
        ]


def at(folder: Path, revision: str) -> None:
    """A newer version made it a store of that revision."""
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        connection.execute("ALTER TABLE connection_state ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'")
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()


def test_a_newer_store_that_this_version_can_work_with_is_worked_with_and_left_at_its_revision(tmp_path: Path) -> None:
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()
    at(tmp_path, f"9999_for_{schema.HEAD}")
    with closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as store:
        with store.session() as session:
            session.add(ConnectionState(name="london", crm="overplane"))
            session.add(LeaseRow(key="overplane", holder="an older worker", epoch=1, deadline=30.0))
        with store.read() as session:
            assert session.get(ConnectionState, "london") is not None
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (f"9999_for_{schema.HEAD}",)
        ]
        assert connection.execute("SELECT mood FROM connection_state").fetchall() == [("calm",)]


def test_a_newer_store_that_only_later_versions_can_work_with_is_refused(tmp_path: Path) -> None:
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()
    at(tmp_path, "9999_for_9998")
    with pytest.raises(StoreError, match=r"was written by a newer nexudus-sync \(schema 9999_for_9998\);"):
        Store.open("sqlite:///state.db", base_dir=tmp_path)


def test_an_older_store_is_not_worked_with_as_it_is() -> None:
    assert versions.works_with(schema.HEAD)
    assert not any(versions.works_with(one) for one in schema.REVISIONS[:-1])
