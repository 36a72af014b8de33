import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlmodel import select

from nexudus_sync.errors import ConfigError, StoreError
from nexudus_sync.store import Store, sqlite
from nexudus_sync.store.tables import Brake, Fact


@pytest.fixture(params=["on_disk", pytest.param("postgres_store", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest) -> Store:
    """An empty store that several connections may use at once."""
    store: Store = request.getfixturevalue(request.param)
    return store


def put(store: Store, key: str) -> None:
    with store.session() as session:
        session.add(Fact(system="nexudus", key=key))


def keys(store: Store) -> list[str]:
    with store.read() as session:
        return [fact.key for fact in session.exec(select(Fact))]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    for key in ("first", "second"):
        store = Store.open("sqlite:///state.db", base_dir=tmp_path)
        put(store, key)
        store.close()
    with closing(Store.open(f"sqlite:///{tmp_path / 'state.db'}")) as store:
        assert keys(store) == ["first", "second"]


def test_a_store_in_memory_is_gone_when_closed() -> None:
    for _ in range(2):
        store = Store.open("sqlite://")
        put(store, "page size")
        assert keys(store) == ["page size"]
        store.close()


def test_every_file_is_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store.open("sqlite:///state.db", base_dir=tmp_path)
        put(store, "page size")
        with store.lock():
            found = {path.name: mode(path) for path in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert found == dict.fromkeys(["state.db", "state.db-wal", "state.db-shm", "state.db.lock"], 0o600)


def test_a_store_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()
    (tmp_path / "state.db").chmod(0o644)
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()
    assert mode(tmp_path / "state.db") == 0o600


def test_a_mode_that_cannot_be_changed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()
    (tmp_path / "state.db").chmod(0o644)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(
        StoreError, match=r"^/.*/state\.db is open to other users and cannot be restricted: Operation not permitted$"
    ):
        Store.open("sqlite:///state.db", base_dir=tmp_path)


def test_connections_are_durable_and_keep_foreign_keys(on_disk: Store) -> None:
    with on_disk.session() as session:
        found = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^/.*/data/state\.db: the folder .*data does not exist; create it"):
        Store.open("sqlite:///data/state.db", base_dir=tmp_path)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(StoreError, match=r"^/.*/state\.db is not a file"):
        Store.open("sqlite:///state.db", base_dir=tmp_path)


def test_a_file_that_cannot_be_created_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be created: File name too long"):
        Store.open(f"sqlite:///{'x' * 300}", base_dir=tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("[store]\n" * 200)
    with pytest.raises(StoreError, match=r"^/.*/state\.db: is not an SQLite database; change \[store\] url$"):
        Store.open("sqlite:///state.db", base_dir=tmp_path)
    assert (tmp_path / "state.db").read_text() == "[store]\n" * 200


def test_another_programs_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE account (id INTEGER)")
    path.chmod(0o640)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"^/.*/accounts\.db is a database of something else"):
        Store.open("sqlite:///accounts.db", base_dir=tmp_path)
    assert (path.read_bytes(), mode(path)) == (before, 0o640)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "state.db",
        "sqlite://state.db",
        "sqlite:///state.db?mode=ro",
        "mysql+none://joe:hunter2@host/db",
        "nothing://joe:hunter2@host/db",
    ],
)
def test_a_url_that_opens_nothing_is_one_line_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^\[store\] url: ") as caught:
        Store.open(url)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_driver_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "nexudus_sync.store.postgres", raising=False)
    monkeypatch.delattr("nexudus_sync.store.postgres", raising=False)
    with pytest.raises(
        ConfigError, match=r"the driver of PostgreSQL is not installed; install nexudus-sync\[cluster\]$"
    ):
        Store.open("postgresql://db/sync")


