"""The commands in a fleet: all tenants or one, a broken one among them, and what becomes of a removed one."""

import asyncio
import csv
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from cli_house import AT, Ended, House, conflict, failure, link
from sqlmodel import SQLModel

from nexudus_sandbox.world import Sandbox
from nexudus_sync.cli import beside, desk
from nexudus_sync.clock import SystemClock
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.startup.assemble import assemble
from nexudus_sync.store import Store, cluster, leases, running
from nexudus_sync.store.running import Beat
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Fact, History, Link

WORLD = Sandbox(nexudus=1, crm=1, shared=1)
"""What all tenants' files are like."""
FLEET = '[store]\nurl = "sqlite:///state.db"\n[fleet]\nfolder = "tenants"\n'


@dataclass
class FleetHouse(House):
    """A fleet, with a sandbox for each tenant; the first records of all of them have the same ids."""

    worlds: dict[str, Sandbox] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "fleet.toml"

    def tenant(self, name: str) -> Path:
        """Add a tenant; returns its file."""
        folder, text = self.folder / "tenants" / name, re.sub(r"\[store\]\n.*\n", "", WORLD.config_toml())
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(text.replace("nexudus.test", f"{name}.nexudus.test"))
        (folder / "secrets.env").write_text("".join(f"{key}={one}\n" for key, one in WORLD.environment().items()))
        return folder / "config.toml"

    def beat(self, now: datetime) -> None:
        """Two workers give a sign of life."""
        store = Store.open("sqlite:///state.db", base_dir=self.folder)
        with store.session() as session:
            for worker in ("one", "two"):
                running.beat(session, Beat(now, now, 1, "elsewhere"), worker)
        store.close()

    def merge(self, *rows: SQLModel) -> None:
        """Put rows into the store in place of those with their keys."""
        store = Store.open("sqlite:///state.db", base_dir=self.folder)
        with store.session() as session:
            for row in rows:
                session.merge(row)
        store.close()

    def go_live(self, *names: str) -> None:
        """Let these tenants' systems answer."""
        self.worlds = {name: Sandbox(nexudus=4, crm=3, shared=2) for name in names}

    def _connected(self) -> AbstractContextManager[object]:
        clock = SystemClock()
        transports = {
            f"{name}/{system}": one
            for name, world in self.worlds.items()
            for system, one in world.transports(clock).items()
        }
        return patch.object(desk, "assemble", partial(assemble, transports=transports))


def entry(**values: Any) -> History:
    """A value that was overwritten."""
    given = {"at": AT, "field": "title", "old": "Old", "new": "New", "from_side": "crm"}
    return History(**(given | {"nexudus_id": "101", "crm_id": "opp_1"} | values))


def brake(**values: Any) -> Brake:
    """A brake that is set."""
    return Brake(**({"name": "mass-delete", "evidence": "30 of 40", "set_at": AT} | values))


@pytest.fixture
def fleet(tmp_path: Path) -> FleetHouse:
    """Two tenants with something of each in the store, under the same ids."""
    house = FleetHouse(tmp_path, {})
    house.config.write_text(FLEET)
    for name in ("acme", "beta"):
        house.tenant(name)
        own = {"connection": f"{name}/london"}
        house.keep(
            ConnectionState(name=f"{name}/london", crm=f"{name}/overplane", last_success=AT, backfilled_at=AT),
            link(1, crm=f"{name}/overplane", title=f"Desk of {name}", customer=f"Ann of {name}", **own),
            conflict(**own),
            failure(**own),
            entry(**own),
        )
    return house


def names(ended: Ended) -> list[str]:
    return [one["connection"] for one in ended.json]


LISTS = [("conflicts", "list"), ("failures", "list"), ("links", "list"), ("history",), ("inbox",)]


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_shows_all_tenants_or_one(fleet: FleetHouse, words: tuple[str, ...]) -> None:
    everything = fleet.run(*words, "--json").json
    assert {(one["tenant"], one["connection"], one["title"]) for one in everything} == {
        ("acme", "acme/london", "Desk of acme"),
        ("beta", "beta/london", "Desk of beta"),
    }
    for given in (("--tenant", "beta", "--json"), ("--json", "--tenant=beta")):
        assert {one["title"] for one in fleet.run(*words, *given).json} == {"Desk of beta"}
    assert {one["title"] for one in fleet.run(*words, "--json", before=("--tenant", "acme")).json} == {"Desk of acme"}
    (first, *_) = csv.DictReader(fleet.run(*words, "--csv", "--tenant", "beta").out.splitlines())
    assert first["tenant"] == "beta"
    assert "beta/london" in fleet.run(*words).out


