"""A fleet: what becomes of its files, and the one line for each mistake in them."""

import json
from pathlib import Path

import pytest

from fleet_house import FLEET, House, find
from nexudus_sync.config import Settings, load
from nexudus_sync.config.fleet import Fleet, is_fleet
from nexudus_sync.errors import ConfigError
from test_config import ENVIRONMENT, MINIMAL


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_tenant_has_qualified_names_and_the_store_of_the_fleet(house: House) -> None:
    house.tenant("acme")
    found = house.load().settings("acme")
    assert [(one.name, one.crm) for one in found.connections] == [("acme/london", "acme/acme")]
    assert {name: crm.name for name, crm in found.crms.items()} == {"acme/acme": "acme/acme"}
    assert (found.tenant, found.hub) == ("acme", "acme/nexudus")
    assert found.store_url == f"sqlite:///{house.folder}/state.db"
    assert found.base_dir == house.folder / "tenants" / "acme"


def test_outside_a_fleet_no_name_is_qualified(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL)
    found = load(path, ENVIRONMENT, find=find)
    assert (found.tenant, found.hub, found.connections[0].name) == ("", "nexudus", "london")
    assert (found.of("london"), found.broken) == (found, {})


def test_the_tenants_are_the_folders_with_a_file_as_they_are_now(house: House) -> None:
    house.tenant("beta")
    house.tenant("acme")
    house.tenant(".being-made")
    (house.folder / "tenants" / "empty").mkdir()
    fleet = house.load()
    assert fleet.tenants() == ("acme", "beta")
    house.tenant("gamma")
    (house.folder / "tenants" / "acme" / "config.toml").unlink()
    assert fleet.tenants() == ("beta", "gamma")


def test_a_tenant_of_whom_there_is_nothing_is_told_with_the_nearest(house: House) -> None:
    house.tenant("acme")
    with pytest.raises(ConfigError, match="there is no tenant 'akme'; did you mean 'acme'"):
        house.load().settings("akme")


def test_its_own_secrets_go_before_what_the_whole_fleet_has(house: House) -> None:
    house.tenant("acme")
    house.tenant("beta", secrets={})
    fleet = house.load()
    assert fleet.settings("acme").nexudus.password.get_secret_value() == "acme's own"
    assert fleet.settings("beta").nexudus.password.get_secret_value() == ENVIRONMENT["NEXUDUS_PASSWORD"]


def test_the_secrets_beside_the_fleets_file_are_every_tenants(house: House) -> None:
    (house.folder / "secrets.env").write_text("NEXUDUS_USERNAME=all\nNEXUDUS_PASSWORD=of-them\nCRM_TOKEN=token\n")
    house.tenant("acme", secrets={"CRM_TOKEN": "its own"})
    found = Fleet.load(house.path, {}, find=find).settings("acme")
    assert found.nexudus.username == "all"
    assert "its own" in found.secrets()


@pytest.mark.processes
def test_a_program_prints_the_secrets_of_each_tenant(house: House) -> None:
    program = "echo NEXUDUS_PASSWORD=\\\\'$0 $(basename $PWD)\\\\'"
    house.path.write_text(f'{FLEET}secrets_command = ["sh", "-c", "{program}", "for {{tenant}} in"]\n')
    house.tenant("acme", secrets={})
    house.tenant("beta", secrets={"NEXUDUS_PASSWORD": "in the file"})
    fleet = house.load()
    assert fleet.settings("acme").nexudus.password.get_secret_value() == "for acme in acme"
    assert fleet.settings("beta").nexudus.password.get_secret_value() == "in the file"


@pytest.mark.processes
def test_a_tenants_own_program_takes_the_place_of_the_fleets(house: House) -> None:
    house.path.write_text(f'{FLEET}secrets_command = ["/no/such/program"]\n')
    program = 'secrets_command = ["echo", "NEXUDUS_PASSWORD=mine"]\n'
    house.tenant("acme", program + MINIMAL, secrets={})
    assert house.load().settings("acme").nexudus.password.get_secret_value() == "mine"


def test_a_list_asks_no_program_for_secrets(house: House) -> None:
    house.path.write_text(f'{FLEET}secrets_command = ["/no/such/program"]\n')
    house.tenant("acme", secrets={})
    assert Fleet.load(house.path, {}, find=find, secrets=False).settings("acme").tenant == "acme"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/no/such/program"], "/no/such/program cannot be run: No such file or directory"),
        (["sh", "-c", "echo hunter2 >&2; exit 1"], "ended with exit code 1"),
        (["echo", "hunter2 and more"], "printed: is not a line like NAME=value"),
        (["printf", r"\0hunter2"], "printed something else than lines of text"),
    ],
)
def test_a_program_that_fails_is_told_without_what_it_printed(house: House, command: list[str], said: str) -> None:
    text = house.refused(f"secrets_command = {json.dumps(command)}\n{MINIMAL}")
    assert text.startswith("/tenants/acme/config.toml: secrets_command: ")
    assert said in text
    assert "hunter2" not in text