def test_an_error_rolls_the_whole_session_back(either: Store) -> None:
    put(either, "kept")

    def fail_halfway() -> None:
        with either.session() as session:
            session.add(Fact(system="nexudus", key="lost"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert keys(either) == ["kept"]


def test_objects_stay_readable_after_the_commit(either: Store) -> None:
    with either.session() as session:
        fact = Fact(system="nexudus", key="page size", value={"rows": 100})
        session.add(fact)
    assert fact.value == {"rows": 100}


def test_after_commit_is_called_after_each_commit_and_only_then(either: Store) -> None:
    seen: list[list[str]] = []
    either.after_commit = lambda: seen.append(keys(either))
    put(either, "one")
    put(either, "two")
    with pytest.raises(ZeroDivisionError), either.session():
        raise ZeroDivisionError
    assert seen == [["one"], ["one", "two"]]


def test_a_reader_sees_one_moment_and_does_not_wait_for_a_writer(either: Store) -> None:
    put(either, "before")
    with either.read() as session:
        assert len(session.exec(select(Fact)).all()) == 1
        put(either, "meanwhile")
        assert len(session.exec(select(Fact)).all()) == 1
    assert keys(either) == ["before", "meanwhile"]


def test_a_reader_cannot_write(on_disk: Store) -> None:
    with on_disk.read() as session:
        session.add(Fact(system="nexudus", key="page size"))
        with pytest.raises(OperationalError, match="readonly"):
            session.flush()
    with pytest.raises(StoreError, match=r"^/.*/state\.db: read-only"), on_disk.read() as session:
        session.connection().execute(delete(Fact))
    put(on_disk, "a writer can")
    assert keys(on_disk) == ["a writer can"]


def test_a_writer_takes_its_turn_before_it_reads(
    on_disk: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 1)
    with closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as other, on_disk.session() as session:
        session.exec(select(Fact)).all()
        with pytest.raises(StoreError, match=r"^/.*/state\.db: locked by another process"), other.session() as second:
            second.exec(select(Fact)).all()
        assert keys(other) == []


def test_a_full_disk_is_said_and_nothing_is_kept(on_disk: Store) -> None:
    put(on_disk, "before")
    with on_disk.session() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match=r"^/.*/state\.db: disk full"), on_disk.session() as session:
        session.add(Fact(system="nexudus", key="big", value="x" * 100_000))
    assert keys(on_disk) == ["before"]


@pytest.mark.parametrize(("free", "said"), [(0, "disk full"), (10**9, "disk I/O error")])
def test_an_input_output_error_on_a_full_disk_is_a_full_disk(
    free: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR | 19 << 8  # SQLITE_IOERR_SHMSIZE
    monkeypatch.setattr(sqlite.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert sqlite.explain(error, "state.db", tmp_path / "state.db.lock").startswith(f"state.db: {said}")


def test_a_broken_constraint_is_not_taken_for_a_broken_store(either: Store) -> None:
    put(either, "page size")
    with pytest.raises(IntegrityError):
        put(either, "page size")


def test_a_moment_without_a_zone_is_refused(either: Store) -> None:
    naive = datetime(2026, 3, 2)  # noqa: DTZ001
    with pytest.raises(StatementError, match="without a time zone"), either.session() as session:
        session.add(Brake(connection="london", name="mass-delete", evidence="", set_at=naive))


@pytest.mark.processes
def test_a_current_store_opens_without_the_migration_machinery(on_disk: Store, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from nexudus_sync.store import Store;"
        "Store.open('sqlite:///state.db', base_dir=pathlib.Path(sys.argv[1])).close();"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def emptied(path: Path) -> None:
    Store.open(f"sqlite:///{path}").close()
    path.write_bytes(b"")


def without_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize("spoil", [emptied, Path.touch, without_tables])
def test_an_empty_store_is_an_error_and_no_new_beginning(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    spoil(tmp_path / "state.db")
    before = (tmp_path / "state.db").read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"state\.db is empty, .* restore it from a backup, or delete it"):
            Store.open("sqlite:///state.db", base_dir=tmp_path)
    assert (tmp_path / "state.db").read_bytes() == before
    (tmp_path / "state.db").unlink()
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()


@pytest.mark.parametrize("end", ["-wal", "-journal"])
def test_what_a_store_that_is_gone_left_behind_is_not_played_into_a_new_one(tmp_path: Path, end: str) -> None:
    left = tmp_path / f"state.db{end}"
    left.write_bytes(b"what was committed last")
    with pytest.raises(StoreError, match=rf"state\.db is gone, and state\.db{end} .* delete state\.db{end} too"):
        Store.open("sqlite:///state.db", base_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [left.name]
    left.unlink()
    Store.open("sqlite:///state.db", base_dir=tmp_path).close()


def test_a_link_that_leads_to_itself_is_said(tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "state.db")
    with pytest.raises(StoreError, match="points back to itself; remove it"):
        Store.open("sqlite:///state.db", base_dir=tmp_path)


def test_a_store_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sqlite, "_put_into_place", end)
    with pytest.raises(KeyboardInterrupt):
        Store.open("sqlite:///state.db", base_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_make_a_store_at_once_the_first_one_s_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = sqlite._put_into_place

    def late(beside: Path, path: Path) -> None:
        monkeypatch.undo()
        with closing(Store.open(f"sqlite:///{path}")) as faster:
            put(faster, "first")
        place(beside, path)

    monkeypatch.setattr(sqlite, "_put_into_place", late)
    with closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as store:
        assert keys(store) == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]


def test_where_there_are_no_links_a_store_is_renamed_into_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with closing(Store.open("sqlite:///state.db", base_dir=tmp_path)) as store:
        put(store, "first")
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
