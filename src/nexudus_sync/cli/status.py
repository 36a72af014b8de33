"""`status`: the state of each connection."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import typer

from nexudus_sync.cli import status_fleet
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import console, print_json, print_table, say, utc
from nexudus_sync.cli.reading import Reading, open_reading
from nexudus_sync.cli.rows import of_tenant
from nexudus_sync.cli.times import both
from nexudus_sync.config import Settings
from nexudus_sync.connectors.totals import TOLD, systems_without_totals
from nexudus_sync.errors import ConfigError
from nexudus_sync.store.status import ConnectionStatus, Progress, progress_of, signs_of_life, status_of
from nexudus_sync.texts import plural

SILENT = timedelta(minutes=1)
"""How long `run` may go without a sign of life; it gives three a minute."""
EVERY = 2
"""Seconds between two looks of `--watch`."""


def status(root: Root, *, as_json: bool, strict: bool) -> int:
    """Print the status of every connection. Returns the exit code."""
    with open_reading(root) as desk:
        found = [status_of(desk.ask, name) for name in desk.names()]
        if as_json:
            rows = [{**_row(one), **of_tenant(desk.settings, one.name)} for one in found]
            print_json({"connections": rows, **_tenants(desk)})
        elif _is_whole(desk.settings):
            status_fleet.show(desk.settings, status_fleet.rows_of(desk, found))
            _tell_run(signs_of_life(desk.ask), in_fleet=True)
        else:
            _print(desk, found)
    return int(strict and any(one.waiting for one in found))


def watch(root: Root, *, as_json: bool) -> NoReturn:
    """Print the status again and again, on a clean screen, until Ctrl-C. Raises ConfigError without a terminal."""
    if as_json or not console().is_terminal:
        raise ConfigError("--watch", "needs a terminal", "leave it out, or call `status --json` every so often")
    try:
        while True:
            console().clear()
            status(root, as_json=False, strict=False)
            say(f"{datetime.now().astimezone():%H:%M:%S}, every {EVERY} seconds; Ctrl-C ends it.")
            time.sleep(EVERY)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _row(one: ConnectionStatus) -> dict[str, Any]:
    """A connection in the JSON of the contract."""
    row = {**asdict(one), "last_success": utc(one.last_success), "paused_at": utc(one.paused_at)}
    left_out = {"told"} if one.paused_at else {"told", "paused_at", "paused_by"}
    return {key: value for key, value in row.items() if key not in left_out}


def _print(desk: Reading, found: list[ConnectionStatus]) -> None:
    ask = desk.ask
    columns = ("connection", "links", "conflicts", "failures", "pending", "last success", "brake")
    rows = [(c.name, c.links, c.conflicts, c.failures, c.pending, c.last_success or "never", c.brake) for c in found]
    print_table(columns, rows, right=columns[1:5])
    progress = {one.name: progress_of(ask, one.name) for one in found}
    behind = (
        "connection",
        "backfilled",
        "last reconcile",
        "without a counterpart",
        "decisions to carry out",
    )
    print_table(behind, [_behind(name, one) for name, one in progress.items()])
    for one in found:
        _remark(one, progress[one.name])
    for system in sorted(systems_without_totals(ask)):
        say(f"{system} {TOLD}.")
    _tell_run(signs_of_life(ask), in_fleet=desk.settings.in_fleet)
    if any(one.conflicts for one in found):
        say("Conflicts are waiting for you: `nexudus-sync conflicts list`.")
    if any(one.failures for one in found):
        say("To see what failed, and why: `nexudus-sync failures list`.")


def _tenants(desk: Reading) -> dict[str, Any]:
    """For JSON, of a whole fleet: its tenants."""
    settings = desk.settings
    return {"tenants": status_fleet.tenants_json(settings, status_fleet.removed(desk))} if _is_whole(settings) else {}


def _is_whole(settings: Settings) -> bool:
    return settings.in_fleet and not settings.tenant


def _tell_run(signs: Sequence[datetime], *, in_fleet: bool) -> None:
    """Say whether `run`, or workers, are at work, where any was ever started and not ended as it should."""
    if not signs:
        return
    at_work = [one for one in signs if datetime.now(UTC) - one <= SILENT]
    if not at_work:
        nobody = "No worker has given a" if in_fleet else "`run` has given no"
        say(f"{nobody} sign of life since {both(signs[-1])}; see `nexudus-sync health`.", style="bold red")
    else:
        workers = plural(len(at_work), "worker is", "workers are")
        say("`run` is at work." if len(at_work) == 1 and not in_fleet else f"{workers} at work.")


def _remark(one: ConnectionStatus, progress: Progress) -> None:
    """Print what a person should know about a connection besides its counts."""
    if one.brake:
        say(f"{one.name} writes nothing while its brake is set; see `nexudus-sync brake show`.", style="bold red")
    elif one.paused_at is not None:
        say(f"{one.name} is {paused(one)}.", style="bold")
    elif one.last_success is None:
        say(_unfinished(one.name, progress))
    left = progress.alone.get("limit")
    if left:
        records = plural(left, "record")
        say(f"{one.name}: --limit left out {records}; `nexudus-sync sync` copies all, `backfill --limit N` some.")


def paused(one: ConnectionStatus) -> str:
    """Since when a connection is paused, by whom, and how it goes on."""
    by = f" by {one.paused_by}" if one.paused_by else ""
    since = both(one.paused_at) if one.paused_at else ""
    return f"paused since {since}{by}; `nexudus-sync resume {one.name}` lets it run again"


def _unfinished(name: str, progress: Progress) -> str:
    """The line about a connection that never finished a cycle: was its backfill begun?"""
    if not progress.known:
        return f"{name} has never run; `nexudus-sync plan` shows what it would do."
    return f"{name}: the first backfill is not finished; `nexudus-sync backfill` continues where it stopped."


def _behind(name: str, one: Progress) -> tuple[object, ...]:
    """The second table's row: when it was matched and swept, which records are unlinked, and waiting decisions."""
    return (
        name,
        one.backfilled_at or ("not finished" if one.known else "never"),
        one.last_reconcile or "never",
        ", ".join(f"{count:,} {word}" for word, count in sorted(one.alone.items())) or "none",
        one.decisions or "none",
    )
