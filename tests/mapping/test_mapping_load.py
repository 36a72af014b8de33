from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from nexudus_sync.errors import MappingError
from nexudus_sync.mapping import Context, Mapping, OnConflict, OnUnmapped, Policy, Side, Sync, opportunity, pair, parse
from nexudus_sync.opportunity import Opportunity, Status

Pairing = Callable[[str, str], Mapping]


def refusal(text: str, side: Side = Side.CRM) -> str:
    with pytest.raises(MappingError) as caught:
        parse(text, "c.toml", side)
    return str(caught.value)


FIELD = '[fields.x]\npath = "v"\n'
TYPES = '"text", "link", "number", "decimal", "boolean", "day", "datetime", "stage", "user" or "rows"'
TWO_CLASSES = "is also on line '1', which says 'Open' and not 'Lost'; leave it in one of the two lines"
KEYS = "path, type, values, key, blank, required, zero_is_blank, sync, on_conflict, on_unmapped"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "c.toml: names no field; add tables such as [fields.title]"),
        ("fields = 3", "c.toml: fields: must be a table"),
        ("[feilds.x]", "c.toml: feilds: no such key; did you mean 'fields'?"),
        ("[fields]\nx = 3", "c.toml: fields.x: must be a table"),
        ('[fields.x]\npaht = "v"', "c.toml: fields.x.paht: no such key; did you mean 'path'?"),
        (FIELD + "on_conflct = 1", "c.toml: fields.x.on_conflct: no such key; did you mean 'on_conflict'?"),
        (
            FIELD + "zzz = 1",
            f"c.toml: fields.x.zzz: no such key; known here: {KEYS}",
        ),
        ("[fields.x]\npath = 1", "c.toml: fields.x.path: must be text in quotes"),
        ('[fields.x]\npath = ""', "c.toml: fields.x.path: must not be empty"),
        (
            '[fields.x]\npath = "a["',
            "c.toml: fields.x.path: 'a[' is not a path; write it like Name, a.b or CustomFields.Data[Budget]",
        ),
        ("[fields.x]", 'c.toml: fields.x.path: is missing; add it, or say sync = "off" in the CRM\'s file'),
        ('[fields.Title]\npath = "v"', "c.toml: fields.Title: is not a field name; use small letters, digits and _"),
        (
            FIELD + 'type = "desimal"',
            f"c.toml: fields.x.type: must be {TYPES}; did you mean 'decimal'?",
        ),
        (
            FIELD + "type = 7",
            f"c.toml: fields.x.type: must be {TYPES}",
        ),
        (
            FIELD + 'sync = "twoway"',
            'c.toml: fields.x.sync: must be "two-way", "from-nexudus", "from-crm" or "off"; did you mean \'two-way\'?',
        ),
        (
            FIELD + 'on_unmapped = "prak"',
            'c.toml: fields.x.on_unmapped: must be "park", "skip" or { default = "…" }; did you mean \'park\'?',
        ),
        (
            FIELD + 'on_unmapped = { defualt = "a" }',
            "c.toml: fields.x.on_unmapped.defualt: no such key; did you mean 'default'?",
        ),
        (FIELD + 'required = "yes"', "c.toml: fields.x.required: must be true or false"),
        (FIELD + "values = 3", "c.toml: fields.x.values: must be a table"),
        (FIELD + "values = {}", "c.toml: fields.x.values: is empty; add a line, or leave the table out"),
        (
            FIELD + 'values = { a.b = "c" }',
            "c.toml: fields.x.values.a: must be text or a list of texts; put a name that holds dots in quotes",
        ),
        (FIELD + 'values = { 1 = ["a", 2] }', "c.toml: fields.x.values.1.1: must be text in quotes"),
        (FIELD + "values = { 1 = [] }", "c.toml: fields.x.values.1: lists nothing; name at least one value"),
        (
            FIELD + 'values = { 1 = ["Won", "won"] }',
            "c.toml: fields.x.values.1: 'won' is listed twice; leave one of them out",
        ),
        (
            FIELD + 'values = { Won = "a", won = "b" }',
            "c.toml: fields.x.values: 'won' is listed twice; leave one of them out",
        ),
        (
            FIELD + 'values = { 1 = "Open", 2 = ["Lost", "open"] }',
            f"c.toml: fields.x.values.2: 'open' {TWO_CLASSES}",
        ),
        (
            FIELD + 'values = { 1 = ["Open", "Lost"], 2 = "Won", 3 = "Lost" }',
            f"c.toml: fields.x.values.3: 'Lost' {TWO_CLASSES}",
        ),
        (
            FIELD + 'type = "day"\nvalues = { 1 = "a" }',
            'c.toml: fields.x.values: a value table does not go with type = "day"; leave the type out',
        ),
        (
            FIELD + 'blank = "Opne"\nvalues = { 1 = ["Open", "Won"] }',
            "c.toml: fields.x.blank: 'Opne' is in no line of the value table; did you mean 'Open'?",
        ),
        (FIELD + 'type = "day"\nblank = "x"', 'c.toml: fields.x.blank: does not go with type = "day"; leave it out'),
        (
            FIELD + 'type = "rows"',
            'c.toml: fields.x.key: names the text inside a row; it goes with type = "rows", and only with it',
        ),
        (
            FIELD + 'key = "why"',
            'c.toml: fields.x.key: names the text inside a row; it goes with type = "rows", and only with it',
        ),
        (
            FIELD + "zero_is_blank = true",
            'c.toml: fields.x.zero_is_blank: is about amounts; it goes with type = "decimal" only',
        ),
        (
            FIELD + 'type = "day"\non_unmapped = { default = "x" }',
            'c.toml: fields.x.on_unmapped: a default does not go with type = "day"; use "park" or "skip"',
        ),
        (
            FIELD + '[fields.y]\npath = "v.inner"',
            "c.toml: fields.y.path: 'v.inner' is already the path of 'x'; give each field its own",
        ),
        (
            '[fields.y]\npath = "v.inner"\n' + FIELD,
            "c.toml: fields.x.path: 'v' is already the path of 'y'; give each field its own",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line_with_the_file_the_key_and_what_would_be_right(
    text: str, expected: str
) -> None:
    assert refusal(text) == expected
    assert "\n" not in expected


def test_lines_that_say_the_same_value_may_share_their_other_meanings(paired: Pairing) -> None:
    table = '[fields.x.values]\n1 = ["Open", "Replied"]\n0 = ["open", "Replied", "Asked"]'
    assert paired(f'path = "V"\n{table}', 'path = "v"').field("x").same("Replied", "Asked")


def test_broken_toml_is_told_with_its_line() -> None:
    assert refusal("[fields.x]\npath = ").startswith("c.toml: is not valid TOML: ")
    assert "line 2" in refusal("[fields.x]\npath = ?\n")


@pytest.mark.parametrize("key", ['sync = "off"', 'on_conflict = "crm"', 'on_unmapped = "skip"'])
def test_a_policy_belongs_in_the_crms_file(key: str) -> None:
    name = key.split()[0]
    assert refusal(FIELD + key, Side.NEXUDUS) == f"c.toml: fields.x.{name}: no such key; it belongs in the CRM's file"


def test_a_misspelt_key_of_the_nexudus_file_is_told_the_nearest() -> None:
    assert refusal(FIELD + 'tpye = "day"', Side.NEXUDUS) == ("c.toml: fields.x.tpye: no such key; did you mean 'type'?")


def test_policies_are_read_from_the_crms_file_and_a_byte_order_mark_does_no_harm() -> None:
    text = FIELD + 'on_unmapped = "skip"\n[fields.y]\nsync = "off"\n[fields.z]\npath="z"\non_unmapped={default="Z"}'
    side = parse("\ufeff" + text, "c.toml", Side.CRM)
    assert side.policies == {
        "x": Policy(on_unmapped=OnUnmapped.SKIP),
        "y": Policy(Sync.OFF),
        "z": Policy(Sync.TWO_WAY, OnConflict.NEWEST, OnUnmapped.DEFAULT, "Z"),
    }
    assert list(side.lenses) == ["x", "z"]
    assert parse(FIELD, "n.toml", Side.NEXUDUS).policies == {}


def test_a_field_that_is_off_in_the_crms_file_does_not_travel(paired: Pairing) -> None:
    mapping = paired('path = "V"\n[fields.y]\npath = "Y"', 'sync = "off"\n[fields.y]\npath = "y"')
    assert [field.name for field in mapping.fields] == ["y"]


def test_a_crm_field_without_a_place_in_nexudus_is_refused_with_the_nearest_name() -> None:
    nexudus = parse('[fields.title]\npath = "Name"', "n.toml", Side.NEXUDUS)
    crm = parse('[fields.titel]\npath = "title"', "c.toml", Side.CRM)
    with pytest.raises(MappingError) as caught:
        pair(nexudus, crm)
    assert str(caught.value) == "c.toml: fields.titel: n.toml has no such field; did you mean 'title'?"


def test_types_that_say_different_things_do_not_pair(paired: Pairing) -> None:
    with pytest.raises(MappingError) as caught:
        paired('path = "V"\ntype = "day"', 'path = "v"')
    assert str(caught.value) == (
        'c.toml: fields.x.type: is of type "text", but "day" in n.toml; give both sides matching types'
    )


def test_both_sides_must_agree_whether_zero_is_blank(paired: Pairing) -> None:
    with pytest.raises(MappingError) as caught:
        paired('path = "V"\ntype = "decimal"', 'path = "v"\ntype = "decimal"\nzero_is_blank = false')
    assert str(caught.value) == ("c.toml: fields.x.zero_is_blank: differs from n.toml; say the same in both files")


def test_a_record_is_shown_as_the_canonical_opportunity(mapping: Mapping, nexudus: Context, crm: Context) -> None:
    card = {
        "Name": "Café desk", "Status": 3, "CrmBoardColumnId": 102, "LossReason": 3, "Value": Decimal("10.5"),
        "DueDate": "2026-06-30T23:30:00Z", "ResponsibleId": 7, "UtmTerm": "desk", "LeadSource": 404,
    }  # fmt: skip
    shared = {"title": "Café desk", "status": Status.LOST, "sales_stage": "Tour booked", "utm_term": "desk"}
    assert opportunity(mapping, Side.NEXUDUS, card, nexudus) == Opportunity(
        **shared,
        lost_reasons=("Poor qualification",),
        opportunity_amount=Decimal("10.50"),
        expected_closing=date(2026, 7, 1),
        opportunity_owner="sam@example.com",
    )
    record = {
        "title": "Café desk", "status": "Lost", "lost_reasons": [{"idx": 2, "lost_reason": "Need"},
        {"idx": 1, "lost_reason": "Price"}], "opportunity_amount": 0,
    }  # fmt: skip
    shown = opportunity(mapping.crm, Side.CRM, record, crm)
    assert (shown.lost_reasons, shown.opportunity_amount) == (("Price", "Need"), None)


def test_what_the_model_has_no_field_for_or_cannot_hold_is_shown_as_custom() -> None:
    text = """
    [fields.status]
    path = "status"
    [fields.rooms]
    path = "rooms"
    type = "number"
    [fields.lost_reasons]
    path = "why"
    type = "number"
    [fields.title]
    path = "title"
    """
    side = parse(text, "c.toml", Side.CRM)
    shown = opportunity(side, Side.CRM, {"status": "Dormant", "rooms": 3, "why": 7, "title": "Desk"}, Context())
    assert shown == Opportunity(title="Desk", custom={"rooms": 3, "status": "Dormant", "lost_reasons": 7})


def test_what_cannot_be_read_is_left_out_and_all_else_is_shown() -> None:
    text = """
    [fields.rooms]
    path = "rooms"
    type = "number"
    [fields.title]
    path = "title"
    [fields.floor]
    path = "floor"
    """
    side = parse(text, "c.toml", Side.CRM)
    shown = opportunity(side, Side.CRM, {"rooms": "many", "title": "Desk", "floor": "2"}, Context())
    assert shown == Opportunity(title="Desk", custom={"floor": "2"})
