import pytest

from nexudus_sync.mapping import Path, Record

CUSTOM = {
    "Id": 1,
    "CustomFields": {
        "Kept": True,
        "Data": [
            {"Name": "Floor", "Value": "2", "Type": "string", "JsonValue": None},
            {"Name": "Budget", "Value": "900", "Type": "string", "JsonValue": None, "Extra": 1},
        ],
    },
}


@pytest.mark.parametrize(
    ("text", "root"),
    [("Name", "Name"), ("a.b", "a"), ("CustomFields.Data[Max. budget].Value", "CustomFields"), ("a[b][c].d", "a")],
)
def test_a_path_knows_its_text_and_the_records_key_it_starts_at(text: str, root: str) -> None:
    path = Path.parse(text)
    assert (path.text, path.root) == (text, root)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "[a]", "a[", "a[]", "a]b", "a[b]c", "a[b"])
def test_text_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path; write it like"):
        Path.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Id", 1),
        ("CustomFields.Kept", True),
        ("CustomFields.Data[Budget]", "900"),
        ("CustomFields.Data[Budget].Extra", 1),
        ("CustomFields.Data[Rooms]", None),
        ("CustomFields.Data.Budget", None),
        ("CustomFields[Budget]", None),
        ("Id.deeper", None),
        ("Nowhere.at.all", None),
    ],
)
def test_get_gives_the_raw_value_or_none_where_it_is_missing(text: str, expected: object) -> None:
    assert Path.parse(text).get(CUSTOM) == expected


@pytest.mark.parametrize("name_key", ["Name", "name", "fieldname"])
@pytest.mark.parametrize("value_key", ["Value", "value"])
def test_an_element_is_found_and_changed_by_whichever_keys_the_system_uses(name_key: str, value_key: str) -> None:
    record = {"data": [None, {name_key: "Budget", value_key: "1"}]}
    path = Path.parse("data[Budget]")
    assert path.get(record) == "1"
    assert path.set(record, "2") == {"data": [None, {name_key: "Budget", value_key: "2"}]}


@pytest.mark.parametrize("element", [{"Name": "Budget"}, {"Name": "Budget", "Value": "1", "value": "not it"}])
def test_an_elements_value_is_under_value_as_nexudus_spells_it_unless_it_has_the_small_one_alone(
    element: Record,
) -> None:
    path = Path.parse("data[Budget]")
    assert path.get({"data": [element]}) == element.get("Value")
    assert path.set({"data": [element]}, "2") == {"data": [{**element, "Value": "2"}]}


def test_set_copies_what_it_changes_and_leaves_all_else_as_it_is() -> None:
    before = {"Id": 1, "CustomFields": {"Kept": True, "Data": [dict(CUSTOM["CustomFields"]["Data"][1])]}}  # type: ignore[index]
    after = Path.parse("CustomFields.Data[Budget]").set(before, "1000")
    assert before["CustomFields"]["Data"][0]["Value"] == "900"  # type: ignore[index]
    assert list(after) == list(before)
    assert after["CustomFields"] == {
        "Kept": True,
        "Data": [{"Name": "Budget", "Value": "1000", "Type": "string", "JsonValue": None, "Extra": 1}],
    }


def test_a_place_inside_an_element_is_set_and_its_value_stays() -> None:
    after = Path.parse("CustomFields.Data[Budget].Extra").set(CUSTOM, 2)
    assert after["CustomFields"]["Data"][1] == {**CUSTOM["CustomFields"]["Data"][1], "Extra": 2}  # type: ignore[index]


@pytest.mark.parametrize("record", [{}, {"CustomFields": None}, {"CustomFields": {}}, {"CustomFields": {"Data": None}}])
def test_set_makes_the_containers_that_are_missing(record: Record) -> None:
    after = Path.parse("CustomFields.Data[Budget]").set(record, "9")
    element = {"Name": "Budget", "Value": "9", "Type": "string", "JsonValue": None}
    assert after == {"CustomFields": {"Data": [element]}}


def test_set_adds_a_missing_element_behind_the_others() -> None:
    after = Path.parse("CustomFields.Data[Rooms]").set(CUSTOM, "3")
    assert [element["Name"] for element in after["CustomFields"]["Data"]] == ["Floor", "Budget", "Rooms"]


@pytest.mark.parametrize("blank", [None, "", "  "])
@pytest.mark.parametrize("text", ["Name", "a.b.c", "CustomFields.Data[Rooms]"])
def test_a_blank_on_a_blank_place_changes_nothing(text: str, blank: str | None) -> None:
    record: Record = {"Name": ""}
    assert Path.parse(text).set(record, blank) is record


def test_a_blank_replaces_a_value() -> None:
    assert Path.parse("a.b").set({"a": {"b": 1, "c": 2}}, None) == {"a": {"b": None, "c": 2}}


@pytest.mark.parametrize("text", ["a.b", "a[b]"])
def test_something_else_where_a_container_should_be_is_not_written_over(text: str) -> None:
    with pytest.raises(ValueError, match=r"no (object|list) to hold 'b'"):
        Path.parse(text).set({"a": "text"}, 1)


def test_a_path_covers_itself_and_what_lies_in_it() -> None:
    outer, inner = Path.parse("CustomFields"), Path.parse("CustomFields.Data[Budget]")
    assert outer.covers(outer)
    assert outer.covers(inner)
    assert not inner.covers(outer)
