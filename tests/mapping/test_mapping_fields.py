from collections.abc import Callable
from decimal import Decimal

import pytest

from nexudus_sync.mapping import Context, Mapping, OnConflict, OnUnmapped, Side, Sync, Table, Unmapped, Unreadable

Pairing = Callable[[str, str], Mapping]
PLAIN = Context()
STATUS = '[fields.x.values]\n1 = ["Open", "Quotation"]\n2 = "Won"\n3 = ["Lost", "Closed"]\n0 = "Open"'


def test_each_side_names_the_other_and_itself() -> None:
    assert Side.NEXUDUS.other is Side.CRM
    assert Side.CRM.other is Side.NEXUDUS
    assert [side.word for side in Side] == ["Nexudus", "the CRM"]


def test_putting_a_value_of_the_class_that_stands_there_gives_the_very_record(paired: Pairing) -> None:
    field = paired(f'path = "Status"\n{STATUS}', 'path = "status"').field("x")
    record = {"status": "Quotation"}
    assert field.put(Side.CRM, "Open", record, PLAIN) is record
    zero = {"Status": 0}
    assert field.put(Side.NEXUDUS, "Quotation", zero, PLAIN) is zero


def test_putting_another_class_writes_its_first_line_and_nothing_else(paired: Pairing) -> None:
    field = paired(f'path = "Status"\n{STATUS}', 'path = "status"').field("x")
    assert field.put(Side.NEXUDUS, "closed", {"Id": 1, "Status": 1}, PLAIN) == {"Id": 1, "Status": 3}
    assert field.put(Side.NEXUDUS, "Open", {"Status": "3"}, PLAIN) == {"Status": "1"}
    assert field.put(Side.CRM, "Won", {"status": "Lost"}, PLAIN) == {"status": "Won"}


def test_a_table_is_keyed_by_numbers_truth_values_or_text(paired: Pairing) -> None:
    table = '[fields.x.values]\ntrue = "Won"\nfalse = "Open"\n-1 = "Gone"\n007 = "Bond"'
    field = paired(f'path = "V"\n{table}', 'path = "v"').field("x")
    for raw, value in ((True, "Won"), (False, "Open"), (-1, "Gone"), (Decimal("-1.0"), "Gone"), ("007", "Bond")):
        assert field.get(Side.NEXUDUS, {"V": raw}, PLAIN) == value
    assert field.put(Side.NEXUDUS, "Open", {}, PLAIN) == {"V": False}
    assert field.put(Side.NEXUDUS, "Won", {}, PLAIN) == {"V": True}
    assert field.put(Side.NEXUDUS, "Gone", {}, PLAIN) == {"V": -1}
    assert field.put(Side.NEXUDUS, "Bond", {}, PLAIN) == {"V": "007"}
    assert field.put(Side.NEXUDUS, "Won", {"V": "false"}, PLAIN) == {"V": "true"}


def test_a_truth_value_that_the_table_lacks_is_told_as_a_table_writes_it(paired: Pairing) -> None:
    field = paired('path = "V"\n[fields.x.values]\ntrue = "Won"', 'path = "v"').field("x")
    with pytest.raises(Unreadable, match=r"^'false' is not in n\.toml: fields\.x\.values; add a line like false = "):
        field.get(Side.NEXUDUS, {"V": False}, PLAIN)


def test_a_fraction_is_no_key_of_a_table_of_whole_numbers(paired: Pairing) -> None:
    field = paired(f'path = "V"\n{STATUS}', 'path = "v"').field("x")
    with pytest.raises(Unreadable, match=r"'1\.5' is not in"):
        field.get(Side.NEXUDUS, {"V": Decimal("1.5")}, PLAIN)


def test_a_number_for_a_name_is_written_as_the_list_has_it(paired: Pairing) -> None:
    field = paired('path = "V"\n[fields.x.values]\n1 = "Open"', 'path = "v"').field("x")
    context = Context(directories={"V": Table((("one", "1"),))})
    assert field.put(Side.NEXUDUS, "Open", {}, context) == {"V": "one"}
    assert field.get(Side.NEXUDUS, {"V": "one"}, context) == "Open"


def test_free_text_is_compared_exactly_and_names_without_regard_to_case(paired: Pairing) -> None:
    text, table = paired('path = "V"', 'path = "v"').field("x"), paired(f'path="V"\n{STATUS}', 'path="v"').field("x")
    assert not text.same("Acme", "ACME")
    assert text.same(Decimal("1.0"), Decimal("1.00"))
    assert table.same("WON", "won")
    assert not table.same("Won", None)
    assert table.same(None, None)


def test_another_of_the_class_is_said_where_the_value_itself_cannot_be(paired: Pairing) -> None:
    field = paired(f'path = "Status"\n{STATUS}', 'path = "s"\n[fields.x.values]\n"In talks" = "Quotation"').field("x")
    assert field.put(Side.CRM, "Open", {}, PLAIN) == {"s": "In talks"}
    with pytest.raises(Unmapped, match=r"'Won' is not in c\.toml: fields\.x\.values"):
        field.put(Side.CRM, "Won", {}, PLAIN)


