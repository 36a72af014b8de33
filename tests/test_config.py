"""Configuration: what a valid file becomes, and the one line a person gets for each mistake in it."""

import os
import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import certifi
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from nexudus_sync.config import ConnectionSettings, NotifySettings, Settings, WebSettings, load
from nexudus_sync.config.settings import duration
from nexudus_sync.connectors.base import Scope
from nexudus_sync.errors import ConfigError

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"

ENVIRONMENT = {
    "NEXUDUS_USERNAME": "sync@example.com",
    "NEXUDUS_PASSWORD": "correct-horse",
    "NEXUDUS_TOTP_SECRET": "JBSWY3DPEHPK3PXP" * 2,
    "CRM_TOKEN": "sk_test_1",
    "OVERPLANE_TOKEN": "sk_test_2",
    "SOFIA_PASSWORD": "long enough",
    "HUBSPOT_TOKEN": "pat-na1-test",
    "APP_KEY": "app-key-1",
    "ERPNEXT_API_KEY": "sync",
    "ERPNEXT_API_SECRET": "secret-1",
    "NOTIFY_URL": "json://127.0.0.1",
}

MINIMAL = """
[nexudus]
username = "${NEXUDUS_USERNAME}"
password = "${NEXUDUS_PASSWORD}"
[crm.acme]
connector = "acme"
base_url = "https://crm.example.com"
token = "${CRM_TOKEN}"
[[connection]]
name = "london"
crm = "acme"
scope = { business_id = 1001 }
"""

SECOND = """
[[connection]]
name = "madrid"
crm = "acme"
scope = { business_id = 1002 }
company = "Example SL"
"""


class AcmeApp(BaseModel):
    model_config = ConfigDict(extra="forbid")
    key: SecretStr
    scopes: tuple[str, ...] = ()


class AcmeSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    base_url: str
    token: SecretStr
    page_size: int = Field(default=100, ge=1, le=1000)
    ratio: float = Field(default=0.5, gt=0, lt=1)
    apps: dict[str, AcmeApp] = Field(default_factory=dict)
    spare: list[SecretStr] = Field(default_factory=list)


class LocalSettings(BaseModel):
    folder: str


class Backup(BaseModel):
    file: Path


class DiskSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    path: Path
    spare: tuple[Path, ...] = ()
    backup: Backup | None = None
    named: dict[str, Backup] = Field(default_factory=dict)
    default: Path | None = None


def find(name: str, *, where: str) -> SimpleNamespace:
    known = {"acme": AcmeSettings, "local": LocalSettings, "disk": DiskSettings}
    if name not in known:
        raise ConfigError(where, f'no connector is named "{name}"', 'known connectors: "acme"')
    return SimpleNamespace(Settings=known[name])


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def loaded(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    return load(written(tmp_path, text), ENVIRONMENT if environ is None else environ, find=find)


def complaint(tmp_path: Path, text: str | bytes, environ: dict[str, str] | None = None) -> str:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path, ENVIRONMENT if environ is None else environ, find=find)
    assert caught.value.exit_code == 2
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    return line.removeprefix(str(path)).removeprefix(": ")


def test_the_smallest_file_gets_the_documented_defaults(tmp_path: Path) -> None:
    settings = loaded(tmp_path, MINIMAL)
    (london,) = settings.connections
    assert settings.store_url == "sqlite:///state.db"
    assert settings.nexudus.base_url == "https://spaces.nexudus.com/api"
    assert settings.nexudus.limits.per_minute == 120
    assert (london.poll, london.reconcile) == (timedelta(minutes=1), timedelta(hours=24))
    assert (london.deletes, london.party, london.create_parties) == ("ignore", "Lead", True)
    assert (london.first_match, london.allow_stages) == ("manual", frozenset())
    assert (london.mapping.nexudus, london.mapping.crm) == (None, None)
    assert (settings.log.level, settings.log.format) == ("info", "console")
    assert settings.run.health_file is None
    assert (settings.run.jitter, settings.run.absence_wait) == (timedelta(seconds=5), timedelta(seconds=10))
    assert (settings.notify.urls, settings.notify.gather, settings.notify.every) == (
        (),
        timedelta(minutes=10),
        timedelta(hours=1),
    )
    assert (settings.web.off, settings.web.address, settings.web.port) == (False, "127.0.0.1", 8780)


