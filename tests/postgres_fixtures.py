"""Fixtures for tests on a real PostgreSQL server: started once, and a fresh database for each test."""

from collections.abc import Callable, Iterator

import pytest

import stores
from nexudus_sync.store import Store
from postgres_server import PostgresServer, programs


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """A server of its own for these tests. Its tests are skipped where the server's programs are missing."""
    pytest.importorskip("psycopg", reason="the extra nexudus-sync[cluster] is not installed")
    if programs() is None:
        pytest.skip("the programs of a PostgreSQL server are not installed (Debian: postgresql)")
    return stores.server()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a database that is a store at this version's schema, to be copied."""
    return stores.template()


@pytest.fixture
def postgres_database(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The name of a fresh database, a store at this version's schema."""
    name = postgres_server.create(postgres_template)
    yield name
    postgres_server.drop(name)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_database: str) -> str:
    """The URL of a fresh database, a store at this version's schema."""
    return postgres_server.url(postgres_database)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database that has nothing in it."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def new_postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[Callable[[], str]]:
    """Gives the URL of another fresh database each time it is called."""
    made: list[str] = []

    def new() -> str:
        made.append(postgres_server.create(postgres_template))
        return postgres_server.url(made[-1])

    yield new
    for name in made:
        postgres_server.drop(name)


@pytest.fixture(scope="session")
def _one_postgres_store(postgres_server: PostgresServer, postgres_template: str) -> Iterator[Store]:
    store = Store.open(postgres_server.url(postgres_server.create(postgres_template)))
    yield store
    store.close()


@pytest.fixture
def postgres_store(_one_postgres_store: Store) -> Store:
    """An empty store, open already: the same for all these tests, which is quicker than a database for each."""
    stores.emptied(_one_postgres_store)
    _one_postgres_store.after_commit = None
    return _one_postgres_store