@pytest.mark.parametrize("words", [one for one in LISTS if one[0] not in ("history",)], ids=" ".join)
def test_a_connection_goes_by_its_whole_name_and_within_a_tenant_by_the_short_one(
    fleet: FleetHouse, words: tuple[str, ...]
) -> None:
    assert set(names(fleet.run(*words, "--json", "--connection", "beta/london"))) == {"beta/london"}
    assert set(names(fleet.run(*words, "--json", "--tenant", "acme", "--connection", "london"))) == {"acme/london"}
    assert set(names(fleet.run(*words, "--json", "--tenant", "acme", "--connection", "acme/london"))) == {"acme/london"}
    wrong = fleet.run(*words, "--tenant", "acme", "--connection", "beta/london")
    assert wrong.code == 2
    assert "no connection is named 'beta/london'; configured connections: acme/london" in wrong.err


def test_a_search_finds_only_what_the_tenants_own_records_are_called(fleet: FleetHouse) -> None:
    for words in (("conflicts", "list"), ("failures", "list"), ("inbox",)):
        assert set(names(fleet.run(*words, "--json", "--text", "desk of beta"))) == {"beta/london"}
        assert fleet.run(*words, "--json", "--text", "desk of beta", "--tenant", "acme").json == []


def test_status_shows_the_worst_first_a_broken_tenant_and_a_removed_one(fleet: FleetHouse) -> None:
    fleet.tenant("gamma").write_text("[run]\nreaders = 3\n")
    fleet.tenant("new")
    fleet.keep(brake(connection="beta/london"), ConnectionState(name="gone/paris", crm="gone/erp"))
    out = fleet.run("status").out
    lines = [re.split(r"  +", line.strip())[:2] for line in out.splitlines()[1:6]]
    assert lines == [
        ["gamma", "does not run: its configuration is broken"],
        ["beta/london", "stopped by mass-delete"],
        ["new/london", "first run not finished"],
        ["acme/london", "in step"],
        ["gone", "removed; its state is kept"],
    ]
    assert "gamma/config.toml: nexudus: is missing; add it" in out
    assert "4 tenants, 3 connections: " in out
    told = fleet.run("status", "--json").json
    assert [one["tenant"] for one in told["connections"]] == ["acme", "beta", "new"]
    states = {one["tenant"]: one["state"] for one in told["tenants"]}
    assert states == {"acme": "ok", "beta": "ok", "gamma": "broken", "gone": "removed", "new": "ok"}
    assert fleet.run("status", "--tenant", "acme").out.splitlines()[1].split()[0] == "acme/london"


def test_a_broken_tenant_is_told_where_it_is_asked_for_and_nowhere_else(fleet: FleetHouse) -> None:
    fleet.tenant("gamma").write_text("= nonsense")
    for words in (("status", "--tenant", "gamma"), ("conflicts", "list", "--connection", "gamma/london")):
        ended = fleet.run(*words)
        assert ended.code == 2
        assert "gamma/config.toml:1: is not valid TOML" in ended.err
    fleet.go_live("acme")
    assert fleet.run("sync", "--tenant", "acme").code == 0


def test_a_tenant_that_there_is_not_is_wrong_usage(fleet: FleetHouse) -> None:
    ended = fleet.run("status", "--tenant", "akme")
    assert (ended.code, ended.err) == (
        2,
        "nexudus-sync: --tenant: there is no tenant 'akme'; did you mean 'acme'?\n",
    )


@pytest.mark.parametrize("verb", ["sync", "backfill", "plan"])
def test_what_works_at_the_systems_needs_a_tenant(fleet: FleetHouse, verb: str) -> None:
    ended = fleet.run(verb)
    assert ended.code == 2
    assert (
        ended.err == f"nexudus-sync: --tenant: is missing, and {fleet.config} is a fleet's file; tenants: acme, beta\n"
    )


