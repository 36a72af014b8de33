"""Brakes: one cause sets one brake, which says what it is about; a release permits what was shown."""

from pathlib import Path

import pytest
from engine_worlds import at_rest, brakes_of, cycle_of, many_gone, release
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, decide, links, rows
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sandbox.wire import Response, json_response
from nexudus_sync.engine import brakes
from nexudus_sync.engine.report import BRAKED
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Failure, Journal


def emptied(world: SimWorld, side: Side) -> None:
    """A listing is empty, though the records are there."""
    nothing = {"Records": [], "TotalItems": 0, "HasNextPage": False, "TotalPages": 0}
    body = nothing if side is Side.NEXUDUS else {"data": [], "has_more": False, "total": 0}
    path = "/crmopportunities$" if side is Side.NEXUDUS else "/crm/opportunity$"

    def empty(_: Response) -> Response:
        return json_response(200, body)

    world.faults[side].change(f"^GET .*{path}", empty, times=999)


@pytest.mark.parametrize("side", list(Side))
def test_an_emptied_listing_sets_one_brake_which_ends_when_the_records_are_back(side: Side, tmp_path: Path) -> None:
    world = at_rest(tmp_path, nexudus=16, crm=16, shared=14, deletes="propagate")
    emptied(world, side)
    assert cycle_of(world, "london", reconcile=True).brake == "empty-side"
    assert cycle_of(world, "london", reconcile=True).brake == "empty-side"
    assert brakes_of(world) == [("empty-side", "set")]
    world.faults[side].clear()
    release(world)
    before = (world.nexudus.records().keys(), world.crm.records().keys())
    for _ in range(2):
        assert cycle_of(world, "london").brake is None
    assert brakes_of(world) == [("empty-side", "gone")]
    assert (world.nexudus.records().keys(), world.crm.records().keys()) == before


def test_a_release_lasts_until_its_links_are_settled_and_covers_no_others(tmp_path: Path) -> None:
    """The proof of some deletions is not to be had at first: they are let go later, without a second word."""
    world = at_rest(tmp_path, nexudus=30, crm=30, shared=28)
    deals = [link.crm_id for link in links(world)]
    for deal in deals[:13]:
        world.crm.delete(deal, BEN)
    assert cycle_of(world, "london").brake == "mass-delete"
    release(world)
    world.faults[Side.CRM].add("error_500_before", f"^GET .*/({'|'.join(deals[:3])})$", times=999)
    assert cycle_of(world, "london").brake is None
    assert [(one.state, len(one.links)) for one in rows(world, Brake)] == [("released", 3)]
    for deal in deals[13:20]:
        world.crm.delete(deal, BEN)
    assert cycle_of(world, "london").brake is None
    world.faults[Side.CRM].clear()
    cycle(world)
    assert sum(link.state == "closed" for link in links(world)) == 20
    assert [state for _, state in brakes_of(world)] == ["gone"]
    assert (rows(world, Failure, state="open"), rows(world, Conflict, state="open")) == ([], [])


def test_further_links_set_a_brake_of_their_own(tmp_path: Path) -> None:
    world = at_rest(tmp_path, nexudus=40, crm=40, shared=38)
    deals = [link.crm_id for link in links(world)]
    for deal in deals[:11]:
        world.crm.delete(deal, BEN)
    assert cycle_of(world, "london").brake == "mass-delete"
    release(world)
    for deal in deals[11:22]:
        world.crm.delete(deal, BEN)
    assert cycle_of(world, "london").brake == "mass-delete"
    assert sum(link.state == "closed" for link in links(world)) == 0
    release(world)
    cycle(world)
    assert sum(link.state == "closed" for link in links(world)) == 22


def crowd(folder: Path, deletes: str) -> SimWorld:
    """Fifty pairs that agree."""
    world = SimWorld(11, folder, nexudus=40, crm=40, shared=30, deletes=deletes)
    for _ in range(2):
        cycle(world)
    return world


