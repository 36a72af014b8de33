"""`init` as a conversation: from nothing to the first two-way sync, with the doubles in place of the network."""

from pathlib import Path
from typing import Any

import pytest
from cli_house import House

from nexudus_sandbox.crms import TOKEN
from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sandbox.world import PASSWORD, Sandbox
from nexudus_sync import config
from nexudus_sync.cli import backfill, init
from nexudus_sync.cli.setup import systems
from nexudus_sync.clock import SystemClock
from nexudus_sync.config import secrets
from nexudus_sync.errors import Unavailable
from nexudus_sync.mapping import Side, parse
from nexudus_sync.store.tables import Link

NEXUDUS, CRM = "http://nexudus.test/api", "http://overplane.test"
LOGIN = (NEXUDUS, SYNC_USER, PASSWORD, "")
KEYS = ("--set", f"nexudus.base_url={NEXUDUS}", "--set", "nexudus.limits.per_minute=6000")
LIMITS = tuple(
    word
    for key in ("per_second", "per_minute", "per_hour", "writes_per_minute")
    for word in ("--set", f"nexudus.limits.{key}=9000")
)
"""The sandbox grants more than Nexudus does, and these tests do not wait."""
REST = ("--connector", "overplane", "--crm-url", CRM, "--company", "Example Corp", "--name", "london")
ENVIRONMENT = {"NEXUDUS_USERNAME": SYNC_USER, "NEXUDUS_PASSWORD": PASSWORD, "OVERPLANE_TOKEN": TOKEN}


@pytest.fixture
def office() -> Sandbox:
    return Sandbox(nexudus=6, crm=5, shared=4)


@pytest.fixture
def new(tmp_path: Path, office: Sandbox, monkeypatch: pytest.MonkeyPatch) -> House:
    """An empty folder, and the systems to connect."""
    monkeypatch.setattr(systems, "TRANSPORTS", office.transports(SystemClock()))
    return House(tmp_path, {}, office)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (init, backfill):
        monkeypatch.setattr(module, "at_terminal", lambda: True)


def typed(*answers: str) -> str:
    return "".join(f"{answer}\n" for answer in answers)


def stages(house: House) -> dict[str, tuple[str, ...]]:
    """The value table of the stages in the mapping that was written."""
    file = house.folder / "mappings" / "nexudus.toml"
    values = parse(file.read_text(encoding="utf-8"), str(file), Side.NEXUDUS).lenses["sales_stage"].values
    return dict(values.entries) if values else {}


