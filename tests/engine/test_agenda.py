"""What a cycle works on: polls in the middle of long work, and links that fail without delaying others."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_worlds import at_rest, cycle_of, slow_poll
from sim_desks import BEN
from sim_people import ANA
from sim_stories import cycle, links, new_card, new_deal
from sim_world import SimWorld
from sqlmodel import select

from nexudus_sync.engine.agenda import Cycle, Options
from nexudus_sync.engine.pull import pull
from nexudus_sync.errors import OutcomeUnknown, Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store.failures import open_failure
from nexudus_sync.store.links import mark
from nexudus_sync.store.tables import History


def test_a_poll_in_between_replaces_the_earlier_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ana drags a card, which renumbers its neighbours; while these are gone through, Ben's new title is carried."""
    world = SimWorld(11, tmp_path, nexudus=40, crm=4, shared=3)
    for _ in range(2):
        cycle(world)
    pairs = sorted(links(world), key=lambda link: int(link.nexudus_id))
    stage = world.nexudus.directory.stage_named(world.seeded.places.london.board_id, "New lead")
    for position, link in enumerate(pairs, 500):
        world.nexudus.edit(int(link.nexudus_id), ANA, CrmBoardColumnId=stage, Position=position)
    for _ in range(2):
        cycle(world)
    last = pairs[-3]
    slow_poll(world, 1, lambda: world.crm.edit(last.crm_id, BEN, title="Ben's"), monkeypatch)
    world.nexudus.edit(int(pairs[-1].nexudus_id), ANA, Position=501)
    cycle(world)
    with world.store.read() as session:
        entries = session.exec(select(History).where(History.field == "title", History.crm_id == last.crm_id))
        assert [entry.new for entry in entries] == ["Ben's"]
    world.close()


def test_a_poll_in_between_makes_a_copys_source_be_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ben's deals are copied and their stages still to be delivered; meanwhile he renames the first."""
    world = SimWorld(11, tmp_path, nexudus=4, crm=4, shared=2)
    for _ in range(2):
        cycle(world)
    deals = []
    for number in range(6):
        deals.append(new_deal(world, f"berta{number}", sales_stage="Negotiation"))
        world.clock.seconds += 2
    slow_poll(world, 4, lambda: world.crm.edit(deals[0], BEN, title="Renamed"), monkeypatch)
    cycle(world)
    with world.store.read() as session:
        entries = session.exec(select(History).where(History.field == "title", History.crm_id == deals[0]))
        assert [entry.new for entry in entries] == ["Renamed"]
    world.close()


def test_a_value_is_brought_back_though_its_link_rests_and_only_the_system_moved_the_card(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    link, later = links(world)[0], world.clock.now() + timedelta(hours=1)
    about = {"connection": "london", "nexudus_id": link.nexudus_id, "crm_id": link.crm_id, "now": world.clock.now()}
    with world.store.session() as session:
        open_failure(session, kind="unavailable", reason="down", **about).next_attempt = later
        mark(session, Side.NEXUDUS, [link.id or 0])
    work = Cycle(world.connection, Options(one_shot=False))
    work.seen[Side.NEXUDUS].minor.add(link.id or 0)
    assert work.links() == ([], [])
    assert work.links([link.id or 0]) == ([link.id], [])
    assert work.links([link.id or 0]) == ([], [])  # once


def test_many_broken_records_do_not_keep_a_command_from_the_others(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=20, crm=20, shared=18)
    for _ in range(2):
        cycle(world)
    *bad, good = links(world)
    for link in bad[:12]:
        world.faults[Side.CRM].add("error_500_before", f"^(PATCH|PUT) .*/{link.crm_id}$", times=99999)
        world.nexudus.edit(int(link.nexudus_id), ANA, Name="Broken")
    world.nexudus.edit(int(good.nexudus_id), ANA, Name="Sound")
    for _ in range(8):
        with suppress(Unavailable, OutcomeUnknown):  # the circuit opens
            cycle_of(world, "london")
    assert world.crm.record(good.crm_id)["title"] == "Sound"


def test_a_poll_during_a_sweep_is_not_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = at_rest(tmp_path)
    asked, list_side = list[bool](), pull.list_side

    async def noted(*args: Any, **options: Any) -> Any:
        asked.append(options["full"])
        return await list_side(*args, **options)

    monkeypatch.setattr(pull, "list_side", noted)
    for number in range(6):
        new_card(world, f"anna{number}")
        world.clock.seconds += 2
    slow_poll(world, 3, lambda: None, monkeypatch)
    cycle(world, reconcile=True)
    assert asked == [True, True, False, False]