def test_the_connectors_own_model_reads_its_part(tmp_path: Path) -> None:
    crm = loaded(tmp_path, MINIMAL).crms["acme"]
    assert (crm.name, crm.connector) == ("acme", "acme")
    assert isinstance(crm.settings, AcmeSettings)
    assert crm.settings.token.get_secret_value() == "sk_test_1"


def test_a_connector_may_do_without_an_address(tmp_path: Path) -> None:
    settings = loaded(tmp_path, MINIMAL + '[crm.files]\nconnector = "local"\nfolder = "in"\n')
    assert settings.crms["files"].settings == LocalSettings(folder="in")


def test_a_connection_is_a_scope_for_connectors(tmp_path: Path) -> None:
    more = (
        'company = "Example Corp"\ntime_zone = "Europe/London"\ncreate_board = 501\nparty = "Customer"\n'
        'allow_stages = ["Welcome mail"]\n'
    )
    (london,) = loaded(tmp_path, MINIMAL + more).connections
    assert london.scope() == Scope(
        business_id=1001,
        company="Example Corp",
        time_zone=ZoneInfo("Europe/London"),
        create_board=501,
        party="Customer",
        allow_stages=frozenset({"Welcome mail"}),
    )


def test_a_board_can_be_the_scope(tmp_path: Path) -> None:
    (london,) = loaded(tmp_path, MINIMAL.replace("business_id", "board_id")).connections
    assert london.scope() == Scope(board_id=1001)


def test_paths_start_at_the_configuration_file(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.toml"
    text = MINIMAL + f'mapping = {{ nexudus = "mappings/n.toml", crm = "{elsewhere.as_posix()}" }}\n'
    settings = loaded(tmp_path, text + '[run]\nhealth_file = "health"\n')
    (london,) = settings.connections
    assert london.mapping.nexudus == tmp_path / "mappings" / "n.toml"
    assert london.mapping.crm == elsewhere
    assert settings.run.health_file == tmp_path / "health"
    assert settings.base_dir == tmp_path


def test_the_paths_of_a_connector_start_there_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, _, tail = MINIMAL.partition("[crm.acme]")
    table = f"""[crm.acme]
connector = "disk"
path = "crm.json"
spare = ["one.json", "{(tmp_path / "two.json").as_posix()}"]
backup = {{ file = "../old.json" }}
named = {{ far = {{ file = "far.json" }} }}
"""
    path = written(tmp_path, head + table + tail[tail.index("[[connection]]") :])
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    for name in (path, Path("../config.toml")):
        settings = load(name, ENVIRONMENT, find=find).crms["acme"].settings
        assert isinstance(settings, DiskSettings)
        assert settings.path.resolve() == tmp_path / "crm.json"
        assert [one.resolve() for one in settings.spare] == [tmp_path / "one.json", tmp_path / "two.json"]
        assert settings.backup is not None
        assert settings.backup.file.resolve() == tmp_path.parent / "old.json"
        assert settings.named["far"].file.resolve() == tmp_path / "far.json"
        assert all(one.is_absolute() for one in (settings.path, *settings.spare, settings.backup.file))
        assert settings.default is None


def test_a_symbolic_link_counts_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = written(tmp_path / "real", MINIMAL)
    link = tmp_path / "config.toml"
    link.symlink_to(target)
    assert load(link, ENVIRONMENT, find=find).base_dir == tmp_path


def test_a_relative_path_of_the_file_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, MINIMAL + 'mapping = { crm = "crm.toml" }\n')
    monkeypatch.chdir(tmp_path)
    settings = load(Path("config.toml"), ENVIRONMENT, find=find)
    assert settings.path == Path("config.toml")
    assert settings.connections[0].mapping.crm == tmp_path / "crm.toml"


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = loaded(tmp_path, MINIMAL)
    with pytest.raises(AttributeError):
        settings.store_url = "sqlite://"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.connections[0].poll = timedelta(seconds=1)  # type: ignore[misc]