def test_from_nothing_to_a_first_sync_by_answers_alone(new: House, office: Sandbox, terminal: None) -> None:
    crm = ("overplane", CRM, TOKEN)
    places = ("1", "Example Corp", "1", "-", "")
    ended = new.run("init", *LIMITS, answers=typed(*LOGIN, *crm, *places, "", "", "", "y"))
    assert (ended.code, ended.err) == (0, "")
    (connection,) = config.load(new.config, {}).connections
    assert (connection.name, connection.cards.business_id, connection.company) == (
        "example-london",
        1001,
        "Example Corp",
    )
    assert secrets.read(new.folder / "secrets.env") == ENVIRONMENT
    assert (new.folder / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in new.config.read_text(encoding="utf-8")
    assert stages(new) == {"Welcome mail": ("Prospecting",)}
    assert "example-london: everything works" in ended.out
    assert len(new.rows(Link)) == 7  # 4 on both sides, 2 and 1 copied
    card, row = office.seeded.equal[0]
    office.nexudus.edit(card, "maria.nunez@example.com", Name="Edited here")
    assert new.run("sync").code == 0
    assert office.overplane.record(row)["title"] == "Edited here"
    assert TOKEN not in ended.out + ended.err


def test_a_wrong_login_is_told_and_asked_again_without_losing_the_rest(new: House, terminal: None) -> None:
    wrong = (NEXUDUS, SYNC_USER, "wr0ng-password", "")
    right = ("", "", PASSWORD, "")
    ended = new.run("init", *REST, "--location", "1001", "--set", "crm.x=1", answers=typed(*wrong, *right))
    assert "the login of sync@example.com was refused" in ended.err
    assert "nexudus: the login works" in ended.out
    assert "wr0ng" not in ended.out + ended.err


def test_an_authenticator_key_that_was_given_by_mistake_can_be_left_out_again(new: House, terminal: None) -> None:
    answers = (NEXUDUS, SYNC_USER, PASSWORD, "0-1", "", "", "", "-", "overplane", CRM, TOKEN)
    ended = new.run("init", "--company", "Example Corp", "--location", "1001", "--name", "x", answers=typed(*answers))
    assert "nexudus: the login works." in ended.out


def test_a_wrong_token_is_asked_again(new: House, terminal: None) -> None:
    crm = (CRM, "sk_wrong", "", TOKEN)
    ended = new.run(
        "init", *REST[:2], *REST[4:], "--location", "1001", *KEYS, answers=typed(*LOGIN[1:], *crm, "-", "-", "-", "n")
    )
    assert "overplane: the login works" in ended.out
    assert ended.code == 0
    assert secrets.read(new.folder / "secrets.env")["OVERPLANE_TOKEN"] == TOKEN


def test_a_half_done_one_leaves_nothing_behind(new: House, terminal: None) -> None:
    ended = new.run("init", answers=typed(*LOGIN, "overplane", CRM, TOKEN, "1"))
    assert (ended.code, [*new.folder.iterdir()]) == (130, [])


def run_silently(new: House, *more: str, environment: dict[str, str] = ENVIRONMENT) -> Any:
    new.environment = environment
    return new.run("init", "--no-input", *KEYS, *REST, *more)


def test_everything_can_be_given_without_a_terminal(new: House) -> None:
    pairs = ("--stage", "Welcome mail=New lead", "--stage", "New lead=Prospecting", "--lost-reason", "Need=Went silent")
    ended = run_silently(new, "--location", "1001", *pairs)
    assert (ended.code, ended.err) == (0, "")
    found = config.load(new.config, ENVIRONMENT)
    assert found.nexudus.limits.per_minute == 6000
    assert str(found.nexudus.base_url) == NEXUDUS
    assert stages(new) == {"New lead": ("New lead", "Prospecting"), "Welcome mail": ("New lead",)}
    assert '2 = ["Need", "Went silent"]' in (new.folder / "mappings" / "nexudus.toml").read_text(encoding="utf-8")
    assert '"Archive & delete" has no counterpart' in ended.out
    assert not (new.folder / "secrets.env").exists()  # the environment has them
    assert new.run("mapping", "check").code == 0


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        ("NEXUDUS_PASSWORD", "--set nexudus.password=… or as NEXUDUS_PASSWORD in the environment"),
        ("OVERPLANE_TOKEN", "--set crm.token=… or as OVERPLANE_TOKEN in the environment"),
    ],
)
def test_a_missing_login_names_the_option(new: House, left_out: str, told: str) -> None:
    ended = run_silently(new, environment={name: one for name, one in ENVIRONMENT.items() if name != left_out})
    assert (ended.code, ended.err.count("\n"), told in ended.err) == (2, 1, True)
    assert not [*new.folder.iterdir()]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ((), "give it as --location or --board; there is: Example London, location 1001"),
        (("--location", "7"), "--location 7: this login sees no such one; there is: Example London"),
        (("--board", "7"), "--board 7: this login sees no such one"),
        (("--location", "1003"), "give it as --create-board; there is: Sales, "),
        (("--location", "1001", "--company", "Exmaple"), 'no company "Exmaple"; there is: Example '),
        (("--location", "1001", "--stage", "Nonsense=Won"), "there is no 'Nonsense'; it has New lead"),
        (("--location", "1001", "--stage", "Won"), "--stage: 'Won' is not a pair"),
        (("--location", "1001", "--set", "hunter2"), "--set: is not like nexudus.KEY=VALUE"),
        (("--location", "1001", "--set", "nexudus.limits.per_minute=0"), "limits.per_minute: must be more than 0"),
        (("--location", "1001", "--set", "nexudus.base_url=http://nexudus.com"), "unencrypted"),
        (("--location", "1001", "--set", "crm.tokn=x"), "crm.tokn: no such key"),
        (
            ("--location", "1001", "--lost-reason", "Need=Timing"),
            "'Timing' is also on line",
        ),
    ],
)
def test_each_unusable_answer_is_one_line_and_writes_nothing(new: House, more: tuple[str, ...], told: str) -> None:
    ended = run_silently(new, *more)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert told in ended.err
    assert "hunter2" not in ended.err
    assert not [*new.folder.iterdir()]


def test_names_cannot_be_paired_offline(new: House) -> None:
    ended = new.run("init", "--offline", *REST, "--location", "1001", "--stage", "Won=Won")
    assert (ended.code, "--stage: needs the names that the systems know; leave --offline out" in ended.err) == (2, True)


def test_pairs_alone_make_it_try_the_logins(new: House) -> None:
    ended = new.run("init", "--no-input", *REST, "--location", "1001", "--stage", "Won=Won")
    assert (ended.code, "--set nexudus.username=…" in ended.err) == (2, True)


