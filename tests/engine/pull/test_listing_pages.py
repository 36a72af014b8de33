"""Pages that list a record twice, do not name it, or have no usable total."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import at_rest, cycle_of, cycles, failures_of, link_of_deal, told
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, links, new_card, new_deal
from sim_world import SimWorld

from nexudus_sync.mapping import Side


@pytest.mark.parametrize("system", ["overplane", "erpnext"])
def test_an_edit_of_an_opportunity_of_another_company_is_seen_by_a_sweep(system: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path, cities=("london", "madrid"), system=system)
    card, deal = world.seeded.pairs[0]
    world.crm.edit(deal, BEN, company=world.places["madrid"].company)
    cycle_of(world, "london")
    world.crm.edit(deal, BEN, opportunity_amount=777)
    cycle_of(world, "london", reconcile=True)
    assert world.nexudus.record(card)["Value"] == 777


@pytest.mark.parametrize("last", [True, False])
def test_an_id_that_a_page_lists_twice_is_read(last: bool, world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    stranger = world.crm.record(new_deal(world, "olga", utm_source="hers"))
    cycles(world, False)
    count = len(world.crm.records())

    def twice(body: dict[str, Any]) -> None:
        for row in [row for row in body["data"] if row["id"] == deal]:
            body["data"].insert(len(body["data"]) if last else 0, {**stranger, "id": row["id"]})

    told(world, Side.CRM, "^GET .*/crm/opportunity$", twice, times=99)
    world.crm.edit(deal, BEN, title="Ben's")
    cycles(world, False, True)
    assert (world.nexudus.record(card)["Name"], world.nexudus.record(card)["UtmSource"]) == ("Ben's", None)
    assert (len(world.crm.records()), link_of_deal(world, deal).state, failures_of(world)) == (count, "active", [])


def test_a_card_that_a_page_lists_twice_is_read(world: SimWorld) -> None:
    card, deal = born_in_crm(world)

    def twice(body: dict[str, Any]) -> None:
        body["Records"] += [{**row, "Name": "Nobody's"} for row in body["Records"] if row["Id"] == card]

    told(world, Side.NEXUDUS, "^GET .*/crmopportunities$", twice, times=99)
    world.nexudus.edit(card, ANA, Name="Ana's")
    cycles(world, False, True)
    assert (world.crm.record(deal)["title"], failures_of(world)) == ("Ana's", [])


def test_a_new_card_that_a_page_lists_twice_is_copied_as_it_is(world: SimWorld) -> None:
    card = new_card(world, "anna")

    def twice(body: dict[str, Any]) -> None:
        body["Records"] += [{**row, "CoworkerEmail": "x@example.org"} for row in body["Records"] if row["Id"] == card]

    told(world, Side.NEXUDUS, "^GET .*/crmopportunities$", twice, times=99)
    cycles(world, False, False)
    (deal,) = [link.crm_id for link in links(world) if link.nexudus_id == str(card)]
    assert world.crm.record(deal)["contact_email"] == "anna@example.org"