def test_environment_variables_fill_any_text_and_become_the_type_it_needs(tmp_path: Path) -> None:
    text = MINIMAL.replace("business_id = 1001", 'business_id = "${LONDON}"') + 'company = "${A} & ${B}"\n'
    (london,) = loaded(tmp_path, text, {**ENVIRONMENT, "LONDON": "7", "A": "Ann", "B": "${A}"}).connections
    assert london.cards.business_id == 7
    assert london.company == "Ann & ${A}"  # what a variable holds is not looked at again


def test_an_environment_variable_may_be_a_number_or_a_yes_or_no(tmp_path: Path) -> None:
    text = MINIMAL.replace("token =", 'page_size = "${PAGE}"\ntoken =') + 'create_parties = "${PARTIES}"\n'
    settings = loaded(tmp_path, text, {**ENVIRONMENT, "PAGE": "50", "PARTIES": "false"})
    assert settings.crms["acme"].settings.page_size == 50  # type: ignore[attr-defined]
    assert settings.connections[0].create_parties is False


def test_all_variables_that_are_missing_are_named_at_once(tmp_path: Path) -> None:
    told = complaint(tmp_path, MINIMAL, {"NEXUDUS_USERNAME": "sync@example.com", "NEXUDUS_PASSWORD": ""})
    assert told == (
        "environment variables are not set: NEXUDUS_PASSWORD (empty), CRM_TOKEN; "
        "set them before nexudus-sync starts, or in secrets.env beside the file"
    )


def test_all_secrets_are_known_to_the_log(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "[crm.acme]",
        'totp_secret = "${NEXUDUS_TOTP_SECRET}"\n[store]\nurl = "postgresql://u:${PG}@db/sync"\n[crm.acme]',
    )
    text = text.replace("token =", 'spare = ["${SPARE}"]\ntoken =')
    text = text.replace("[[connection]]", '[crm.acme.apps.one]\nkey = "${APP_KEY}"\n[[connection]]')
    text = text.replace("[[connection]]", '[notify]\nurls = ["${TEAM}"]\n[[connection]]')
    settings = loaded(tmp_path, text, {**ENVIRONMENT, "PG": "p%40ss", "SPARE": "s-2", "TEAM": "json://a:b@c"})
    totp = ENVIRONMENT["NEXUDUS_TOTP_SECRET"]
    assert settings.secrets() == {"correct-horse", totp, "sk_test_1", "app-key-1", "p@ss", "s-2", "json://a:b@c"}
    assert not any(secret in repr(settings) for secret in settings.secrets() | {"p%40ss"})


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load(path, ENVIRONMENT, find=find).connections[0].name == "london"


def test_the_example_is_valid_and_says_what_the_defaults_are() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "${NEXUDUS_PASSWORD}" in text
    settings = load(EXAMPLE, ENVIRONMENT)
    (london,) = settings.connections
    assert london.company == "Example Corp"
    assert settings.crms["overplane"].connector == "overplane"


