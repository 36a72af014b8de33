import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from nexudus_sync.mapping import Context, Field, Lens, Mapping, Side, Table, Unmapped, Unreadable, laws, pair, parse
from nexudus_sync.mapping.kinds import Text
from nexudus_sync.mapping.laws import EXAMPLE_CONTEXTS, Finding
from nexudus_sync.mapping.samples import raws
from nexudus_sync.opportunity import Value

Pairing = Callable[[str, str], Mapping]
Making = Callable[[str], Lens]
STATUS = '[fields.x.values]\n1 = ["Open", "Quotation"]\n2 = "Won"'


def problems(mapping: Mapping, level: str = "warn") -> list[tuple[str, str]]:
    return [(found.law, found.detail) for found in laws.check(mapping) if found.level == level]


def test_the_shipped_mapping_breaks_no_law_and_leaves_nothing_unsaid(mapping: Mapping) -> None:
    found = laws.check(mapping)
    assert {one.level for one in found} == {"ok"}
    for field in mapping.fields:
        assert [(one.law, one.level) for one in found if one.field == field.name] == [
            ("GetPut", "ok"),
            ("PutGet", "ok"),
        ] * 2
    assert found[-3:] == [
        Finding("ok", name, "place", f"Nexudus keeps {path} to itself: it stays where it is, untouched")
        for name, path in (("utm_term", "UtmTerm"), ("notes", "Notes"), ("lead_source", "LeadSource"))
    ]


def test_each_law_is_told_for_each_side_with_the_number_of_records_then_what_stays(paired: Pairing) -> None:
    nexudus = f'path = "S"\n{STATUS}\n[fields.y]\npath = "Y"'
    assert laws.check(paired(nexudus, f'path = "s"\n{STATUS}\n[fields.z]\npath = "Z"\nsync = "off"')) == [
        Finding("ok", "x", "GetPut", "holds on the Nexudus side (8 records)"),
        Finding("ok", "x", "PutGet", "holds on the Nexudus side (8 records)"),
        Finding("ok", "x", "GetPut", "holds on the CRM side (8 records)"),
        Finding("ok", "x", "PutGet", "holds on the CRM side (8 records)"),
        Finding("ok", "y", "place", "Nexudus keeps Y to itself: it stays where it is, untouched"),
        Finding("ok", "z", "place", "the CRM keeps Z to itself: it stays where it is, untouched"),
    ]


def test_made_up_stages_are_tried_where_no_list_is_at_hand(paired: Pairing) -> None:
    found = laws.check(paired('path = "Stage"\ntype = "stage"', 'path = "stage"'))
    assert [one.detail for one in found] == [
        "holds on the Nexudus side (9 records)",
        "holds on the Nexudus side (9 records)",
        "holds on the CRM side (17 records)",
        "holds on the CRM side (17 records)",
    ]


def test_every_sample_stands_beside_something_that_must_not_change(lens: Making) -> None:
    made = lens("")
    [bare, *records] = laws._records(made, Context())
    assert [record["V"] for record in records] == raws(made, Context())
    assert "V" not in bare
    assert all({**record, "V": 1} == {**bare, "V": 1} for record in records)
    assert bare["Untouched"]


def test_a_default_is_no_excuse_for_a_lens(paired: Pairing) -> None:
    mapping = paired(f'path = "S"\n{STATUS}', 'path = "s"\non_unmapped = { default = "Open" }')
    assert problems(mapping, "fail") == []


@pytest.mark.parametrize("kind", ["number", "boolean", "datetime"])
def test_the_other_types_keep_the_laws_too(paired: Pairing, kind: str) -> None:
    mapping = paired(f'path = "V"\ntype = "{kind}"', f'path = "CustomFields.Data[V]"\ntype = "{kind}"')
    assert {one.level for one in laws.check(mapping)} == {"ok"}


def test_stages_are_checked_with_the_lists_of_the_real_systems(paired: Pairing) -> None:
    mapping = paired('path = "Stage"\ntype = "stage"', 'path = "sales"')
    lists = {"stage": Table(((1, "New"), (2, "Done")))}
    contexts = {
        Side.NEXUDUS: Context(directories=lists),
        Side.CRM: Context(directories={"sales": Table((("n", "new"),))}),
    }
    detail = (
        "Nexudus's 'Done' cannot cross: the CRM has no value 'Done' for sales; add it there, or to "
        'c.toml: fields.x.values a line like "…" = ["…", "Done"]; a person has to choose: it has new'
    )
    assert [one for one in laws.check(mapping, contexts) if one.level != "ok"] == [
        Finding("warn", "x", "coverage", detail)
    ]


