"""`store copy`: a state in a file becomes one on a server, and back, and nothing is lost on the way."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlmodel import SQLModel, select

from nexudus_sync.errors import ConfigError, StoreError, StoreLocked
from nexudus_sync.store import Store, copying
from nexudus_sync.store.tables import Fact, History, Unlinked

DATA = Path(__file__).parent / "data"
FILE, BACK = "sqlite:///state.db", "sqlite:///back.db"
HEAD_SAMPLE = max(DATA.glob("store_*.sql"))


@pytest.fixture
def full(tmp_path: Path, now: datetime) -> Path:
    """A folder with a state that has a row in every table, and many in one; some of them odd."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.executescript(HEAD_SAMPLE.read_text(encoding="utf-8"))
    with closing(Store.open(FILE, base_dir=tmp_path)) as store, store.session() as session:
        for number in range(1200):
            ids = {"connection": "london", "nexudus_id": str(number), "crm_id": f"C{number}"}
            session.add(History(at=now, field="title", old=number, new={"é": ["😀"]}, from_side="crm", **ids))
        for text in ("a\0b", "\0", "École", "x" * 100_000, ""):
            session.add(Unlinked(connection="london", side="crm", record_id=f"odd {text}", title=text, stamp=text))
        session.add(History(id=2**33, at=now, connection="london", field="title", from_side="crm"))
    return tmp_path


def dump(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        found = [line for line in connection.iterdump() if not line.startswith(("CREATE", "BEGIN", "COMMIT"))]
    return iter(sorted(found))


def test_there_and_back_it_is_the_same(full: Path, empty_postgres_url: str) -> None:
    there = copying.copy(FILE, empty_postgres_url, base_dir=full)
    back = copying.copy(empty_postgres_url, BACK, base_dir=full)
    assert there == back
    assert set(there) == set(SQLModel.metadata.tables)
    assert all(content.rows >= 1 for content in there.values())
    assert list(dump(full / "back.db")) == list(dump(full / "state.db"))


def test_new_rows_on_the_server_go_on_with_the_next_number(full: Path, empty_postgres_url: str, now: datetime) -> None:
    copying.copy(FILE, empty_postgres_url, base_dir=full)
    with closing(Store.open(empty_postgres_url)) as store, store.session() as session:
        row = History(at=now, connection="london", field="title", from_side="crm")
        session.add(row)
        session.flush()
        assert row.id == 2**33 + 1


def test_the_queue_of_workers_stays_behind_and_is_made_again(
    full: Path, new_postgres_url: Callable[[], str], empty_postgres_url: str
) -> None:
    queue_schema = pytest.importorskip("nexudus_sync.worker.queue_schema")
    first = new_postgres_url()
    with closing(Store.open(first)) as store:
        queue_schema.prepare(store)
        store_of_queue = copying.contents(store)
    copying.copy(first, BACK, base_dir=full)
    copying.copy(BACK, empty_postgres_url, base_dir=full)
    with closing(Store.open(empty_postgres_url)) as store:
        assert copying.contents(store) == store_of_queue
        queue_schema.prepare(store)
        with store.read() as session:
            assert session.connection().exec_driver_sql("SELECT count(*) FROM procrastinate_jobs").scalar_one() == 0


def test_a_file_is_copied_into_a_file_too(full: Path) -> None:
    copying.copy(FILE, BACK, base_dir=full)
    assert list(dump(full / "back.db")) == list(dump(full / "state.db"))


def test_a_target_that_holds_something_is_left_as_it_is(full: Path, postgres_url: str) -> None:
    with closing(Store.open(postgres_url)) as store:
        with store.session() as session:
            session.add(Fact(system="nexudus", key="page size", value=1))
        before = copying.contents(store)
        with pytest.raises(StoreError, match=r"/test_\d+ already holds something and is left as it is"):
            copying.copy(FILE, postgres_url, base_dir=full)
        assert copying.contents(store) == before


def test_a_source_in_use_is_refused(full: Path) -> None:
    with (
        closing(Store.open(FILE, base_dir=full)) as store,
        store.lock(),
        pytest.raises(StoreLocked, match=r"state\.db"),
    ):
        copying.copy(FILE, BACK, base_dir=full)
    assert not (full / "back.db").exists()


def test_a_target_in_use_is_refused(full: Path, postgres_url: str) -> None:
    with closing(Store.open(postgres_url)) as store, store.lock(shared=True), pytest.raises(StoreLocked):
        copying.copy(FILE, postgres_url, base_dir=full)


@pytest.mark.parametrize(
    ("source", "error", "told"),
    [
        ("sqlite:///none.db", StoreError, r"^sqlite:///none\.db does not exist, so there is nothing to copy$"),
        ("sqlite:///old.db", StoreError, r"old\.db is of an earlier version \(schema 0001\); `nexudus-sync status`"),
        ("nonsense", ConfigError, "is not a database URL"),
        ("mysql://joe:hunter2@host/db", ConfigError, "is neither SQLite nor PostgreSQL"),
    ],
)
def test_a_source_of_no_use_is_told(full: Path, source: str, error: type[Exception], told: str) -> None:
    with closing(sqlite3.connect(full / "old.db")) as connection:
        connection.executescript((DATA / "store_0001.sql").read_text(encoding="utf-8"))
    with pytest.raises(error, match=told):
        copying.copy(source, BACK, base_dir=full)
    assert not (full / "back.db").exists()


def test_a_state_is_not_copied_onto_itself(full: Path) -> None:
    with pytest.raises(StoreError):
        copying.copy(FILE, f"sqlite:///{full / 'state.db'}", base_dir=full)


def test_what_arrives_changed_is_not_kept(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summed: Callable[..., copying.Content] = copying._summed
    monkeypatch.setattr(copying, "_rows", lambda *_: iter([("something", "else")]))
    with pytest.raises(StoreError, match=r"back\.db: what arrived in the table \w+ is not what was sent; nothing was"):
        copying.copy(FILE, BACK, base_dir=full)
    monkeypatch.undo()
    assert summed(iter([])).rows == 0
    with closing(Store.open(BACK, base_dir=full)) as store, store.read() as session:
        assert session.exec(select(Fact)).all() == []
