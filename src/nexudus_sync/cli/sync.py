"""`sync` and `run`: cycles of the configured connections, once or until stopped."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from nexudus_sync.cli import saved_plan
from nexudus_sync.cli.beside import in_turn, locked
from nexudus_sync.cli.desk import asking, each, load_settings, open_engine, run, waiting
from nexudus_sync.cli.frame import Root, worst
from nexudus_sync.cli.output import at_terminal, print_json, say, utc
from nexudus_sync.cli.progress import watching
from nexudus_sync.cli.rows import of_tenant
from nexudus_sync.cli.status import paused
from nexudus_sync.config import Settings
from nexudus_sync.config.toml import is_fleet
from nexudus_sync.deciding.records import locate
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options, run_cycle, settle_record
from nexudus_sync.engine.match import no_pairs
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.assemble import Engine
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Side
from nexudus_sync.store.brakes import in_state
from nexudus_sync.store.decisions import carried_out
from nexudus_sync.store.status import connection_status
from nexudus_sync.texts import plural


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a sync. `plan`: the file whose plan is carried out, and nothing else."""

    record: str | None = None
    reconcile: bool = False
    strict: bool = False
    as_json: bool = False
    plan: Path | None = None


def sync(root: Root, connection: str | None, wanted: Wanted) -> int:
    """One cycle of each connection. Returns the exit code."""
    settings = load_settings(root, connection=connection)
    settings.named(connection)
    saved = _plan_of(wanted, settings)
    record = saved.record if saved else wanted.record
    rows: list[dict[str, Any]] = []

    async def body() -> int:
        async with open_engine(settings) as engine:
            connections = engine.connection(connection)
            with locked(settings, engine.store):
                place, connections = target(engine, connections, record)
                connections = saved_plan.taken_up(saved, connections) if saved else connections

                async def cycle(each: Connection) -> int:
                    return await _cycle(settings, each, place, wanted, rows)

                code = await each(root, engine, connections, cycle, rows)
            waits = waiting(engine.store, [each.name for each in connections])
            return worst([code, int(wanted.strict and waits > 0)])

    code = run(body())
    if wanted.as_json:
        print_json({"connections": rows})
    return code


def _plan_of(wanted: Wanted, settings: Settings) -> saved_plan.SavedPlan | None:
    """The plan to be carried out. Raises ConfigError for one that cannot be, and for options that contradict it."""
    if wanted.plan is None:
        return None
    if wanted.record is not None or wanted.reconcile:
        raise ConfigError(
            "--plan", "goes with neither --record nor --reconcile", "leave them out: the plan says it all"
        )
    return saved_plan.load(wanted.plan, settings)


async def _cycle(
    settings: Settings,
    connection: Connection,
    place: tuple[Side, str] | None,
    wanted: Wanted,
    rows: list[dict[str, Any]],
) -> int:
    """One cycle of a connection, or of one record, and what it did: printed, or a row of `rows`."""
    began, options = connection.clock.now(), Options(reconcile=wanted.reconcile)

    async def once() -> Report:
        report = Report(connection.name)
        async with in_turn(settings, connection) as held, watching(connection.name, report):
            if place is None:
                return await run_cycle(held, options, report)
            return await settle_record(held, *place, options, report)

    report = await answered(connection, once, ask=not wanted.as_json)
    if wanted.as_json:
        rows.append({**report_json(connection, report, began), **of_tenant(settings, connection.name)})
    else:
        print_report(connection, report)
        print_decisions(connection, began)
        saved_plan.print_allowed(connection)
    return report.exit_code


def report_json(connection: Connection, report: Report, began: datetime) -> dict[str, Any]:
    """What a cycle did, as JSON; `created` is by system."""
    with connection.store.read() as session:
        state = connection_status(session, connection.name)
        decided = list(carried_out(session, connection.name, began))
    return {
        "connection": connection.name,
        "writes": report.written,
        "created": {connection.connector(Side(to)).name: count for to, count in report.created.items()},
        "pairs": report.pairs,
        "closed": report.closed,
        "deleted": report.deleted,
        "brake": report.brake,
        "paused": report.paused,
        "conflicts": state.conflicts,
        "failures": state.failures,
        "last_success": utc(state.last_success),
        "errors": report.errors,
        "decisions": [{"kind": one.kind, "args": one.args, "outcome": one.outcome} for one in decided],
        **saved_plan.allowed_json(connection),
    }


