"""A link whose card is elsewhere waits for the end of a stretch; by then a sibling may have taken it over."""

from pathlib import Path

from engine_worlds import cycle_of, place_card
from sim_desks import BEN
from sim_stories import links, when
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Link


def test_what_a_sibling_stored_meanwhile_is_not_undone(tmp_path: Path) -> None:
    world = SimWorld(11, tmp_path, nexudus=12, crm=12, shared=10, cities=("london", "madrid"))
    for _ in range(2):
        cycle_of(world, "london")
        cycle_of(world, "madrid")
    first, other, *_ = sorted((one for one in links(world) if one.connection == "london"), key=lambda one: one.id or 0)
    place_card(world, int(first.nexudus_id), "madrid")
    world.crm.edit(other.crm_id, BEN, title="Ben's")

    def take_over() -> None:
        with world.store.session() as session:
            link = session.get_one(Link, first.id)
            link.connection = "madrid"
            link.nexudus_snapshot = {**link.nexudus_snapshot, "Name": "settled by Madrid"}
            link.mark_both(False)

    when(world, Side.NEXUDUS, "PUT", "", take_over)
    report = cycle_of(world, "london")
    link = next(one for one in links(world) if one.id == first.id)
    assert (link.connection, link.nexudus_snapshot["Name"]) == ("madrid", "settled by Madrid")
    assert (link.nexudus_recheck, report.moved) == (False, 0)
