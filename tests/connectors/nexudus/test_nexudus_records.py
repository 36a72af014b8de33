from datetime import UTC, datetime

import pytest
from nexudus_server import LOGIN, NOW, card

from nexudus_sync.connectors.base import Scope
from nexudus_sync.connectors.nexudus import records


def test_a_stamp_holds_the_time_and_the_author():
    stamp = records.stamp(card(7), LOGIN)
    assert stamp.token == "2026-03-01T10:00:00+00:00|anna@example.com"
    assert stamp.at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert not stamp.own


def test_a_stamp_is_own_whatever_the_case_of_the_login():
    assert records.stamp(card(7, UpdatedBy="Sync@Example.COM "), LOGIN).own


def test_the_systems_own_renumbering_is_not_ours_and_is_minor():
    row = records.row(card(7, UpdatedBy="[System]"), LOGIN, NOW)
    assert row.minor
    assert not row.stamp.own


@pytest.mark.parametrize(("stamp", "token"), [(None, "|"), ("yesterday", "yesterday|")])
def test_a_stamp_that_cannot_be_read_still_tells_states_apart(stamp, token):
    mark = records.stamp({"UpdatedOn": stamp}, LOGIN)
    assert (mark.token, mark.at) == (token, None)


@pytest.mark.parametrize(
    ("updated", "author", "hot"),
    [
        ("2026-03-02T12:00:00Z", "anna@example.com", True),
        ("2026-03-02T11:59:58Z", "anna@example.com", True),
        ("2026-03-02T11:59:57Z", "anna@example.com", False),
        ("2026-03-02T12:00:00Z", LOGIN, False),
        (None, "anna@example.com", False),
    ],
)
def test_a_row_is_hot_while_its_stamp_is_still_now_and_not_ours(updated, author, hot):
    row = records.row(card(7, UpdatedOn=updated, UpdatedBy=author), LOGIN, NOW)
    assert row.hot is hot
    assert row.id == "7"


def test_facts_are_what_matching_needs():
    facts = records.facts(card(7, SystemId=" overplane:OPP-1 "))
    assert facts.id == "7"
    assert facts.email == "zoe@example.com"
    assert facts.customer_name == "Zoë Ünal"
    assert facts.company_name == "Ünal Ltd"
    assert facts.currency == "GBP"
    assert facts.external_key == "overplane:OPP-1"
    assert facts.created_at == datetime(2026, 2, 1, 7, 7, tzinfo=UTC)
    assert facts.identity == "uid-7"


def test_facts_of_a_poor_row_are_none():
    facts = records.facts({"CoworkerEmail": " ", "SystemId": None})
    assert (facts.id, facts.email, facts.external_key, facts.created_at) == ("", None, None, None)


def test_a_row_and_its_whole_record_have_the_same_content():
    whole = card(7)
    row = {key: value for key, value in whole.items() if key not in records.NOT_LISTED} | {"Notes": None}
    assert records.digest_view(whole) == records.digest_view(row)


def test_stamps_and_positions_are_no_content():
    moved = card(7, UpdatedOn="2026-03-02T00:00:00Z", UpdatedBy="[System]", Position=9, CrmUpdatedOn="x")
    assert records.digest_view(moved) == records.digest_view(card(7))
    assert records.digest_view(card(7, Name="x")) != records.digest_view(card(7))


def test_a_scope_is_selected_by_board_or_by_location():
    board = records.scope_filter(Scope(board_id=1))
    assert board == {"CrmOpportunity_CrmBoardColumn_CrmBoard_Id": 1}
    location = records.scope_filter(Scope(business_id=1001))
    assert location == {"CrmOpportunity_CrmBoardColumn_CrmBoard_Business_Id": 1001}


def test_a_poll_reads_back_by_the_overlap_with_the_lower_bound_alone():
    where = records.since_filter("2026-03-02T12:00:00+00:00", 300)
    assert where == {"from_CrmOpportunity_UpdatedOn": datetime(2026, 3, 2, 11, 55, tzinfo=UTC)}


def test_the_cursor_stays_behind_now_and_never_goes_back():
    assert records.next_cursor(None, NOW, 60) == "2026-03-02T11:59:00+00:00"
    assert records.next_cursor("2026-03-02T11:00:00+00:00", NOW, 60) == "2026-03-02T11:59:00+00:00"
    assert records.next_cursor("2026-03-02T11:59:30+00:00", NOW, 60) == "2026-03-02T11:59:30+00:00"
