from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nexudus_sync.mapping import Context, Field, Mapping, Side, Table, Unmapped, laws, pair, parse
from nexudus_sync.mapping.kinds import Text
from nexudus_sync.mapping.laws import EXAMPLE_CONTEXTS, Finding
from nexudus_sync.opportunity import Value

Pairing = Callable[[str, str], Mapping]
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


@pytest.mark.parametrize("kind", ["number", "boolean", "datetime"])
def test_the_other_types_keep_the_laws_too(paired: Pairing, kind: str) -> None:
    mapping = paired(f'path = "V"\ntype = "{kind}"', f'path = "CustomFields.Data[V]"\ntype = "{kind}"')
    assert {one.level for one in laws.check(mapping)} == {"ok"}


def test_stages_are_checked_with_the_lists_of_the_real_systems(paired: Pairing) -> None:
    mapping = paired('path = "Stage"\ntype = "stage"', 'path = "stage"')
    lists = {"stage": Table(((1, "New"), (2, "Done")))}
    contexts = {
        Side.NEXUDUS: Context(directories=lists),
        Side.CRM: Context(directories={"stage": Table((("n", "new"),))}),
    }
    detail = (
        "Nexudus's 'Done' cannot cross: the CRM has no value 'Done' for stage; add it there, or to "
        'c.toml: fields.x.values a line like new = ["new", "Done"]'
    )
    assert [one for one in laws.check(mapping, contexts) if one.level != "ok"] == [
        Finding("warn", "x", "coverage", detail)
    ]


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
    assert (
        "classes",
        "Open / Quotation in Nexudus and Quotation / Won in the CRM overlap but do not nest: all count as one value",
    ) in problems(mapping)


def test_two_lines_of_one_table_that_share_a_value_are_told(paired: Pairing) -> None:
    mapping = paired('path = "S"\n[fields.x.values]\n1 = "Open"\n2 = ["Lost", "Open"]\n0 = "Open"', 'path = "s"')
    told = [detail for law, detail in problems(mapping) if law == "classes"]
    assert told == [
        "Nexudus's '1' and '2' share a value: a change between them does not travel",
        "Nexudus's '2' and '0' share a value: a change between them does not travel",
    ]


def test_a_field_only_the_crm_has_stays_there(paired: Pairing) -> None:
    found = laws.check(paired('path = "V"', 'path = "v"\nsync = "off"'))
    assert [one.detail.split(" keeps ")[0] for one in found] == ["Nexudus", "the CRM"]


class Broken(Text):
    """Reads and writes as the test tells it."""

    reading: Callable[[Any], Any] = staticmethod(lambda raw: raw)
    writing: Callable[[Any], Any] = staticmethod(lambda value: value)

    def read(self, raw: Any, context: Context) -> Value:
        read: Value = self.reading(super().read(raw, context))
        return read

    def write(self, value: Value, old: Any, context: Context) -> Any:
        return self.writing(value)


def broken(mapping: Mapping, reading: Callable[[Any], Any], writing: Callable[[Any], Any]) -> list[Finding]:
    kind = type("Made", (Broken,), {"reading": staticmethod(reading), "writing": staticmethod(writing)})
    field = mapping.field("x")
    made = replace(field, nexudus=replace(field.nexudus, kind=kind("Nexudus", "V", "n.toml: fields.x")))
    found = laws.check(replace(mapping, fields=(made,)))
    return [one for one in found if one.level == "fail"]


class Fresh(str):
    """Text that never equals what was read before."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def test_a_lens_that_forgets_what_was_put_breaks_put_get(paired: Pairing) -> None:
    [found] = broken(paired('path = "V"', 'path = "v"'), lambda text: text, lambda value: "always this")
    assert (found.law, found.field) == ("PutGet", "x")
    assert found.detail.startswith("on the Nexudus side, ")
    assert "is read back as another value from 'always this'" in found.detail


def test_a_lens_that_writes_what_it_cannot_read_breaks_put_get(paired: Pairing) -> None:
    [found] = broken(paired('path = "V"', 'path = "v"'), lambda text: text, lambda value: ["no text"])
    assert found.law == "PutGet"


def test_a_lens_that_changes_what_it_read_breaks_get_put(paired: Pairing) -> None:
    found = broken(paired('path = "V"', 'path = "v"'), Fresh, lambda value: value + "!")
    assert found[0].law == "GetPut"
    assert "changes 'Meeting room'" in found[0].detail


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
    assert (found.law, found.level) == ("NoClobber", "fail")


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
