"""A server that is away, full or refuses: one line for a person, and the next transaction works when it is back."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlmodel import select

from nexudus_sync.errors import LockLost, StoreError, StoreLocked
from nexudus_sync.store import Store, schema
from nexudus_sync.store.tables import Fact
from postgres_server import PostgresServer

postgres = pytest.importorskip("nexudus_sync.store.postgres", reason="nexudus-sync[cluster] is not installed")
psycopg = pytest.importorskip("psycopg")

OTHERS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}' AND {}"


def put(store: Store, key: str) -> None:
    with store.session() as session:
        session.add(Fact(system="nexudus", key=key))


def keys(store: Store) -> list[str]:
    with store.read() as session:
        return sorted(session.exec(select(Fact.key)))


@pytest.fixture(scope="module")
def own_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that may be stopped, for no other test uses it."""
    server = PostgresServer(durable=True).start()
    yield server
    server.close()


@pytest.fixture
def store(own_server: PostgresServer) -> Iterator[Store]:
    name = own_server.create()
    store = Store.open(own_server.url(name))
    yield store
    store.close()
    own_server.drop(name)


# --- away


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_after_a_restart_the_next_transaction_has_a_new_connection(
    own_server: PostgresServer, store: Store, how: signal.Signals
) -> None:
    with store.read(), store.read():
        put(store, "before")
    own_server.restart(how)
    put(store, "after")
    assert keys(store) == ["after", "before"]


def test_while_it_is_away_that_is_said_in_one_line(own_server: PostgresServer, store: Store) -> None:
    put(store, "before")
    own_server.stop()
    try:
        with pytest.raises(StoreError, match=r"^postgresql://\S+/test_\d+: cannot be reached, or .*: [^\n]+$"):
            put(store, "meanwhile")
    finally:
        own_server.start()
    assert keys(store) == ["before"]


def test_a_transaction_that_is_cut_off_leaves_nothing(own_server: PostgresServer, store: Store) -> None:
    def work() -> None:
        with store.session() as session:
            session.add(Fact(system="nexudus", key="half"))
            session.flush()
            own_server.restart()
            session.add(Fact(system="nexudus", key="the rest"))

    with pytest.raises(StoreError, match=r"^postgresql://\S+: (the server is shutting down|cannot be reached)"):
        work()
    assert keys(store) == []


# --- the lock


def test_a_lost_lock_stops_every_write_until_it_is_taken_again(own_server: PostgresServer, store: Store) -> None:
    url = store._engine.url
    with closing(Store.open(url.render_as_string(hide_password=False))) as other, store.lock():
        own_server.run(OTHERS.format(url.database, "pid IN (SELECT pid FROM pg_locks WHERE classid = 1853383796)"))
        with other.lock():
            for _ in range(2):
                with pytest.raises(LockLost, match="the connection that held the lock was lost"):
                    put(store, "as if nothing had happened")
            with pytest.raises(StoreLocked, match=rf"another nexudus-sync \(process {os.getpid()} on "):
                store.regain()
        store.regain()
        put(store, "again")
        with pytest.raises(StoreLocked), other.lock():
            pytest.fail("locked twice")
    assert keys(store) == ["again"]


def test_a_shared_lock_that_was_lost_is_taken_again_at_once(own_server: PostgresServer, store: Store) -> None:
    url = store._engine.url
    with store.lock(shared=True):
        own_server.restart()
        put(store, "after")
        with closing(Store.open(url.render_as_string(hide_password=False))) as other:
            with pytest.raises(StoreLocked), other.lock():
                pytest.fail("a run beside workers")
            with other.lock(shared=True):
                own_server.run(OTHERS.format(url.database, "pid IN (SELECT pid FROM pg_locks WHERE classid > 0)"))
    with store.lock():
        put(store, "alone")


# --- refused


def test_what_it_refuses_is_told_without_a_password(own_server: PostgresServer) -> None:
    own_server.run("CREATE ROLE guest LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 1")
    name = own_server.create()
    guest = own_server.network_url(name, user="guest", password="hunter2")
    told = []
    for url in (own_server.network_url("nowhere"), guest, own_server.network_url(name, user="nobody")):
        with pytest.raises(StoreError) as caught:
            Store.open(url)
        told.append(str(caught.value).partition(": ")[2])
        assert "hunter2" not in str(caught.value)
    with closing(psycopg.connect(guest.replace("+psycopg", ""))), pytest.raises(StoreError) as caught:
        Store.open(guest)
    told.append(str(caught.value).partition(": ")[2])
    assert [one.partition(";")[0] for one in told] == [
        "there is no such database",
        "this user lacks a right",
        "the password is wrong or missing",
        "the server has too many connections",
    ]
    own_server.drop(name)


