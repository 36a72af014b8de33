"""The files in deploy/ name commands, options and files that exist, and docs/deploy.md explains them."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from nexudus_sync.cli.app import app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNIT, IMAGE, COMPOSE = DEPLOY / "nexudus-sync.service", DEPLOY / "Dockerfile", DEPLOY / "compose.yaml"
WORKER, CLUSTER = DEPLOY / "nexudus-sync-worker@.service", DEPLOY / "compose.cluster.yml"
PAGE, MANY = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("deploy.md", "cluster.md"))


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def verbs() -> set[str]:
    """Every verb of the command line."""
    return set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def said(pattern: str, path: Path) -> list[str]:
    found: list[str] = re.findall(pattern, text(path), re.MULTILINE)
    return found


@pytest.mark.parametrize("path", sorted(one for one in DEPLOY.iterdir() if one.is_file()), ids=lambda path: path.name)
def test_each_file_is_explained_and_says_where(path: Path) -> None:
    page, name = (MANY, "cluster.md") if path in (WORKER, CLUSTER) else (PAGE, "deploy.md")
    assert f"(../deploy/{path.name})" in page
    assert f"docs/{name}" in text(path)


def test_every_command_on_the_page_and_in_the_files_exists() -> None:
    code = " ".join(re.findall(r"```.*?```|`[^`]+`", PAGE + MANY, re.DOTALL))
    named = set(re.findall(r"nexudus-sync (?!nexudus)(?:--config \S+ )?([a-z][a-z-]+)\b", code))
    named |= set(re.findall(r"^docker run .*nexudus-sync (\w+)$", PAGE, re.MULTILINE))
    named |= set(said(r'^(?:CMD|HEALTHCHECK.*CMD) \["(?:nexudus-sync", ")?([a-z-]+)"\]', IMAGE))
    named |= {verb for unit in (UNIT, WORKER) for verb in said(r"^ExecStart=.*config\.toml ([a-z-]+)", unit)}
    named |= set(said(r'^ +command: \["([a-z-]+)"', CLUSTER)) - {"postgres"}
    assert {"run", "init", "check", "sync", "backup", "status", "health", "worker", "page"} <= named
    assert named <= verbs()


def test_the_unit_starts_the_configuration_in_its_own_folder() -> None:
    (state,) = said(r"^StateDirectory=(.+)$", UNIT)
    (start,) = said(r"^ExecStart=(.+)$", UNIT)
    assert f"--config /var/lib/{state}/config.toml run" in start
    assert said(r"^WorkingDirectory=(.+)$", UNIT) == [f"/var/lib/{state}"]
    assert start.split()[0] in PAGE.replace("/opt/nexudus-sync/.venv/bin/pip", "")
    for line in ("Type=notify", "WatchdogSec=300", "RestartPreventExitStatus=2", "ProtectSystem=strict", "UMask=0077"):
        assert line in text(UNIT).splitlines()
        assert line in PAGE


@pytest.mark.processes
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed on this machine")
@pytest.mark.parametrize("path", [UNIT, WORKER], ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_the_unit(path: Path, tmp_path: Path) -> None:
    """With the Python of these tests in the program's place, which is not installed where the unit expects it."""
    unit = tmp_path / path.name.replace("@", "@1")
    program = said(r"^ExecStart=(\S+)", path)[0]
    unit.write_text(text(path).replace(program, sys.executable), encoding="utf-8")
    ended = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in ended.stderr.splitlines() if unit.name in line] == []
    assert ended.returncode == 0