def test_every_commented_setting_of_the_example_is_valid_too(tmp_path: Path) -> None:
    commented = r"^# (\[\[?[a-z.]+\]?\]|[a-z_]+ = .*)$"
    text = re.sub(commented, r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = text.replace("/etc/ssl/certs/ca-certificates.crt", certifi.where())
    settings = load(written(tmp_path, text), ENVIRONMENT)
    (london,) = settings.connections
    shown = {key for key, field in ConnectionSettings.model_fields.items() if key in london.model_fields_set}
    assert shown == set(ConnectionSettings.model_fields) - {"pipeline"}  # which is in place of company
    assert {crm.connector for crm in settings.crms.values()} == {"overplane", "erpnext", "hubspot"}
    own = {"connector", "company", "limits", "proxy", "ca_file", "http", "record_url"}  # shown with Nexudus
    erpnext = settings.crms["erpnext"].settings
    assert erpnext.model_fields_set == set(type(erpnext).model_fields) - own
    optional = {key: field for key, field in type(erpnext).model_fields.items() if not field.is_required()}
    assert {key: getattr(erpnext, key) for key in optional} == {key: field.default for key, field in optional.items()}
    assert settings.log.model_fields_set == {"level", "format"}
    assert settings.notify.model_fields_set == set(NotifySettings.model_fields)
    assert settings.web.model_fields_set == set(WebSettings.model_fields)
    assert settings.run.model_fields_set == {"health_file", "stale_after", "jitter", "absence_wait", "readers"}
    assert settings.nexudus.model_fields_set == set(type(settings.nexudus).model_fields)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        (" 5 m ", timedelta(minutes=5)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        (timedelta(seconds=1), timedelta(seconds=1)),
    ],
)
def test_durations_are_a_number_and_a_unit(text: object, span: timedelta) -> None:
    assert duration(text) == span


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "-5m", "1h30m", "1.5h", "٣s", 5, None])
def test_other_spellings_of_durations_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize("text", ["0s", "367d", "999999999d"])
def test_durations_of_nothing_or_of_ages_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be longer than"):
        duration(text)


