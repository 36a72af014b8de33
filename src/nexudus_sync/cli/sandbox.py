"""`sandbox`: run doubles of both systems on this machine until stopped, and make things happen in them."""

import os
import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import typer

from nexudus_sandbox.control import NAME, controlled, own_file, read
from nexudus_sandbox.people import PASSWORD
from nexudus_sandbox.world import World
from nexudus_sync.cli.output import say
from nexudus_sync.config import secrets
from nexudus_sync.engine.startup.assemble import HUB, mapping_of
from nexudus_sync.errors import ConfigError, Unavailable
from nexudus_sync.mapping.shipped import shipped


@dataclass(frozen=True, slots=True)
class Counts:
    """The amount of data in a sandbox: opportunities on each side, how many are on both, and the seed."""

    nexudus: int
    crm: int
    shared: int
    seed: int


SMALL = (30, 20, 10)
"""Enough to see everything, and few enough for a first run within the real limits of Nexudus."""


def sandbox(write: Path | None, port: int, counts: Counts, crm: str) -> None:
    """Run a sandbox until SIGTERM or Ctrl-C. Raises ConfigError for impossible counts and files that exist."""
    if counts.shared > min(counts.nexudus, counts.crm):
        raise ConfigError("--shared", "is more than one of the sides has", "lower it, or raise --cards and --deals")
    for path in () if write is None else (write / "config.toml", write / "env.sh", write / secrets.NAME):
        if os.path.lexists(path):
            raise ConfigError(str(path), "already exists and is left as it is", "name another folder")
    files = [own_file(), *([write / NAME] if write else [])]
    with (
        until_stopped() as stop,
        World(
            port=port, crm_name=crm, nexudus=counts.nexudus, crm=counts.crm, shared=counts.shared, seed=counts.seed
        ) as world,
        controlled(world, *files),
    ):
        if write is None:
            _print(world)
        else:
            lay_out(world, write)
            say(f"Nexudus is at {world.nexudus_url}, {world.crm.title} at {world.crm_url}. Ctrl-C stops both.")
        introduce(world)
        if write is not None:
            say("In another terminal:")
            say(f"  nexudus-sync --config {write / 'config.toml'} plan")
        say("To make something happen: nexudus-sync sandbox trigger conflict (--help lists the others).")
        stop.wait()
    say("The sandbox has stopped.")


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exports(world: World) -> str:
    """Shell lines that set the environment variables of a world's configuration."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in world.environment().items())


def lay_out(world: World, folder: Path) -> None:
    """Write all that a person needs to use the sandbox: configuration, secrets, mapping files to edit."""
    mappings = {HUB: shipped(HUB), world.crm_name: mapping_of(world.crm_name) or ""}
    (folder / "mappings").mkdir(parents=True, exist_ok=True)
    for name, text in mappings.items():
        file = folder / "mappings" / f"{name}.toml"
        if not file.exists():
            file.write_text(text, encoding="utf-8")
    text = world.config_toml(own_mapping=True) + _page_users(world)
    (folder / "config.toml").write_text(text, encoding="utf-8")
    (folder / "env.sh").write_text(exports(world), encoding="utf-8")
    kept = folder / secrets.NAME
    text = secrets.replaced(kept, world.environment())
    kept.touch(mode=0o600)
    kept.write_text(text, encoding="utf-8")


def _page_users(world: World) -> str:
    """Who may decide on the page that `run` serves: the same people, with the same password."""
    users = (f'\n[[web.users]]\nname = "{one.name}"\npassword = "${{NEXUDUS_PASSWORD}}"\n' for one in world.people)
    return "".join(users)


def introduce(world: World) -> None:
    """Say who can log in beside the sync."""
    say(f"These people can log in too; an edit by them is named so. Password in Nexudus: {PASSWORD}")
    for person in world.people:
        keys = ", ".join(f"{key} {value}" for key, value in person.crm.items())
        say(f"  {person.name}: {person.email}; in {world.crm.title}: {keys}")


def _print(world: World) -> None:
    typer.echo("# config.toml")
    typer.echo(world.config_toml())
    typer.echo("# the environment")
    for line in exports(world).splitlines():
        typer.echo(line)
    say(f"Nexudus is at {world.nexudus_url}/api, {world.crm.title} at {world.crm_url}. Ctrl-C stops both.")
    say("To connect them as you would your own systems, in another terminal: nexudus-sync init")


def trigger(kind: str, folder: Path | None, wanted: dict[str, Any]) -> None:
    """Make something happen in a running sandbox, and print what. Raises ConfigError, Unavailable."""
    file = own_file() if folder is None else folder / NAME
    where = read(file)
    if where is None:
        raise ConfigError("sandbox", f"none is running (there is no {file})", "start one with `nexudus-sync sandbox`")
    try:
        answer = httpx.post(
            f"{where.url}/trigger/{kind}",
            json=wanted,
            headers={"Authorization": f"Bearer {where.key}"},
            trust_env=False,
        )
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Unavailable("sandbox", f"does not answer at {where.url}; start it again, and delete {file}") from error
    if answer.is_error:
        raise ConfigError("sandbox", str(told.get("message")), "see `nexudus-sync sandbox trigger --help`")
    for line in told["did"]:
        say(line)
    say("Try next:")
    for line in told["next"]:
        say(f"  {line}")
