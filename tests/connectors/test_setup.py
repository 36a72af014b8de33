"""What each connector tells `init`: what to ask for, what there is, and which names it keeps in lists."""

import random
from typing import Any

import pytest

from nexudus_sandbox.world import Sandbox
from nexudus_sync.clock import SystemClock
from nexudus_sync.connectors import companies, registry
from nexudus_sync.connectors.base import Scope
from nexudus_sync.connectors.nexudus import NexudusConnector
from nexudus_sync.connectors.setup import GuidesSetup, TellsOfItself

LONDON = Scope(business_id=1001)


async def started(kind: Any, name: str, office: Sandbox, **settings: Any) -> Any:
    found = kind.Settings.model_validate(settings)
    clock = SystemClock()
    made = kind(name, found, clock=clock, rng=random.Random(1), transport=office.transports(clock)[name])
    await made.start()
    assert isinstance(made, GuidesSetup)
    return made


async def hub(office: Sandbox) -> Any:
    given = office.environment()
    limits = {"per_second": 900, "per_minute": 9000}
    return await started(
        NexudusConnector,
        "nexudus",
        office,
        base_url=f"{office.nexudus_url}/api",
        username=given["NEXUDUS_USERNAME"],
        password=given["NEXUDUS_PASSWORD"],
        limits=limits,
    )


async def crm(office: Sandbox) -> Any:
    keys = {key.partition("_")[2].lower(): one for key, one in office.crm.environment.items()}
    return await started(registry.find(office.crm_name), office.crm_name, office, base_url=office.crm_url, **keys)


@pytest.mark.parametrize("kind", [NexudusConnector, *map(registry.find, registry.names())])
def test_every_question_is_about_a_key_and_every_secret_is_hidden(kind: Any) -> None:
    fields = kind.Settings.model_fields
    asked = {one.key: one for one in kind.questions}
    assert asked.keys() <= fields.keys()
    assert {name for name, one in fields.items() if one.is_required()} <= asked.keys()
    assert all(one.hidden for one in asked.values() if "Secret" in str(fields[one.key].annotation))


async def test_locations_are_offered_and_their_boards_where_there_are_several() -> None:
    office = Sandbox(nexudus=1, crm=1, shared=0)
    nexudus = await hub(office)
    found = [(one.name, dict(one.settings["scope"])) for one in await nexudus.choices()]
    assert found[:3] == [
        ("Example London", {"business_id": 1001}),
        ("Example Madrid", {"business_id": 1002}),
        ("Example New York", {"business_id": 1003}),
    ]
    assert [name for name, _ in found[3:]] == ["Example New York Sales", "Example New York Events"]
    assert await nexudus.further(LONDON) == []
    (board,) = await nexudus.further(Scope(business_id=1003))
    assert (board.key, len(board.choices)) == ("create_board", 2)
    assert (await nexudus.vocabulary(LONDON))["sales_stage"][:2] == ("New lead", "Tour booked")


@pytest.mark.parametrize("name", ["overplane", "erpnext"])
async def test_companies_are_offered_by_their_number_of_opportunities(name: str) -> None:
    office = Sandbox(crm_name=name, nexudus=1, crm=20, shared=0)
    connector = await crm(office)
    found = await connector.choices()
    assert [one.settings["company"] for one in found[:3]] == ["Example Corp", "Example Americas", "Example Iberia"]
    assert found[0].label == "Example Corp (20 opportunities)"
    names = await connector.vocabulary(Scope())
    assert {"New lead", "Tour booked"} <= set(names["sales_stage"])
    assert "Went silent" in names["lost_reasons"]
    assert await connector.further(Scope()) == []


async def test_pipelines_are_offered_by_their_number_of_deals_and_the_account_is_remembered() -> None:
    office = Sandbox(crm_name="hubspot", nexudus=1, crm=20, shared=0)
    connector = await crm(office)
    found = await connector.choices()
    assert [dict(one.settings) for one in found] == [
        {"pipeline": "Example Corp"},
        {"pipeline": "Example Iberia"},
        {"pipeline": "Example Americas"},
    ]
    assert found[0].label == "Example Corp (20 deals)"
    names = await connector.vocabulary(Scope(company="Example Corp"))
    assert {"New lead", "Tour booked", "Won", "Lost"} <= set(names["sales_stage"])
    assert "lost_reasons" not in names  # free text
    assert await connector.further(Scope()) == []
    assert isinstance(connector, TellsOfItself)
    assert connector.learned() == {"portal_id": "12345678"}


async def test_a_pipeline_whose_label_is_not_its_alone_is_chosen_by_its_id() -> None:
    office = Sandbox(crm_name="hubspot", nexudus=1, crm=4, shared=0)
    office.hubspot.pipelines.add("EXAMPLE CORP", [], "77")
    found = await (await crm(office)).choices()
    assert [one.settings["pipeline"] for one in found] == ["70000000", "Example Iberia", "Example Americas", "77"]
    assert found[-1].label == "EXAMPLE CORP, id 77 (0 deals)"


async def test_lost_reasons_are_offered_where_an_administrator_made_a_list_of_them() -> None:
    office = Sandbox(crm_name="hubspot", nexudus=1, crm=1, shared=0)
    office.hubspot.properties.add("deals", "closed_lost_reason", options=("Price", "Went silent"))
    connector = await crm(office)
    assert (await connector.vocabulary(Scope()))["lost_reasons"] == ("Price", "Went silent")


def test_a_company_without_opportunities_beside_others_is_declared_new() -> None:
    found = companies.choices({"Old": 3, "New": 0, "": 4})
    assert [dict(one.settings) for one in found] == [{"company": "Old"}, {"company": "New", "new_company": True}]
    assert dict(companies.choices({"Only": 0})[0].settings) == {"company": "Only"}