def proposals(nexudus: tuple[str, ...], crm: tuple[str, ...]) -> dict[str, str | None]:
    """For each stage of Nexudus that the CRM lacks: the CRM's stage that a proposed line puts it to."""
    mapping = pair(
        parse('[fields.x]\npath = "Stage"\ntype = "stage"', "n.toml", Side.NEXUDUS),
        parse('[fields.x]\npath = "sales"\nsync = "from-nexudus"', "c.toml", Side.CRM),
    )
    contexts = {
        Side.NEXUDUS: Context(directories={"stage": Table(tuple(enumerate(nexudus)))}),
        Side.CRM: Context(directories={"sales": Table(tuple((name, name) for name in crm))}),
    }
    told = {one.detail.split("'")[2]: one.detail for one in laws.check(mapping, contexts) if one.level == "warn"}
    lines = {name: re.search(r'a line like (.+?) = \["(.+?)", ', detail) for name, detail in told.items()}
    for name, detail in told.items():
        assert ("a person has to choose" in detail) == ('like "…" =' in detail), name
    return {name: None if line is None or line[2] == "…" else line[2] for name, line in lines.items()}


@pytest.mark.parametrize(
    ("nexudus", "crm", "expected"),
    [
        (("Qualification",), ("Negotiation", "Prospecting"), {"Qualification": None}),
        (("Qualified",), ("Negotiation", "Qualification"), {"Qualified": "Qualification"}),
        (("Tour done", "Tour dine"), ("Tour booked",), {"Tour done": "Tour booked", "Tour dine": None}),
        (("Qualified", "Qualification"), ("Qualification",), {"Qualified": None}),
        (("Lead",), (), {"Lead": None}),
    ],
)
def test_a_proposed_line_puts_a_name_to_its_like_and_to_no_other(
    nexudus: tuple[str, ...], crm: tuple[str, ...], expected: dict[str, str | None]
) -> None:
    assert proposals(nexudus, crm) == expected


@pytest.mark.parametrize(
    ("default", "sync", "side"),
    [("Nowhere", "two-way", "Nexudus"), ("Nowhere", "from-crm", "Nexudus"), ("Nowhere", "from-nexudus", None)],
)
def test_a_default_that_is_no_value_of_the_other_side_breaks_the_mapping(
    paired: Pairing, default: str, sync: str, side: str | None
) -> None:
    crm = f'path = "s"\nsync = "{sync}"\non_unmapped = {{ default = "{default}" }}'
    told = [detail for _, detail in problems(paired(f'path = "S"\n{STATUS}', crm), "fail")]
    assert [one.startswith(f"'{default}' is not a value in {side}: ") for one in told] == ([True] if side else [])


def test_a_default_of_a_closed_table_of_the_crm_is_looked_at_too(paired: Pairing) -> None:
    crm = 'path = "s"\non_unmapped = {{ default = "{}" }}\n[fields.x.values]\nhot = "Open"\ncold = "Lost"'
    assert problems(paired('path = "S"', crm.format("Lost")), "fail") == []
    ((law, told),) = problems(paired('path = "S"', crm.format("Won")), "fail")
    assert (law, told.startswith("'Won' is not a value in the CRM: ")) == ("default", True)


def test_a_default_of_a_list_is_left_to_those_who_can_see_the_list(paired: Pairing) -> None:
    crm = 'path = "s"\ntype = "stage"\non_unmapped = { default = "Nowhere" }'
    assert problems(paired('path = "S"\ntype = "stage"', crm), "fail") == []


def test_a_crms_statuses_that_nexudus_has_no_word_for_are_told() -> None:
    def check(policy: str) -> list[str]:
        nexudus = parse('[fields.status]\npath = "S"\n[fields.status.values]\n1 = "Open"', "n.toml", Side.NEXUDUS)
        crm = parse(f'[fields.status]\npath = "s"\n{policy}', "c.toml", Side.CRM)
        return [one.detail for one in laws.check(pair(nexudus, crm)) if one.level == "warn"]

    told = check("")
    assert len(told) == 5
    assert told[0].startswith("the CRM's 'Quotation' cannot cross: 'Quotation' is not in n.toml: fields.status.values;")
    assert check('sync = "from-nexudus"') == []
    assert check('on_unmapped = "skip"') == []
    assert check('on_unmapped = { default = "Open" }') == []
    assert check('sync = "from-crm"') == told


def test_lines_of_the_two_sides_that_overlap_without_nesting_are_told(paired: Pairing) -> None:
    mapping = paired(
        f'path = "S"\n{STATUS}', 'path = "s"\n[fields.x.values]\nlive = ["Quotation", "Won"]\ndead = "Open"'
    )
    detail = (
        "Open / Quotation in Nexudus and Quotation / Won in the CRM overlap but do not nest: all count as one value"
    )
    assert [one for one in laws.check(mapping) if one.level != "ok"] == [Finding("warn", "x", "classes", detail)]


