"""The verbs that run something. What is about processes and signals has the systems behind real sockets."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from cli_house import AT, NO_PAGE, House

from nexudus_sandbox.world import Sandbox, World
from nexudus_sync.cli import backfill as backfill_module
from nexudus_sync.store import Store, running
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Journal, Link, Unlinked

PEOPLE = "maria.nunez@example.com"


@pytest.fixture(scope="module")
def world() -> Sandbox:
    """This module's own, because its people edit."""
    return Sandbox(nexudus=16, crm=12, shared=8)


@pytest.fixture(scope="module")
def lived_in(world: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after its backfill; copied for each test."""
    return after_its_backfill(tmp_path_factory.mktemp("lived"), world)


def after_its_backfill(folder: Path, world: Sandbox) -> Path:
    made = House.of(folder, world)
    made.write(NO_PAGE + world.config_toml())
    assert made.run("backfill", "--yes").code == 0
    return made.folder


@pytest.fixture
def home(lived_in: Path, tmp_path: Path, world: Sandbox) -> House:
    shutil.copytree(lived_in, tmp_path, dirs_exist_ok=True)
    return House.of(tmp_path, world)


@pytest.fixture(scope="module")
def served() -> Iterator[World]:
    """Systems that another process can reach."""
    with World(nexudus=8, crm=8, shared=8) as made:
        yield made


@pytest.fixture
def apart(tmp_path: Path, served: World) -> House:
    """A house whose commands are run as processes of their own."""
    return House.of(after_its_backfill(tmp_path, served), served)


def test_plan_shows_what_a_first_sync_would_do_and_writes_nothing(sandboxed: House, world: Sandbox) -> None:
    before = len(world.nexudus.changes), len(world.overplane.changes)
    ended = sandboxed.run("plan", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert {frozenset(one) for one in ended.json} == {
        frozenset({"connection", "action", "system", "nexudus_id", "crm_id", "fields", "title", "customer"})
    }
    assert all(one["title"] for one in ended.json)
    assert {one["action"] for one in ended.json} <= {"link", "create", "create-party", "update", "delete"}
    assert sum(one["action"] == "create" and one["system"] == "overplane" for one in ended.json) == 8
    assert (len(world.nexudus.changes), len(world.overplane.changes)) == before
    assert sandboxed.rows(Link) == sandboxed.rows(Unlinked) == sandboxed.rows(ConnectionState) == []


def test_plan_for_people_counts_writes_calls_and_time(sandboxed: House) -> None:
    out = sandboxed.run("plan").out
    assert ["create", "overplane", "8", "–"] in [line.split() for line in out.splitlines()]
    assert ["pair", "two", "existing", "records", "both", "8", "–"] in [line.split() for line in out.splitlines()]
    assert "Calls, about:" in out
    assert "less than two minutes" in out


def test_a_backfill_sums_up_so_that_it_adds_up(sandboxed: House, world: Sandbox) -> None:
    ended = sandboxed.run("backfill", "--yes", "--limit", "0")
    assert ended.code == 0
    assert "16 opportunities in nexudus and 12 opportunities in overplane (and 24 that belong elsewhere)" in ended.out
    table = {line.rsplit(maxsplit=2)[0]: line.split()[-2:] for line in ended.out.splitlines() if line[:6] in TOTALS}
    assert table["in this connection"] == ["16", "12"]
    assert table["linked: found on both sides"] == ["8", "8"]
    assert table["alone: left out by --limit"] == ["8", "4"]


TOTALS = {"linked", "alone:", "in thi"}


def test_since_is_kept_with_the_connection(sandboxed: House) -> None:
    today = datetime.now(UTC).date().isoformat()
    ended = sandboxed.run("backfill", "--yes", "--since", today)
    assert ended.code == 0
    assert f"created before {today}" in ended.out
    assert sandboxed.rows(ConnectionState)[0].create_since == today
    assert "alone: older than --since" in ended.out


def test_a_day_that_is_still_to_come_would_keep_every_new_record_out(sandboxed: House) -> None:
    ended = sandboxed.run("backfill", "--yes", "--since", "2100-01-01")
    assert ended.code == 2
    assert ended.err == "nexudus-sync: --since: 2100-01-01 is in the future; give a past date\n"
    assert sandboxed.rows(ConnectionState) == []


def test_a_backfill_asks_and_where_nobody_answers_it_wants_yes(sandboxed: House) -> None:
    ended = sandboxed.run("backfill")
    assert ended.code == 2
    assert ended.err == "nexudus-sync: backfill: no terminal to confirm on; add --yes\n"
    assert sandboxed.rows(ConnectionState) == []


def test_a_backfill_that_is_not_agreed_to_does_nothing(sandboxed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_module, "_agreed", lambda: False)
    ended = sandboxed.run("backfill", "--since", "2026-01-01")
    assert ended.code == 0
    assert "nothing was done" in ended.out
    assert sandboxed.rows(ConnectionState) == []


def test_a_sync_after_the_backfill_writes_nothing(home: House) -> None:
    home.run("sync")
    ended = home.run("sync")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("london: 0 writes")


def test_a_sync_that_went_well_ends_what_status_says_of_a_failed_cycle(home: House) -> None:
    """`run` was stopped after it had failed, so nothing else would take that back."""
    store = Store.open("sqlite:///state.db", base_dir=home.folder)
    with store.session() as session:
        running.failed(session, "london", "overplane: is down", datetime.now(UTC))
    store.close()
    assert "the last cycle failed" in home.run("status").out
    assert home.run("sync").code == 0
    assert "the last cycle failed" not in home.run("status").out


def test_a_backfill_says_what_became_of_what_people_asked_for(home: House) -> None:
    assert home.run("ignore", "4712").code == 0
    assert "ignore nexudus, 4712: refused: nexudus has no record 4712" in home.run("backfill", "--yes").out


def test_strict_is_1_when_conflicts_wait(home: House) -> None:
    assert home.run("status", "--json").json["connections"][0]["conflicts"] > 0
    assert home.run("sync").code == 0
    assert home.run("sync", "--strict").code == 1
    assert home.run("plan", "--strict").code == 1
    assert home.run("plan").code == 0


def test_a_conflict_is_settled_and_the_history_tells(home: House, world: Sandbox) -> None:
    (first, *_) = home.run("conflicts", "list", "--json").json
    home.run("conflicts", "resolve", first["id"], "--take", "nexudus")
    assert home.run("sync").code == 0
    assert first["id"] not in {one["id"] for one in home.run("conflicts", "list", "--json").json}
    (*_, last) = home.run("history", first["crm_id"], "--json").json
    assert (last["field"], last["new"], last["lost"]) == (first["field"], first["nexudus"], first["crm"])


def test_one_record_is_synced_alone(home: House, world: Sandbox) -> None:
    card, row = world.seeded.equal[0]
    world.nexudus.edit(card, PEOPLE, Name="A new name")
    planned = home.run("plan", "--record", str(card), "--json").json
    assert [(one["action"], one["crm_id"], one["fields"]["title"]["new"]) for one in planned] == [
        ("update", row, "A new name")
    ]
    assert home.run("sync", "--record", row, "--connection", "london").code == 0
    assert world.overplane.record(row)["title"] == "A new name"


def test_a_record_nobody_knows_cannot_be_synced_alone(home: House) -> None:
    for verb in ("sync", "plan"):
        ended = home.run(verb, "--record", "4711")
        assert ended.code == 2
        assert "record 4711: no connection knows it" in ended.err


def test_a_brake_stops_a_sync_with_3_until_it_is_released(home: House, world: Sandbox) -> None:
    home.keep(Brake(connection="london", name="mass-delete", evidence="the records of 30 are missing", set_at=AT))
    before = len(world.overplane.changes)
    ended = home.run("sync")
    assert ended.code == 3
    assert "the records of 30 are missing" in ended.out
    assert "nexudus-sync brake release mass-delete --connection london" in ended.out
    assert home.run("plan").code == 3
    assert len(world.overplane.changes) == before
    assert home.run("brake", "release", "mass-delete").code == 0
    assert home.run("sync").code == 0


def test_one_connections_failure_does_not_stop_the_others(home: House, world: Sandbox) -> None:
    # the second CRM is not there
    text = home.config.read_text(encoding="utf-8")
    dead = text.split("[crm.overplane]")[1].split("[[connection]]")[0].replace(world.crm_url, "http://127.0.0.1:9")
    london = text[text.index("[[connection]]") :]
    other = london.replace('"london"', '"madrid"').replace('"overplane"', '"dead"').replace("1001", "1002")
    home.write(text.replace(london, f"[crm.dead]{dead}\n{other}\n{london}"))
    ended = home.run("sync")
    assert ended.code == 1
    assert ended.err.startswith("nexudus-sync: connection madrid: dead: ")
    assert ended.err.count("\n") == 1
    assert "london: " in ended.out


def test_a_wrong_password_is_2_and_one_line_without_it(sandboxed: House) -> None:
    sandboxed.environment = {**sandboxed.environment, "NEXUDUS_PASSWORD": "wr0ng-pass"}
    for verb in (("sync",), ("plan",), ("backfill", "--yes"), ("run",)):
        ended = sandboxed.run(*verb)
        assert ended.code == 2
        assert "wr0ng-pass" not in ended.err + ended.out


def test_a_second_run_on_the_store_says_so_and_ends_with_1(home: House) -> None:
    store = Store.open("sqlite:///state.db", base_dir=home.folder)
    with store.lock():
        ended = home.run("sync")
    store.close()
    assert ended.code == 1
    assert "another nexudus-sync" in ended.err


def test_an_edit_is_undone_on_both_sides(home: House, world: Sandbox) -> None:
    card, row = world.seeded.equal[1]
    old = world.overplane.record(row)["title"]
    world.overplane.edit(row, PEOPLE, title="Mistaken", opportunity_amount=Decimal("77.00"))
    assert home.run("sync").code == 0
    entry = next(one for one in home.run("history", row, "--json").json if one["new"] == "Mistaken")
    assert home.run("undo", entry["id"]).code == 0
    assert f"undo {entry['id']}: brought back" in home.run("sync").out
    assert world.overplane.record(row)["title"] == world.nexudus.record(card)["Name"] == old


def test_check_is_content_with_the_sandbox(home: House) -> None:
    ended = home.run("check")
    assert ended.code == 0
    assert "everything works" in ended.out


def test_check_names_a_stage_that_does_not_exist_and_the_nearest(home: House) -> None:
    (home.folder / "mappings").mkdir()
    shipped = (Path(__file__).parents[2] / "mappings" / "nexudus.toml").read_text(encoding="utf-8")
    wrong = '[fields.sales_stage.values]\n"Tour bookd" = "Proposal sent"\n"Won" = "Prospectin"\n\n[fields.lost_reasons]'
    (home.folder / "mappings" / "nexudus.toml").write_text(shipped.replace("[fields.lost_reasons]", wrong))
    text = home.config.read_text(encoding="utf-8")
    home.write(text.replace("poll =", 'mapping = { nexudus = "mappings/nexudus.toml" }\npoll ='))
    ended = home.run("check")
    assert ended.code == 2
    assert "Nexudus has no 'Tour bookd'; did you mean 'Tour booked'?" in ended.err
    assert "has no 'Prospectin'; did you mean 'Prospecting'?" in ended.err
    assert "mappings/nexudus.toml:35: fields.sales_stage.values" in ended.err


@pytest.mark.parametrize("verb", [("sync",), ("plan",), ("backfill", "--yes"), ("run",)])
def test_a_stage_that_does_not_exist_is_one_line_and_2_before_anything_is_written(
    verb: tuple[str, ...], home: House, world: Sandbox
) -> None:
    (home.folder / "mappings").mkdir()
    shipped = (Path(__file__).parents[2] / "mappings" / "overplane.toml").read_text(encoding="utf-8")
    wrong = '\n[fields.sales_stage.values]\n"Moon landing" = ["Moon landing"]\n'
    (home.folder / "mappings" / "overplane.toml").write_text(shipped + wrong)
    text = home.config.read_text(encoding="utf-8")
    home.write(text.replace("poll =", 'mapping = { crm = "mappings/overplane.toml" }\npoll ='))
    before = len(world.nexudus.changes), len(world.crm.double.changes)
    ended = home.run(*verb)
    assert ended.code == 2
    # the daemon's log stands beside the line
    (told,) = (line for line in ended.err.splitlines() if "daemon.started" not in line)
    assert "Nexudus has no 'Moon landing'" in told
    assert (len(world.nexudus.changes), len(world.crm.double.changes)) == before


def test_check_of_an_unreachable_host_is_1(sandboxed: House, world: Sandbox) -> None:
    world.crm_faults.add("connect", times=99)
    ended = sandboxed.run("check")
    world.crm_faults.clear()
    assert ended.code == 1
    assert "✗" in ended.out
    assert "cannot be reached" in ended.err


@pytest.mark.processes
@pytest.mark.sockets
def test_the_daemon_syncs_at_once_and_ends_cleanly_on_sigterm(apart: House, served: World) -> None:
    card, row = served.seeded.equal[2]
    served.nexudus.edit(card, PEOPLE, Name="Seen by the daemon")
    environment = {**os.environ, **apart.environment}
    with subprocess.Popen(command(apart, "run"), env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        told = [next(line for line in lines if event in line) for event in ("daemon.started", "cycle.done")]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "written=1" in told[1]
    assert served.overplane.record(row)["title"] == "Seen by the daemon"


@pytest.mark.processes
@pytest.mark.sockets
def test_a_daemon_that_was_killed_is_missed_at_once(apart: House) -> None:
    environment = {**os.environ, **apart.environment}
    with subprocess.Popen(command(apart, "run"), env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in iter(process.stderr.readline, "") if "daemon.started" in line)
        while process.poll() is None and not apart.run("health").out.startswith("All is well"):
            time.sleep(0.02)
        process.kill()
        process.wait(10)
    ended = apart.run("health")
    assert ended.code == 1
    assert f"`nexudus-sync run` ended unexpectedly (process {process.pid};" in ended.out


@pytest.mark.processes
@pytest.mark.sockets
@pytest.mark.parametrize("verb", [("sync",), ("backfill", "--yes")])
def test_sigterm_in_a_write_is_130_and_the_next_run_finds_out_what_became_of_it(
    apart: House, served: World, verb: tuple[str, ...]
) -> None:
    card, row = served.seeded.equal[3]
    served.nexudus.edit(card, PEOPLE, Name=f"Stopped in a {verb[0]}")
    served.crm_faults.add("slow", "^PATCH", seconds=3.0)
    asked = len(served.crm_faults.injected)
    environment = {**os.environ, **apart.environment}
    with subprocess.Popen(command(apart, *verb), env=environment, stderr=subprocess.PIPE, text=True) as process:
        while len(served.crm_faults.injected) == asked and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=10)[1]
    assert (process.returncode, told) == (130, "nexudus-sync: interrupted; run the same command again to continue\n")
    assert apart.run("sync").code == 0
    assert served.overplane.record(row)["title"] == f"Stopped in a {verb[0]}"
    assert [one.state for one in apart.rows(Journal) if one.state in ("planned", "sent")] == []
    assert sum(one.record_id == row and one.new == f"Stopped in a {verb[0]}" for one in served.overplane.changes) == 1


def command(house: House, *words: str) -> list[str]:
    """The program itself, for a process of its own."""
    return [sys.executable, "-c", "from nexudus_sync.cli import main; main()", "--config", str(house.config), *words]


def test_ignoring_what_is_not_there_is_refused_by_the_next_cycle(home: House) -> None:
    assert home.run("ignore", "4711").code == 0
    assert "ignore nexudus, 4711: refused: nexudus has no record 4711" in home.run("sync").out
    assert not any(row.record_id == "4711" for row in home.rows(Unlinked))


def test_a_clock_in_step_is_told_so(home: House) -> None:
    assert "the server's clock is in step with ours" in home.run("check").out


def test_an_ignored_record_is_left_alone_and_asks_no_more(home: House, world: Sandbox) -> None:
    like = world.nexudus.record(world.seeded.nexudus_ids[0])
    values = {key: like[key] for key in ("CrmBoardColumnId", "CoworkerId")}
    card = str(world.nexudus.create(PEOPLE, Name="Not for the CRM", **values))
    home.keep(Conflict(connection="london", field="record", nexudus_id=card, opened_at=AT))
    before = len(world.overplane.records())
    assert home.run("ignore", card).code == 0
    assert f"ignore nexudus, {card}: ignored" in home.run("sync").out
    assert len(world.overplane.records()) == before
    assert card not in {one["nexudus_id"] for one in home.run("conflicts", "list", "--json").json}
    assert "ignore: ignored" in home.run("explain", card).out
    world.nexudus.delete(int(card), PEOPLE)


@pytest.mark.parametrize("verb", [("sync",), ("plan",), ("backfill", "--yes"), ("check",)])
def test_an_unknown_connection_is_refused_before_anything_is_made(sandboxed: House, verb: tuple[str, ...]) -> None:
    ended = sandboxed.run(*verb, "--connection", "paris")
    assert ended.code == 2
    assert "no connection is named 'paris'" in ended.err
    assert not (sandboxed.folder / "state.db").exists()