def test_run_is_not_for_a_fleet(fleet: FleetHouse) -> None:
    ended = fleet.run("run")
    assert ended.code == 2
    assert "use `nexudus-sync worker`, which runs all tenants" in ended.err


def test_a_sync_is_of_one_tenant_and_says_whose(fleet: FleetHouse) -> None:
    fleet.go_live("acme", "beta")
    by_tenant = fleet.run("sync", "--tenant", "acme", "--json")
    assert by_tenant.code == 0
    assert [(one["tenant"], one["connection"]) for one in by_tenant.json["connections"]] == [("acme", "acme/london")]
    by_connection = fleet.run("sync", "--connection", "beta/london", "--json")
    assert [one["tenant"] for one in by_connection.json["connections"]] == ["beta"]
    assert {one.connection for one in fleet.rows(Link)} == {"acme/london", "beta/london"}


def test_check_goes_through_all_tenants(fleet: FleetHouse) -> None:
    fleet.go_live("acme", "beta")
    fleet.tenant("gamma").write_text("nonsense")
    ended = fleet.run("check")
    assert ended.code == 2
    assert "acme/london: everything works" in ended.out
    assert "beta/london: everything works" in ended.out
    assert "tenant gamma: " in ended.err
    assert "3 tenants checked; 1 needs a look." in ended.out
    told = fleet.run("check", "--json").json["connections"]
    assert [one["tenant"] for one in told] == ["acme", "beta", "gamma"]


def test_an_id_that_several_tenants_have_needs_the_tenant(fleet: FleetHouse) -> None:
    for words in (("explain", "101"), ("unlink", "101"), ("ignore", "101")):
        ended = fleet.run(*words)
        assert ended.code == 2
        assert "record 101: several tenants have it: acme, beta; add --tenant acme" in ended.err
    assert "Desk of beta" in fleet.run("explain", "101", "--tenant", "beta").out
    assert "Desk of acme" not in fleet.run("explain", "101", "--tenant", "beta").out
    assert "2 tenants" not in fleet.run("unlink", "101", "--connection", "beta/london").out


def test_what_waits_for_another_tenants_record_of_the_same_id_is_not_explained(fleet: FleetHouse) -> None:
    fleet.keep(
        link(5, crm="acme/overplane", connection="acme/london", title="Desk of acme"),
        conflict(connection="beta/london", nexudus_id="777", crm_id="opp_5", field="of_beta"),
        failure(connection="beta/london", nexudus_id="777", crm_id="opp_5", field="of_beta"),
        entry(connection="beta/london", nexudus_id="105", crm_id="opp_7", field="of_beta"),
    )
    said = fleet.run("explain", "105").out
    assert "Desk of acme" in said
    assert "of_beta" not in said
    assert "of_beta" not in fleet.run("explain", "105", "--json").out


def test_a_decision_goes_to_the_tenants_own_item(fleet: FleetHouse) -> None:
    first, second = sorted(fleet.rows(Conflict), key=lambda one: one.connection)
    theirs = fleet.run("conflicts", "resolve", str(second.id), "--take", "crm", "--tenant", "acme")
    assert theirs.code == 2
    assert f"conflict {second.id}: there is no such conflict" in theirs.err
    for words in (("conflicts", "show"), ("conflicts", "take-back"), ("failures", "dismiss"), ("undo",)):
        assert "there is no such" in fleet.run(*words, str(second.id), "--tenant", "acme").err
    assert fleet.run("conflicts", "resolve", str(second.id), "--take", "crm").code == 0
    assert {one.id: one.state for one in fleet.rows(Conflict)} == {first.id: "open", second.id: "resolved"}


def test_all_of_several_tenants_is_never_meant(fleet: FleetHouse) -> None:
    fleet.keep(brake(connection="acme/london"), brake(connection="beta/london"))
    for words in (("failures", "retry", "--all"), ("brake", "release", "mass-delete")):
        ended = fleet.run(*words)
        assert ended.code == 2
        assert "several tenants have it: acme, beta; add --tenant acme" in ended.err
        assert fleet.run(*words, "--tenant", "beta").code == 0
    assert [one["state"] for one in fleet.run("brake", "show", "--json").json] == ["set", "released"]