@pytest.mark.parametrize(
    "lines",
    [
        'a = ["Open", "Quotation"]\nb = "Won"',
        'a = ["quotation", "OPEN"]\nb = "Won"',
        'a = "Open"\nb = "Quotation"\nc = "Won"',
        'a = ["Open", "Quotation", "Won"]',
    ],
)
def test_lines_that_are_alike_or_lie_within_each_other_are_not_told(paired: Pairing, lines: str) -> None:
    assert problems(paired(f'path = "S"\n{STATUS}', f'path = "s"\n[fields.x.values]\n{lines}')) == []


def test_a_field_only_the_crm_has_stays_there(paired: Pairing) -> None:
    found = laws.check(paired('path = "V"', 'path = "v"\nsync = "off"'))
    assert [one.detail.split(" keeps ")[0] for one in found] == ["Nexudus", "the CRM"]


class Broken(Text):
    """Reads and writes as the test tells it."""

    reading: Callable[[Any], Any] = staticmethod(lambda raw: raw)
    writing: Callable[[Any, Any], Any] = staticmethod(lambda value, old: value)

    def read(self, raw: Any, context: Context) -> Value:
        read: Value = self.reading(super().read(raw, context))
        return read

    def write(self, value: Value, old: Any, context: Context) -> Any:
        return self.writing(value, old)


def broken(
    mapping: Mapping, reading: Callable[[Any], Any], writing: Callable[[Any, Any], Any], side: Side = Side.NEXUDUS
) -> list[Finding]:
    kind = type("Made", (Broken,), {"reading": staticmethod(reading), "writing": staticmethod(writing)})
    field = mapping.field("x")
    lens = field.lens(side)
    made = replace(lens, kind=kind(side.word, lens.path.text, "fields.x"))
    field = replace(field, nexudus=made) if side is Side.NEXUDUS else replace(field, crm=made)
    found = laws.check(replace(mapping, fields=(field,)))
    return [one for one in found if one.level == "fail"]


def as_it_is(value: Any, old: Any = None) -> Any:
    return value


def unless_meeting(raw: Any) -> Any:
    """Cannot read the first of the samples."""
    if raw == "Meeting room":
        raise Unreadable("no meetings")
    return raw