@pytest.mark.parametrize("table", ["store", "web", "log", "fleet"])
def test_what_is_the_fleets_is_refused_in_a_tenants_file(house: House, table: str) -> None:
    text = house.refused(f"[{table}]\n{MINIMAL}")
    assert text == f"/tenants/acme/config.toml: {table}: belongs in the fleet's own file, /fleet.toml; remove it here"


@pytest.mark.parametrize("table", ["[nexudus]", "[crm.acme]", "[[connection]]"])
def test_what_is_a_tenants_is_refused_in_the_fleets_file(house: House, table: str) -> None:
    house.path.write_text(f"{FLEET}{table}\n")
    with pytest.raises(ConfigError, match=r"belongs in a tenant's own file, such as tenants/NAME/config.toml"):
        house.load()


@pytest.mark.parametrize("line", ["[fleet]\nfolder = 'tenants'", "secrets_command = ['a']"])
def test_a_plain_installation_says_what_is_a_fleets(tmp_path: Path, line: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"{line}\n{MINIMAL}")
    with pytest.raises(ConfigError, match="is for a fleet"):
        load(path, ENVIRONMENT, find=find)


def test_a_login_for_some_tenants_needs_a_fleet(tmp_path: Path, house: House) -> None:
    users = '[[web.users]]\nname = "sofia"\npassword = "${SOFIA_PASSWORD}"\ntenants = ["acme"]\n'
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL + users)
    with pytest.raises(ConfigError, match=r"web.users\[0\].tenants: there are no tenants without \[fleet\]"):
        load(path, ENVIRONMENT, find=find)
    house.path.write_text(FLEET + users)
    house.tenant("acme")
    (user,) = house.load().settings("acme").web.users
    assert user.tenants == ("acme",)


def test_what_the_fleet_says_of_runs_holds_where_a_tenant_says_nothing(house: House) -> None:
    house.tenant("acme", f'{MINIMAL}[run]\nabsence_wait = "20s"\n')
    found = house.load().settings("acme").run
    assert (found.readers, found.absence_wait.total_seconds()) == (3, 20)


def test_a_broken_tenant_stops_nobody_else(house: House) -> None:
    house.tenant("acme", "this is not TOML")
    house.tenant("beta")
    fleet = house.load()
    assert fleet.settings("beta").tenant == "beta"
    assert {name: error.where for name, error in fleet.problems().items()} == {
        "acme": f"{house.folder}/tenants/acme/config.toml:1"
    }
    whole = fleet.whole()
    assert [one.name for one in whole.connections] == ["beta/london"]
    assert list(whole.broken) == ["acme"]
    with pytest.raises(ConfigError, match="is not valid TOML"):
        whole.named("acme/london")


def test_a_tenant_is_read_again_when_a_file_of_it_changes(house: House) -> None:
    path = house.tenant("acme", MINIMAL.replace("scope", 'mapping = { crm = "own.toml" }\nscope'))
    fleet = house.load()
    found, stamp = fleet.settings("acme"), fleet.stamp("acme")
    assert fleet.settings("acme") is found
    (path.parent / "own.toml").write_text("[fields]")
    assert fleet.stamp("acme") != stamp
    path.write_text(MINIMAL.replace("london", "paris"))
    assert [one.name for one in fleet.settings("acme").connections] == ["acme/paris"]
    path.write_text("[nexudus")
    with pytest.raises(ConfigError):
        fleet.settings("acme")
    path.unlink()
    assert fleet.stamp("acme") == ()


