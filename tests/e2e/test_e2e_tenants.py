"""Two tenants with the same ids, names and addresses in one store: each is kept as if it were alone."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from e2e_office import ANA, BEN, Office
from e2e_tenants import Tenant, fleet, told

import stores
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.rehearse.rehearse import rehearse
from nexudus_sync.store import conflicts, failures, links
from nexudus_sync.store.in_memory import copy_of
from nexudus_sync.store.tables import Conflict, Decision, Failure, History

SMALL = {"nexudus": 7, "crm": 6, "shared": 5}
Step = Callable[[Office], Awaitable[None]]


@pytest.fixture(autouse=True)
def crm_name() -> str:
    """One CRM is enough here."""
    return "overplane"


async def _edited(office: Office) -> None:
    """What happens in one of the two: a conflict, a third value, a title that travels, a record that is deleted."""
    (one, deal), (_, other), (three, last) = office.free[:3]
    office.cards.edit(one, ANA, Value=111, Name=f"Both at once {office.folder.name}")
    office.deals.edit(deal, BEN, opportunity_amount=222)
    office.deals.edit(other, BEN, title=f"Renamed {office.folder.name}")
    await office.sync()
    office.resolve(office.rows(Conflict, state="open", nexudus_id=str(one))[0], "crm")
    await office.sync()
    office.cards.edit(three, ANA, Name="Deleted there")
    office.deals.delete(last, BEN)
    await office.sync(reconcile=True)


async def _quiet(office: Office) -> None:
    """Nothing happens in the other one but what its polls bring."""
    for _ in range(3):
        await office.sync()
    await office.sync(reconcile=True)


async def _alone(folder: Path, name: str, step: Step) -> dict[str, list[str]]:
    """All that the store says after the same in an installation of its own."""
    (folder / name).mkdir(parents=True)
    office = Office(folder / name, **SMALL)
    try:
        await office.quiet()
        await step(office)
        return told(office.store)
    finally:
        office.close()


async def test_each_tenant_is_kept_as_if_it_were_alone(tmp_path: Path) -> None:
    store = stores.open_in(tmp_path)
    with fleet(tmp_path, store, "acme", "beta", **SMALL) as (acme, beta):
        assert set(acme.cards.records()) == set(beta.cards.records())
        for tenant in (acme, beta):
            await tenant.quiet()
        await _edited(acme)
        await _quiet(beta)
        found = {one.name: told(store, one.name) for one in (acme, beta)}
    store.close()
    assert found["acme"] == await _alone(tmp_path / "alone", "acme", _edited)
    assert found["beta"] == await _alone(tmp_path / "alone", "beta", _quiet)


async def test_what_waits_in_one_tenant_holds_nothing_back_in_the_other(tmp_path: Path) -> None:
    store = stores.open_in(tmp_path)
    with fleet(tmp_path, store, "acme", "beta", **SMALL) as (acme, beta):
        for tenant in (acme, beta):
            await tenant.quiet()
        card, deal = acme.free[0]
        pair = {"nexudus_id": str(card), "crm_id": deal}
        acme.keep(_failure(acme, pair), _asked(acme, pair))
        beta.cards.edit(card, ANA, Name="Only here")
        await beta.sync()
        assert beta.deals.record(deal)["title"] == "Only here"
        assert acme.deals.record(deal)["title"] != "Only here"
        assert beta.rows(History)[-1].new == "Only here"
        with store.read() as session:
            assert [len(links.parked(session, f"{name}/london")) for name in ("acme", "beta")] == [1, 0]
            assert failures.waits(session, "acme/london", **pair, field="title")
            assert not failures.waits(session, "beta/london", **pair, field="title")
            assert not conflicts.about_records(session, ["beta/london"], [deal])
    store.close()


def _failure(tenant: Tenant, pair: dict[str, str]) -> Failure:
    now = tenant.clock.now()
    given: dict[str, Any] = {"kind": "refused", "field": "title", "reason": "no", "first_at": now, "last_at": now}
    return Failure(connection=f"{tenant.name}/london", **given, **pair)


def _asked(tenant: Tenant, pair: dict[str, str]) -> Decision:
    args = {"nexudus_id": pair["nexudus_id"], "crm_id": pair["crm_id"]}
    return Decision(connection=f"{tenant.name}/london", kind="link", args=args, asked_at=tenant.clock.now())


async def test_a_plan_copies_what_is_the_tenants_and_no_more(tmp_path: Path) -> None:
    store = stores.open_in(tmp_path)
    with fleet(tmp_path, store, "acme", "beta", **SMALL) as (acme, beta):
        for tenant in (acme, beta):
            await tenant.quiet()
        copy = copy_of(store, "beta/london")
        assert told(copy, "beta") == told(store, "beta")
        assert not any(told(copy, "acme").values())
        beta.cards.edit(beta.free[0][0], ANA, Name="Foreseen")
        async with beta.process() as engine:
            (each,) = engine.connections
            seen = await rehearse(each, Options())
        assert [(one.connection, one.fields["title"]["new"]) for one in seen.actions] == [("beta/london", "Foreseen")]
        copy.close()
    store.close()