def test_the_image_copies_files_that_exist_and_all_that_the_package_is_built_from() -> None:
    copied = [one for line in said(r"^COPY (?!--from)(.+) \S+$", IMAGE) for one in line.split()]
    assert [one for one in copied if not (ROOT / one).exists()] == []
    project = tomllib.loads(text(ROOT / "pyproject.toml"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {project["project"]["readme"], *project["project"]["license-files"], *wheel["force-include"]}
    needed |= {package.partition("/")[0] for package in wheel["packages"]}
    assert needed | {"pyproject.toml", "constraints.txt"} == set(copied)
    allowed = set(re.findall(r"^!(\S+)$", text(ROOT / ".dockerignore"), re.MULTILINE))
    assert allowed == set(copied)


def test_the_image_runs_as_a_user_without_rights_in_the_folder_that_the_page_names() -> None:
    assert said(r"^USER (.+)$", IMAGE) == ["sync"]
    assert said(r"--uid (\d+)", IMAGE) == ["10001"]
    assert "chown 10001:10001" in PAGE
    (config,) = said(r"NEXUDUS_SYNC_CONFIG=(\S+)$", IMAGE)
    assert config == "/data/config.toml"
    assert "NEXUDUS_SYNC_CONFIG" in text(ROOT / "src" / "nexudus_sync" / "cli" / "app.py")
    (python,) = set(said(r"^FROM python:([\d.]+)-slim", IMAGE))
    assert f"Python :: {python}" in text(ROOT / "pyproject.toml")


def test_the_compose_file_builds_that_image_and_mounts_its_folder() -> None:
    (context,), (file,) = said(r"^ +context: (.+)$", COMPOSE), said(r"^ +dockerfile: (.+)$", COMPOSE)
    assert (DEPLOY / context).resolve() == ROOT
    assert (ROOT / file) == IMAGE
    assert "- ./data:/data" in text(COMPOSE)
    assert '"127.0.0.1:8780:8780"' in text(COMPOSE)
    assert "127.0.0.1:8780:8780" in PAGE


def test_a_worker_is_guarded_as_run_is_and_waits_for_its_database_for_ever() -> None:
    """What the two units say of guarding it is the same, line by line."""
    guard = [text(unit).partition("# It needs the network")[2].partition("[Install]")[0] for unit in (UNIT, WORKER)]
    assert guard[0] == guard[1] != ""
    (start,) = said(r"^ExecStart=(.+)$", WORKER)
    assert start.endswith("--config /var/lib/nexudus-sync/config.toml worker $OPTIONS")
    (file,) = said(r"^EnvironmentFile=-(.+)$", WORKER)
    assert {file.replace("%i", one) for one in ("1", "2", "heavy")} <= set(re.findall(r"/var\S+\.env", MANY))
    for line in ("Type=notify", "WatchdogSec=1800", "RestartPreventExitStatus=2", "StartLimitIntervalSec=0"):
        assert line in text(WORKER).splitlines()
    assert f"cp /opt/nexudus-sync/src/deploy/{WORKER.name} /etc/systemd/system/" in MANY


def test_the_image_of_a_cluster_has_the_extra_and_reads_its_folder() -> None:
    (extras,) = said(r'^ +EXTRAS: "(.+)"$', CLUSTER)
    assert said(r"^ARG (\w+)=", IMAGE) == ["EXTRAS"]
    assert '"/src${EXTRAS}"' in text(IMAGE)
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    assert extras.strip("[]") in project["optional-dependencies"]
    assert f"{project['name']}{extras}" in MANY
    (context,), (file,) = said(r"^ +context: (.+)$", CLUSTER), said(r"^ +dockerfile: (.+)$", CLUSTER)
    assert (DEPLOY / context).resolve() == ROOT
    assert (ROOT / file) == IMAGE
    assert "- ./fleet:/data:ro" in text(CLUSTER)
    assert "deploy/fleet" in MANY
    assert "chown -R 10001:10001 deploy/fleet" in MANY


def test_the_services_of_a_cluster_reach_the_database_that_it_starts() -> None:
    services = re.findall(r"^  (\w+):$", text(CLUSTER).partition("\nservices:\n")[2], re.MULTILINE)
    assert services == ["postgres", "worker", "heavy", "page", "state"]  # the last one is the volume
    (user,), (database,) = said(r"POSTGRES_USER: (\w+)$", CLUSTER), said(r"POSTGRES_DB: (\w+)$", CLUSTER)
    assert f'url = "postgresql+psycopg://{user}:${{STORE_PASSWORD}}@postgres/{database}"' in MANY
    assert len(said(r"PASSWORD: \$\{STORE_PASSWORD:\?", CLUSTER)) == 2
    assert "STORE_PASSWORD=" in MANY
    assert said(r"^ +replicas: (\d+)$", CLUSTER) == ["2"]


def test_the_workers_of_a_cluster_do_every_kind_of_work_between_them() -> None:
    options = {option for command in typer.main.get_command(app).commands["worker"].params for option in command.opts}  # type: ignore[attr-defined]
    roles = [line.split('", "') for line in said(r'^ +command: \["worker", "(.*)"\]$', CLUSTER)]
    asked = [{name for name in role if name.startswith("--")} for role in roles]
    assert asked == [{"--sweeps", "--backfills"}, {"--concurrency"}]  # what each leaves to the other
    assert options >= asked[0] | asked[1]