class Fresh(str):
    """Text that never equals what was read before."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def test_a_lens_that_forgets_what_was_put_breaks_put_get(paired: Pairing) -> None:
    [found] = broken(paired('path = "V"', 'path = "v"'), as_it_is, lambda value, old: "always this")
    assert (found.law, found.field) == ("PutGet", "x")
    assert found.detail.startswith("on the Nexudus side, ")
    assert "is read back as another value from 'always this'" in found.detail


def test_a_lens_that_writes_what_it_cannot_read_breaks_put_get(paired: Pairing) -> None:
    [found] = broken(paired('path = "V"', 'path = "v"'), as_it_is, lambda value, old: ["no text"])
    assert found.law == "PutGet"


def test_one_value_of_many_that_is_lost_breaks_put_get(paired: Pairing) -> None:
    [found] = broken(
        paired('path = "V"', 'path = "v"'), as_it_is, lambda value, old: None if value == "Meeting room" else value
    )
    assert found.detail.startswith("on the Nexudus side, 'Meeting room' is read back as another value from None")


def test_a_value_that_only_the_other_side_says_is_tried_too(paired: Pairing) -> None:
    mapping = paired(f'path = "S"\n{STATUS}', 'path = "s"')
    [found] = broken(mapping, as_it_is, lambda value, old: "lost" if value == "Won" else value, Side.CRM)
    assert found.detail.startswith("on the CRM side, 'Won' is read back as another value from 'lost'")


def test_what_stands_there_makes_a_difference_to_put_get(paired: Pairing) -> None:
    [found] = broken(
        paired('path = "V"', 'path = "v"'), unless_meeting, lambda value, old: old if old == "STRASSE" else value
    )
    assert found.law == "PutGet"
    assert found.detail.endswith("is read back as another value from 'STRASSE'")


def test_a_table_is_tried_whole_however_long_it_is(paired: Pairing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laws, "_MOST", 100)
    table = "[fields.x.values]\n" + "\n".join(f'own-{n} = "said-{n}"' for n in range(20))
    [found] = broken(paired(f'path = "V"\n{table}', 'path = "v"'), as_it_is, partial(_loses, "own-13", "own-7"))
    assert found.detail == "on the Nexudus side, 'said-13' is read back as another value from 'own-7'"


def _loses(lost: str, where: str, value: Any, old: Any) -> Any:
    return where if (value, old) == (lost, where) else value


@pytest.mark.parametrize(("most", "step"), [(1000, 1), (59, 1), (30, 2), (29, 2), (14, 4), (7, 8)])
def test_where_no_table_bounds_them_so_many_pairs_of_a_value_and_a_record_are_tried(
    paired: Pairing, monkeypatch: pytest.MonkeyPatch, most: int, step: int
) -> None:
    tried: list[tuple[Value, Any]] = []

    def put(self: Field, side: Side, value: Value, record: dict[str, Any], context: Context) -> dict[str, Any]:
        tried.append((value, record["V"]))
        return {**record, "V": value}

    monkeypatch.setattr(Field, "put", put)
    monkeypatch.setattr(laws, "_MOST", most)
    field = paired('path = "V"', 'path = "v"').field("x")
    values, olds = ["a", "b", "c"], [f"old {n}" for n in range(20)]
    records = [{"V": old} for old in olds]
    assert list(laws._put_get(field, Side.NEXUDUS, list(values), records, Context())) == []
    assert tried == [(value, old) for value in values for old in olds[::step]]


def test_a_lens_that_changes_what_it_read_breaks_get_put(paired: Pairing) -> None:
    found = broken(paired('path = "V"', 'path = "v"'), Fresh, lambda value, old: value + "!")
    assert found[0].law == "GetPut"
    assert "changes 'Meeting room'" in found[0].detail


def test_what_comes_after_a_record_that_cannot_be_read_is_tried_all_the_same(paired: Pairing) -> None:
    def reading(raw: Any) -> Any:
        return Fresh(raw) if raw == "STRASSE" else unless_meeting(raw)

    [found, *_] = broken(paired('path = "V"', 'path = "v"'), reading, lambda value, old: value + "!")
    assert (found.law, found.detail) == ("GetPut", "on the Nexudus side, writing back 'STRASSE' changes 'STRASSE'")


@pytest.mark.parametrize("old", [None, "old"])
def test_a_path_that_changes_a_neighbour_breaks_no_clobber(
    paired: Pairing, monkeypatch: pytest.MonkeyPatch, old: str | None
) -> None:
    field = paired('path = "V"', 'path = "v"').field("x")

    def clobber(self: Field, side: Side, value: Value, record: dict[str, Any], context: Context) -> dict[str, Any]:
        return {**record, "V": value, "Untouched": "touched"}

    monkeypatch.setattr(Field, "put", clobber)
    record = {"Untouched": 1, "V": old}
    [found] = laws._put_get(field, Side.NEXUDUS, ["new"], [record], EXAMPLE_CONTEXTS[Side.NEXUDUS])
    detail = f"on the Nexudus side, writing 'new' changes more than its place in {old!r}"
    assert found == Finding("fail", "x", "NoClobber", detail)


def test_a_neighbour_inside_the_same_object_counts_too(paired: Pairing, monkeypatch: pytest.MonkeyPatch) -> None:
    field = paired('path = "a.V"', 'path = "v"').field("x")

    def clobber(self: Field, side: Side, value: Value, record: dict[str, Any], context: Context) -> dict[str, Any]:
        return {"a": {"V": value, "Untouched": "touched"}}

    monkeypatch.setattr(Field, "put", clobber)
    [found] = laws._put_get(field, Side.NEXUDUS, ["new"], [{"a": {"V": "old", "Untouched": 1}}], Context())
    assert found.law == "NoClobber"


def test_the_examples_are_used_only_where_there_is_no_list(paired: Pairing, nexudus: Context) -> None:
    mapping = paired(
        'path = "U"\ntype = "user"', 'path = "u"\ntype = "user"\n[fields.x.values]\n"Zed@x.com" = "sam@example.com"'
    )
    contexts = {Side.NEXUDUS: nexudus, Side.CRM: Context()}
    told = [one.detail for one in laws.check(mapping, contexts) if one.level == "warn"]
    assert [detail.split(":")[0] for detail in told] == [
        "Nexudus's 'kim@example.org' cannot cross",
        "the CRM's 'zoë@example.org' cannot cross",
    ]
    with pytest.raises(Unmapped):
        mapping.field("x").put(Side.CRM, "sam@example.com", {}, Context())


def test_a_sample_that_the_mapping_cannot_read_is_passed_over(paired: Pairing) -> None:
    mapping = paired('path = "V"\n[fields.x.values]\n007 = "Bond"\n1 = "One"', 'path = "v"')
    assert {one.level for one in laws.check(mapping)} == {"ok"}
