import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nexudus_sync.errors import ConfigError, StoreError
from nexudus_sync.store import Store, ask, lists
from nexudus_sync.store.ask import over, reading
from nexudus_sync.store.status import progress_of, status_of
from nexudus_sync.store.tables import Conflict, ConnectionState, Decision, Failure, History, Link, Unlinked

URL = "sqlite:///state.db"


def fill(store: Store, now: datetime) -> None:
    """Two rows of everything that is listed, the second a day younger, and one of another connection."""
    with store.session() as session:
        session.add(ConnectionState(name="london", crm="overplane", last_success=now, backfilled_at=now))
        session.add(Unlinked(connection="london", side="crm", record_id="A", state="limit"))
        session.add(Decision(connection="london", kind="unlink", asked_at=now))
        for number, name in enumerate(("london", "london", "paris")):
            ids = {"connection": name, "nexudus_id": str(number), "crm_id": f"opp_{number}"}
            at, values = now + timedelta(days=number), {"field": "title", **ids}
            session.add(Link(crm=name, created_at=at, **ids))
            session.add(Conflict(base=None, nexudus=[number], crm="b", opened_at=at, **values))
            session.add(Failure(kind="refused", reason="no", first_at=at, last_at=at, next_attempt=at, **values))
            session.add(History(at=at, old=1, new="x", from_side="crm", **values))


def told(question: ask.Ask) -> list[Any]:
    """All that these questions tell of a store."""
    listings = [
        lists.conflicts(question, ["london"]),
        lists.failures(question, ["london"]),
        lists.links(question, ["london"]),
        lists.history(question, ["london"], "1"),
    ]
    rows = [[list(one.newest_first(9)), list(one.oldest_first()), list(one.oldest_first(1))] for one in listings]
    return [rows, [one.count() for one in listings], status_of(question, "london"), progress_of(question, "london")]


def through_a_session(store: Store) -> list[Any]:
    with store.read() as session:
        return told(over(session))


def refuse_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the store was opened")

    monkeypatch.setattr(Store, "open", fail)


def test_both_ways_to_a_store_tell_the_same(
    on_disk: Store, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(on_disk, now)
    expected = through_a_session(on_disk)
    refuse_to_open(monkeypatch)
    with reading(URL, tmp_path) as question:
        assert told(question) == expected
    rows, counts, status, progress = expected
    assert [one.id for one in rows[0][0]] == [2, 1]
    assert [[one.id for one in listing] for listing in rows[3]] == [[2], [2], [2]]
    assert (rows[0][0][0].nexudus, rows[1][1][0].next_attempt, rows[3][0][0].at) == ([1], now, now + timedelta(days=1))
    assert counts == [2, 2, 2, 1]
    assert (status.links, status.conflicts, status.failures, status.last_success) == (2, 2, 2, now)
    assert (progress.alone, progress.decisions, progress.backfilled_at) == ({"limit": 1}, 1, now)


def test_a_server_tells_the_same(postgres_store: Store, memory: Store, now: datetime) -> None:
    for store in (postgres_store, memory):
        fill(store, now)
    assert through_a_session(postgres_store) == through_a_session(memory)


def test_a_store_on_a_server_is_read_as_usual(postgres_url: str, tmp_path: Path) -> None:
    with reading(postgres_url, tmp_path) as question:
        assert told(question)[1] == [0, 0, 0, 0]


def test_a_reader_sees_one_state_and_writes_nothing(on_disk: Store, tmp_path: Path, now: datetime) -> None:
    fill(on_disk, now)
    with reading(URL, tmp_path) as question:
        before = lists.conflicts(question, ["london"]).count()
        with on_disk.session() as session:
            session.delete(session.get_one(Conflict, 1))
        assert lists.conflicts(question, ["london"]).count() == before == 2
    with pytest.raises(StoreError, match="read-only"), reading(URL, tmp_path) as question:
        question("DELETE FROM conflict", {})


def test_a_missing_store_is_made_as_usual(tmp_path: Path) -> None:
    with reading(URL, tmp_path) as question:
        assert told(question)[1] == [0, 0, 0, 0]
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_store_that_is_open_to_others_is_closed_to_them(on_disk: Store, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.chmod(0o644)
    with reading(URL, tmp_path) as question:
        assert told(question)[1] == [0, 0, 0, 0]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "newer nexudus-sync"),
        ("DROP TABLE alembic_version", "database of something else"),
    ],
)
def test_what_is_odd_about_a_store_is_told_as_usual(tmp_path: Path, statement: str, said: str) -> None:
    Store.open(URL, base_dir=tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
        connection.execute(statement)
    with pytest.raises(StoreError, match=said), reading(URL, tmp_path):
        pass


def test_what_is_no_file_of_a_store_is_told_as_usual(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"")
    with pytest.raises(StoreError, match="is empty"), reading(URL, tmp_path):
        pass
    (tmp_path / "text.db").write_text("no database at all" * 100)
    (tmp_path / "text.db").chmod(0o600)
    with pytest.raises(StoreError, match="not an SQLite database"), reading("sqlite:///text.db", tmp_path):
        pass
    with pytest.raises(ConfigError, match="part after"), reading("sqlite:///state.db?mode=ro", tmp_path):
        pass