@pytest.mark.processes
def test_a_secret_that_changes_elsewhere_is_asked_for_again_when_told_so(house: House, tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("NEXUDUS_PASSWORD=old")
    program = f'secrets_command = ["cat", "{tmp_path}/vault"]\n'
    house.tenant("acme", program + MINIMAL, secrets={})
    fleet = house.load()
    assert fleet.settings("acme").nexudus.password.get_secret_value() == "old"
    (tmp_path / "vault").write_text("NEXUDUS_PASSWORD=new")
    assert fleet.settings("acme").nexudus.password.get_secret_value() == "old"
    fleet.forget("acme")
    assert fleet.settings("acme").nexudus.password.get_secret_value() == "new"


def test_a_copied_tenant_is_refused_and_the_first_goes_on(house: House) -> None:
    house.tenant("acme", MINIMAL)
    house.tenant("acme-2", MINIMAL)
    fleet = house.load()
    assert list(fleet.problems()) == ["acme-2"]
    with pytest.raises(ConfigError, match=r"connection\[0\].scope.business_id: 1001 already belongs to tenant acme;"):
        fleet.settings("acme-2")
    assert fleet.settings("acme").tenant == "acme"


def test_a_folder_with_a_name_that_no_tenant_can_have_is_told(house: House) -> None:
    house.tenant("acme & sons")
    assert "'acme & sons' is not a valid name for a tenant" in str(house.load().problems()["acme & sons"])


def test_a_connection_is_found_by_both_of_its_names(house: House) -> None:
    house.tenant("acme")
    house.tenant("beta")
    fleet = house.load()
    found: Settings = fleet.settings("acme")
    assert found.named("london") == found.named("acme/london") == found.connections
    with pytest.raises(ConfigError, match="configured connections: acme/london"):
        found.named("beta/london")
    whole = fleet.whole()
    assert whole.named("beta/london") == fleet.settings("beta").connections
    with pytest.raises(ConfigError, match="no connection is named 'london'; configured connections: acme/london"):
        whole.named("london")


def test_the_whole_opens_records_where_their_tenant_does(house: House) -> None:
    for name in ("acme", "beta"):
        url = f'record_url = "https://{name}.example.com/{{id}}"\nusername'
        house.tenant(name, MINIMAL.replace("1001", str(len(name) * 7 + ord(name[0]))).replace("username", url, 1))
    whole = house.load().whole()
    assert whole.urls("beta/london", "5", "")[0] == "https://beta.example.com/5"
    assert whole.of("acme/london").tenant == "acme"
    assert [one.name for one in whole.only(["beta"]).connections] == ["beta/london"]
    assert "acme's own" in whole.secrets()


def test_a_fleet_without_its_folder_says_what_to_make(house: House) -> None:
    (house.folder / "tenants").rmdir()
    with pytest.raises(ConfigError, match=r"fleet.folder: no such folder; make .*tenants, with a folder for each"):
        house.load()


def test_an_empty_fleet_has_nothing_to_show(house: House) -> None:
    whole = house.load().whole()
    assert (whole.connections, whole.named(None)) == ((), ())
    assert is_fleet(house.path)
    assert not is_fleet(house.folder / "none.toml")


@pytest.mark.processes
def test_a_program_that_failed_is_asked_again_without_a_change(house: House, tmp_path: Path) -> None:
    house.tenant("acme", f'secrets_command = ["cat", "{tmp_path}/vault"]\n{MINIMAL}', secrets={})
    fleet = house.load()
    (first,), (second,) = fleet.problems().values(), fleet.problems().values()
    assert first is second
    (tmp_path / "vault").write_text("NEXUDUS_PASSWORD=new")
    assert fleet.settings("acme").nexudus.password.get_secret_value() == "new"


@pytest.mark.processes
def test_nobody_elses_secrets_are_asked_for(house: House, tmp_path: Path) -> None:
    house.tenant("acme", f'secrets_command = ["touch", "{tmp_path}/asked"]\n{MINIMAL}')
    house.tenant("beta")
    assert house.load().settings("beta").tenant == "beta"
    assert not (tmp_path / "asked").exists()


@pytest.mark.processes
def test_a_program_is_asked_for_the_secrets_that_are_needed_alone(house: House) -> None:
    program = 'secrets_command = ["echo", "NOTIFY_URL=json://of-acme"]\n'
    house.tenant("acme", f'{program}{MINIMAL}[notify]\nurls = ["${{NOTIFY_URL}}"]\n', secrets={})
    fleet = Fleet.load(house.path, {}, find=find, secrets=False, needed=("notify",))
    assert fleet.settings("acme").notify.addresses() == ["json://of-acme"]


def test_the_example_is_a_fleet(tmp_path: Path) -> None:
    (tmp_path / "tenants" / "acme").mkdir(parents=True)
    example = Path(__file__).parent.parent / "fleet.example.toml"
    (tmp_path / "fleet.toml").write_text(example.read_text())
    (tmp_path / "tenants" / "acme" / "config.toml").write_text(MINIMAL)
    found = Fleet.load(tmp_path / "fleet.toml", {**ENVIRONMENT, "TOM_PASSWORD": "long enough"}, find=find)
    assert found.settings("acme").web.users[1].tenants == ("acme", "beta")