async def answered(connection: Connection, once: Callable[[], Awaitable[Report]], *, ask: bool = True) -> Report:
    """Run a cycle. At a terminal a person may answer the brake `no-pairs`, and the cycle is run again.

    `ask` False: ask nothing.
    """
    report = await once()
    if report.brake != no_pairs.NAME or not ask or not at_terminal():
        return report
    with connection.store.read() as session:
        found = in_state(session, connection.name)
    for one in found:
        say(f"{connection.name}: {one.evidence}.", style="bold red")
    say("Nothing matches, so everything would be copied. Check that company and scope are right.")
    with asking():
        typed = typer.prompt("Type yes to continue anyway", default="no", show_default=False)
    if typed.strip().casefold() != "yes":
        return report
    no_pairs.answer(connection)
    return await once()


def run_daemon(root: Root) -> int:
    """Sync until stopped. Returns the exit code."""
    from nexudus_sync.daemon import Daemon

    if is_fleet(root.config):
        raise ConfigError(
            "run", f"{root.config} is a fleet's file", "use `nexudus-sync worker`, which runs all tenants"
        )
    settings = load_settings(root, quiet=False)

    async def body() -> int:
        async with open_engine(settings) as engine:
            with engine.store.lock():
                await Daemon(engine).run()
        return 0

    return run(body())


def target(
    engine: Engine, connections: list[Connection], record: str | None
) -> tuple[tuple[Side, str] | None, list[Connection]]:
    """The side and id named by `--record`, with the one connection it belongs to; without `--record` all of them.

    Raises ConfigError for a record that no connection knows.
    """
    if record is None:
        return None, connections
    only = connections[0].name if len(connections) == 1 else None
    with engine.store.read() as session:
        found = locate(session, engine.settings, record, only)
    if not found.known:
        raise ConfigError(f"record {record}", "no connection knows it", "run `nexudus-sync sync` to find new records")
    return (found.side, found.id), [connection for connection in connections if connection.name == found.connection]


def print_report(connection: Connection, report: Report) -> None:
    """Print one line about a cycle, or what its brake saw."""
    if report.brake is not None:
        _print_brake(connection)
        return
    if report.paused:
        with connection.store.read() as session:
            say(f"{connection.name}: {paused(connection_status(session, connection.name))}.")
        return
    done = [plural(report.written, "write")]
    done += [
        f"{plural(count, 'record')} created in {connection.connector(Side(to)).name}"
        for to, count in report.created.items()
    ]
    done += [f"{plural(report.pairs, 'pair')} matched"] if report.pairs else []
    done += [f"{plural(report.closed, 'pair')} closed"] if report.closed else []
    with connection.store.read() as session:
        state = connection_status(session, connection.name)
    done += [f"{plural(state.conflicts, 'conflict')} and {plural(state.failures_waiting, 'failure')} waiting"]
    say(f"{connection.name}: {', '.join(done)}")


def print_decisions(connection: Connection, began: datetime) -> None:
    """Print what became of the decisions that people made."""
    with connection.store.read() as session:
        for one in carried_out(session, connection.name, began):
            asked = ", ".join(str(value) for value in one.args.values() if not isinstance(value, bool))
            say(f"  {one.kind} {asked}: {one.outcome}")


def _print_brake(connection: Connection) -> None:
    with connection.store.read() as session:
        found = in_state(session, connection.name)
    for one in found:
        say(f"{connection.name}: the brake {one.name} is set; nothing was written: {one.evidence}.", style="bold red")
    for name in sorted({one.name for one in found}):
        command = f"nexudus-sync brake release {name} --connection {connection.name}"
        say(f"  If this is intended: {command}, then sync again.")