def test_a_board_that_new_cards_go_to_can_be_given(new: House, office: Sandbox) -> None:
    boards = office.nexudus.directory.boards
    events = next(number for number, row in boards.items() if row["Name"] == "Events")
    ended = run_silently(new, "--location", "1003", "--create-board", str(events), "--company", "Example Americas")
    assert ended.code == 0
    assert config.load(new.config, ENVIRONMENT).connections[0].create_board == events


def test_a_password_from_outside_that_is_wrong_is_not_asked_again(new: House, terminal: None) -> None:
    new.environment = ENVIRONMENT | {"NEXUDUS_PASSWORD": "wr0ng-password"}
    ended = new.run("init", *KEYS, *REST, "--location", "1001", answers="")
    assert ended.code == 2
    assert "correct NEXUDUS_PASSWORD, NEXUDUS_USERNAME in the environment" in ended.err
    assert "wr0ng" not in ended.err


def test_what_was_kept_the_last_time_is_not_asked_again(new: House, terminal: None) -> None:
    beside = new.folder / "secrets.env"
    beside.write_text("# mine\nOTHER=1\n" + "".join(f"{key}={one}\n" for key, one in ENVIRONMENT.items()))
    ended = new.run("init", *KEYS, *REST, "--location", "1001", answers=typed("-", "-", "-", "n"))
    assert (ended.code, ended.err) == (0, "")
    assert beside.read_text(encoding="utf-8").startswith("# mine\nOTHER=1\nNEXUDUS_USERNAME=")


