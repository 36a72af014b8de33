"""The example connector as somebody else's package: announced by an entry point, configured, and at work."""

import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from contract_kit import ANA, SECRET, SYNC, HandClock
from example_connector import JsonFileConnector
from example_rig import EMPTY, BadDisk, People

from nexudus_sandbox.faults import Faults
from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync import codec, config
from nexudus_sync.connectors import registry
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.assemble import Engine, assemble, load_mapping
from nexudus_sync.errors import ConfigError

HERE = Path(__file__).parent
CONFIG = """\
[nexudus]
base_url = "https://nexudus.test/api"
username = "${NEXUDUS_USERNAME}"
password = "${NEXUDUS_PASSWORD}"
auth = "basic"

[crm.ours]
connector = "jsonfile"
path = "crm.json"

[[connection]]
name = "london"
crm = "ours"
scope = { business_id = 1001 }
company = "Example Corp"
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example, as pip would leave it: what its package announces stands beside it."""
    info = tmp_path / "site" / "nexudus_sync_jsonfile-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nexudus-sync-jsonfile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nexudus_sync.connectors]\njsonfile = example_connector:JsonFileConnector\n"
    )
    monkeypatch.syspath_prepend(info.parent)


class House:
    """A Nexudus location and the team's JSON file, and one configuration for both."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.folder = HandClock(), folder
        self.nexudus = NexudusDouble(self.clock.now, windows=())
        self.nexudus.add_account(SYNC, SECRET)
        self.faults = Faults()
        directory = self.nexudus.directory
        board = directory.add_board(directory.add_business("London", currency="GBP", time_zone="Europe/London"), "CRM")
        self.stage = directory.add_stage(board, "New lead")
        directory.add_user(ANA, "Ana")
        self.file = folder / "crm.json"
        self.file.write_text(codec.dumps(EMPTY), encoding="utf-8")
        self.people = People(self.file, self.clock)
        (folder / "config.toml").write_text(CONFIG, encoding="utf-8")

    def add_card(self, title: str, email: str, **values: Any) -> int:
        """A person adds a card."""
        customer = self.nexudus.directory.add_coworker(email, f"Person of {title}", 1001)
        return self.nexudus.create(
            ANA, Name=title, CoworkerId=customer, CrmBoardColumnId=self.stage, Position=1, **values
        )

    def add_deal(self, title: str, email: str, **values: Any) -> str:
        """A person adds an opportunity to the file."""
        return self.people.add(name=title, email=email, company="Example Corp", currency="GBP", **values)

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        """A process on this house's store."""
        self.clock.turn(60)
        settings = config.load(self.folder / "config.toml", {"NEXUDUS_USERNAME": SYNC, "NEXUDUS_PASSWORD": SECRET})
        transports = {"nexudus": DoubleTransport(self.nexudus, self.faults, clock=self.clock)}
        engine = assemble(
            settings, clock=self.clock, rng=random.Random(self.clock.now().timestamp()), transports=transports
        )
        await engine.start()
        yield engine
        await engine.aclose()

    async def sync(self, **options: Any) -> Report:
        """One cycle."""
        async with self.engine() as engine:
            return await run_cycle(engine.connection("london")[0], Options(**options))


@pytest.fixture
def house(tmp_path: Path, installed: None) -> House:
    """Three cards and three opportunities; one of each is the same deal."""
    house = House(tmp_path)
    house.add_card("Whole floor", "noor@example.org", Value=1200, DueDate="2026-05-01T12:00:00Z")
    house.add_card("Two desks", "kai@example.org", Status=2)
    house.add_card("Meeting room", "ida@example.org")
    house.add_deal("Two desks", "KAI@example.org", state="won", my_own_field={"deep": [1, None]})
    house.add_deal("Event space", "tom@example.org", value="80.50", owner=ANA)
    house.add_deal("Hot desk", "eva@example.org", close_on="2026-06-30")
    return house


def test_a_connector_of_another_package_is_found_by_its_entry_point(installed: None) -> None:
    assert "jsonfile" in registry.names()
    assert registry.find("jsonfile") is JsonFileConnector