# One mistake a line: what is replaced in the smallest file, by what, and the line a person gets.
MISTAKES = [
    (
        "scope = {",
        "skope = {",
        "connection[0].skope: no such key; did you mean 'scope'?",
    ),
    (
        "[[connection]]",
        '[web]\naddress = "0.0.0.0"\n[[connection]]',
        "web: an address that other machines can reach needs [[web.users]]",
    ),
    (
        "[[connection]]",
        '[web]\naddress = "sync.example.com"\n[[connection]]',
        'web.address: must be an IP address of this machine; write "127.0.0.1"',
    ),
    ("[[connection]]", '[web]\nhosts = ["sync.example"]\n[[connection]]', "web: a name that others may reach needs"),
    ("[[connection]]", '[web]\nhosts = ["a/b"]\n[[connection]]', "web.hosts[0]: must be a name alone"),
    (
        "[[connection]]",
        '[[web.users]]\nname = "Sofia"\npassword = "not in the file"\n[[connection]]',
        "web.users[0].password: a secret must not be in the file",
    ),
    (
        "[[connection]]",
        "".join(f'[[web.users]]\nname = "{name}"\npassword = "${{OVERPLANE_TOKEN}}"\n' for name in ("Sofia", "sofia"))
        + "[[connection]]",
        "web: two of the users have the same name",
    ),
    (
        "[[connection]]",
        '[notify]\nurls = ["slack://a/b/c"]\n[[connection]]',
        'notify.urls[0]: a secret must not be in the file; write "${NOTIFY_URLS}" and set that environment variable',
    ),
    ("[[connection]]", "[web]\nport = 65536\n[[connection]]", "web.port: must be at most 65535"),
    ("[[connection]]", "[run]\nzzz = 1\n[[connection]]", "run.zzz: no such key; known here: health_file, jitter,"),
    ("business_id", "busines_id", "connection[0].scope.busines_id: no such key; did you mean 'business_id'?"),
    ("username =", "usernam =", "nexudus.usernam: no such key; did you mean 'username'?"),
    ("token =", 'tokn = "x"\ntoken =', "crm.acme.tokn: no such key; did you mean 'token'?"),
    ("[nexudus]", "[nexuduss]", "nexuduss: no such key; did you mean 'nexudus'?"),
    (
        "[[connection]]",
        "[nexudus.limits]\nper_minut = 1\n[[connection]]",
        "nexudus.limits.per_minut: no such key; did you mean 'per_minute'?",
    ),
    (
        "[[connection]]",
        '[crm.acme.apps.one]\nkee = "${APP_KEY}"\n[[connection]]',
        "crm.acme.apps.one.kee: no such key; did you mean 'key'?",
    ),
    ('name = "london"\n', "", "connection[0].name: is missing; add it"),
    ('name = "london"', 'name = ""', "connection[0].name: must be one line of text, not empty"),
    ('name = "london"', 'name = " london"', "connection[0].name: must be one line of text"),
    ('name = "london"', 'name = "lon\\ndon"', "connection[0].name: must be one line of text"),
    ('name = "london"', "name = 5", "connection[0].name: must be text in quotes"),
    ("business_id = 1001", 'business_id = "x"', "connection[0].scope.business_id: must be a whole number"),
    ("business_id = 1001", "business_id = 1.5", "connection[0].scope.business_id: must be a whole number"),
    ("business_id = 1001", "business_id = true", "connection[0].scope.business_id: must be a whole number"),
    ("business_id = 1001", 'business_id = "1001"', "connection[0].scope.business_id: must be a whole number"),
    ("business_id = 1001", "business_id = 1001.0", "connection[0].scope.business_id: must be a whole number"),
    ("business_id = 1001", "business_id = 0", "connection[0].scope.business_id: must be more than 0"),
    ("{ business_id = 1001 }", "7", "connection[0].scope: must be a table"),
    (
        "business_id = 1001",
        "business_id = 1, board_id = 2",
        "connection[0].scope: has both business_id and board_id; give exactly one of them",
    ),
    ("business_id = 1001", "", "connection[0].scope: needs business_id or board_id; give exactly one of them"),
    (
        "scope = { business_id",
        "create_board = 1\nscope = { board_id",
        "connection[0]: create_board has no effect with scope.board_id",
    ),
    ('crm = "acme"', 'crm = "acne"', "connection[0].crm: there is no [crm.acne]; did you mean 'acme'?"),
    ('crm = "acme"', 'crm = "acme"\npoll = "5 minutes"', "connection[0].poll: '5 minutes' is not a duration; write"),
    ('crm = "acme"', 'crm = "acme"\npoll = 60', "connection[0].poll: 60 is not a duration; write"),
    ('crm = "acme"', 'crm = "acme"\npoll = "0s"', "connection[0].poll: '0s' must be longer than"),
    ('crm = "acme"', 'crm = "acme"\ndeletes = "never"', "connection[0].deletes: must be 'ignore' or 'propagate'"),
    ('crm = "acme"', 'crm = "acme"\nparty = "lead"', "connection[0].party: must be 'Lead', 'Customer' or 'Prospect'"),
    ('crm = "acme"', 'crm = "acme"\ncreate_parties = "si"', "connection[0].create_parties: must be true or false"),
    ('crm = "acme"', 'crm = "acme"\ncreate_parties = "yes"', "connection[0].create_parties: must be true or false"),
    ('crm = "acme"', 'crm = "acme"\ncreate_parties = 1', "connection[0].create_parties: must be true or false"),
    ('crm = "acme"', 'crm = "acme"\nnew_company = "true"', "connection[0].new_company: must be true or false"),
    ('crm = "acme"', 'crm = "acme"\ncreate_board = "7"', "connection[0].create_board: must be a whole number"),
    ("token =", 'page_size = "50"\ntoken =', "crm.acme.page_size: must be a whole number"),
    ("token =", "page_size = true\ntoken =", "crm.acme.page_size: must be a whole number"),
    ("token =", 'ratio = "0.5"\ntoken =', "crm.acme.ratio: must be a number"),
    ("[crm.acme]", 'overlap = "300"\n[crm.acme]', "nexudus.overlap: must be a whole number"),
    ("[crm.acme]", "lag = true\n[crm.acme]", "nexudus.lag: must be a whole number"),
    ('crm = "acme"', 'crm = "acme"\nallow_stages = "Won"', "connection[0].allow_stages: must be a list in [brackets]"),
    ('crm = "acme"', 'crm = "acme"\nmapping = { crm = 5 }', "connection[0].mapping.crm: must be a path in quotes"),
    (
        'crm = "acme"',
        'crm = "acme"\ntime_zone = "Europe/Lodnon"',
        "connection[0].time_zone: 'Europe/Lodnon' is not an IANA time zone; did you mean 'Europe/London'?",
    ),
    (
        'crm = "acme"',
        'crm = "acme"\ntime_zone = "../../etc/passwd"',
        "connection[0].time_zone: '../../etc/passwd' is not an IANA time zone; write one like",
    ),
    ("[[connection]]", "[connection]", "connection: belongs under a heading [[connection]], with two brackets"),
    ("[crm.acme]", "[crm]", "crm.connector: belongs under a heading [crm.NAME], with"),
    ("[crm.acme]", "[crm.nexudus]", "crm.nexudus: is not a valid name for a CRM; use letters"),
    ("[crm.acme]", '[crm."a:b"]', "crm.a:b: is not a valid name for a CRM; use letters"),
    ('connector = "acme"\n', "", "crm.acme.connector: must name the connector; for example"),
    (
        'connector = "acme"',
        'connector = "nope"',
        'crm.acme.connector: no connector is named "nope"; known connectors: "acme"',
    ),
    ("[crm.acme]", "auth = 5\n[crm.acme]", "nexudus.auth: must be 'token' or 'basic'"),
    ("[crm.acme]", "limits = 5\n[crm.acme]", "nexudus.limits: must be a table"),
    ("[crm.acme]", "limits = { per_day = 0 }\n[crm.acme]", "nexudus.limits.per_day: must be more than 0"),
    ("[crm.acme]", "limits = { per_day = -1 }\n[crm.acme]", "nexudus.limits.per_day: must be more than 0"),
    ("token =", "page_size = 0\ntoken =", "crm.acme.page_size: must be at least 1"),
    ("token =", "page_size = 5000\ntoken =", "crm.acme.page_size: must be at most 1000"),
    ("token =", "ratio = 2\ntoken =", "crm.acme.ratio: must be less than 1"),
    ("token =", 'ratio = "x"\ntoken =', "crm.acme.ratio: must be a number"),
    (
        "https://crm",
        "http://crm",
        "crm.acme.base_url: would send the password to crm.example.com unencrypted; write https",
    ),
    ("https://crm", "ftp://crm", "crm.acme.base_url: is not a web address; write one like"),
    ("https://crm.example.com", "crm.example.com", "crm.acme.base_url: is not a web address; write one like"),
    ("https://crm.example.com", "https://crm:x/", "crm.acme.base_url: is not a web address; write one like"),
    ("https://crm.example.com", "https://[::1/", "crm.acme.base_url: is not a web address; write one like"),
    (
        "https://crm",
        "https://me@crm",
        "crm.acme.base_url: contains a user name or password; give them in their own keys",
    ),
    (
        "https://crm.example.com",
        " https://crm.example.com",
        "crm.acme.base_url: contains a space or an invisible character",
    ),
    (
        "https://crm.example.com",
        "https://crm.exam ple.com",
        "crm.acme.base_url: contains a space or an invisible character",
    ),
    (
        "https://crm.example.com",
        "https://crm.example.com\\u200b",
        "crm.acme.base_url: contains a space or an invisible character",
    ),
    ("https://crm.example.com", "https://crm.example.com:0", "crm.acme.base_url: is not a web address; write one like"),
    ("https://crm.example.com", "https://crm.example.com?v=2", "crm.acme.base_url: has a part after ? or #, which"),
    ("https://crm.example.com", "https://crm.example.com/x?", "crm.acme.base_url: has a part after ? or #, which"),
    ("https://crm.example.com", "https://crm.example.com/#/login", "crm.acme.base_url: has a part after ? or #,"),
    (
        "[crm.acme]",
        'base_url = "https://spaces.example.com/api?x=1"\n[crm.acme]',
        "nexudus.base_url: has a part after ? or #, which calls would not carry; end it with the path",
    ),
    ("[nexudus]", '[store]\nurl = "state.db"\n[nexudus]', "store.url: must be a database URL, like"),
    (
        "[nexudus]",
        '[store]\nurl = "mongodb://db/sync"\n[nexudus]',
        "store.url: unknown kind of database 'mongodb'; known here: sqlite, postgresql",
    ),
    ("[nexudus]", '[store]\nurl = "mysql://db/sync"\n[nexudus]', "store.url: unknown kind of database 'mysql'"),
    ("[nexudus]", '[store]\nurl = "postgresql://db:port/sync"\n[nexudus]', "store.url: is not a database URL; write"),
    (
        "[nexudus]",
        '[store]\nurl = "sqllite:///state.db"\n[nexudus]',
        "store.url: unknown kind of database 'sqllite'; did you mean 'sqlite'?",
    ),
    ("[nexudus]", '[log]\nlevel = "loud"\n[nexudus]', "log.level: must be 'debug', 'info', 'warning' or 'error'"),
    (
        "[nexudus]",
        '[store]\nurl = "postgresql://me:hunter2@db/sync"\n[nexudus]',
        "store.url: a password must not be in the file; write ${STORE_PASSWORD} instead",
    ),
    (
        '"${NEXUDUS_PASSWORD}"',
        '"hunter2"',
        'nexudus.password: a secret must not be in the file; write "${NEXUDUS_PASSWORD}" and set that',
    ),
    ('"${CRM_TOKEN}"', '"hunter2"', 'crm.acme.token: a secret must not be in the file; write "${ACME_TOKEN}"'),
    ('"${CRM_TOKEN}"', '"hunter2${CRM_TOKEN}"', "crm.acme.token: a secret must not be in the file"),
    ('"${CRM_TOKEN}"', "123456", "crm.acme.token: a secret must not be in the file"),
    (
        "[[connection]]",
        '[crm.acme.apps.one]\nkey = "hunter2"\n[[connection]]',
        'crm.acme.apps.one.key: a secret must not be in the file; write "${ONE_KEY}"',
    ),
    ("token =", 'spare = ["${APP_KEY}", "hunter2"]\ntoken =', "crm.acme.spare[1]: a secret must not be in the file"),
    (
        "[crm.acme]",
        'totp_secret = "hunter2"\n[crm.acme]',
        'nexudus.totp_secret: a secret must not be in the file; write "${NEXUDUS_TOTP_SECRET}"',
    ),
    (
        "${CRM_TOKEN}",
        "${CRM_TOKN}",
        "crm.acme.token: the environment variable CRM_TOKN is not set; set CRM_TOKN before",
    ),
    ('name = "london"', 'name = "${"', "connection[0].name: '${' starts the name of an environment variable; write"),
    (
        'crm = "acme"',
        'crm = "acme"\nallow_stages = ["${NO}"]',
        "connection[0].allow_stages[0]: the environment variable",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "line"), MISTAKES, ids=[line[:60] for _, _, line in MISTAKES])
