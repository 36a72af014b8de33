"""`sync --record`: one record goes through the same cycle, and no other record does."""

from pathlib import Path

from engine_worlds import at_rest, cycle_of_record, link_of_card
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, edited_while_off, links, new_card, new_deal, rows

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Journal


def test_a_record_that_is_synced_alone_is_matched_with_what_is_new(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card = new_card(world, "anna")
    world.faults[Side.CRM].add("connect", "^POST .*/crm/opportunity$", times=99)
    cycle(world)
    world.faults[Side.CRM].clear()
    deal = new_deal(world, "anna")  # Ben enters it himself
    cycle_of_record(world, Side.NEXUDUS, str(card))
    assert link_of_card(world, card).crm_id == deal


def test_a_record_that_is_synced_alone_may_have_the_name_of_one_that_was_linked(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    _, deal = born_in_crm(world)
    world.crm.delete(deal, BEN)
    cycle(world, reconcile=True)
    assert new_deal(world, "carla") == deal
    assert cycle_of_record(world, Side.CRM, deal).created["nexudus"] == 1
    assert [link.state for link in links(world) if link.crm_id == deal] == ["closed", "active"]


def test_a_record_that_is_synced_alone_heeds_a_changed_mapping(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, _ = edited_while_off(world)
    cycle_of_record(world, Side.NEXUDUS, str(card))
    assert [(one.field, one.state) for one in rows(world, Conflict)] == [("utm_medium", "open")]
    assert world.nexudus.record(card)["UtmMedium"] == "cpc"


def test_a_lost_answer_about_a_record_that_is_synced_alone_is_found_out(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Name="Renamed")
    world.faults[Side.CRM].add("drop_after", f"^PATCH .*/{deal}$", times=1)
    cycle_of_record(world, Side.NEXUDUS, str(card))
    assert rows(world, Journal, state="sent") == []
    assert world.crm.record(deal)["title"] == "Renamed"
