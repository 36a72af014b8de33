"""Copies of a store: whole, private, and never in anybody's way."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import select

from nexudus_sync.errors import ConfigError, StoreError, StoreLocked
from nexudus_sync.store import Store, backup, schema
from nexudus_sync.store.tables import ConnectionState

DATA = Path(__file__).parent / "data"


def keep(store: Store, name: str) -> None:
    with store.session() as session:
        session.add(ConnectionState(name=name, crm="crm"))


def names(path: Path) -> list[str]:
    with closing(Store.open(f"sqlite:///{path}")) as store, store.read() as session:
        return sorted(one.name for one in session.exec(select(ConnectionState)))


def old_store(folder: Path, revision: str) -> Path:
    path = folder / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DATA / f"store_{revision}.sql").read_text(encoding="utf-8"))
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def saved(on_disk: Store, state: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy that holds "first", of a store that meanwhile holds "second" as well."""
    keep(on_disk, "first")
    backup.back_up(state, tmp_path / "copy.db")
    keep(on_disk, "second")
    return tmp_path / "copy.db"


def test_a_copy_is_made_while_the_store_is_locked_and_written(on_disk: Store, state: Path, tmp_path: Path) -> None:
    keep(on_disk, "before")
    with on_disk.lock(), on_disk.session() as session:
        session.add(ConnectionState(name="under way", crm="crm"))
        session.flush()
        backup.back_up(state, tmp_path / "copy.db")
    assert names(tmp_path / "copy.db") == ["before"]
    assert names(state) == ["before", "under way"]


def test_a_copy_is_one_private_file(saved: Path, tmp_path: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(saved)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "copy.db-"))]


def test_a_path_may_hold_what_a_url_may_not(on_disk: Store, state: Path, tmp_path: Path) -> None:
    keep(on_disk, "first")
    odd = tmp_path / "50% off? #1"
    odd.mkdir()
    backup.back_up(state, odd / "copy.db")
    assert backup.check(odd / "copy.db") == schema.HEAD


def test_nothing_is_overwritten_by_a_copy(saved: Path, state: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(StoreError, match=r"copy\.db already exists"):
        backup.back_up(state, saved)
    assert saved.read_bytes() == before


def test_without_a_store_or_a_folder_there_is_no_copy(on_disk: Store, state: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing to back up"):
        backup.back_up(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(StoreError, match=r"the folder .*/none does not exist"):
        backup.back_up(state, tmp_path / "none" / "copy.db")


def test_a_damaged_store_gives_no_copy(on_disk: Store, state: Path, tmp_path: Path) -> None:
    keep(on_disk, "first")
    on_disk.close()
    content = bytearray(state.read_bytes())
    content[100:8000] = b"\xff" * 7900
    state.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        backup.back_up(state, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_what_was_saved_is_put_back_and_what_was_there_is_kept(saved: Path, state: Path, tmp_path: Path) -> None:
    assert backup.restore(saved, state, aside=tmp_path / "aside.db") == schema.HEAD
    assert names(state) == ["first"]
    assert names(tmp_path / "aside.db") == ["first", "second"]
    assert names(saved) == ["first"]


def test_nothing_is_put_back_while_a_run_holds_the_store(
    on_disk: Store, saved: Path, state: Path, tmp_path: Path
) -> None:
    with on_disk.lock(), pytest.raises(StoreLocked, match="another nexudus-sync"):
        backup.restore(saved, state, aside=tmp_path / "aside.db")
    assert names(state) == ["first", "second"]
    assert not (tmp_path / "aside.db").exists()


def test_a_store_that_is_gone_or_damaged_comes_back(on_disk: Store, saved: Path, state: Path, tmp_path: Path) -> None:
    on_disk.close()
    state.write_bytes(b"no database at all" * 100)
    backup.restore(saved, state, aside=tmp_path / "aside.db")
    assert names(state) == ["first"]
    assert (tmp_path / "aside.db").read_bytes().startswith(b"no database")
    state.unlink()
    backup.restore(saved, state, aside=tmp_path / "none.db")
    assert names(state) == ["first"]
    assert not (tmp_path / "none.db").exists()


def test_a_log_that_was_left_behind_is_not_replayed_into_what_was_put_back(
    on_disk: Store, saved: Path, state: Path, tmp_path: Path
) -> None:
    assert (tmp_path / "state.db-wal").stat().st_size > 0
    left = (tmp_path / "state.db-wal").read_bytes()
    on_disk.close()
    state.unlink()
    (tmp_path / "state.db-wal").write_bytes(left)
    backup.restore(saved, state, aside=tmp_path / "aside.db")
    assert names(state) == ["first"]


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("this is a letter " * 100, encoding="utf-8")


def something_else(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")


def newer(path: Path) -> None:
    backup.back_up(path.with_name("state.db"), path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


def damaged(path: Path) -> None:
    backup.back_up(path.with_name("state.db"), path)
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 6] = b"\xff" * 4096 * 3
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda _: None, "does not exist"),
        (empty, "is empty"),
        (text, "not an SQLite database"),
        (something_else, "database of something else"),
        (newer, r"newer nexudus-sync \(schema 9999\)"),
        (damaged, "damaged"),
        (Path.mkdir, "not a file"),
    ],
)
def test_a_file_of_no_use_changes_nothing(on_disk: Store, state: Path, tmp_path: Path, make: object, told: str) -> None:
    keep(on_disk, "mine")
    make(tmp_path / "given.db")  # type: ignore[operator]
    with pytest.raises(StoreError, match=told):
        backup.restore(tmp_path / "given.db", state, aside=tmp_path / "aside.db")
    assert names(state) == ["mine"]
    assert not (tmp_path / "aside.db").exists()


@pytest.mark.parametrize("revision", schema.REVISIONS[:-1])
def test_a_store_is_backed_up_before_it_is_upgraded(revision: str, tmp_path: Path) -> None:
    state = old_store(tmp_path, revision)
    Store.open(f"sqlite:///{state}").close()
    kept = tmp_path / f"state.db.before-{schema.HEAD}"
    assert backup.check(state) == schema.HEAD
    assert backup.check(kept) == revision
    assert kept.stat().st_mode & 0o777 == 0o600
    assert backup.restore(kept, state, aside=tmp_path / "aside.db") == revision
    Store.open(f"sqlite:///{state}").close()
    assert kept.exists()
    assert backup.check(tmp_path / f"{kept.name}.2") == revision


def test_a_store_of_this_version_is_not_copied(on_disk: Store, tmp_path: Path) -> None:
    assert not [*tmp_path.glob("*before*")]


def test_what_cannot_be_backed_up_is_not_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = old_store(tmp_path, schema.REVISIONS[0])

    def full(*_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(backup, "_copy", full)
    with pytest.raises(StoreError, match="is not upgraded without: disk full"):
        Store.open(f"sqlite:///{state}")
    assert backup.check(state) == schema.REVISIONS[0]
    assert {path.name for path in tmp_path.iterdir()} - {"state.db-wal", "state.db-shm"} == {"state.db"}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://db/x"])
def test_only_a_file_has_a_path(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        Store.file(url, base_dir=tmp_path)
    assert Store.file("sqlite:///a.db", base_dir=tmp_path) == (tmp_path / "a.db").resolve()
