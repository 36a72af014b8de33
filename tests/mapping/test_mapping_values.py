import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.mapping import Unmapped, Unreadable
from nexudus_sync.mapping.values import Classes, Values, clean, fold, line

TABLE = Values((("1", ("Open", "Quotation")), ("2", ("Won",)), ("In talks", ("Quotation",))), "n.toml: fields.x.values")


@given(st.text())
@settings(max_examples=100)
def test_cleaning_and_folding_twice_is_doing_it_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert fold(fold(clean(text))) == fold(fold(text))


def test_names_fold_together_over_case_accents_and_white_space() -> None:
    assert fold(" CAFE\u0301 ") == fold("caf\u00e9")
    assert fold("STRASSE") == fold("straße")


@pytest.mark.parametrize(("own", "expected"), [("1", "Open"), ("in TALKS", "Quotation"), ("2", "Won")])
def test_an_own_name_is_read_as_the_first_value_of_its_line(own: str, expected: str) -> None:
    assert TABLE.read(own, is_open=False) == expected


def test_a_name_no_line_mentions_is_unreadable_or_stands_for_itself_in_an_open_table() -> None:
    with pytest.raises(Unreadable, match=r"^'7' is not in n\.toml: fields\.x\.values; add a line like 7 = \"…\"$"):
        TABLE.read("7", is_open=False)
    assert TABLE.read("7", is_open=True) == "7"


def test_the_first_line_that_exists_is_written() -> None:
    assert TABLE.write("quotation", lambda name: True, is_open=False) == "1"
    assert TABLE.write("Quotation", lambda name: name == "In talks", is_open=False) == "In talks"
    assert TABLE.write("Quotation", lambda name: False, is_open=False) == "1"


def test_a_value_no_line_mentions_is_unmapped_or_stands_for_itself_in_an_open_table() -> None:
    problem = r"^'Lost' is not in n\.toml: fields\.x\.values; add it to the line it belongs to$"
    with pytest.raises(Unmapped, match=problem):
        TABLE.write("Lost", lambda name: True, is_open=False)
    assert TABLE.write("Lost", lambda name: True, is_open=True) == "Lost"


def test_a_value_named_like_an_own_name_that_means_another_is_not_said_by_it() -> None:
    with pytest.raises(Unmapped):
        TABLE.write("In talks", lambda name: True, is_open=True)


@pytest.mark.parametrize(("own", "key"), [("7", "7"), ("in_talks-2", "in_talks-2"), ("Tour booked", '"Tour booked"')])
def test_a_line_is_shown_as_it_has_to_be_written(own: str, key: str) -> None:
    assert line(own, "Won") == f'{key} = "Won"'
    assert line(own, ["Won", "Done"]) == f'{key} = ["Won", "Done"]'


def test_classes_are_the_join_of_all_groups_in_the_tables_order() -> None:
    classes = Classes.join([("Open", "Replied"), ("Won",), ("Lost", "Closed"), ("Closed", "won"), ("replied", "Asked")])
    assert classes.members == (("Open", "Replied", "Asked"), ("Won", "Lost", "Closed"))
    assert classes.of("ASKED") == ("Open", "Replied", "Asked")
    assert classes.same("lost", "WON")
    assert not classes.same("Lost", "Open")


def test_a_value_no_table_mentions_is_a_class_of_its_own() -> None:
    classes = Classes.join([("Open",)])
    assert classes.of("Other") == ("Other",)
    assert classes.same("Other", "OTHER")


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3).map(tuple), max_size=6))
@settings(max_examples=100)
def test_every_group_lies_in_one_class_and_no_value_in_two(groups: list[tuple[str, ...]]) -> None:
    classes = Classes.join(groups)
    for group in groups:
        assert all(classes.same(group[0], value) for value in group)
    said = [value for members in classes.members for value in members]
    assert sorted(said) == sorted({value for group in groups for value in group})
