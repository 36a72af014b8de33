"""Copies whose names were taken before, and the customer that a copy is made for."""

from pathlib import Path

from engine_worlds import at_rest, card_of_deal, kinds_of_failures, pair_of_card
from sim_desks import BEN
from sim_stories import born_in_crm, cycle, links, new_card, new_deal

OWN_NAMES = 'external_key_field = "custom_other"\nown_names = true'
"""A site without the external key's field, where opportunities are named after their cards."""


def test_a_copy_whose_name_another_pair_has_does_not_end_the_cycle(tmp_path: Path) -> None:
    """Ben gives an opportunity, which is linked, the name that the copy of Ana's new card is to have."""
    world = at_rest(tmp_path, system="erpnext", crm_settings=OWN_NAMES)
    _, deal = born_in_crm(world)
    card = new_card(world, "anna")
    world.crm.rename(deal, f"NX-{card}", BEN)
    other = new_card(world, "zora")
    cycle(world), cycle(world)
    assert [link.crm_id for link in links(world) if link.nexudus_id == str(other)] == [f"NX-{other}"]
    assert kinds_of_failures(world, nexudus_id=str(card)) == ["taken"]
    world.crm.rename(f"NX-{card}", "Renamed", BEN)
    cycle(world, reconcile=True), cycle(world, reconcile=True)
    assert pair_of_card(world, card) == (f"NX-{card}", "active")
    assert kinds_of_failures(world) == []


def test_a_record_that_became_a_counterpart_is_not_copied_in_the_same_cycle(tmp_path: Path) -> None:
    """Ben gives an opportunity that nobody has copied the name that the copy of Ana's new card is to have."""
    world = at_rest(tmp_path, system="erpnext", crm_settings=OWN_NAMES)
    card = new_card(world, "anna")
    world.crm.rename(new_deal(world, "carla"), f"NX-{card}", BEN)
    cards = len(world.nexudus.records())
    cycle(world), cycle(world)
    assert pair_of_card(world, card) == (f"NX-{card}", "active")
    assert len(world.nexudus.records()) == cards


def test_an_opportunity_is_copied_for_the_customer_that_its_lead_is_now(tmp_path: Path) -> None:
    """Ben corrects the address of a lead, and enters another opportunity of it, which does not say one itself."""
    world = at_rest(tmp_path, system="erpnext")
    lead = world.crm.add("Lead", BEN, lead_name="berta", email_id="wrong@example.org")
    deal = {"opportunity_from": "Lead", "party_name": lead, "company": "Example Corp", "currency": "GBP"}
    deal |= {"transaction_date": "2026-03-02", "sales_stage": "New lead"}
    world.crm.create(BEN, **deal, title="first")
    cycle(world)
    world.crm.change("Lead", lead, BEN, email_id="right@example.org")
    second = world.crm.create(BEN, **deal, title="second")
    cycle(world), cycle(world)
    assert world.nexudus.record(card_of_deal(world, second))["CoworkerEmail"] == "right@example.org"
