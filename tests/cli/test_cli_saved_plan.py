"""`plan --out`, and `sync --plan` and `backfill --plan`, which do what it says and nothing else."""

import json
import shutil
import stat
from pathlib import Path

import pytest
from cli_house import AT, House
from test_cli_runs import PEOPLE, after_its_backfill

from nexudus_sandbox.world import Sandbox
from nexudus_sync import codec
from nexudus_sync.store.tables import Brake, ConnectionState, Failure, History, Journal, Link, Unlinked


@pytest.fixture(scope="module")
def world() -> Sandbox:
    """This module's own, because its people edit."""
    return Sandbox(nexudus=16, crm=12, shared=8)


@pytest.fixture(scope="module")
def lived_in(world: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return after_its_backfill(tmp_path_factory.mktemp("lived"), world)


@pytest.fixture
def home(lived_in: Path, tmp_path: Path, world: Sandbox) -> House:
    """A house after its backfill, with nothing to do."""
    shutil.copytree(lived_in, tmp_path, dirs_exist_ok=True)
    made = House.of(tmp_path, world)
    assert made.run("sync").code == 0
    return made


def _agreed(house: House) -> list[Link]:
    """Links whose titles agree."""
    asked = {one["nexudus_id"] for one in house.run("conflicts", "list", "--json").json}
    return [one for one in house.rows(Link) if one.nexudus_id not in asked]


def _retitle(world: Sandbox, link: Link, title: str) -> None:
    world.overplane.edit(link.crm_id, PEOPLE, title=title)


def test_a_plan_is_kept_for_its_owner_only_and_says_how_to_use_it(sandboxed: House) -> None:
    file = sandboxed.folder / "plan.json"
    ended = sandboxed.run("plan", "--out", str(file))
    assert ended.code == 0
    assert f"sync --plan {file}" in ended.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "pair two existing records" in ended.out
    assert "⇄" not in ended.out
    assert "⇄" in sandboxed.run("plan", "--detail").out


def test_a_whole_plan_of_a_first_run_is_carried_out_whole(tmp_path: Path) -> None:
    mine = Sandbox(nexudus=16, crm=12, shared=8)
    house = House.of(tmp_path, mine)
    house.write(mine.config_toml())
    planned = house.run("plan", "--json", "--out", str(tmp_path / "p")).json
    ended = house.run("backfill", "--yes", "--json", "--plan", str(tmp_path / "p"))
    assert (ended.code, ended.err) == (0, "")
    (row,) = ended.json["connections"]
    assert (row["planned"], row["taken_up"], row["not_in_plan"]) == (len(planned), len(planned), [])
    assert row["no_longer_due"] == []
    assert row["created"] == {"overplane": 8, "nexudus": 4}
    assert not [one for one in house.rows(Journal) if one.state == "planned"]


def test_what_a_plan_does_not_have_is_neither_paired_nor_copied_nor_written(tmp_path: Path) -> None:
    mine = Sandbox(nexudus=16, crm=12, shared=8)
    house = House.of(tmp_path, mine)
    house.write(mine.config_toml())
    file = tmp_path / "p"
    house.run("plan", "--out", str(file))
    kept = codec.loads(file.read_text())
    pair = next(one for one in kept["actions"] if one["action"] == "link")
    copy = next(one for one in kept["actions"] if one["action"] == "create" and one["system"] == "overplane")
    kept["actions"] = [pair, copy]
    file.write_text(codec.dumps(kept))
    before = len(mine.nexudus.changes)
    ended = house.run("backfill", "--yes", "--plan", str(file))
    assert ended.code == 0
    links = house.rows(Link)
    assert sorted(one.nexudus_id for one in links) == sorted([pair["nexudus_id"], copy["nexudus_id"]])
    assert len(mine.nexudus.changes) == before
    assert "2 of 2 planned actions taken up" in ended.out
    assert "not in the plan: left for a later sync" in ended.out
    assert house.rows(Failure) == []
    assert len(house.rows(Unlinked)) == 16 + 12 - 3
    assert house.run("sync").code == 0
    assert len(house.rows(Link)) == 20


def test_a_change_after_the_plan_waits_for_a_later_sync(home: House, world: Sandbox) -> None:
    first, second = _agreed(home)[:2]
    _retitle(world, first, "planned")
    file = home.folder / "plan.json"
    assert home.run("plan", "--out", str(file)).code == 0
    _retitle(world, second, "came later")
    ended = home.run("sync", "--plan", str(file))
    assert "1 of 1 planned action taken up" in ended.out
    assert "title: " in ended.out
    assert "came later" in ended.out
    assert [one.new for one in home.rows(History) if one.new in ("planned", "came later")] == ["planned"]
    assert not [one for one in home.rows(Journal) if one.state == "planned"]
    assert home.run("sync").code == 0
    assert [one.new for one in home.rows(History) if one.new in ("planned", "came later")] == ["planned", "came later"]


def test_an_action_with_another_value_by_now_is_not_the_planned_one(home: House, world: Sandbox) -> None:
    link = _agreed(home)[0]
    _retitle(world, link, "as planned")
    file = home.folder / "plan.json"
    home.run("plan", "--out", str(file))
    _retitle(world, link, "on second thoughts")
    (row,) = home.run("sync", "--json", "--plan", str(file)).json["connections"]
    assert (row["writes"], row["taken_up"]) == (0, 0)
    assert [one["fields"]["title"]["new"] for one in row["not_in_plan"]] == ["on second thoughts"]
    assert [one["fields"]["title"]["new"] for one in row["no_longer_due"]] == ["as planned"]


def test_a_plan_of_another_configuration_or_mapping_is_refused(home: House) -> None:
    file, text = home.folder / "plan.json", home.config.read_text()
    home.run("plan", "--out", str(file))
    home.write(text + 'party = "Customer"\n')
    ended = home.run("sync", "--plan", str(file))
    assert (ended.code, ended.out) == (2, "")
    assert "was made with another configuration; make it again" in ended.err
    home.write(text)
    kept = json.loads(file.read_text())
    kept["mappings"] = {"london": "0"}
    file.write_text(json.dumps(kept))
    ended = home.run("sync", "--plan", str(file))
    assert ended.code == 2
    assert "was made with another mapping of connection london" in ended.err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nexudus_sync_plan": 2}', '{"nexudus_sync_plan": 1, "actions": 3}'])
def test_a_file_that_is_not_a_plan_is_refused_in_one_line(home: House, text: str) -> None:
    file = home.folder / "plan.json"
    file.write_text(text)
    ended = home.run("sync", "--plan", str(file))
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "plan" in ended.err
    assert home.run("sync", "--plan", str(home.folder / "none")).code == 2


def test_brakes_hold_a_plan_as_well(home: House, world: Sandbox) -> None:
    file = home.folder / "plan.json"
    home.run("plan", "--out", str(file))
    state = home.rows(ConnectionState)[0]
    home.keep(Brake(connection=state.name, name="mass-change", evidence="all moved", set_at=AT))
    assert home.run("sync", "--plan", str(file)).code == 3


def test_an_incomplete_plan_is_not_kept(home: House) -> None:
    file = home.folder / "plan.json"
    home.keep(Brake(connection="london", name="mass-change", evidence="all moved", set_at=AT))
    for more in ((), ("--json",), ("--strict",)):
        ended = home.run("plan", "--out", str(file), *more)
        assert ended.code == 3
        assert "not written, because the plan is not complete" in ended.err
    assert not file.exists()
