"""`undo` brings back a replaced value even after the pair has moved and its record was renamed."""

from pathlib import Path

from engine_worlds import CITIES, at_rest, to_madrid
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, cycle, rows

from nexudus_sync.store.tables import Decision, History


def test_a_value_replaced_before_a_move_and_a_rename_can_be_brought_back(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext", cities=CITIES)
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Name="Ana's")
    cycle(world)
    to_madrid(world, card)
    world.crm.rename(deal, "Renamed", BEN)
    world.crm.edit("Renamed", BEN, opportunity_amount=5)
    cycle(world)
    (entry,) = rows(world, History, field="title", nexudus_id=str(card))
    with world.store.session() as session:
        args = {"history_id": entry.id}
        session.add(Decision(connection="madrid", kind="undo", args=args, asked_at=world.clock.now()))
    cycle(world)
    assert world.nexudus.record(card)["Name"] == world.crm.record("Renamed")["title"] == "berta"
