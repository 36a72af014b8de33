"""Who an exception belongs to: one record, which waits alone; a role or the store, which ends the cycle."""

from pathlib import Path
from typing import Any

import pytest
from engine_worlds import cycle_of
from sim_stories import new_card, rows
from sim_twists import Instead, TwistedWorld, instead
from twisted_pairs import edit, failed, pairs, titles, twisted_world

from nexudus_sync.connectors.overplane.connector import OverplaneConnector
from nexudus_sync.errors import RoleMissing, StoreError
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Journal, Link


@pytest.fixture
def world(tmp_path: Path) -> TwistedWorld:
    return twisted_world(tmp_path)


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
        report = cycle_of(world, "london")
        assert report.exit_code == 0
    assert titles(world, second) == ("Travels", "Travels")
    (failure,) = failed(world)
    assert (failure.kind, failure.nexudus_id, failure.crm_id) == ("refused", str(first[0]), first[1])
    assert "locked by an approval" in failure.reason
    world.twists[Side.CRM].clear()
    cycle_of(world, "london", reconcile=True)
    cycle_of(world, "london")
    assert titles(world, first) == ("Travels", "Travels")
    assert failed(world) == []


@pytest.mark.parametrize("status", [403, 423])
def test_a_record_that_erpnext_keeps_from_the_login_waits_alone(tmp_path: Path, status: int) -> None:
    world = TwistedWorld(tmp_path, "erpnext")
    for _ in range(2):
        cycle_of(world, "london")
    first, second, *_ = pairs(world)
    said = {"exc_type": "PermissionError", "_error_message": "locked by an approval"}
    world.twists[Side.CRM].append((f"PUT /api/resource/Opportunity/{first[1]}", instead(status, said)))
    for pair in (first, second):
        edit(world, Side.NEXUDUS, pair, "Travels")
    assert cycle_of(world, "london").exit_code == 0
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
    cycle_of(world, "london")
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
    cycle_of(world, "london")
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
    assert cycle_of(world, "london").exit_code == 0
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
    assert cycle_of(world, "london").exit_code == 0
    assert (titles(world, second), len(asked)) == (("Travels", "Travels"), 1 if status == 403 else 2)
    (failure,) = failed(world)
    assert (failure.kind, failure.crm_id) == ("refused", first[1])
    assert "locked by an approval" in failure.reason


def test_two_records_that_are_denied_in_turn_are_a_missing_role(world: TwistedWorld) -> None:
    world.twists[Side.CRM].append((DEAL, instead(403, {"message": "no"})))
    for pair in pairs(world)[:2]:
        edit(world, Side.NEXUDUS, pair, "Travels")
    with pytest.raises(RoleMissing, match="the token may not PATCH"):
        cycle_of(world, "london")


def test_a_list_that_is_denied_is_a_missing_role(world: TwistedWorld) -> None:
    world.twists[Side.CRM].append(("GET /api/crm/opportunity$", instead(403, {"message": "no"})))
    with pytest.raises(RoleMissing):
        cycle_of(world, "london")


def test_a_record_that_may_not_be_created_waits_alone(world: TwistedWorld) -> None:
    kept, free = new_card(world, "kept"), new_card(world, "free")

    denied = instead(403, {"message": "not this one"}, holding='"kept"')
    world.twists[Side.CRM].append(("POST /api/crm/opportunity$", denied))
    cycle_of(world, "london")
    assert rows(world, Link, nexudus_id=str(free))
    (failure,) = failed(world)
    assert (failure.kind, failure.nexudus_id) == ("refused", str(kept))
    assert "not this one" in failure.reason


def test_an_unforeseen_error_is_a_failure_of_its_record(world: TwistedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_ = pairs(world)
    plan = OverplaneConnector.update_steps

    def stumble(self: Any, before: Any, after: Any) -> Any:
        if after["id"] == first[1]:
            raise ZeroDivisionError("one record's own")
        return plan(self, before, after)

    monkeypatch.setattr(OverplaneConnector, "update_steps", stumble)
    for pair in (first, second):
        edit(world, Side.NEXUDUS, pair, "Travels")
    cycle_of(world, "london")
    assert titles(world, second) == ("Travels", "Travels")
    (failure,) = failed(world)
    assert (failure.kind, failure.nexudus_id) == ("unexpected", str(first[0]))
    assert "ZeroDivisionError: one record's own" in failure.reason
    monkeypatch.undo()
    cycle_of(world, "london")
    assert titles(world, first) == ("Travels", "Travels")
    assert failed(world) == []


def test_an_unforeseen_error_after_sent_is_an_unknown_outcome(
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
    report = cycle_of(world, "london")
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
        cycle_of(world, "london")
