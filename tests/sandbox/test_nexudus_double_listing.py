from datetime import timedelta
from decimal import Decimal

import pytest
from sandbox_client import CARDS, Office

from nexudus_sandbox.nexudus.shape import NOT_LISTED


def names(office: Office, **query: object) -> list[str]:
    return [row["Name"] for row in office.caller.rows(CARDS, **query)]


def office_with(*cards: dict[str, object]) -> Office:
    office = Office()
    for number, card in enumerate(cards):
        office.card(**{"Name": f"card {number}", "Position": number + 1, **card})
    return office


def test_rows_lack_the_twelve_fields_a_listing_does_not_populate() -> None:
    office = office_with({"Value": Decimal("12.50"), "Notes": "long"})
    (row,) = office.caller.rows(CARDS)
    assert not {*NOT_LISTED} & {*row}
    assert row["CoworkerEmail"] == "ana@example.com"
    assert row["CrmBoardColumnCrmBoardBusinessCurrencyCode"] == "GBP"
    assert office.read(row["Id"])["Value"] == Decimal("12.50")


def test_the_fields_a_listing_does_not_populate_can_be_null_instead() -> None:
    office = Office(partial_rows="null")
    office.card(Notes="long")
    (row,) = office.caller.rows(CARDS)
    assert {key: row[key] for key in NOT_LISTED} == dict.fromkeys(NOT_LISTED)


def test_a_page_has_twenty_five_rows_unless_told_otherwise_and_says_what_follows() -> None:
    office = office_with(*({} for _ in range(30)))
    first = office.caller.get(CARDS).json()
    last = office.caller.get(CARDS, page=2).json()
    assert (len(first["Records"]), first["HasNextPage"], first["TotalItems"], first["TotalPages"]) == (25, True, 30, 2)
    assert (last["FirstItem"], last["LastItem"], last["HasNextPage"], last["HasPreviousPage"]) == (26, 30, False, True)


def test_a_page_has_a_thousand_rows_at_most() -> None:
    assert Office().caller.get(CARDS, size=5000).json()["PageSize"] == 1000


@pytest.mark.parametrize("query", [{"page": "0"}, {"size": "many"}, {"page": "x"}])
def test_paging_that_makes_no_sense_takes_the_default(query: dict[str, str]) -> None:
    answer = office_with({}).caller.get(CARDS, **query).json()
    assert (answer["CurrentPage"], len(answer["Records"])) == (1, 1)


def test_a_deep_page_is_forbidden() -> None:
    assert Office(deepest_page=3).caller.get(CARDS, page=4).status == 403


def test_an_unknown_parameter_is_ignored_and_the_whole_table_comes() -> None:
    office = office_with({}, {})
    assert len(names(office, from_CrmOpportunity_UpdateOn="2999-01-01T00:00")) == 2
    assert len(names(office, CrmOpportunity_Stage="Won")) == 2


@pytest.mark.parametrize(
    ("bound", "found"),
    [("2025-06-16T10:00", 1), ("2025-06-16T10:00:59Z", 1), ("2025-06-16T10:01", 0), ("2999-01-01T00:00", 0)],
)
def test_a_lower_bound_on_a_stamp_sees_whole_minutes_in_utc(bound: str, found: int) -> None:
    assert len(names(office_with({}), from_CrmOpportunity_UpdatedOn=bound)) == found


@pytest.mark.parametrize(("bound", "found"), [("2025-06-16T10:00", 1), ("2025-06-16T09:59", 0)])
def test_an_upper_bound_on_a_stamp_includes_its_minute(bound: str, found: int) -> None:
    assert len(names(office_with({}), to_CrmOpportunity_CreatedOn=bound)) == found


def test_bounds_on_numbers_include_both_ends_and_leave_blanks_out() -> None:
    office = office_with({"Value": Decimal("10.5")}, {"Value": 20}, {"Value": None})
    assert names(office, from_CrmOpportunity_Value="10.50", to_CrmOpportunity_Value="19") == ["card 0"]
    assert names(office, from_CrmOpportunity_Value="0") == ["card 0", "card 1"]


@pytest.mark.parametrize("bound", ["soon", "NaN"])
def test_a_bound_that_cannot_be_read_is_ignored(bound: str) -> None:
    office = office_with({"Value": 1})
    assert len(names(office, from_CrmOpportunity_UpdatedOn=bound, from_CrmOpportunity_Value=bound)) == 1