def test_deletions_that_only_a_read_shows_are_under_the_brake(tmp_path: Path) -> None:
    """A new field in the mapping has every record read, and thirty cards turn out to be gone."""
    world = crowd(tmp_path, "propagate")
    for link in links(world)[:30]:
        world.nexudus.delete(int(link.nexudus_id), ANA)
    with world.store.session() as session:
        state = session.exec(select(ConnectionState)).one()
        state.mapping_digest, state.mapped_paths = "another", state.mapped_paths[1:]
        session.add(state)
    report = cycle_of(world)
    assert (report.exit_code, report.brake, report.closed, report.deleted) == (BRAKED, "mass-delete", 0, 0)
    world.close()


def test_deletions_that_a_write_comes_upon_are_under_the_brake(tmp_path: Path) -> None:
    """Ben edits thirty deals whose cards are gone: no more pairs end than the brake lets go, and no write waits."""
    world = crowd(tmp_path, "ignore")
    for link in links(world)[:30]:
        world.nexudus.delete(int(link.nexudus_id), ANA)
        world.crm.edit(link.crm_id, BEN, title="Ben's")
    report = cycle_of(world)
    assert (report.exit_code, report.brake, report.closed) == (BRAKED, "mass-delete", 10)
    with world.store.read() as session:
        assert not session.exec(select(Journal).where(Journal.state == "planned")).all()
    world.close()


def test_links_that_a_person_is_asked_about_set_no_brake(tmp_path: Path) -> None:
    """Day by day a few deals are deleted whose cards were edited: their questions do not add up to an accident."""
    world = crowd(tmp_path, "propagate")
    known = links(world)
    for day in range(3):
        for link in known[4 * day : 4 * day + 4]:
            world.crm.delete(link.crm_id, BEN)
            world.nexudus.edit(int(link.nexudus_id), ANA, Name=f"Kept {link.nexudus_id}")
        assert cycle_of(world).brake is None
    decide(world, "record", Side.CRM)
    assert cycle_of(world).deleted == 12
    world.close()


def test_a_sweeps_findings_are_carried_out_by_the_next_cycle_after_its_brake_is_released(tmp_path: Path) -> None:
    world, left = many_gone(tmp_path)
    report = cycle_of(world, "london")
    assert (report.brake, report.deleted) == (None, 12)
    assert {int(link.nexudus_id) for link in links(world) if link.state == "active"} >= set(left)


@pytest.mark.parametrize(("more", "brake"), [(4, None), (11, "mass-delete")])
def test_a_release_permits_what_its_brake_showed_and_no_more(more: int, brake: str | None, tmp_path: Path) -> None:
    """Further links set a brake where they alone are too many."""
    world, left = many_gone(tmp_path, pairs=28)
    for card in left[:more]:
        world.nexudus.delete(card, ANA)
    before = len(world.crm.records())
    assert cycle_of(world, "london").brake == brake
    assert len(world.crm.records()) == (before if brake else before - 12 - more)


def test_a_record_about_which_a_person_is_asked_is_not_deleted_with_its_counterpart(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Value=100)
    world.crm.edit(deal, BEN, opportunity_amount=205)
    cycle(world)
    world.crm.delete(deal, BEN)
    cycle(world), cycle(world, reconcile=True)
    assert card in world.nexudus.records()
    assert [one.field for one in rows(world, Conflict, state="open")] == ["opportunity_amount", "record"]


def test_a_company_whose_opportunities_are_all_gone_is_an_empty_side(tmp_path: Path) -> None:
    world = at_rest(tmp_path, deletes="propagate")
    for deal, row in list(world.crm.records().items()):
        if row["company"] == "Example Corp":
            world.crm.delete(deal, BEN)
    assert cycle_of(world, "london").brake == "empty-side"
    assert len(world.crm.records()) > 0


def test_one_release_permits_all_that_its_brake_showed(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    texts = [f"{count} of 100 linked records changed in {system} at once" for count, system in ((90, "a"), (60, "b"))]
    evidence = [brakes.Evidence("mass-change", text) for text in texts]

    def braked() -> str | None:
        with world.store.session() as session:
            return brakes.pull_brake(session, world.connection, evidence)

    assert braked() == "mass-change"
    release(world)
    assert braked() is None