def test_a_system_that_cannot_be_reached_ends_it_without_a_terminal(
    new: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise Unavailable("nexudus", "cannot be reached; check the network and base_url")

    monkeypatch.setattr(systems.Table, "settings", down)
    ended = run_silently(new, "--location", "1001")
    assert (ended.code, "cannot be reached" in ended.err, [*new.folder.iterdir()]) == (1, True, [])


def test_a_location_without_a_time_zone_is_asked_for_one(new: House, office: Sandbox, terminal: None) -> None:
    business = office.nexudus.directory.businesses[1001]
    office.nexudus.directory.businesses[1001] = {key: one for key, one in business.items() if "TimeZone" not in key}
    answers = typed("Europe/Londn", "Europe/London", "-", "-", "-", "n")
    new.environment = ENVIRONMENT
    ended = new.run("init", *KEYS, *REST, "--location", "1001", answers=answers)
    assert (ended.code, "did you mean 'Europe/London'?" in ended.out) == (0, True)
    assert config.load(new.config, ENVIRONMENT).connections[0].time_zone == "Europe/London"


def test_erpnext_is_connected_in_the_same_way(tmp_path: Path, terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Sandbox(crm_name="erpnext", nexudus=6, crm=5, shared=4)
    monkeypatch.setattr(systems, "TRANSPORTS", office.transports(SystemClock()))
    new = House(tmp_path, {}, office)
    given = office.environment()
    crm = ("erpnext", "http://erpnext.test", given["ERPNEXT_API_KEY"], given["ERPNEXT_API_SECRET"])
    ended = new.run("init", *LIMITS, answers=typed(*LOGIN, *crm, "1", "Example Corp", "-", "-", "-", "", "y", "y", "y"))
    assert (ended.code, ended.err) == (0, "")
    assert secrets.read(new.folder / "secrets.env") == given
    assert "From now on `nexudus-sync run`" in ended.out


def test_of_hubspot_a_pipeline_takes_part_and_the_account_is_remembered(
    tmp_path: Path, terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Sandbox(crm_name="hubspot", nexudus=6, crm=5, shared=4)
    london = next(one for one in office.hubspot.pipelines.all if one.label == "Example Corp")
    london.stages[2].label = "Visit"
    monkeypatch.setattr(systems, "TRANSPORTS", office.transports(SystemClock()))
    new = House(tmp_path, {}, office)
    given = office.environment()
    limits = ("--set", "crm.limits={ per_second = 900 }", "--set", "crm.search_limits={ per_second = 100 }")
    crm = ("hubspot", "http://hubspot.test", given["HUBSPOT_TOKEN"])
    ended = new.run("init", *LIMITS, *limits, answers=typed(*LOGIN, *crm, "1", "1", "3", "-", "-", "", "n"))
    assert (ended.code, ended.err) == (0, "")
    assert "Which pipeline's opportunities in hubspot belong to it?" in ended.out
    assert "1  Example Corp (5 deals)" in ended.out
    assert "All opportunities" not in ended.out
    assert "lists no lost reason yet, so there is nothing to pair." in ended.out
    found = config.load(new.config, given)
    assert (found.connections[0].pipeline, found.connections[0].company) == ("Example Corp", None)
    assert "portal_id = 12345678\n" in new.config.read_text(encoding="utf-8")
    assert stages(new)["Tour booked"] == ("Visit",)


def test_the_option_for_a_pipeline_is_checked_as_one_for_a_company_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Sandbox(crm_name="hubspot", nexudus=1, crm=1, shared=0)
    monkeypatch.setattr(systems, "TRANSPORTS", office.transports(SystemClock()))
    new = House(tmp_path, office.environment(), office)
    keys = ("--set", f"nexudus.base_url={NEXUDUS}", "--connector", "hubspot", "--crm-url", "http://hubspot.test")
    rest = ("--name", "london", "--location", "1001", *LIMITS)
    ended = new.run("init", "--no-input", *keys, *rest, "--pipeline", "Exmaple")
    assert (ended.code, 'hubspot has no pipeline "Exmaple"; there is: Example Corp (1 deal)' in ended.err) == (2, True)
    assert new.run("init", "--no-input", *keys, *rest, "--pipeline", "example corp").code == 0
    assert config.load(new.config, office.environment()).connections[0].pipeline == "Example Corp"


@pytest.fixture
def keyless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Nothing yet, beside a HubSpot account without the property for the key."""
    office = Sandbox(crm_name="hubspot", nexudus=1, crm=1, shared=0)
    office.hubspot.properties.of["deals"].pop("nexudus_id")
    monkeypatch.setattr(systems, "TRANSPORTS", office.transports(SystemClock()))
    return House(tmp_path, office.environment(), office)


HUBSPOT = (
    *("--set", f"nexudus.base_url={NEXUDUS}", "--connector", "hubspot", "--crm-url", "http://hubspot.test", *LIMITS),
    *("--name", "london", "--location", "1001", "--pipeline", "Example Corp"),
    *("--set", "crm.limits.per_second=1000"),
)


def has_key(new: House) -> bool:
    found = new.sandbox.hubspot.properties.of["deals"].get("nexudus_id")
    return found is not None and found.unique


@pytest.mark.parametrize(("answer", "made"), [("", False), ("y", True)])
def test_the_property_for_the_key_is_made_if_a_person_says_yes(
    keyless: House, terminal: None, answer: str, made: bool
) -> None:
    ended = keyless.run("init", *HUBSPOT, answers=typed(answer, *["-"] * 5, "n"))
    assert (ended.code, ended.err) == (0, "")
    assert "hubspot lacks the deal property" in ended.out
    assert has_key(keyless) is made
    assert ("check --create-property` makes it" in ended.out) is not made


def test_the_property_for_the_key_is_made_without_a_terminal_only_where_the_option_says_so(keyless: House) -> None:
    assert keyless.run("init", "--no-input", *HUBSPOT).code == 0
    assert not has_key(keyless)
    ended = keyless.run("check")
    assert "let `check --create-property` do it, if the key has the scope crm.schemas.deals.write" in ended.out
    ended = keyless.run("check", "--create-property")
    assert ended.code == 0
    assert 'hubspot: deals have the property "Nexudus ID" (nexudus_id) now; its values are unique.' in ended.out
    assert has_key(keyless)
    assert "now; its values" not in keyless.run("check", "--create-property").out


def test_init_makes_the_property_for_the_key_where_the_option_says_so(keyless: House) -> None:
    assert keyless.run("init", "--no-input", *HUBSPOT, "--create-property").code == 0
    assert has_key(keyless)


def test_a_refused_property_names_the_scope_and_stops_nothing(keyless: House) -> None:
    for key in keyless.sandbox.hubspot.gate.keys.values():
        key.scopes -= {"crm.schemas.deals.write"}
    ended = keyless.run("init", "--no-input", *HUBSPOT, "--create-property")
    assert (ended.code, "lacks the scope crm.schemas.deals.write" in ended.err) == (0, True)
    ended = keyless.run("check", "--create-property", "--json")
    assert (ended.code, "lacks the scope crm.schemas.deals.write" in ended.err) == (1, True)
    assert '"external key"' in ended.out


def test_a_property_is_not_made_without_a_login(keyless: House) -> None:
    ended = keyless.run("init", "--no-input", *HUBSPOT, "--create-property", "--offline")
    assert (ended.code, "run `check --create-property` afterwards" in ended.err) == (2, True)
