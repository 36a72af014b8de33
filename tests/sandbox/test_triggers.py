"""What can be made to happen in a sandbox: what people would do, by people, to records of its own."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from nexudus_sandbox.people import PASSWORD
from nexudus_sandbox.triggers import KINDS, Told, Triggers, Wanted
from nexudus_sandbox.wire import Request
from nexudus_sandbox.world import Sandbox
from nexudus_sync.cli.app import Happening

MARIA, TOM = "maria.nunez@example.com", "tom.oreilly@example.com"


@pytest.fixture(params=["overplane", "erpnext", "hubspot"])
def office(request: pytest.FixtureRequest) -> Sandbox:
    return Sandbox(crm_name=request.param, nexudus=20, crm=20, shared=16)


def pull(office: Sandbox, kind: str, **wanted: Any) -> Told:
    return Triggers(office).pull(kind, Wanted(**wanted))


def changed(office: Sandbox) -> set[tuple[str, str]]:
    """Which fields of opportunities people changed in the CRM, and who."""
    changes = office.crm.double.changes
    return {(one.by, one.field) for one in changes if one.action == "update" and one.by == TOM}


def test_a_conflict_is_two_peoples_edits_of_one_amount(office: Sandbox) -> None:
    triggers = Triggers(office)
    told = [triggers.pull("conflict", Wanted()), triggers.pull("conflict", Wanted())]
    assert told[0].did != told[1].did
    assert all("María" in one.did[0] and "Tom" in one.did[0] for one in told)
    edited = [
        (card, row)
        for card, row in office.seeded.equal
        if (office.nexudus.record(card)["Value"] or 0) != (office.crm.at_work.record(row)["opportunity_amount"] or 0)
    ]
    assert len(edited) == 2
    assert {office.nexudus.record(card)["UpdatedBy"] for card, _ in edited} == {MARIA}
    assert {(TOM, "opportunity_amount"), (TOM, "amount")} & changed(office)


def test_a_failure_is_a_stage_that_the_other_side_lacks(office: Sandbox) -> None:
    told = pull(office, "failure")
    assert "On hold 1" in told.did[0]
    stages = {record["sales_stage"] for record in office.crm.at_work.records().values()}
    assert "On hold 1" in stages


def test_deletions_are_as_many_as_asked_for(office: Sandbox) -> None:
    before = len(office.crm.at_work.records())
    told = pull(office, "delete", times=5)
    assert len(office.crm.at_work.records()) == before - 5
    assert "Tom deleted 5" in told.did[0]
    assert "and 2 more" in told.did[0]


@pytest.mark.parametrize(("system", "answers"), [("nexudus", (500, 200)), ("crm", (200, 500))])
def test_an_outage_is_of_one_system_and_ends(system: str, answers: tuple[int, int]) -> None:
    times = [datetime(2026, 3, 2, tzinfo=UTC)]
    office = Sandbox(lambda: times[0], nexudus=1, crm=1, shared=0)
    pull(office, "outage", system=system, seconds=30)
    faults = (office.nexudus_faults, office.crm_faults)
    request = Request("GET", "/x")
    assert tuple(500 if one.pick(request) else 200 for one in faults) == answers
    times[0] += timedelta(seconds=30)
    assert [one.pick(request) for one in faults] == [None, None]


def test_an_import_changes_most_amounts_and_a_restamp_none(office: Sandbox) -> None:
    before = {row: record["opportunity_amount"] for row, record in office.crm.at_work.records().items()}
    pull(office, "restamp")
    now = {row: record["opportunity_amount"] for row, record in office.crm.at_work.records().items()}
    assert now == before
    told = pull(office, "import")
    now = {row: record["opportunity_amount"] for row, record in office.crm.at_work.records().items()}
    assert sum(now[row] != amount for row, amount in before.items()) == 12
    assert "12 opportunities" in told.did[0]


def test_a_renamed_stage_keeps_its_cards(office: Sandbox) -> None:
    triggers = Triggers(office)
    before = {card: record["CrmBoardColumnId"] for card, record in office.nexudus.records().items()}
    assert "renamed the stage “Proposal sent”" in triggers.pull("rename", Wanted()).did[0]
    assert "renamed the stage “Negotiation”" in triggers.pull("rename", Wanted()).did[0]
    assert {card: record["CrmBoardColumnId"] for card, record in office.nexudus.records().items()} == before
    with pytest.raises(ValueError, match="start the sandbox again"):
        triggers.pull("rename", Wanted())


def test_a_moved_card_is_in_another_location(office: Sandbox) -> None:
    london = office.seeded.places.london.business_id
    before = office.nexudus.cards.count_in(london)
    pull(office, "move")
    assert office.nexudus.cards.count_in(london) == before - 1


def test_one_opportunity_is_added_on_both_sides(office: Sandbox) -> None:
    counts = len(office.nexudus.records()), len(office.crm.at_work.records())
    pull(office, "create")
    assert (len(office.nexudus.records()), len(office.crm.at_work.records())) == (counts[0] + 1, counts[1] + 1)
    assert "Walk-in 1" in {record["Name"] for record in office.nexudus.records().values()}
    assert "Walk-in 1" in {record["title"] for record in office.crm.at_work.records().values()}


def test_a_lock_keeps_writes_of_one_record_out(office: Sandbox) -> None:
    told = pull(office, "lock")
    row = told.did[0].partition("⇄ ")[2].partition(")")[0]
    writes = [
        Request("PUT", f"/api/x/{row}"),
        Request("PUT", "/api/x", {}, {}, row.encode()),
        Request("PUT", "/api/x/2"),
    ]
    assert [bool(office.crm_faults.pick(one)) for one in (*writes, Request("GET", f"/api/x/{row}"))] == [
        True,
        True,
        False,
        False,
    ]


def test_a_role_is_taken_away_and_given_back() -> None:
    times = [datetime(2026, 3, 2, tzinfo=UTC)]
    office = Sandbox(lambda: times[0], nexudus=1, crm=1, shared=0)
    login = office.nexudus.login.account("sync@example.com")
    pull(office, "role", seconds=30)
    assert (login.may("CrmOpportunity-List"), login.may("CrmOpportunity-Read")) == (False, True)
    times[0] += timedelta(seconds=31)
    office.nexudus.settle()
    assert login.may("CrmOpportunity-List")


def test_the_command_line_offers_what_there_is() -> None:
    assert set(get_args(Happening)) == KINDS.keys()


@pytest.mark.parametrize("kind", ["conflict", "failure", "delete", "import", "move"])
def test_what_there_are_too_few_records_for_is_refused(office: Sandbox, kind: str) -> None:
    with pytest.raises(ValueError, match="start a larger sandbox"):
        pull(office, kind, times=999)


@pytest.mark.parametrize("kind", KINDS)
def test_each_says_what_to_try_next(office: Sandbox, kind: str) -> None:
    told = pull(office, kind)
    assert told.did
    assert any("nexudus-sync" in line or "`run`" in line for line in told.next)


def test_the_salespeople_can_log_in_to_both_systems_and_are_named() -> None:
    office = Sandbox(crm_name="erpnext", nexudus=4, crm=4, shared=4)
    person = office.people[1]
    body = f"grant_type=password&username={person.email}&password={PASSWORD}".encode()
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert office.nexudus.handle(Request("POST", "/api/token", {}, form, body)).status == 200
    name = office.seeded.crm_ids[0]
    header = {"authorization": f"token {person.crm['key']}:{person.crm['secret']}", "content-type": "application/json"}
    path = f"/api/resource/Opportunity/{name}"
    assert office.crm.double.handle(Request("PUT", path, {}, header, b'{"title": "Mine"}')).status == 200
    assert office.erpnext.record(name)["modified_by"] == TOM


def test_they_have_tokens_of_their_own_in_overplane() -> None:
    office = Sandbox(nexudus=1, crm=1, shared=1)
    header = {"authorization": f"Bearer {office.people[0].crm['token']}"}
    row = office.seeded.crm_ids[0]
    path = f"/api/crm/opportunity/{row}"
    assert office.overplane.handle(Request("PATCH", path, {}, header, b'{"title": "Mine"}')).status == 200
    assert office.overplane.changes[-1].by == MARIA


def test_what_they_do_in_hubspot_with_their_keys_is_theirs() -> None:
    office = Sandbox(crm_name="hubspot", nexudus=1, crm=1, shared=1)
    header = {"authorization": f"Bearer {office.people[1].crm['token']}", "content-type": "application/json"}
    deal = office.seeded.crm_ids[0]
    path, body = f"/crm/objects/2026-03/deals/{deal}", b'{"properties": {"dealname": "Mine"}}'
    assert office.hubspot.handle(Request("PATCH", path, {}, header, body)).status == 200
    assert (office.hubspot.record(deal)["dealname"], office.hubspot.changes[-1].by) == ("Mine", TOM)


def test_a_lock_in_hubspot_leaves_reads_by_post_alone() -> None:
    office = Sandbox(crm_name="hubspot", nexudus=20, crm=20, shared=16)
    row = pull(office, "lock").did[0].partition("⇄ ")[2].partition(")")[0]
    body = f'{{"inputs": [{{"id": "{row}"}}]}}'.encode()
    reads = [
        Request("POST", f"/crm/objects/2026-03/deals/{ending}", {}, {}, body) for ending in ("search", "batch/read")
    ]
    assert [office.crm_faults.pick(one) for one in reads] == [None, None]
    assert office.crm_faults.pick(Request("PATCH", f"/crm/objects/2026-03/deals/{row}"))