def test_a_mistake_is_one_line_with_file_key_and_remedy(tmp_path: Path, right: str, wrong: str, line: str) -> None:
    assert right in MINIMAL
    told = complaint(tmp_path, MINIMAL.replace(right, wrong, 1))
    assert told.startswith(line)
    assert "hunter2" not in told


def test_an_empty_environment_variable_is_told_apart_from_a_missing_one(tmp_path: Path) -> None:
    told = complaint(tmp_path, MINIMAL, {**ENVIRONMENT, "NEXUDUS_PASSWORD": ""})
    assert told.startswith("nexudus.password: the environment variable NEXUDUS_PASSWORD is empty; set")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("madrid", "london"), "connection[1].name: 'london' is the name of two connections; give each its own"),
        (
            ("1002", "1001"),
            "connection[1].scope.business_id: 1001 already belongs to connection 'london'; give each connection",
        ),
        (('company = "Example SL"\n', ""), "connection[1].company: connection 'london' uses the same CRM"),
        (("Example SL", "EXAMPLE corp"), "connection[1].company: connection 'london' uses the same CRM"),
    ],
)
def test_two_connections_must_not_get_in_each_others_way(tmp_path: Path, change: tuple[str, str], line: str) -> None:
    first = MINIMAL + 'company = "Example Corp"\n'
    assert len(loaded(tmp_path, first + SECOND).connections) == 2
    assert complaint(tmp_path, first + SECOND.replace(*change)).startswith(line)