def test_equality_filters_compare_text_without_case_and_numbers_by_value() -> None:
    office = office_with({"Name": "Désk", "Value": Decimal("10.50")}, {"Completed": True}, {"DueDate": None})
    assert names(office, CrmOpportunity_Name="DÉSK") == ["Désk"]
    assert names(office, CrmOpportunity_Value="10.5") == ["Désk"]
    assert names(office, CrmOpportunity_Completed="true") == ["card 1"]
    assert len(names(office, CrmOpportunity_CrmBoardColumn_CrmBoard_Business_Id=office.business)) == 3
    assert names(office, CrmOpportunity_Coworker_Email="nobody@example.com") == []
    assert len(names(office, CrmOpportunity_CreatedOn="2025-06-16T10:00")) == 3
    assert len(names(office, CrmOpportunity_CreatedOn="example-value")) == 3


def test_cards_are_found_by_a_list_of_ids() -> None:
    office = Office()
    first, _, third = office.card(), office.card(), office.card()
    rows = office.caller.rows(CARDS, CrmOpportunity_Id=f"[{first}, {third}, 1]")
    assert [row["Id"] for row in rows] == [first, third]
    assert [row["Id"] for row in office.caller.rows(CARDS, Id=third)] == [third]


@pytest.mark.parametrize(
    ("zero_one", "direction", "ascending", "says"),
    [
        (False, "1", True, 1),
        (False, "-1", False, -1),
        (False, "0", True, 1),
        (False, "Ascending", True, 1),
        (False, "Descending", False, -1),
        (True, "0", True, 0),
        (True, "1", False, 1),
    ],
)
def test_the_direction_is_spelled_as_the_copies_of_the_page_spell_it(
    zero_one: bool, direction: str, ascending: bool, says: int
) -> None:
    office = Office(zero_one_direction=zero_one)
    ids = [office.card(Position=number) for number in range(1, 4)]
    answer = office.caller.get(CARDS, orderBy="Id", dir=direction).json()
    assert [row["Id"] for row in answer["Records"]] == (ids if ascending else ids[::-1])
    assert answer["CurrentSortDirection"] == says


def test_rows_can_be_ordered_by_any_field_and_an_unknown_one_means_the_id() -> None:
    office = office_with({"Name": "b", "Value": 2}, {"Name": None, "Value": 1}, {"Name": "a", "Value": None})
    assert names(office, orderBy="Name") == [None, "a", "b"]
    assert names(office, orderBy="Value", dir="-1") == ["b", None, "a"]
    assert names(office, orderBy="Nonsense") == ["b", None, "a"]


def test_an_edit_between_two_pages_shifts_rows_when_they_are_ordered_by_stamp() -> None:
    office = Office()
    cards = []
    for number in range(4):
        cards.append(office.card(Position=number + 1))
        office.clock.turn(1)
    first = office.caller.rows(CARDS, orderBy="UpdatedOn", size=2)
    office.double.edit(cards[0], "eva@example.com", Notes="x")
    second = office.caller.rows(CARDS, orderBy="UpdatedOn", size=2, page=2)
    seen = {row["Id"] for row in first + second}
    assert cards[2] not in seen


def test_a_commit_can_become_listed_later_than_it_can_be_read() -> None:
    office = Office(late_visible=30.0)
    card = office.card(Name="old")
    assert office.caller.rows(CARDS) == []
    assert office.read(card)["Name"] == "old"
    office.clock.turn(30)
    assert names(office) == ["old"]
    office.double.edit(card, "eva@example.com", Name="new")
    assert names(office) == ["old"]
    office.clock.turn(30)
    assert names(office) == ["new"]
    office.double.delete(card, "eva@example.com")
    assert names(office) == ["new"]
    assert office.caller.get(f"{CARDS}/{card}").status == 404
    office.clock.turn(30)
    assert names(office) == []


def test_a_renamed_stage_shows_at_once() -> None:
    office = office_with({})
    assert office.caller.rows(CARDS)[0]["CrmBoardColumnName"] == "New lead"
    office.double.directory.amend("stages", office.new, Name="Fresh")
    assert office.caller.rows(CARDS)[0]["CrmBoardColumnName"] == "Fresh"


def test_a_stamp_is_the_servers_clock_and_not_ours() -> None:
    office = Office()
    office.double.offset = -600
    card = office.card()
    at = office.clock.at - timedelta(seconds=600)
    assert office.read(card)["UpdatedOn"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")