def test_another_of_the_class_is_said_in_the_manner_of_what_stands_there(paired: Pairing) -> None:
    table = '[fields.x.values]\n1 = "Quotation"\n2 = "Won"'
    field = paired(f'path = "S"\n{table}', 'path = "s"\n[fields.x.values]\nlive = ["Open", "Quotation"]').field("x")
    assert field.put(Side.NEXUDUS, "Open", {"S": "2"}, PLAIN) == {"S": "1"}
    assert field.put(Side.NEXUDUS, "Open", {"S": 2}, PLAIN) == {"S": 1}


def test_a_blank_reads_as_the_files_blank_and_then_cannot_be_said(paired: Pairing) -> None:
    field = paired(f'path = "Status"\nblank = "Open"\n{STATUS}', 'path = "status"').field("x")
    empty: dict[str, object] = {"Status": None}
    assert field.read(Side.NEXUDUS, None, PLAIN) == "Open"
    assert field.put(Side.NEXUDUS, "Quotation", empty, PLAIN) is empty
    with pytest.raises(Unmapped, match="Nexudus requires Status; fill it in on the other side"):
        field.put(Side.NEXUDUS, None, {"Status": 2}, PLAIN)


def test_a_required_field_refuses_a_blank_but_reads_one(paired: Pairing) -> None:
    field = paired('path = "V"\nrequired = true', 'path = "v"').field("x")
    assert field.put(Side.NEXUDUS, None, {}, PLAIN) == {}
    with pytest.raises(Unmapped, match="requires V"):
        field.put(Side.NEXUDUS, None, {"V": "x"}, PLAIN)


def test_what_cannot_be_read_is_not_written_over(paired: Pairing) -> None:
    field = paired(f'path = "Status"\n{STATUS}', 'path = "status"').field("x")
    with pytest.raises(Unmapped, match=r"the present value is not overwritten: '9' is not in n\.toml"):
        field.put(Side.NEXUDUS, "Won", {"Status": 9}, PLAIN)


def test_a_record_of_an_unexpected_shape_is_not_written_over(paired: Pairing) -> None:
    field = paired('path = "a.b"', 'path = "v"').field("x")
    with pytest.raises(Unmapped, match=r"Nexudus has no object to hold 'b' in a\.b; fix the record or the path"):
        field.put(Side.NEXUDUS, "x", {"a": 1}, PLAIN)


def test_a_default_is_said_for_what_the_side_has_no_word_for(paired: Pairing) -> None:
    policy = 'path = "v"\non_unmapped = { default = "Lost" }\nsync = "from-crm"\non_conflict = "crm"'
    field = paired(f'path = "Status"\n{STATUS}', policy).field("x")
    assert field.put(Side.NEXUDUS, "Merged", {"Status": 1}, PLAIN) == {"Status": 3}
    lost = {"Status": 3}
    assert field.put(Side.NEXUDUS, "Merged", lost, PLAIN) is lost
    assert (field.sync, field.on_conflict, field.on_unmapped) == (Sync.FROM_CRM, OnConflict.CRM, OnUnmapped.DEFAULT)


def test_a_default_that_cannot_be_said_either_is_unmapped(paired: Pairing) -> None:
    field = paired(f'path = "Status"\n{STATUS}', 'path = "v"\non_unmapped = { default = "Nowhere" }').field("x")
    with pytest.raises(Unmapped, match="'Nowhere' is not in"):
        field.put(Side.NEXUDUS, "Merged", {}, PLAIN)


def test_stages_pair_by_table_and_by_name(paired: Pairing, nexudus: Context) -> None:
    table = '[fields.x.values]\n"Tour booked" = ["Qualification", "Needs Analysis"]\n"Old name" = "Won"'
    field = paired(f'path = "Stage"\ntype = "stage"\n{table}', 'path = "sales_stage"').field("x")
    assert field.get(Side.NEXUDUS, {"Stage": 102}, nexudus) == "Qualification"
    assert field.get(Side.NEXUDUS, {"Stage": 101}, nexudus) == "New lead"
    assert field.put(Side.NEXUDUS, "needs analysis", {"Stage": 101}, nexudus) == {"Stage": 102}
    assert field.put(Side.NEXUDUS, "new lead", {"Stage": 102}, nexudus) == {"Stage": 101}
    assert field.put(Side.NEXUDUS, "Won", {}, nexudus) == {"Stage": 104}
    with pytest.raises(Unmapped, match=r"'Tour booked' is not in n\.toml"):
        field.put(Side.NEXUDUS, "Tour booked", {"Stage": 101}, nexudus)


def test_a_mapping_finds_its_fields_paths_and_snapshots(mapping: Mapping) -> None:
    record = {"Name": "Desk for 4", "Value": 0, "UtmTerm": "stays", "CustomFields": {}}
    assert mapping.find("nothing") is None
    with pytest.raises(KeyError, match="utm_term"):
        mapping.field("utm_term")
    snapshot = mapping.snapshot(Side.NEXUDUS, record)
    assert list(snapshot) == [path.text for path in mapping.paths(Side.NEXUDUS)]
    assert {path: raw for path, raw in snapshot.items() if raw is not None} == {"Name": "Desk for 4", "Value": 0}
    assert mapping.side(Side.CRM).source == "overplane.toml"