def test_the_first_of_two_connections_to_one_crm_needs_a_company_too(tmp_path: Path) -> None:
    assert complaint(tmp_path, MINIMAL + SECOND).startswith(
        "connection[1].company: connection 'london' uses the same CRM"
    )


def test_two_connections_cannot_share_a_board(tmp_path: Path) -> None:
    text = (MINIMAL + 'company = "Example Corp"\n' + SECOND).replace("business_id = 1001", "board_id = 1002")
    assert len(loaded(tmp_path, text).connections) == 2
    told = complaint(tmp_path, text.replace("business_id", "board_id"))
    assert told.startswith("connection[1].scope.board_id: 1002 already belongs to connection 'london'")


def test_connections_to_different_crms_may_take_all_companies(tmp_path: Path) -> None:
    other = '[crm.other]\nconnector = "acme"\nbase_url = "https://o.example.com"\ntoken = "${CRM_TOKEN}"\n'
    second = SECOND.replace('"acme"', '"other"').replace('company = "Example SL"\n', "")
    assert len(loaded(tmp_path, MINIMAL + other + second).connections) == 2


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.3.2.1:8080",
        "[::1]:8080",
        "10.0.0.5:8000",
        "erp15:8000",
        "erp.internal",
        "[fd00::1]",
    ],
)
def test_a_system_on_this_machine_or_in_a_private_network_may_speak_http(tmp_path: Path, host: str) -> None:
    text = MINIMAL.replace("https://crm.example.com", f"http://{host}/api")
    assert loaded(tmp_path, text).crms["acme"].settings.base_url == f"http://{host}/api"  # type: ignore[attr-defined]