STATES = {
    psycopg.errors.DiskFull: "the server's disk is full",
    psycopg.errors.LockNotAvailable: "locked by another process for over 5 s",
    psycopg.errors.AdminShutdown: "the server is shutting down",
    psycopg.errors.CrashShutdown: "the server crashed",
    psycopg.errors.CannotConnectNow: "the server is starting up",
    psycopg.errors.TooManyConnections: "the server has too many connections",
    psycopg.errors.ReadOnlySqlTransaction: "read-only",
    psycopg.errors.QueryCanceled: "a statement took over",
    psycopg.errors.DeadlockDetected: "two transactions waited for each other",
    psycopg.errors.IdleInTransactionSessionTimeout: "a transaction stood still",
    psycopg.errors.DataCorrupted: "is damaged",
    psycopg.errors.IoError: "the server cannot read or write its disk",
    psycopg.errors.InsufficientPrivilege: "this user lacks a right",
}


@pytest.mark.parametrize("kind", STATES, ids=lambda kind: kind.__name__)
def test_each_state_of_the_server_is_told_in_one_line(kind: type[Exception]) -> None:
    told = postgres.explain(kind("something\nof several lines"), "postgresql://db/sync")
    assert told is not None
    assert told.startswith(f"postgresql://db/sync: {STATES[kind]}")
    assert "\n" not in told


def test_an_option_that_the_driver_does_not_know_is_told_with_what_to_correct() -> None:
    with pytest.raises(psycopg.Error) as found:
        psycopg.connect("host=127.0.0.1", nonsense="1")
    told = postgres.explain(found.value, "postgresql://db/sync")
    problem, _, remedy = (told or "").partition("; ")
    assert problem == 'postgresql://db/sync: invalid connection option "nonsense"'
    assert remedy == "correct what is behind the ? of [store] url"


@pytest.mark.parametrize("kind", [psycopg.errors.UniqueViolation, psycopg.errors.SyntaxError, psycopg.errors.DataError])
def test_a_mistake_of_ours_is_not_taken_for_a_state_of_the_server(kind: type[Exception]) -> None:
    assert postgres.explain(kind("mistake"), "postgresql://db/sync") is None


# --- several writers


@contextmanager
def writing(store: Store) -> Iterator[None]:
    with store.session() as session:
        session.connection()  # which begins it
        yield


def test_a_writer_waits_for_its_turn_and_then_says_so(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "BUSY_MS", 20)

    def waits(store: Store) -> bool:
        try:
            with writing(store):
                return False
        except StoreError as error:
            return "locked by another process" in str(error)

    with closing(Store.open(postgres_url)) as one, closing(Store.open(postgres_url)) as two:
        with writing(one):
            assert waits(two)
            assert waits(two.scoped("acme"))
            assert keys(two) == []
        with writing(one.scoped("acme")):
            assert waits(two)
            assert waits(two.scoped("acme"))
            assert not waits(two.scoped("beta"))
        put(two, "all is well")


def test_what_a_writer_has_read_stays_true(postgres_url: str) -> None:
    rounds, writers = 25, 4

    def count() -> None:
        with closing(Store.open(postgres_url)) as store:
            for _ in range(rounds):
                with store.session() as session:
                    fact = session.get(Fact, ("nexudus", "count")) or Fact(system="nexudus", key="count", value=0)
                    fact.value += 1
                    session.add(fact)

    in_parallel([count] * writers)
    with closing(Store.open(postgres_url)) as store, store.read() as session:
        assert session.get_one(Fact, ("nexudus", "count")).value == rounds * writers


def test_several_that_start_at_once_upgrade_it_once(empty_postgres_url: str) -> None:
    found: list[str | None] = []

    def start() -> None:
        with closing(Store.open(empty_postgres_url)) as store, store.read() as session:
            found.append(schema.revision(session.connection(), "it"))

    in_parallel([start] * 4)
    assert found == [schema.HEAD] * 4


def in_parallel(work: list[object]) -> None:
    threads = [threading.Thread(target=one) for one in work]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
