"""One document under several spellings of its name, or merged into another one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_worlds import at_rest, cycles, failures_of, link_of_deal, questions_of, told
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, links, new_deal, rows
from sim_world import SimWorld

from nexudus_sync.errors import AnotherRecord
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Link, Unlinked


def test_the_name_of_a_document_in_other_letters_is_the_same(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    card, deal = born_in_crm(world)
    world.crm.edit(deal, BEN, title="New desk")
    told(world, Side.CRM, f"^GET .*/{deal}$", lambda body: body["data"].update(name=deal.lower()), times=9)
    cycles(world, False)
    assert (world.nexudus.record(card)["Name"], failures_of(world)) == ("New desk", [])
    world.close()


def in_small_letters(deal: str, every: int) -> Callable[[dict[str, Any]], None]:
    """A list that spells the name of one document in small letters, all the time or every other time."""
    asked: list[int] = []

    def spelt(body: dict[str, Any]) -> None:
        asked.append(1)
        for row in body["data"]:
            if row["name"] == deal and len(asked) % every == 0:
                row["name"] = deal.lower()

    return spelt


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("linked", [True, False])
def test_a_list_that_spells_a_name_in_other_letters_lists_no_other_document(
    linked: bool, every: int, tmp_path: Path
) -> None:
    world = at_rest(tmp_path, system="erpnext")
    deal = born_in_crm(world)[1] if linked else new_deal(world, "nina")
    before = len(world.nexudus.records())
    told(world, Side.CRM, "^GET /api/resource/Opportunity$", in_small_letters(deal, every), times=999)
    cycles(world, False, True)
    world.crm.edit(deal, BEN, title="New desk")
    cycles(world, False, True, False)
    (card,) = [int(one.nexudus_id) for one in links(world) if one.crm_id.upper() == deal and one.state == "active"]
    assert (world.nexudus.record(card)["Name"], len(world.nexudus.records())) == ("New desk", before + (not linked))
    assert (failures_of(world), questions_of(world), rows(world, Unlinked)) == ([], [], [])
    world.close()


def test_a_number_and_its_text_are_one_id(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Name="New desk")
    told(world, Side.NEXUDUS, f"^GET .*/{card}$", lambda body: body.update(Id=str(card)), times=9)
    cycles(world, False, False)
    assert (world.crm.record(deal)["title"], failures_of(world)) == ("New desk", [])


@pytest.mark.parametrize("has_a_pair", [False, True])
def test_a_link_follows_its_record_into_the_one_it_was_merged_with(
    has_a_pair: bool, world: SimWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system itself says so, and the survivor has no pair of its own."""
    card, deal = born_in_crm(world)
    survivor = new_deal(world, "olga")
    cycles(world, *([False, False] if has_a_pair else []))
    connector = world.connection.connector(Side.CRM)
    fetch = connector.fetch

    async def merged(record_id: str, *args: Any, **how: Any) -> Any:
        if record_id == deal:
            raise AnotherRecord(connector.name, "it was merged", deal, told=survivor, survivor=survivor)
        return await fetch(record_id, *args, **how)

    monkeypatch.setattr(connector, "fetch", merged)
    with world.store.session() as session:
        session.get_one(Link, link_of_deal(world, deal).id).crm_recheck = True
    before = len(world.nexudus.records())
    cycles(world, False)
    followed = [link.crm_id for link in links(world) if link.nexudus_id == str(card)]
    assert (followed, len(world.nexudus.records())) == ([deal if has_a_pair else survivor], before)
    assert [kind for kind, _, _ in failures_of(world)] == (["another-record"] if has_a_pair else [])
