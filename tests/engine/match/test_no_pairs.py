"""Two full sides without one record in common are a mistaken scope until a person says otherwise: `no-pairs`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sim_stories import rows
from sim_world import SimWorld

from nexudus_sync.engine.cycle import Options, run_cycle, settle_record
from nexudus_sync.engine.match import no_pairs
from nexudus_sync.engine.rehearse.rehearse import rehearse
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Fact, Link, Unlinked


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few records are full enough, so that copying them takes no time."""
    monkeypatch.setattr(no_pairs, "ENOUGH", 3)
    monkeypatch.setattr(no_pairs, "FEW", 2)


def strangers(folder: Path, nexudus: int = 5, crm: int = 5, shared: int = 0) -> SimWorld:
    """A world in which nobody is on both sides, unless `shared` says so."""
    return SimWorld(5, folder, nexudus=nexudus, crm=crm, shared=shared)


def run(world: SimWorld, **options: Any) -> Report:
    async def work() -> Report:
        await world.engine.start()
        return await run_cycle(world.connection, Options(**options))

    world.clock.seconds += 60
    return world.clock.run(work())


def changes(world: SimWorld) -> int:
    return sum(len(world.double(side).changes) for side in Side)


def release(world: SimWorld) -> None:
    """As the command line does."""
    with world.store.session() as session:
        (brake,) = rows(world, Brake, name=no_pairs.NAME, state="set")
        brake.state, brake.released_at = "released", world.clock.now()
        session.add(brake)


@pytest.mark.parametrize(("cards", "deals", "brake"), [(22, 22, "no-pairs"), (22, 12, None)])
def test_both_sides_have_to_be_full(tmp_path: Path, cards: int, deals: int, brake: str | None) -> None:
    assert run(strangers(tmp_path, cards, deals), limit=None if brake else 0).brake == brake


@pytest.mark.usefixtures("small")
def test_nothing_is_created_before_somebody_confirms_it(tmp_path: Path) -> None:
    world = strangers(tmp_path)
    before = changes(world)
    for _ in range(2):
        report = run(world)
        assert (report.brake, report.exit_code, report.finished) == ("no-pairs", 3, False)
    assert changes(world) == before
    (brake,) = rows(world, Brake)
    assert (brake.name, brake.state) == ("no-pairs", "set")
    assert "in nexudus and" in brake.evidence
    release(world)
    assert run(world).created["crm"] == 5
    assert run(world).brake is None


@pytest.mark.usefixtures("small")
def test_plan_shows_the_brake(tmp_path: Path) -> None:
    world = strangers(tmp_path)

    async def look() -> str | None:
        await world.engine.start()
        return (await rehearse(world.connection, Options())).report.brake

    assert world.clock.run(look()) == "no-pairs"
    assert rows(world, Brake) == []


@pytest.mark.usefixtures("small")
def test_an_answer_at_a_terminal_is_kept(tmp_path: Path) -> None:
    world = strangers(tmp_path)
    run(world)
    no_pairs.answer(world.connection)
    assert run(world, limit=1).created.total() == 1
    assert run(world, limit=6).created.total() == 6


@pytest.mark.usefixtures("small")
def test_a_trial_of_a_few_passes_without_an_answer_and_is_not_one(tmp_path: Path) -> None:
    world = strangers(tmp_path)
    for _ in range(2):
        report = run(world, limit=2)
        assert (report.brake, report.created.total()) == (None, 2)
    assert len(rows(world, Link)) == 4
    assert run(world, limit=3).brake == "no-pairs"
    assert run(world).brake == "no-pairs"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("answered", [True, False])
def test_an_answer_after_a_trial_counts_for_good(tmp_path: Path, answered: bool) -> None:
    world = strangers(tmp_path)
    assert run(world, limit=2).brake is None
    assert run(world).brake == "no-pairs"
    if answered:
        no_pairs.answer(world.connection)
    else:
        release(world)
    assert run(world, limit=4).created.total() == 4
    assert run(world).created.total() == 4
    assert run(world).brake is None


def of_company(world: SimWorld, company: str | None) -> None:
    """A person writes another company into the configuration."""
    end = world.connection.ends[Side.CRM]
    world.connection.ends[Side.CRM] = replace(end, scope=replace(end.scope, company=company))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("corrected", "brake"), [("Example Corp", None), ("Example Iberia", "no-pairs"), (None, None)])
def test_a_corrected_company_needs_no_answer_for_the_wrong_one(
    tmp_path: Path, corrected: str | None, brake: str | None
) -> None:
    world = strangers(tmp_path, shared=2)
    for number in range(4):
        world.desk.create(f"elsewhere-{number}", company="Example Americas")
        world.desk.create(f"elsewhere-too-{number}", company="Example Iberia")
    of_company(world, "Example Americas")
    assert [run(world).brake for _ in range(2)] == ["no-pairs", "no-pairs"]
    of_company(world, corrected)
    assert run(world).brake == brake
    assert [one.name for one in rows(world, Brake, state="set")] == ([brake] if brake else [])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("side", list(Side))
def test_records_that_are_copied_one_by_one_need_no_answer_either(tmp_path: Path, side: Side) -> None:
    world = strangers(tmp_path, 8, 8)
    records = world.double(side).records()

    async def copy(record: object) -> Report:
        await world.engine.start()
        return await settle_record(world.connection, side, str(record))

    for record in list(records)[:5]:
        assert world.clock.run(copy(record)).brake is None
    assert len(rows(world, Link)) > no_pairs.FEW
    assert run(world).brake == "no-pairs"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("nexudus", "crm", "shared"), [(5, 5, 1), (5, 2, 0), (2, 5, 0)])
def test_a_pair_or_a_nearly_empty_side_is_no_reason_to_ask_now_or_later(
    tmp_path: Path, nexudus: int, crm: int, shared: int
) -> None:
    world = strangers(tmp_path, nexudus, crm, shared)
    assert run(world).created.total() > 5
    for number in range(4):
        world.desk.create(f"new-{number}")
    assert (run(world).brake, run(world).brake) == (None, None)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("said", "brake"), [("n/a", None), ("a@example.com", "no-pairs")])
def test_texts_that_are_not_addresses_do_not_make_a_side_full(tmp_path: Path, said: str, brake: str | None) -> None:
    world = strangers(tmp_path)
    run(world, limit=0)
    with world.store.session() as session:
        for row in rows(world, Unlinked, side=Side.CRM.value):
            row.email = said
            session.add(row)
    assert run(world).brake == brake


@pytest.mark.usefixtures("small")
def test_a_store_from_before_there_was_this_brake_goes_on(tmp_path: Path) -> None:
    world = strangers(tmp_path, 5, 2)
    run(world)
    with world.store.session() as session:
        for verdict in rows(world, Fact):
            session.delete(verdict)
    for number in range(4):
        world.desk.create(f"new-{number}")
    assert run(world).brake is None
