"""`sandbox`: run doubles of both systems on this machine until stopped."""

import os
import shlex
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

import typer

from nexudus_sandbox.world import World
from nexudus_sync.cli.output import say
from nexudus_sync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Counts:
    """The amount of data in a sandbox: opportunities on each side, how many are on both, and the seed."""

    nexudus: int
    crm: int
    shared: int
    seed: int


def sandbox(write: Path | None, port: int, counts: Counts, crm: str) -> None:
    """Run a sandbox until SIGTERM or Ctrl-C. Raises ConfigError for impossible counts and files that exist."""
    if counts.shared > min(counts.nexudus, counts.crm):
        raise ConfigError("--shared", "is more than one of the sides has", "lower it, or raise --cards and --deals")
    for path in () if write is None else (write / "config.toml", write / "env.sh"):
        if os.path.lexists(path):
            raise ConfigError(str(path), "already exists and is left as it is", "name another folder")
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with World(
            port=port, crm_name=crm, nexudus=counts.nexudus, crm=counts.crm, shared=counts.shared, seed=counts.seed
        ) as world:
            if write is None:
                _print(world)
            else:
                _write(world, write)
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    say("The sandbox has stopped.")


def exports(world: World) -> str:
    """Shell lines that set the environment variables of a world's configuration."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in world.environment().items())


def _print(world: World) -> None:
    typer.echo("# config.toml")
    typer.echo(world.config_toml())
    typer.echo("# the environment")
    for line in exports(world).splitlines():
        typer.echo(line)
    say(f"Nexudus is at {world.nexudus_url}, {world.crm.title} at {world.crm_url}. Ctrl-C stops both.")


def _write(world: World, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(world.config_toml(), encoding="utf-8")
    (folder / "env.sh").write_text(exports(world), encoding="utf-8")
    say(
        f"Nexudus is at {world.nexudus_url}, {world.crm.title} at {world.crm_url}. Ctrl-C stops both. "
        "In another terminal:"
    )
    say(f"  . {folder / 'env.sh'}; nexudus-sync --config {folder / 'config.toml'} plan")