def test_health_is_about_all_tenants_the_broken_one_too(fleet: FleetHouse) -> None:
    now = datetime.now(UTC)
    fleet.beat(now)
    fleet.merge(*(_fresh(name, now) for name in ("acme", "beta")))
    assert (
        fleet.run("health").out == "All is well: 2 connections in step; 4 conflicts and failures wait for a person.\n"
    )
    assert "2 workers are at work." in fleet.run("status").out
    fleet.tenant("gamma").write_text("[run]\nreaders = 3\n")
    ended = fleet.run("health")
    assert ended.code == 1
    assert ended.out.startswith("gamma: does not run: ")
    assert [one["tenant"] for one in fleet.run("health", "--json").json["problems"]] == ["gamma"]
    assert fleet.run("health", "--tenant", "acme").code == 0
    assert fleet.run("health", "acme/london").code == 0


def _fresh(name: str, now: datetime) -> ConnectionState:
    return ConnectionState(name=f"{name}/london", crm=f"{name}/overplane", last_success=now, backfilled_at=now)


def test_pausing_takes_either_name(fleet: FleetHouse) -> None:
    assert fleet.run("pause", "acme/london").code == 0
    said = fleet.run("pause", "london", "--tenant", "beta").out
    assert said.startswith("beta/london is paused;")
    assert "`nexudus-sync resume beta/london` lets it run again" in said
    assert [one["state"] for one in fleet.run("health", "--json").json["connections"]] == ["unknown", "unknown"]
    assert {one.name: one.paused_at is None for one in fleet.rows(ConnectionState)} == {
        "acme/london": False,
        "beta/london": False,
    }
    said = fleet.run("resume", "london", "--tenant", "beta").out
    assert said == "beta/london runs again: a worker takes it up at its next poll.\n"
    assert "there" not in fleet.run("resume", "acme/london").err
    kept = {one.key for one in fleet.rows(Fact) if one.system == "resumed connections"}
    assert kept == {"acme/london", "beta/london"}


def test_a_person_is_forgotten_in_one_tenant(fleet: FleetHouse) -> None:
    assert "--tenant: is missing" in fleet.run("forget", "101", "--yes").err
    assert fleet.run("unlink", "101", "--tenant", "beta").code == 0
    ended = fleet.run("forget", "101", "--yes", "--tenant", "beta")
    assert ended.code == 0, ended.err
    assert {one["tenant"] for one in fleet.run("history", "--json").json} == {"acme"}


def test_the_state_of_a_removed_tenant_is_deleted_when_asked(fleet: FleetHouse) -> None:
    fleet.keep(
        Fact(system="beta/nexudus", key="totals", value=True),
        Fact(system="first run", key="beta/london", value={}),
        Fact(system="resting systems", key=cluster.itself("beta/london"), value={}),
        ConnectionState(name="Beta/london", crm="Beta/erp"),
        ConnectionState(name="beta2/london", crm="beta2/erp"),
    )
    there = fleet.run("forget", "--tenant", "beta", "--yes")
    assert there.code == 2
    assert "tenant beta: is still in " in there.err
    shutil.rmtree(fleet.folder / "tenants" / "beta")
    assert "no terminal to confirm on; add --yes" in fleet.run("forget", "--tenant", "beta").err
    ended = fleet.run("forget", "--tenant", "beta", "--yes")
    assert ended.code == 0, ended.err
    assert {one.name for one in fleet.rows(ConnectionState)} == {"acme/london", "Beta/london", "beta2/london"}
    assert {one.connection for one in fleet.rows(Link)} == {"acme/london"}
    assert not fleet.rows(Fact)
    assert "tenant beta: there is no such tenant" in fleet.run("forget", "--tenant", "beta", "--yes").err


def test_a_copy_is_of_the_whole_store(fleet: FleetHouse) -> None:
    assert fleet.run("backup", str(fleet.folder / "copy.db")).code == 0
    ended = fleet.run("backup", str(fleet.folder / "copy2.db"), "--tenant", "acme")
    assert "--tenant: one store holds all tenants; leave it out" in ended.err


