"""The store on a real PostgreSQL server: what is its own there. What both kinds share is in the other files."""

from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete
from sqlmodel import SQLModel, select

from nexudus_sync.errors import ConfigError, StoreError, StoreLocked
from nexudus_sync.store import Store, schema
from nexudus_sync.store.tables import Fact, Link
from postgres_server import PostgresServer


def test_a_migrated_store_is_what_the_tables_describe(postgres_store: Store) -> None:
    with postgres_store.session() as session:
        assert compare_metadata(MigrationContext.configure(session.connection()), SQLModel.metadata) == []


def test_every_column_orders_by_bytes_and_has_room_for_64_bits(
    postgres_server: PostgresServer, postgres_database: str
) -> None:
    columns = postgres_server.run(
        "SELECT table_name, column_name, data_type, collation_name FROM information_schema.columns "
        "WHERE table_schema = 'public'",
        postgres_database,
    )
    texts = [row for row in columns if row[2] in ("text", "character varying")]
    assert len(texts) > 50
    assert [row for row in texts if row[3] != "C"] == []
    assert [row for row in columns if row[2] in ("integer", "smallint")] == []


def test_a_reader_cannot_write(postgres_store: Store) -> None:
    with pytest.raises(StoreError, match="read-only"), postgres_store.read() as session:
        session.connection().execute(delete(Fact))


def test_an_empty_database_gets_its_tables(empty_postgres_url: str) -> None:
    with closing(Store.open(empty_postgres_url)) as store, store.session() as session:
        assert schema.revision(session.connection(), "it") == schema.HEAD


def test_what_was_committed_is_there_after_reopening_by_the_network(
    postgres_server: PostgresServer, postgres_database: str
) -> None:
    with closing(Store.open(postgres_server.network_url(postgres_database))) as store, store.session() as session:
        session.add(Fact(system="nexudus", key="page size", value=500))
    with closing(Store.open(postgres_server.url(postgres_database))) as store, store.read() as session:
        assert [fact.value for fact in session.exec(select(Fact))] == [500]


def test_a_database_of_something_else_is_left_alone(postgres_server: PostgresServer, empty_postgres_url: str) -> None:
    with closing(Store.open(empty_postgres_url)):
        pass
    database = empty_postgres_url.partition("@/")[2].partition("?")[0]
    postgres_server.run("DROP TABLE alembic_version", database)
    with pytest.raises(StoreError, match=r"/test_\d+ is a database of something else, not a store"):
        Store.open(empty_postgres_url)


def test_text_is_kept_and_ordered_as_in_a_file(postgres_url: str) -> None:
    keys = ["B", "a", "é", "Z", "\0", "_"]
    with closing(Store.open(postgres_url)) as store:
        with store.session() as session:
            session.add_all(Fact(system="nexudus", key=key) for key in keys)
        with store.read() as session:
            found = list(session.exec(select(Fact.key).order_by(Fact.key)))
    assert found == ["B", "Z", "_", "a", "é", "\0"], "by their bytes; NUL, which it cannot hold, stands last"


def test_numbers_have_64_bits(postgres_url: str, now: object) -> None:
    with closing(Store.open(postgres_url)) as store:
        with store.session() as session:
            row = {"crm": "erp", "connection": "london", "crm_id": "C1", "created_at": now}
            session.add(Link(id=2**40, nexudus_id="1", **row))
        with store.read() as session:
            assert session.exec(select(Link.id).where(Link.id == 2**40)).one() == 2**40


def test_a_second_run_is_kept_out(postgres_url: str) -> None:
    with (
        closing(Store.open(postgres_url)) as store,
        closing(Store.open(postgres_url)) as other,
        store.lock(),
        pytest.raises(StoreLocked, match="another nexudus-sync"),
        other.lock(),
    ):
        pytest.fail("locked twice")


def test_those_that_share_the_lock_work_side_by_side(postgres_url: str) -> None:
    with closing(Store.open(postgres_url)) as store, closing(Store.open(postgres_url)) as other:
        with store.lock(shared=True), other.lock(shared=True), pytest.raises(StoreLocked), store.lock():
            pytest.fail("a run beside workers")
        with other.lock():
            pass


@pytest.mark.parametrize("url", ["mysql://joe:hunter2@host/db", "postgresql+asyncpg://joe:hunter2@host/db"])
def test_another_driver_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Store.open(url)
    assert "hunter2" not in str(caught.value)


def test_a_wrong_password_is_told_in_one_line_without_it(postgres_server: PostgresServer) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(postgres_server.network_url("postgres", password="hunter2"))
    assert str(caught.value) == (
        f"postgresql://127.0.0.1:{postgres_server.port}/postgres: the password is wrong or missing; "
        "give the right one in [store] url"
    )
