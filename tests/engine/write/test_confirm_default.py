"""A value that the other side has no word for gives way to a default there: its own side keeps it all the same."""

import pytest
from engine_worlds import link_of_deal
from sim_desks import BEN
from sim_stories import born_in_crm, cycle, rows, when
from sim_world import SimWorld

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Conflict, Failure

DEFAULTS = {
    "sales_stage": ("Negotiation", "Prospecting"),
    "opportunity_owner": ("maria.nunez@example.com", "nobody@example.org"),
}


def edited(world: SimWorld, field: str) -> str:
    """Ben gives a deal a value that Nexudus lacks, and for which the mapping names a default."""
    default, value = DEFAULTS[field]
    _, deal = born_in_crm(world)
    world.rules[field] = f'on_unmapped = {{ default = "{default}" }}'
    world.restart()
    cycle(world)
    world.crm.edit(deal, BEN, **{field: value})
    return deal


def at_the_end(world: SimWorld, field: str, deal: str) -> tuple[str, object]:
    """What the deal says two cycles later, and what Nexudus says by its snapshot; nobody is asked anything."""
    for _ in range(2):
        cycle(world)
    assert rows(world, Conflict, state="open") == rows(world, Failure, state="open") == []
    lens, link = world.connection.mapping.field(field).nexudus, link_of_deal(world, deal)
    assert lens.raw(world.nexudus.record(int(link.nexudus_id))) == link.nexudus_snapshot[lens.path.text] is not None
    return str(world.crm.record(deal)[field]), link.crm_snapshot[field]


@pytest.mark.parametrize("field", DEFAULTS)
def test_the_default_does_not_travel_back(field: str, rested: SimWorld) -> None:
    deal = edited(rested, field)
    cycle(rested)
    assert at_the_end(rested, field, deal) == (DEFAULTS[field][1],) * 2


@pytest.mark.parametrize("field", DEFAULTS)
def test_the_default_does_not_travel_back_when_its_answer_was_lost(field: str, rested: SimWorld) -> None:
    deal = edited(rested, field)
    rested.faults[Side.NEXUDUS].add("drop_after", "^PUT .*/crmopportunities$", times=1)
    when(rested, Side.NEXUDUS, "PUT", "/crmopportunities", lambda: setattr(rested, "crash_at", rested.commits + 1))
    cycle(rested)
    assert at_the_end(rested, field, deal) == (DEFAULTS[field][1],) * 2
