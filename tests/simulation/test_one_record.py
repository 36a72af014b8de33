"""A record that makes no sense, or that a system keeps to itself, stops no other one."""

from pathlib import Path
from typing import Any

import pytest
from sim_people import ANA, BEN
from sim_stories import links, new_card, new_deal, rows
from sim_twists import Instead, TwistedWorld, instead, record
from test_odd_moments import one

from nexudus_sync.connectors.overplane.connector import OverplaneConnector
from nexudus_sync.connectors.totals import systems_without_totals
from nexudus_sync.errors import RoleMissing, StoreError
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure, Journal, Link

pytestmark = pytest.mark.usefixtures("closed")


@pytest.fixture
def world(tmp_path: Path) -> TwistedWorld:
    """At rest, with two pairs that were there and those that were copied."""
    world = TwistedWorld(tmp_path)
    for _ in range(2):
        one(world, "london")
    return world


def pairs(world: TwistedWorld) -> list[tuple[int, str]]:
    return [(int(link.nexudus_id), link.crm_id) for link in links(world) if link.state == "active"]


def edit(world: TwistedWorld, side: Side, pair: tuple[int, str], title: str) -> None:
    if side is Side.NEXUDUS:
        world.nexudus.edit(pair[0], ANA, Name=title)
    else:
        world.crm.edit(pair[1], BEN, title=title)


def titles(world: TwistedWorld, pair: tuple[int, str]) -> tuple[Any, Any]:
    return world.nexudus.record(pair[0])["Name"], world.crm.record(pair[1])["title"]


def failed(world: TwistedWorld, **values: Any) -> list[Failure]:
    return rows(world, Failure, state="open", **values)


# --- denied and locked

CARD, DEAL = "(PUT|GET) .*/crmopportunities", "PATCH /api/crm/opportunity/"


@pytest.mark.parametrize(
    "answer",
    [instead(403, {"error": {"message": "locked by an approval"}}), instead(423, {"message": "locked by an approval"})],
)
def test_a_record_that_is_kept_from_the_login_waits_alone_with_the_servers_words(
    world: TwistedWorld, answer: Any
) -> None:
    first, second, *_ = pairs(world)
    world.twists[Side.CRM].append((f"{DEAL}{first[1]}", answer))
    for pair in (first, second):
        edit(world, Side.NEXUDUS, pair, "Travels")
    for _ in range(2):
        report = one(world, "london")
        assert report.exit_code == 0
    assert titles(world, second) == ("Travels", "Travels")
    (failure,) = failed(world)
    assert (failure.kind, failure.nexudus_id, failure.crm_id) == ("refused", str(first[0]), first[1])
    assert "locked by an approval" in failure.reason
    world.twists[Side.CRM].clear()
    one(world, "london", reconcile=True)
    one(world, "london")
    assert titles(world, first) == ("Travels", "Travels")
    assert failed(world) == []


@pytest.mark.parametrize("status", [403, 423])
def test_a_record_that_erpnext_keeps_from_the_login_waits_alone(tmp_path: Path, status: int) -> None:
    world = TwistedWorld(tmp_path, "erpnext")
    for _ in range(2):
        one(world, "london")
    first, second, *_ = pairs(world)
    said = {"exc_type": "PermissionError", "_error_message": "locked by an approval"}
    world.twists[Side.CRM].append((f"PUT /api/resource/Opportunity/{first[1]}", instead(status, said)))
    for pair in (first, second):
        edit(world, Side.NEXUDUS, pair, "Travels")
    assert one(world, "london").exit_code == 0
    assert titles(world, second) == ("Travels", "Travels")
    (failure,) = failed(world)
    assert (failure.kind, failure.crm_id) == ("refused", first[1])
    assert "locked by an approval" in failure.reason


def test_a_card_that_is_kept_from_the_login_waits_alone(world: TwistedWorld) -> None:
    first, second, *_ = pairs(world)
    denied = instead(403, {"Message": "under review"}, holding=f'"Id":{first[0]}')
    world.twists[Side.NEXUDUS].append(("PUT", denied))
    for pair in (first, second):
        edit(world, Side.CRM, pair, "Travels")
    one(world, "london")
    assert titles(world, second) == ("Travels", "Travels")
    (failure,) = failed(world)
    assert (failure.kind, failure.nexudus_id) == ("refused", str(first[0]))