def test_outside_a_fleet_there_are_no_tenants(tmp_path: Path) -> None:
    house = House(tmp_path, {})
    house.write(WORLD.config_toml())
    ended = house.run("status", "--tenant", "acme")
    assert ended.code == 2
    assert (
        ended.err == f"nexudus-sync: --tenant: {house.config} is of one installation, without [fleet]; leave it out\n"
    )
    assert "tenant" not in house.run("status", "--json").out


INIT = (
    "init",
    "--name",
    "paris",
    "--location",
    "1004",
    "--connector",
    "overplane",
    "--company",
    "Example SARL",
    "--crm-url",
    "https://crm.example.com",
)


def test_init_makes_a_tenant(fleet: FleetHouse) -> None:
    without = fleet.run(*INIT)
    assert (without.code, without.err) == (
        2,
        f"nexudus-sync: --tenant: is missing, and {fleet.config} is a fleet's file; name the new tenant\n",
    )
    assert "'a b' is not a valid name for a tenant" in fleet.run(*INIT, "--tenant", "a b").err
    ended = fleet.run(*INIT, "--tenant", "gamma")
    assert ended.code == 0, ended.err
    assert f"nexudus-sync --config {fleet.config} --tenant gamma check" in ended.out
    folder = fleet.folder / "tenants" / "gamma"
    assert "[store]" not in (folder / "config.toml").read_text()
    assert (folder / "mappings" / "overplane.toml").exists()
    assert [one["tenant"] for one in fleet.run("status", "--json").json["connections"]] == ["acme", "beta", "gamma"]
    assert "already exists" in fleet.run(*INIT, "--tenant", "gamma").err


def test_init_of_a_tenant_needs_a_fleet(tmp_path: Path) -> None:
    ended = House(tmp_path, {}).run(*INIT, "--tenant", "gamma")
    assert ended.code == 2
    assert "is no fleet's file; write one with [fleet] in it (docs/fleet.md), or leave --tenant out" in ended.err


async def test_a_one_off_sync_waits_until_no_worker_works_on_the_crm(tmp_path: Path) -> None:
    store, clock = Store.open("sqlite:///state.db", base_dir=tmp_path), _Clock()
    settings: Any = SimpleNamespace(in_fleet=True)
    connection: Any = Connection("acme/london", "acme/erp", None, {}, store, clock)  # type: ignore[arg-type]
    first = leases.take(store, clock, "acme/erp", "a worker")
    assert first is not None
    clock.after.append(lambda: first.end(in_flight=False))
    async with beside.in_turn(settings, connection) as held:
        assert clock.slept == [beside.AGAIN]
        assert leases.take(store, clock, "acme/erp", "another worker") is None
        with held.store.session() as session:
            session.add(ConnectionState(name="acme/london", crm="acme/erp"))
    assert leases.take(store, clock, "acme/erp", "another worker") is not None
    store.close()


class _Clock(SystemClock):
    """Sleeps in no time; what stands in `after` happens meanwhile."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.after: list[Callable[[], None]] = []

    async def sleep(self, seconds: float) -> None:
        if not self.after:
            await asyncio.Event().wait()  # the renewal, which is ended with the lease
        self.slept.append(seconds)
        self.after.pop()()


@pytest.mark.processes
def test_the_page_is_served_alone_until_it_is_told_to_stop(fleet: FleetHouse) -> None:
    fleet.config.write_text(f"{FLEET}[web]\nport = 0\n")
    command = [sys.executable, "-c", "from nexudus_sync.cli import main; main()", "--config", str(fleet.config), "page"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(one for one in process.stderr if "page.started" in one)
        found = re.search(r"http://[^/ ]+", line)
        assert found is not None
        try:
            assert httpx.get(f"{found[0]}/healthz").status_code == 503
            assert "acme" in httpx.get(found[0]).text
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_page_that_is_off_says_so(fleet: FleetHouse) -> None:
    fleet.config.write_text(f"{FLEET}[web]\noff = true\n")
    ended = fleet.run("page")
    assert (ended.code, ended.err) == (
        2,
        f"nexudus-sync: {fleet.config}:6: web.off: says that there is no page; remove it\n",
    )
