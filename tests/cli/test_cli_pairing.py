"""Names that mean each other, written into the Nexudus mapping."""

from dataclasses import replace

import pytest

from nexudus_sync.cli.setup.pairing import Lists, Pairs, lists_of, written
from nexudus_sync.mapping import Side, laws, pair, parse
from nexudus_sync.mapping.lenses import Lens
from nexudus_sync.mapping.shipped import shipped

HUB = shipped("nexudus")
STAGES = Lists("sales_stage", (("New lead",), ("Tour",), ("Mail",)), ("new lead", "Qualified", "Talking"))


def lens(text: str, field: str) -> Lens:
    return parse(text, "nexudus.toml", Side.NEXUDUS).lenses[field]


def reasons(*pairs: tuple[str, str]) -> Lists:
    crm = {"lost_reasons": ("Timing", "other", "Too expensive", "Went silent")}
    return replace(lists_of("lost_reasons", lens(HUB, "lost_reasons"), {}, crm), pairs=pairs)


def table(lists: Lists) -> list[tuple[str, tuple[str, ...]]]:
    """The value table that comes of it; with a CRM's own file the mapping has to keep the laws of this field."""
    text = written(HUB, [lists])
    crm = parse(shipped("overplane"), "overplane.toml", Side.CRM)
    mapping = pair(parse(text, "nexudus.toml", Side.NEXUDUS), crm)
    one = replace(mapping, fields=tuple(field for field in mapping.fields if field.name == lists.field))
    assert [finding for finding in laws.check(one) if finding.level == "fail"] == []
    found = lens(text, lists.field).values
    return [] if found is None else list(found.entries)


def test_names_that_differ_only_in_case_are_alike() -> None:
    assert (STAGES.alike(), STAGES.alone()) == (1, (["Tour", "Mail"], ["Qualified", "Talking"]))
    assert reasons().alike() == 2
    assert "Price" in reasons().alone()[0]
    assert reasons(("Price", "Too expensive")).alone()[1] == ["Went silent"]


def test_without_pairs_the_file_is_as_it_was_shipped() -> None:
    assert written(HUB, [STAGES, reasons()]) == HUB


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ((("Tour", "Qualified"),), [("Tour", ("Qualified",))]),
        ((("Tour", "Qualified"), ("Tour", "Talking")), [("Tour", ("Qualified", "Talking"))]),
        ((("Tour", "Qualified"), ("Mail", "Qualified")), [("Tour", ("Qualified",)), ("Mail", ("Qualified",))]),
        # the CRM's name stays that of its namesake, which comes first
        ((("Mail", "new lead"),), [("New lead", ("new lead",)), ("Mail", ("new lead",))]),
        # what is on both sides stays what it says; the other name is read as the same
        ((("New lead", "Talking"),), [("New lead", ("new lead", "Talking"))]),
    ],
)
def test_stages_get_a_table(pairs: Pairs, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert table(replace(STAGES, pairs=pairs)) == expected


def test_a_lost_reason_of_the_crm_is_put_on_the_line_of_nexudus_own() -> None:
    found = dict(table(reasons(("Price", "Too expensive"), ("Timing", "Went silent"))))
    assert found["4"] == ("Too expensive", "Price")
    assert found["1"] == ("Timing", "Went silent")


def test_a_shared_reason_is_read_back_as_its_namesake() -> None:
    found = table(reasons(("Entrance", "other")))
    assert found[-1] == ("16", ("other", "Entrance"))
    assert next(key for key, values in found if "other" in [one.casefold() for one in values]) == "99"


def test_the_comments_stay() -> None:
    text = written(HUB, [replace(STAGES, pairs=(("Tour", "Qualified"),)), reasons(("Price", "Too expensive"))])
    assert {line for line in HUB.splitlines() if line.startswith("#")} <= set(text.splitlines())