def test_a_locked_record_is_asked_for_twice_a_cycle_and_no_more(world: TwistedWorld) -> None:
    first, *_ = pairs(world)
    locked, asked = instead(423, {"message": "Ben has it open"}, Retry_After="7"), []
    world.twists[Side.CRM].append(
        (f"{DEAL}{first[1]}", Instead(lambda request: asked.append(1) or locked.answer(request)))
    )
    edit(world, Side.NEXUDUS, first, "Travels")
    one(world, "london")
    assert len(asked) == 2
    assert "Ben has it open" in failed(world)[0].reason
    assert [row.state for row in rows(world, Journal, kind="opportunity.update")][-1] == "failed"


@pytest.mark.parametrize(
    ("side", "status"), [(Side.CRM, 402), (Side.CRM, 424), (Side.CRM, 451), (Side.NEXUDUS, 401), (Side.NEXUDUS, 451)]
)
def test_whatever_a_refusal_is_called_it_is_sent_once_and_told_in_the_servers_words(
    world: TwistedWorld, side: Side, status: int
) -> None:
    first, second, *_ = pairs(world)
    denied, asked = instead(status, {"message": "frozen for the audit"}, holding="Odd"), []

    def answer(request: Any) -> Any:
        found = denied.answer(request)
        asked.extend([1] if found is not None else [])
        return found

    world.twists[side].append(("^(PUT|PATCH)", Instead(answer)))
    for pair, title in ((first, "Odd"), (second, "Travels")):
        edit(world, side.other, pair, title)
    assert one(world, "london").exit_code == 0
    assert (titles(world, second), len(asked)) == (("Travels", "Travels"), 2 if status == 401 else 1)
    (failure,) = failed(world)
    assert (failure.kind, failure.nexudus_id) == ("refused", str(first[0]))
    assert "frozen for the audit" in failure.reason


@pytest.mark.parametrize("status", [403, 423])
def test_a_record_whose_rows_are_kept_from_the_login_waits_alone(world: TwistedWorld, status: int) -> None:
    first, second, *_ = pairs(world)
    kept, asked = instead(status, {"message": "locked by an approval"}), []

    def answer(request: Any) -> Any:
        mine = request.url.params.get("parent_id") == first[1]
        asked.extend([1] if mine else [])
        return kept.answer(request) if mine else None

    world.twists[Side.CRM].append(("lost-reason-detail$", Instead(answer)))
    edit(world, Side.CRM, first, "Travels")
    edit(world, Side.NEXUDUS, second, "Travels")
    assert one(world, "london").exit_code == 0
    assert (titles(world, second), len(asked)) == (("Travels", "Travels"), 1 if status == 403 else 2)
    (failure,) = failed(world)
    assert (failure.kind, failure.crm_id) == ("refused", first[1])
    assert "locked by an approval" in failure.reason


def test_two_records_that_are_denied_in_turn_are_a_missing_role(world: TwistedWorld) -> None:
    world.twists[Side.CRM].append((DEAL, instead(403, {"message": "no"})))
    for pair in pairs(world)[:2]:
        edit(world, Side.NEXUDUS, pair, "Travels")
    with pytest.raises(RoleMissing, match="the token may not PATCH"):
        one(world, "london")


def test_a_list_that_is_denied_is_a_missing_role(world: TwistedWorld) -> None:
    world.twists[Side.CRM].append(("GET /api/crm/opportunity$", instead(403, {"message": "no"})))
    with pytest.raises(RoleMissing):
        one(world, "london")


def test_a_record_that_may_not_be_created_waits_alone(world: TwistedWorld) -> None:
    kept, free = new_card(world, "kept"), new_card(world, "free")

    denied = instead(403, {"message": "not this one"}, holding='"kept"')
    world.twists[Side.CRM].append(("POST /api/crm/opportunity$", denied))
    one(world, "london")
    assert rows(world, Link, nexudus_id=str(free))
    (failure,) = failed(world)
    assert (failure.kind, failure.nexudus_id) == ("refused", str(kept))
    assert "not this one" in failure.reason


# --- without sense

