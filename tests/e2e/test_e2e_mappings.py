"""Mapping files of one's own: new fields, changed lines, and no phantom changes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e_office import ANA, BEN, Counted, Office, dump

from nexudus_sync.store.tables import History

SHIPPED = Path(__file__).parents[2] / "mappings"


def own_mapping(office: Office, change: Callable[[str, str], tuple[str, str]]) -> None:
    """Give the office mapping files of its own: the shipped ones, changed."""
    shipped = [(SHIPPED / f"{one}.toml").read_text(encoding="utf-8") for one in ("nexudus", office.desk.system)]
    nexudus, crm = change(shipped[0], office.desk.mapping or shipped[1])
    (office.folder / "own-nexudus.toml").write_text(nexudus, encoding="utf-8")
    (office.folder / "own-crm.toml").write_text(crm, encoding="utf-8")
    office.put("mapping", '{ nexudus = "own-nexudus.toml", crm = "own-crm.toml" }')


def with_new_fields(nexudus: str, crm: str) -> tuple[str, str]:
    nexudus += '\n[fields.broker]\npath = "CustomFields.Data[Broker]"\n'
    crm = re.sub(r'\[fields\.notes\].*\nsync = "off"', '[fields.notes]\npath = "internal_notes"', crm)
    return nexudus, crm + '\n[fields.broker]\npath = "broker_reference"\n'


def broker(value: str) -> dict[str, Any]:
    return {"Data": [{"Name": "Broker", "Value": value, "Type": "string", "JsonValue": None}]}


async def test_a_newly_mapped_field_is_a_first_match_of_its_own_and_then_travels_both_ways(
    offices: Callable[..., Office],
) -> None:
    office = offices(nexudus=10, crm=10, shared=8)
    await office.sync()
    for key in ("broker_reference", "internal_notes"):
        office.desk.add_field(key)
    (card, deal), (other_card, other_deal) = office.free[:2]
    office.cards.edit(card, ANA, CustomFields=broker("BR-1"), Notes="From Nexudus")
    office.deals.edit(other_deal, BEN, broker_reference="CRM-1", internal_notes="From the CRM")
    await office.sync()
    own_mapping(office, with_new_fields)
    await office.sync()
    filled = office.deals.record(deal)
    assert (filled["broker_reference"], filled["internal_notes"]) == ("BR-1", "From Nexudus")
    rows = office.cards.record(other_card)["CustomFields"]["Data"]
    assert [row["Value"] for row in rows if row["Name"] == "Broker"] == ["CRM-1"]
    assert office.cards.record(other_card)["Notes"] == "From the CRM"
    office.deals.edit(deal, BEN, broker_reference="BR-2")
    office.cards.edit(other_card, ANA, CustomFields=broker("CRM-2"))
    await office.sync()
    assert office.cards.record(card)["CustomFields"] == broker("BR-2")
    assert office.deals.record(other_deal)["broker_reference"] == "CRM-2"


async def test_an_edited_mapping_makes_no_phantom_change(offices: Callable[..., Office]) -> None:
    office = offices(nexudus=10, crm=10, shared=8)
    await office.sync()
    before, history = dump(office), len(office.rows(History))

    def change(nexudus: str, crm: str) -> tuple[str, str]:
        nexudus = nexudus.replace('3 = ["Lost", "Closed"]', '3 = ["Closed", "Lost"]')
        return nexudus, crm.replace(
            '[fields.title]\npath = "title"', '[fields.title]\npath = "title"\non_conflict = "crm"'
        )

    own_mapping(office, change)
    counted = Counted(office)
    await office.sync()
    await office.sync(reconcile=True)
    assert counted.writes() == []
    assert dump(office) == before
    assert len(office.rows(History)) == history


async def test_a_value_that_a_new_mapping_line_pairs_is_delivered_at_the_next_sync(
    offices: Callable[..., Office],
) -> None:
    office = offices(nexudus=10, crm=10, shared=8)
    await office.sync()
    card, deal = office.free.pop()
    office.desk.know("sales_stage", "Qualification")
    office.deals.edit(deal, BEN, sales_stage="Qualification")
    await office.sync()
    assert office.failures_of((card, deal)) == {("unmapped", "sales_stage")}
    line = '\n[fields.sales_stage.values]\n"Tour booked" = ["Tour booked", "Qualification"]\n'
    own_mapping(office, lambda nexudus, crm: (nexudus.replace("required = true", f"required = true{line}", 1), crm))
    await office.sync()
    assert (office.stage_of(card), office.failures_of((card, deal))) == ("Tour booked", set())
