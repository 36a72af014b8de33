"""Records that make no sense do not stop others, and are not written back or stored."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import cycle_of
from sim_people import ANA
from sim_stories import links, new_card, new_deal, rows
from sim_twists import Instead, TwistedWorld, record
from twisted_pairs import edit, failed, pairs, titles, twisted_world

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Journal, Link


@pytest.fixture
def world(tmp_path: Path) -> TwistedWorld:
    return twisted_world(tmp_path)


ODD_CARDS = [
    {"UpdatedOn": "9999-12-31T23:59:59.9999999Z"},
    {"CreatedOn": "0001-01-01T00:00:00+14:00", "UpdatedOn": "9999-12-31T23:59:59-14:00"},
    {"DueDate": "9999-12-31T23:59:59.9999999Z"},
    {"ResponsibleId": [1], "CrmBoardColumnId": [2]},
    {"ResponsibleId": {}, "CrmBoardColumnId": {}},
    {"CrmBoardColumnCrmBoardBusinessCurrencyCode": 7},
    {"CrmBoardColumnCrmBoardBusinessCurrencyCode": ["GBP"]},
    {"CrmBoardColumnCrmBoardBusinessId": [1001]},
    {"Value": "!NaN"},
    {"Value": "!" + "9" * 5000},
    {"Notes": "!" + "[" * 5000 + "]" * 5000},
    {"Name": ["a", "list"], "CoworkerEmail": {"a": 1}, "SystemId": 7, "Status": "x"},
    {"CoworkerEmail": "half \ud83d", "UpdatedBy": "half \ud83d"},
    {"UpdatedBy": ["x"], "UpdatedOn": 5, "CoworkerFullName": 5, "CrmBoardColumnName": {}},
]


ODD_DEALS = [
    {"updated_at": "9999-12-31T23:59:59.9999999Z", "created_at": "0001-01-01T00:00:00+14:00"},
    {"expected_closing": "9999-12-31T23:59:59Z"},
    {"opportunity_owner": ["x"], "sales_stage": ["y"]},
    {"currency": 7, "company": ["Example Corp"]},
    {"opportunity_amount": "!NaN"},
    {"opportunity_amount": "!Infinity", "probability": "!NaN"},
    {"title": {"a": 1}, "status": ["Open"], "contact_email": 7},
    {"contact_email": "half \ud83d", "updated_at": "half \ud83d", "party_name": {}},
    {"notes": "!" + "[" * 5000 + "]" * 5000},
]


@pytest.mark.parametrize(
    ("side", "changes"), [*((Side.NEXUDUS, one) for one in ODD_CARDS), *((Side.CRM, one) for one in ODD_DEALS)], ids=str
)
def test_a_linked_record_that_makes_no_sense_stops_no_other(
    world: TwistedWorld, side: Side, changes: dict[str, Any]
) -> None:
    odd, fine, *_ = pairs(world)
    odd_id = odd[0] if side is Side.NEXUDUS else odd[1]
    before = world.double(side).record(odd_id)
    world.twists[side].append(("", record(odd_id, **changes)))
    for number in range(2):
        edit(world, Side.NEXUDUS, fine, f"Name {number}")
        edit(world, side.other, odd, f"Odd {number}")
        assert cycle_of(world, "london", reconcile=number == 1).exit_code == 0
        assert titles(world, fine) == (f"Name {number}", f"Name {number}")
    assert len(pairs(world)) == len(links(world))
    told = {failure.kind for failure in failed(world)}
    assert "unexpected" not in told
    world.twists[side].clear()
    edit(world, side.other, odd, "Well again")
    for _ in range(2):
        cycle_of(world, "london", reconcile=True)
    assert titles(world, odd) == ("Well again", "Well again")
    kept = before.keys() - changes.keys() - {"Name", "title", "ToStringText", "UpdatedOn", "UpdatedBy", "updated_at"}
    assert {key: world.double(side).record(odd_id)[key] for key in kept} == {key: before[key] for key in kept}


@pytest.mark.parametrize(
    ("side", "changes"), [*((Side.NEXUDUS, one) for one in ODD_CARDS), *((Side.CRM, one) for one in ODD_DEALS)], ids=str
)
def test_a_new_record_that_makes_no_sense_stops_no_other(
    world: TwistedWorld, side: Side, changes: dict[str, Any]
) -> None:
    make: Any = new_card if side is Side.NEXUDUS else lambda world, name: new_deal(world, name, title=name)
    odd, fine = make(world, "odd"), make(world, "fine")
    world.twists[side].append(("", record(odd, **changes)))
    for _ in range(2):
        assert cycle_of(world, "london", reconcile=True).exit_code == 0
    key = "nexudus_id" if side is Side.NEXUDUS else "crm_id"
    assert rows(world, Link, **{key: str(fine)})
    world.twists[side].clear()
    for _ in range(3):
        cycle_of(world, "london", reconcile=True)
    assert rows(world, Link, **{key: str(odd)})
    assert failed(world) == []


@pytest.mark.parametrize("side", list(Side))
def test_no_secret_that_a_server_gives_back_is_kept(world: TwistedWorld, side: Side) -> None:
    first, *_ = pairs(world)
    sent: list[str] = []
    look = Instead(lambda request: sent.append(request.headers["Authorization"]))
    world.twists[side].append(("", look))
    world.faults[side].add("echo", "^(PUT|PATCH)", times=99)
    edit(world, side.other, first, "Travels")
    report = cycle_of(world, "london")
    (failure,) = failed(world)
    told = [failure.reason, *report.errors, *(row.outcome or "" for row in rows(world, Journal))]
    assert "***" in failure.reason
    for header in sent:
        assert not [text for text in told if header in text or header.split(" ")[1] in text]


def test_text_in_an_old_encoding_is_never_written_back(world: TwistedWorld) -> None:
    first, *_ = pairs(world)
    world.nexudus.edit(first[0], ANA, Notes="Zoë pays in ₤, naïve")
    world.faults[Side.NEXUDUS].add("latin_1", "GET .*crmopportunities/", times=999)
    edit(world, Side.CRM, first, "Travels")
    cycle_of(world, "london")
    assert world.nexudus.record(first[0])["Notes"] == "Zoë pays in ₤, naïve"
    assert {failure.kind for failure in failed(world)} == {"unavailable"}
    world.faults[Side.NEXUDUS].clear()
    for _ in range(2):
        cycle_of(world, "london")
    assert world.nexudus.record(first[0])["Notes"] == "Zoë pays in ₤, naïve"
    assert titles(world, first) == ("Travels", "Travels")