ODD_CARDS = [
    {"UpdatedOn": "9999-12-31T23:59:59.9999999Z"},
    {"CreatedOn": "0001-01-01T00:00:00+14:00", "UpdatedOn": "9999-12-31T23:59:59-14:00"},
    {"DueDate": "9999-12-31T23:59:59.9999999Z"},
    {"ResponsibleId": [1], "CrmBoardColumnId": [2]},
    {"ResponsibleId": {}, "CrmBoardColumnId": {}},
    {"CrmBoardColumnCrmBoardBusinessCurrencyCode": 7},
    {"CrmBoardColumnCrmBoardBusinessCurrencyCode": ["GBP"]},
    {"CrmBoardColumnCrmBoardBusinessId": [1001]},
    {"Value": "!NaN"},
    {"Value": "!" + "9" * 5000},
    {"Notes": "!" + "[" * 5000 + "]" * 5000},
    {"Name": ["a", "list"], "CoworkerEmail": {"a": 1}, "SystemId": 7, "Status": "x"},
    {"CoworkerEmail": "half \ud83d", "UpdatedBy": "half \ud83d"},
    {"UpdatedBy": ["x"], "UpdatedOn": 5, "CoworkerFullName": 5, "CrmBoardColumnName": {}},
]
ODD_DEALS = [
    {"updated_at": "9999-12-31T23:59:59.9999999Z", "created_at": "0001-01-01T00:00:00+14:00"},
    {"expected_closing": "9999-12-31T23:59:59Z"},
    {"opportunity_owner": ["x"], "sales_stage": ["y"]},
    {"currency": 7, "company": ["Example Corp"]},
    {"opportunity_amount": "!NaN"},
    {"opportunity_amount": "!Infinity", "probability": "!NaN"},
    {"title": {"a": 1}, "status": ["Open"], "contact_email": 7},
    {"contact_email": "half \ud83d", "updated_at": "half \ud83d", "party_name": {}},
    {"notes": "!" + "[" * 5000 + "]" * 5000},
]


@pytest.mark.parametrize(
    ("side", "changes"), [*((Side.NEXUDUS, one) for one in ODD_CARDS), *((Side.CRM, one) for one in ODD_DEALS)], ids=str
)
def test_a_linked_record_without_sense_stops_no_other(world: TwistedWorld, side: Side, changes: dict[str, Any]) -> None:
    odd, fine, *_ = pairs(world)
    odd_id = odd[0] if side is Side.NEXUDUS else odd[1]
    before = world.double(side).record(odd_id)
    world.twists[side].append(("", record(odd_id, **changes)))
    for number in range(2):
        edit(world, Side.NEXUDUS, fine, f"Name {number}")
        edit(world, side.other, odd, f"Odd {number}")
        assert one(world, "london", reconcile=number == 1).exit_code == 0
        assert titles(world, fine) == (f"Name {number}", f"Name {number}")
    assert len(pairs(world)) == len(links(world))
    told = {failure.kind for failure in failed(world)}
    assert "unexpected" not in told
    world.twists[side].clear()
    edit(world, side.other, odd, "Well again")
    for _ in range(2):
        one(world, "london", reconcile=True)
    assert titles(world, odd) == ("Well again", "Well again")
    kept = before.keys() - changes.keys() - {"Name", "title", "ToStringText", "UpdatedOn", "UpdatedBy", "updated_at"}
    assert {key: world.double(side).record(odd_id)[key] for key in kept} == {key: before[key] for key in kept}


@pytest.mark.parametrize(
    ("side", "changes"), [*((Side.NEXUDUS, one) for one in ODD_CARDS), *((Side.CRM, one) for one in ODD_DEALS)], ids=str
)
def test_a_new_record_without_sense_stops_no_other(world: TwistedWorld, side: Side, changes: dict[str, Any]) -> None:
    make: Any = new_card if side is Side.NEXUDUS else lambda world, name: new_deal(world, name, title=name)
    odd, fine = make(world, "odd"), make(world, "fine")
    world.twists[side].append(("", record(odd, **changes)))
    for _ in range(2):
        assert one(world, "london", reconcile=True).exit_code == 0
    key = "nexudus_id" if side is Side.NEXUDUS else "crm_id"
    assert rows(world, Link, **{key: str(fine)})
    world.twists[side].clear()
    for _ in range(3):
        one(world, "london", reconcile=True)
    assert rows(world, Link, **{key: str(odd)})
    assert failed(world) == []


@pytest.mark.parametrize("system", ["overplane", "erpnext"])
@pytest.mark.parametrize("odd_id", [None, ["x"], {}, 1.5, " ", "half \ud83d", "nul \0"], ids=repr)
def test_a_row_that_does_not_name_its_record_stops_no_other(tmp_path: Path, system: str, odd_id: object) -> None:
    """Also where it is all that a list has."""
    world = TwistedWorld(tmp_path, system)
    for _ in range(2):
        one(world, "london")
    first, second, *_ = pairs(world)
    one(world, "london", after=7200)
    key = "name" if system == "erpnext" else "id"
    world.twists[Side.CRM].append(("GET .*/[Oo]pportunity$", record(first[1], **{key: odd_id})))
    edit(world, Side.CRM, first, "Odd")
    edit(world, Side.NEXUDUS, second, "Travels")
    assert one(world, "london").exit_code == 0
    assert (titles(world, second), failed(world)) == (("Travels", "Travels"), [])
    world.twists[Side.CRM].clear()
    one(world, "london", reconcile=True)
    assert titles(world, first) == ("Odd", "Odd")


