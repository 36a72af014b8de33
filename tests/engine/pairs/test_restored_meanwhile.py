"""A record that was missing when it was read, and restored while other links were being written, is not parted with."""

from pathlib import Path

from engine_worlds import at_rest, cycle_of
from sim_desks import BEN
from sim_people import ANA
from sim_stories import links, when

from nexudus_sync.mapping import Side


def test_a_card_that_was_restored_before_its_links_turn_keeps_its_counterpart(tmp_path: Path) -> None:
    world = at_rest(tmp_path, nexudus=42, crm=42, shared=40, deletes="propagate")
    first, *others = sorted((link for link in links(world) if link.state == "active"), key=lambda link: link.id or 0)
    card = int(first.nexudus_id)
    kept = world.nexudus.cards.rows[card]
    world.nexudus.delete(card, ANA)
    for link in others:
        world.crm.edit(link.crm_id, BEN, title=f"Ben's {link.crm_id}")

    def restore() -> None:
        world.nexudus.cards.rows[card] = world.nexudus.cards.listed[card] = kept

    when(world, Side.NEXUDUS, "PUT", "", restore)
    cycle_of(world, "london", reconcile=True)
    assert first.crm_id in world.crm.records()
