"""Each confirmed write is one line of the log, with the ids of both records and without a value of theirs."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from engine_worlds import at_rest
from sim_people import ANA
from sim_stories import born_in_nexudus, cycle, new_card
from sim_world import SimWorld
from structlog.testing import capture_logs

from nexudus_sync.mapping import Side


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    structlog.configure(**before)


def told(world: SimWorld, cycles: int = 1) -> list[dict[str, Any]]:
    with capture_logs() as logs:
        for _ in range(cycles):
            cycle(world)
    return [dict(line) for line in logs if line["event"] == "write.done"]


def test_an_update_names_both_records_and_its_fields(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Name="A secret title")
    (line,) = told(world)
    assert line == {
        "event": "write.done",
        "log_level": "info",
        "connection": "london",
        "system": world.connection.connector(Side.CRM).name,
        "kind": "opportunity.update",
        "fields": ["title"],
        "nexudus_id": str(card),
        "crm_id": deal,
    }


def test_a_create_names_the_record_that_it_made(tmp_path: Path) -> None:
    world = at_rest(tmp_path)
    card = new_card(world, "anna")
    lines = told(world)
    made = [line for line in lines if line["kind"] == "opportunity.create"]
    assert [line["nexudus_id"] for line in made] == [str(card)]
    assert world.crm.record(made[0]["crm_id"])


@pytest.mark.parametrize("fault", ["drop_after", "error_500_after"])
def test_a_write_whose_answer_was_lost_is_told_when_it_is_found(tmp_path: Path, fault: str) -> None:
    world = at_rest(tmp_path)
    card, deal = born_in_nexudus(world)
    world.nexudus.edit(card, ANA, Name="Arrived unheard")
    world.faults[Side.CRM].add(fault, f"^PATCH .*/{deal}$")
    lines = told(world, cycles=2)
    assert [(line["kind"], line["crm_id"]) for line in lines] == [("opportunity.update", deal)]