def test_a_file_without_connections_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path, "connection = []\n" + MINIMAL.split("[[")[0]).startswith("connection: is empty; add one")


def test_a_password_that_is_too_short_is_not_said_to_be_empty(tmp_path: Path) -> None:
    text = MINIMAL.replace("[[connection]]", '[[web.users]]\nname = "Sofia"\npassword = "${SHORT}"\n[[connection]]')
    told = complaint(tmp_path, text, {**ENVIRONMENT, "SHORT": "hotdesk"})
    assert (
        told == "web.users[0].password (environment variable SHORT): has fewer than 8 characters; choose a longer one"
    )


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; run `nexudus-sync init` .* --config"):
        load(tmp_path / "nowhere.toml", ENVIRONMENT, find=find)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; name the file in it"):
        load(tmp_path, ENVIRONMENT, find=find)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied; check its permissions"):
        load(tmp_path / "config.toml", ENVIRONMENT, find=find)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path, MINIMAL.encode("utf-16")) == "is not UTF-8 text; save it as UTF-8"


def test_a_syntax_error_names_the_line(tmp_path: Path) -> None:
    assert complaint(tmp_path, "[store]\nurl = sqlite\n").startswith(":2: is not valid TOML: ")


def test_a_file_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path, '[store]\nurl = """x').startswith("is not valid TOML: ")


def test_a_pipeline_is_the_part_of_a_crm_in_place_of_a_company(tmp_path: Path) -> None:
    (london,) = loaded(tmp_path, MINIMAL + 'pipeline = "Sales"\n').connections
    assert (london.part, london.scope().company) == ("Sales", "Sales")
    with pytest.raises(ConfigError, match="has both company and pipeline; give the one that the CRM has"):
        loaded(tmp_path, MINIMAL + 'pipeline = "Sales"\ncompany = "Example Corp"\n')
