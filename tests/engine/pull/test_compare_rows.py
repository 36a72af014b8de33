"""Rows that say odd or outdated things about the right record: it is read before they are believed."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import at_rest, cycles, failures_of, link_of_deal, questions_of, told, whole_list
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, links, rows
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, History, Link, Unlinked

BOTH = pytest.mark.parametrize("system", ["overplane", "erpnext"])


@pytest.mark.parametrize("key", ["CreatedOn", "UniqueId"])
def test_a_row_with_odd_dates_or_identity_does_not_make_the_card_another_record(key: str, world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    odd = "2027-01-01T00:00:00Z" if key == "CreatedOn" else "deadbeef"

    def make_odd(body: dict[str, Any]) -> None:
        for row in body["Records"]:
            if row["Id"] == card:
                row[key] = odd

    told(world, Side.NEXUDUS, "^GET .*/crmopportunities$", make_odd, times=99)
    before = len(world.crm.records())
    world.nexudus.edit(card, ANA, Name="Still Berta's")
    cycles(world, False, False, True)
    assert [link.state for link in links(world) if link.nexudus_id == str(card)] == ["active"]
    assert (len(world.crm.records()), world.crm.record(deal)["title"]) == (before, "Still Berta's")
    assert (failures_of(world), questions_of(world), rows(world, Unlinked, record_id=str(card))) == ([], [], [])


def test_odd_dates_in_the_record_itself_do_not_make_the_card_another_record(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    world.nexudus.cards.rows[card] = {**world.nexudus.cards.rows[card], "CreatedOn": "2027-01-01T00:00:00Z"}
    world.nexudus.edit(card, ANA, Name="Still Berta's")
    cycles(world, False, True)
    assert world.crm.record(deal)["title"] == "Still Berta's"
    assert [link.state for link in links(world) if link.nexudus_id == str(card)] == ["active"]


def test_an_unknown_identity_differs_from_nothing_and_is_learnt_from_the_next_full_read(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    with world.store.session() as session:
        kept = session.get_one(Link, link_of_deal(world, deal).id)
        kept.nexudus_identity = ""
    cycles(world, True)
    world.nexudus.edit(card, ANA, Name="Known again")
    told(world, Side.NEXUDUS, f"^GET .*/{card}$", lambda body: body.pop("UniqueId"), times=1)
    cycles(world, False)
    assert (link_of_deal(world, deal).nexudus_identity, world.crm.record(deal)["title"]) == ("", "Known again")
    world.nexudus.edit(card, ANA, Name="Read again")
    cycles(world, False)
    assert link_of_deal(world, deal).nexudus_identity == world.nexudus.record(card)["UniqueId"]


def test_many_rows_with_other_identities_stop_before_anything_is_copied(tmp_path: Path) -> None:
    world = at_rest(tmp_path, nexudus=30, crm=30, shared=25)
    before = len(world.crm.records())
    for card, row in world.nexudus.cards.rows.items():
        world.nexudus.cards.rows[card] = world.nexudus.cards.listed[card] = {**row, "UniqueId": f"new-{card}"}
    cycles(world, True)
    assert (len(world.crm.records()), [one.name for one in rows(world, Brake)]) == (before, ["mass-delete"])
    world.close()


def test_a_list_that_lags_behind_sets_nothing_back(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    old = world.crm.record(deal)
    world.nexudus.move(card, "Tour booked", ANA)
    told(world, Side.CRM, "^GET .*/crm/opportunity$", whole_list(world, deal, old), times=99)
    acts = len(world.nexudus.acts)
    for _ in range(5):
        cycles(world, False)
    assert world.crm.record(deal)["sales_stage"] == "Tour booked"
    assert world.nexudus.record(card)["CrmBoardColumnName"] == "Tour booked"
    assert len(world.nexudus.acts) == acts
    assert [one.from_side for one in rows(world, History, field="sales_stage")] == ["nexudus"]


def test_a_list_of_the_same_moment_with_other_content_is_read_first(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    old = world.crm.record(deal)
    world.nexudus.edit(card, ANA, Name="Ana's")
    cycles(world, False)
    same = {**old, "updated_at": world.crm.record(deal)["updated_at"]}
    told(world, Side.CRM, "^GET .*/crm/opportunity$", whole_list(world, deal, same), times=99)
    cycles(world, False, False)
    assert (world.crm.record(deal)["title"], world.nexudus.record(card)["Name"]) == ("Ana's", "Ana's")


@BOTH
def test_a_replica_that_lags_behind_is_waited_for_and_believed_in_the_end(system: str, tmp_path: Path) -> None:
    """The list and the reads by id show it as it was before our write: after a quarter of an hour that is so."""
    world = at_rest(tmp_path, system=system)
    card, deal = born_in_crm(world)
    tables = world.crm.objects.rows["opportunity"] if system == "overplane" else None
    tables = tables if tables is not None else world.crm.site.tables["Opportunity"].rows
    old = tables[deal]
    world.nexudus.edit(card, ANA, Name="Ana's")
    cycles(world, False)
    new = tables[deal]
    tables[deal] = old
    with world.store.session() as session:
        session.get_one(Link, link_of_deal(world, deal).id).crm_recheck = True
    cycles(world, False, False)
    assert (world.nexudus.record(card)["Name"], link_of_deal(world, deal).crm_recheck) == ("Ana's", True)
    assert (failures_of(world), rows(world, Conflict, state="open")) == ([], [])
    tables[deal] = new
    cycles(world, False)
    assert (world.nexudus.record(card)["Name"], link_of_deal(world, deal).crm_recheck) == ("Ana's", False)
    tables[deal] = old
    with world.store.session() as session:
        session.get_one(Link, link_of_deal(world, deal).id).crm_recheck = True
    cycle(world, after=16 * 60.0)
    assert world.nexudus.record(card)["Name"] == "berta"
    world.close()


def test_a_card_that_was_restored_is_believed_at_a_reconcile(world: SimWorld) -> None:
    card, deal = born_in_nexudus(world)
    old = world.nexudus.cards.rows[card]
    world.crm.edit(deal, BEN, title="Ben's")
    cycles(world, False)
    world.nexudus.cards.rows[card] = world.nexudus.cards.listed[card] = old
    cycles(world, True)
    assert world.crm.record(deal)["title"] == "anna"
