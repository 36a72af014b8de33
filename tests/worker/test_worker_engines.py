"""A tenant's engine is kept, made again where its settings changed, and closed when its last cycle has ended."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from nexudus_sync.errors import StoreError
from nexudus_sync.store import Store
from nexudus_sync.worker import engines
from nexudus_sync.worker.engines import Engines


class Connector:
    def __init__(self, *, fails: bool = False) -> None:
        self.closed, self._fails = 0, fails

    async def aclose(self) -> None:
        self.closed += 1
        if self._fails:
            raise StoreError("the server is shutting down")


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store.open("sqlite://")
    yield made
    made.close()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The engines that were assembled."""
    found = list[Any]()

    def assemble(settings: Any, **_: object) -> Any:
        connectors = {"nexudus": Connector(fails=True), "erp": Connector()}
        found.append(SimpleNamespace(tenant=settings.tenant, connectors=connectors, connections=[]))
        return found[-1]

    monkeypatch.setattr(engines, "assemble", assemble)
    monkeypatch.setattr(engines.lawful, "check_once", lambda store, mappings: None)
    return found


def of(tenant: str) -> Any:
    return SimpleNamespace(tenant=tenant)


def closed(engine: Any) -> list[int]:
    return [one.closed for one in engine.connectors.values()]


async def test_it_is_made_once_and_again_for_changed_settings(store: Store, made: list[Any]) -> None:
    opened = list[Any]()
    kept, acme = Engines(store, None, opened.append), of("acme")  # type: ignore[arg-type]
    for _ in range(2):
        async with kept.of(acme) as held:
            assert held.engine is made[0]
    async with kept.of(of("acme")) as held:
        assert held.engine is made[1]
    assert opened == made
    assert (closed(made[0]), closed(made[1])) == ([1, 1], [0, 0])


async def test_one_in_use_is_closed_when_its_cycle_has_ended(store: Store, made: list[Any]) -> None:
    kept = Engines(store, None, lambda engine: None)  # type: ignore[arg-type]
    async with kept.of(of("acme")):
        await kept.keep(set())
        assert closed(made[0]) == [0, 0]
    assert closed(made[0]) == [1, 1]


async def test_those_not_used_for_longest_are_closed_when_there_are_too_many(
    store: Store, made: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "MOST", 2)
    kept = Engines(store, None, lambda engine: None)  # type: ignore[arg-type]
    acme, beta, gamma = of("acme"), of("beta"), of("gamma")
    for one in (acme, beta, acme, gamma):
        async with kept.of(one):
            pass
    assert [engine.tenant for engine in made if closed(engine) == [1, 1]] == ["beta"]
    await kept.close()
    assert all(closed(engine) == [1, 1] for engine in made)
