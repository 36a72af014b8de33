"""Configuration and mapping files that are none, and values that no request could carry."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import certifi
import pytest

from nexudus_sync.config import Settings, load
from nexudus_sync.connectors.network import Network, certificates
from nexudus_sync.connectors.registry import find
from nexudus_sync.errors import ConfigError, MappingError
from nexudus_sync.files import LARGEST
from nexudus_sync.mapping import Side, load_file, parse

CONFIG = """
[nexudus]
username = "${NEXUDUS_USERNAME}"
password = "${NEXUDUS_PASSWORD}"
[crm.overplane]
connector = "overplane"
token = "${OVERPLANE_TOKEN}"
[crm.erp]
connector = "erpnext"
base_url = "https://erp.example.com"
api_key = "${ERP_KEY}"
api_secret = "${ERP_SECRET}"
[[connection]]
name = "london"
crm = "overplane"
scope = { business_id = 1001 }
"""
ENVIRON = {
    "NEXUDUS_USERNAME": "sync@example.com",
    "NEXUDUS_PASSWORD": "pässword with spaces",
    "OVERPLANE_TOKEN": "tok-1",
    "ERP_KEY": "key-1",
    "ERP_SECRET": "secret-1",
    "PROXY_PASSWORD": "pr%40xy",
}


def loaded(folder: Path, text: str = CONFIG, **environ: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {**ENVIRON, **environ}, find=find)


def refused(folder: Path, text: str = CONFIG, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, **environ)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder / 'config.toml'}")


def a_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def a_large_file(path: Path) -> Path:
    path.write_bytes(b"#" * (LARGEST + 1))
    return path


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (a_pipe, "is a pipe or a device, not a file"),
        (lambda path: Path("/dev/zero"), "is a pipe or a device, not a file"),
        (a_large_file, "is larger than 1 MiB"),
    ],
)
def test_what_is_no_file_of_a_person_is_refused_by_name(
    make: Callable[[Path], Path], problem: str, tmp_path: Path
) -> None:
    path = make(tmp_path / "odd.toml")
    with pytest.raises(ConfigError, match=f"{path}: {problem}"):
        load(path, ENVIRON, find=find)
    with pytest.raises(MappingError, match=f"{path}: {problem}"):
        load_file(path)


@pytest.mark.parametrize(
    "text",
    [f"[{'.'.join('a' * 1000)}]", f"a = {'[' * 5000}{']' * 5000}", f"a.{'.'.join('b' * 30)} = 1", "a=" + "{b=" * 999],
)
def test_tables_that_nobody_can_follow_are_refused(text: str, tmp_path: Path) -> None:
    problem = refused(tmp_path, text)
    assert "within each other" in problem or "not valid TOML" in problem
    with pytest.raises(MappingError, match=r"within each other|not valid TOML"):
        parse(text, "odd.toml", Side.CRM)


@pytest.mark.parametrize("name", sorted(ENVIRON.keys() - {"PROXY_PASSWORD"}))
@pytest.mark.parametrize(
    ("value", "problem"),
    [("a\nb", "a line break"), ("a\x00", "another control character"), ("a\x85b", "control"), ("\udcff", "not UTF-8")],
)
def test_a_variable_that_no_request_could_carry_is_named(name: str, value: str, problem: str, tmp_path: Path) -> None:
    told = refused(tmp_path, **{name: value})
    assert f"the environment variable {name} contains " in told
    assert problem in told
    assert value not in told


@pytest.mark.parametrize("name", ["OVERPLANE_TOKEN", "ERP_KEY", "ERP_SECRET"])
@pytest.mark.parametrize("value", ["tökén", "“token”", "two words", " token"])
def test_a_token_that_no_header_could_carry_is_named(name: str, value: str, tmp_path: Path) -> None:
    told = refused(tmp_path, **{name: value})
    assert f"(environment variable {name}): cannot be sent" in told
    assert value not in told


def test_every_system_can_have_a_proxy_and_certificates_of_its_own(tmp_path: Path) -> None:
    keys = f'proxy = "http://me:${{PROXY_PASSWORD}}@proxy.example.com:3128"\nca_file = "{certifi.where()}"\n'
    text = CONFIG
    for heading in ("[nexudus]\n", "[crm.overplane]\n", "[crm.erp]\n"):
        text = text.replace(heading, heading + keys)
    settings = loaded(tmp_path, text)
    for system in (settings.nexudus, *(crm.settings for crm in settings.crms.values())):
        assert system.proxy == "http://me:pr%40xy@proxy.example.com:3128"
        assert system.ca_file == Path(certifi.where())
        assert "pr%40xy" not in repr(system)
    assert {"pr%40xy", "pr@xy"} <= settings.secrets()


@pytest.mark.parametrize("password", ["p/hunter2", "p#hunter2", "p?hunter2", "p@ss/hunter2", "p@hunter2"])
@pytest.mark.parametrize(
    ("heading", "line"),
    [
        ("[nexudus]\n", 'proxy = "http://me:${PROXY_PASSWORD}@proxy.example.com:3128"'),
        ("[nexudus]\n", '[store]\nurl = "postgresql://me:${PROXY_PASSWORD}@db/sync"\n[nexudus]'),
    ],
)
def test_a_password_that_would_end_early_in_an_address_is_told_and_not_shown(
    tmp_path: Path, heading: str, line: str, password: str
) -> None:
    text = CONFIG.replace(heading, line + "\n" if "[nexudus]" in line else f"{heading}{line}\n")
    told = refused(tmp_path, text, PROXY_PASSWORD=password)
    assert "the environment variable PROXY_PASSWORD contains a character that ends a password" in told
    assert "hunter2" not in told
    assert loaded(tmp_path, text, PROXY_PASSWORD="p%40ss%2Fhunter2")


def test_a_user_name_that_basic_would_cut_is_told(tmp_path: Path) -> None:
    text = CONFIG.replace("[nexudus]\n", '[nexudus]\nauth = "basic"\n')
    assert loaded(tmp_path, text)
    assert ': nexudus: auth = "basic" cannot send a user name with a colon' in refused(
        tmp_path, text, NEXUDUS_USERNAME="a:b"
    )


def test_certificates_are_looked_for_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    assert loaded(tmp_path, CONFIG.replace("[nexudus]\n", '[nexudus]\nca_file = "ca.pem"\n')).nexudus.ca_file == (
        tmp_path / "ca.pem"
    )


@pytest.mark.parametrize("heading", ["[nexudus]\n", "[crm.erp]\n"])
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('ca_file = "nowhere.pem"', "ca_file: there is no file at {folder}/nowhere.pem"),
        ('ca_file = "config.toml"', "ca_file: {folder}/config.toml does not contain a certificate"),
        ('proxy = "proxy.example.com:3128"', "proxy: is not the address of an HTTP proxy"),
        ('proxy = "socks5://proxy.example.com"', "proxy: is not the address of an HTTP proxy"),
        ('proxy = "http://me:hunter2@proxy.example.com"', "proxy: a password must not be in the file"),
    ],
)
def test_a_way_that_leads_nowhere_is_refused(heading: str, line: str, problem: str, tmp_path: Path) -> None:
    told = refused(tmp_path, CONFIG.replace(heading, f"{heading}{line}\n"))
    assert problem.format(folder=tmp_path) in told
    assert "hunter2" not in told


def test_nothing_of_a_connection_is_written_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    trust = certificates(Path(certifi.where()))
    assert (trust.verify_mode, trust.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert trust.get_ca_certs()
    for kind in ("fast", "httpx"):
        Network.model_validate({"http": kind}).way("https://plain.example")
    assert not (tmp_path / "keys").exists()


def test_a_pipe_with_certificates_is_not_waited_for(tmp_path: Path) -> None:
    a_pipe(tmp_path / "ca.pem")
    told = refused(tmp_path, CONFIG.replace("[nexudus]\n", '[nexudus]\nca_file = "ca.pem"\n'))
    assert "ca_file: there is no file" in told


def test_no_password_goes_through_a_proxy_unencrypted(tmp_path: Path) -> None:
    near = 'base_url = "http://erp.internal"\nproxy = "http://{host}:3128"'
    text = CONFIG.replace('base_url = "https://erp.example.com"', near)
    assert "would send the password to proxy.example.com unencrypted" in refused(
        tmp_path, text.replace("{host}", "proxy.example.com")
    )
    assert loaded(tmp_path, text.replace("{host}", "localhost"))