# --- whatever else


def test_what_nobody_foresaw_is_a_failure_of_that_record(world: TwistedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_ = pairs(world)
    plan = OverplaneConnector.update_steps

    def stumble(self: Any, before: Any, after: Any) -> Any:
        if after["id"] == first[1]:
            raise ZeroDivisionError("one record's own")
        return plan(self, before, after)

    monkeypatch.setattr(OverplaneConnector, "update_steps", stumble)
    for pair in (first, second):
        edit(world, Side.NEXUDUS, pair, "Travels")
    one(world, "london")
    assert titles(world, second) == ("Travels", "Travels")
    (failure,) = failed(world)
    assert (failure.kind, failure.nexudus_id) == ("unexpected", str(first[0]))
    assert "ZeroDivisionError: one record's own" in failure.reason
    monkeypatch.undo()
    one(world, "london")
    assert titles(world, first) == ("Travels", "Travels")
    assert failed(world) == []


def test_after_sent_what_nobody_foresaw_is_an_unknown_outcome(
    world: TwistedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = pairs(world)
    perform = OverplaneConnector.perform

    async def stumble(self: Any, step: Any, record: Any = None) -> Any:
        written = await perform(self, step, record)
        if step.record_id == first[1]:
            monkeypatch.undo()
            raise KeyError("after it was done")
        return written

    monkeypatch.setattr(OverplaneConnector, "perform", stumble)
    for pair in (first, second):
        edit(world, Side.NEXUDUS, pair, "Travels")
    report = one(world, "london")
    assert report.exit_code == 0
    assert titles(world, first) == titles(world, second) == ("Travels", "Travels")
    patched = [
        row for row in rows(world, Journal, crm_id=first[1], kind="opportunity.update") if row.state != "dropped"
    ]
    assert [row.state for row in patched] == ["confirmed"]
    assert failed(world) == []


def test_errors_of_the_store_end_the_cycle(world: TwistedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stumble(self: Any, step: Any, record: Any = None) -> Any:
        raise StoreError("disk full")

    monkeypatch.setattr(OverplaneConnector, "perform", stumble)
    edit(world, Side.NEXUDUS, pairs(world)[0], "Travels")
    with pytest.raises(StoreError, match="disk full"):
        one(world, "london")


# --- what is given back


@pytest.mark.parametrize("side", list(Side))
def test_no_secret_that_a_server_gives_back_is_kept(world: TwistedWorld, side: Side) -> None:
    first, *_ = pairs(world)
    sent: list[str] = []
    look = Instead(lambda request: sent.append(request.headers["Authorization"]))
    world.twists[side].append(("", look))
    world.faults[side].add("echo", "^(PUT|PATCH)", times=99)
    edit(world, side.other, first, "Travels")
    report = one(world, "london")
    (failure,) = failed(world)
    told = [failure.reason, *report.errors, *(row.outcome or "" for row in rows(world, Journal))]
    assert "***" in failure.reason
    for header in sent:
        assert not [text for text in told if header in text or header.split(" ")[1] in text]


def test_text_in_an_old_encoding_is_never_written_back(world: TwistedWorld) -> None:
    first, *_ = pairs(world)
    world.nexudus.edit(first[0], ANA, Notes="Zoë pays in ₤, naïve")
    world.faults[Side.NEXUDUS].add("latin_1", "GET .*crmopportunities/", times=999)
    edit(world, Side.CRM, first, "Travels")
    one(world, "london")
    assert world.nexudus.record(first[0])["Notes"] == "Zoë pays in ₤, naïve"
    assert {failure.kind for failure in failed(world)} == {"unavailable"}
    world.faults[Side.NEXUDUS].clear()
    for _ in range(2):
        one(world, "london")
    assert world.nexudus.record(first[0])["Notes"] == "Zoë pays in ₤, naïve"
    assert titles(world, first) == ("Travels", "Travels")


@pytest.mark.parametrize("kind", ["no_total", "wrong_total"])
def test_a_total_that_says_nothing_is_told_in_check_and_status(world: TwistedWorld, kind: str) -> None:
    for side in Side:
        world.faults[side].add(kind, "^GET", times=9999)
    one(world, "london", reconcile=True)
    assert one(world, "london", reconcile=True).finished
    with world.store.read() as session:
        assert "overplane" in systems_without_totals(session)
    world.faults[Side.CRM].clear()
    one(world, "london", reconcile=True)
    with world.store.read() as session:
        assert "overplane" not in systems_without_totals(session)