async def test_its_relative_paths_start_at_the_configuration_wherever_it_is_run(
    house: House, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert (await house.sync()).pairs == 1
    async with house.engine() as engine:
        file = engine.connectors["ours"]
        assert isinstance(file, JsonFileConnector)
        assert file.file.path == house.file


def test_the_mapping_that_its_package_brings_is_used_where_none_is_named(house: House) -> None:
    environment = {"NEXUDUS_USERNAME": SYNC, "NEXUDUS_PASSWORD": SECRET}
    path, own = house.folder / "config.toml", (HERE / "example_mapping.toml").read_text(encoding="utf-8")

    def source() -> str:
        settings = config.load(path, environment)
        return load_mapping(settings, settings.connections[0]).crm.source

    assert source() == "jsonfile.toml"
    path.write_text(CONFIG + 'mapping = { crm = "jsonfile.toml" }\n', encoding="utf-8")
    assert source() == "jsonfile.toml"
    (house.folder / "jsonfile.toml").write_text(own, encoding="utf-8")
    assert source() == str(house.folder / "jsonfile.toml")
    path.write_text(CONFIG + 'mapping = { crm = "ours.toml" }\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ours\.toml: no such file"):
        source()


def test_without_a_mapping_of_its_own_one_has_to_be_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JsonFileConnector, "mapping", None)
    settings = config.load(house.folder / "config.toml", {"NEXUDUS_USERNAME": SYNC, "NEXUDUS_PASSWORD": SECRET})
    with pytest.raises(ConfigError) as raised:
        load_mapping(settings, settings.connections[0])
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{house.folder / 'config.toml'}: connection london: mapping: is missing")
    assert 'mapping = { crm = "mappings/jsonfile.toml" }' in line


def test_without_its_package_the_configuration_says_which_connectors_there_are(tmp_path: Path) -> None:
    House(tmp_path)
    environment = {"NEXUDUS_USERNAME": SYNC, "NEXUDUS_PASSWORD": SECRET}
    with pytest.raises(
        ConfigError, match='no connector is named "jsonfile"; known connectors: "erpnext", "hubspot", "overplane"'
    ):
        config.load(tmp_path / "config.toml", environment)


async def test_a_backfill_leaves_each_opportunity_once_on_either_side_saying_the_same(house: House) -> None:
    report = await house.sync()
    assert (report.pairs, dict(report.created), report.errors) == (1, {"nexudus": 2, "crm": 2}, [])
    titles = sorted(card["Name"] for card in house.nexudus.records().values())
    deals = {deal["name"]: deal for deal in house.people.records().values()}
    assert titles == ["Event space", "Hot desk", "Meeting room", "Two desks", "Whole floor"] == sorted(deals)
    floor = deals["Whole floor"]
    assert (floor["value"], floor["close_on"], floor["email"]) == (1200, "2026-05-01", "noor@example.org")
    assert (floor.get("state"), floor["updated_by"]) == (None, "nexudus-sync")  # blank is open
    assert deals["Two desks"]["my_own_field"] == {"deep": [1, None]}
    cards = {card["Name"]: card for card in house.nexudus.records().values()}
    assert str(cards["Event space"]["Value"]) == "80.50"
    assert cards["Event space"]["ResponsibleId"] is not None
    assert cards["Hot desk"]["DueDate"].startswith("2026-06-30")


async def test_a_second_sync_writes_nothing(house: House) -> None:
    await house.sync()
    cards, file = house.nexudus.records(), house.file.read_text(encoding="utf-8")
    for options in ({}, {}, {"reconcile": True}):
        assert (await house.sync(**options)).written == 0
    assert house.nexudus.records() == cards
    assert house.file.read_text(encoding="utf-8") == file


async def test_later_edits_travel_both_ways_and_touch_nothing_else(house: House) -> None:
    await house.sync()
    deal = next(one for one in house.people.records().values() if one["name"] == "Two desks")
    card = next(one for one in house.nexudus.records().values() if one["Name"] == "Two desks")
    house.people.edit(deal["id"], value=300)
    house.nexudus.edit(card["Id"], ANA, Name="Three desks")
    assert (await house.sync()).written == 2
    after = house.people.records()[deal["id"]]
    assert after["name"] == "Three desks"
    assert house.nexudus.records()[card["Id"]]["Value"] == 300
    assert {**deal, "name": "Three desks", "value": 300, "updated_at": after["updated_at"]} == {
        **after,
        "updated_by": ANA,
    }
    assert (await house.sync()).written == 0


async def test_a_create_whose_answer_is_lost_on_either_side_is_not_done_twice(house: House) -> None:
    await house.sync()
    house.add_deal("Lost on the way to Nexudus", "lea@example.org")
    house.add_card("Lost on the way to the file", "max@example.org")
    house.faults.add("timeout_after", "POST /api/crm/crmopportunities$")
    async with house.engine() as engine:
        file = engine.connectors["ours"]
        assert isinstance(file, JsonFileConnector)
        file.file = disk = BadDisk(house.file)
        disk.plan.append(["replaced", 2])
        report = await run_cycle(engine.connection("london")[0])
        assert (disk.hits, len(house.faults.injected)) == (2, 1)
    assert report.created == {"nexudus": 1, "crm": 1}
    for _ in range(2):
        assert (await house.sync()).written == 0
    assert len(house.nexudus.records()) == len(house.people.records()) == 7
    assert [one["email"] for one in house.people.contacts()].count("max@example.org") == 1


@pytest.mark.processes
def test_the_contract_can_be_tried_with_one_rig_only() -> None:
    """As somebody else's package does it."""
    chosen = ["--rig", "example_rig:JsonFileRig", "-k", "edges_of_pages", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", str(HERE), *chosen]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(HERE)})
    assert done.returncode == 0, done.stdout
    assert "NexudusRig" not in done.stdout
    assert " passed" in done.stdout


def test_the_example_is_short() -> None:
    assert len((HERE / "example_connector.py").read_text(encoding="utf-8").splitlines()) < 250
