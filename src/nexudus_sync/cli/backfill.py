"""`backfill`: the first match of everything; shows the cost before it starts and the outcome when it ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from nexudus_sync.cli import first_run, saved_plan
from nexudus_sync.cli.beside import in_turn, locked
from nexudus_sync.cli.desk import asking, each, load_settings, open_engine, run, waiting, who
from nexudus_sync.cli.frame import Root, worst
from nexudus_sync.cli.output import at_terminal, print_json, print_table, say
from nexudus_sync.cli.progress import progress, saying
from nexudus_sync.cli.rows import of_tenant
from nexudus_sync.cli.summary import print_summary, summary_of
from nexudus_sync.cli.sync import answered, print_decisions, print_report, report_json
from nexudus_sync.config import Settings
from nexudus_sync.connectors.budget import Limits
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.rehearse.costs import between, pace
from nexudus_sync.engine.rehearse.estimate import Estimate, estimate
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Side
from nexudus_sync.store import records, unlinked
from nexudus_sync.texts import plural


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a backfill. `since`: nothing created before that day is copied; `limit` caps the creates.

    `plan`: the file whose plan is carried out, and nothing else.
    """

    since: date | None = None
    limit: int | None = None
    yes: bool = False
    strict: bool = False
    plan: Path | None = None
    as_json: bool = False


def backfill(root: Root, connection: str | None, wanted: Wanted) -> int:
    """Backfill each connection. Returns the exit code."""
    settings = load_settings(root, connection=connection)
    settings.named(connection)
    saved = None if wanted.plan is None else saved_plan.load(wanted.plan, settings)
    if saved is not None and saved.record is not None:
        raise ConfigError(
            f"--plan {wanted.plan}", "is about one record", "carry it out with `nexudus-sync sync --plan`"
        )
    if wanted.since is not None and wanted.since > datetime.now(UTC).date() + timedelta(days=1):
        # the date is kept with the connection: a typo would keep every new record out for good
        raise ConfigError("--since", f"{wanted.since} is in the future", "give a past date")

    if wanted.as_json and not wanted.yes:
        raise ConfigError("--json", "leaves no room for a question", "add --yes")
    rows: list[dict[str, Any]] = []

    async def body() -> int:
        async with open_engine(settings) as engine:
            connections = engine.connection(connection)
            connections = saved_plan.taken_up(saved, connections) if saved else connections
            with locked(settings, engine.store):

                async def work(each: Connection) -> int:
                    return await backfill_one(each, settings, wanted, rows)

                code = await each(root, engine, connections, work, rows)
            waits = waiting(engine.store, [each.name for each in connections])
            return worst([code, int(wanted.strict and waits > 0)])

    code = run(body())
    if wanted.as_json:
        print_json({"connections": rows})
    return code


async def backfill_one(
    connection: Connection, settings: Settings, wanted: Wanted, rows: list[dict[str, Any]] | None = None
) -> int:
    """Estimate, ask, run, sum up; as JSON only a row of `rows`. Returns the exit code of this connection."""
    async with saying(lambda: f"{connection.name}: listing both sides"):
        coming = await estimate(connection, limit=wanted.limit, since=wanted.since)
    if not wanted.as_json:
        print_estimate(connection, coming, settings)
        _tell_plan(connection)
    if not wanted.yes and not _agreed():
        say(f"{connection.name}: nothing was done.")
        return 0
    if wanted.since is not None:
        with connection.store.session() as session:
            records.connection_state(session, connection.name, connection.crm).create_since = wanted.since.isoformat()
            unlinked.take_up_again(session, connection.name, "old")
    began = connection.clock.now()
    report = await answered(connection, lambda: _work(settings, connection, wanted, coming), ask=not wanted.yes)
    names = system_names(connection)
    summary = summary_of(connection.store, connection.name, names)
    ran = report.brake is None and not report.paused
    if ran:
        told = first_run.report_of(connection, coming, report, summary, began=began, by=who())
        first_run.keep(connection, told)
    if rows is not None and wanted.as_json:
        row = {**report_json(connection, report, began), **of_tenant(settings, connection.name)}
        rows.append(row | ({"first_run": told} if ran else {}))
        return report.exit_code
    print_report(connection, report)
    print_decisions(connection, began)
    saved_plan.print_allowed(connection)
    if ran:
        print_summary(summary, names)
    return report.exit_code


def _tell_plan(connection: Connection) -> None:
    """Say that a saved plan narrows down what was just announced."""
    if connection.allowed is not None:
        count = plural(len(connection.allowed.actions), "action")
        say(f"Of this, only what the plan has is done: {count}.")


async def _work(settings: Settings, connection: Connection, wanted: Wanted, coming: Estimate) -> Report:
    """Run the cycle, with a progress bar."""
    report = Report(connection.name)

    def done() -> int:
        return min(report.settled, coming.compare) + sum(report.created.values())

    whole = coming.compare + sum(coming.creates.values())
    async with in_turn(settings, connection) as held, progress(connection.name, whole, done):
        return await run_cycle(held, Options(limit=wanted.limit), report)


def system_names(connection: Connection) -> dict[Side, str]:
    """The names of the two systems of a connection."""
    return {side: connection.connector(side).name for side in Side}


def print_estimate(connection: Connection, coming: Estimate, settings: Settings) -> None:
    """Print what the backfill would do, in numbers, and how long it takes."""
    names = system_names(connection)
    say(f"{connection.name}: {' and '.join(_listed(coming, side, names[side]) for side in Side)}", style="bold")
    rows: list[tuple[str, int]] = [
        ("pairs found on both sides", coming.pairs),
        ("pairs to read and compare", coming.compare),
    ]
    rows += [(f"to be created in {names[side]}", coming.creates.get(side, 0)) for side in Side]
    rows += [(f"new customers in {names[Side.NEXUDUS]}, at most", coming.customers)]
    rows += [(f"left alone: {reason}", count) for reason, count in coming.left.items()]
    rows += [(f"calls to {names[side]}, about", coming.calls[side].calls) for side in Side]
    print_table(("the backfill", "records"), [(what, f"{count:,}") for what, count in rows], right=("records",))
    limits = limits_of(settings, connection)
    paces = {side: pace(connection.connector(side)) for side in Side}
    span = span_of(*between(coming.calls, limits, paces))
    say(f"At the configured limits and the systems' current speed, that takes {span}.")
    say("It can be stopped and run again at any time.")


def limits_of(settings: Settings, connection: Connection) -> Mapping[Side, Limits | None]:
    """The configured limits of both systems; None where there are none."""
    return {
        Side.NEXUDUS: settings.nexudus.limits,
        Side.CRM: getattr(settings.crms[connection.crm].settings, "limits", None),
    }


def span_of(least: timedelta, most: timedelta) -> str:
    """A range of time in words; one length where both ends read the same."""
    low, high = about(least), about(most)
    if low == high:
        return high
    return f"{low.replace('about ', '')} to {high.replace('about ', '')}" if "about" in low else f"up to {high}"


def about(span: timedelta) -> str:
    """A length of time in words, rounded up."""
    seconds = span.total_seconds()
    for length, one in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * length:
            return "about " + plural(int(-(-seconds // length)), one)
    return "less than two minutes"


def _listed(coming: Estimate, side: Side, name: str) -> str:
    inside, elsewhere = coming.inside[side], coming.listed[side] - coming.inside[side]
    more = f" (and {elsewhere:,} that belong elsewhere)" if elsewhere > 0 else ""
    return f"{plural(inside, 'opportunity', 'opportunities')} in {name}{more}"


def _agreed() -> bool:
    """Ask at the terminal. Raises ConfigError when there is no terminal."""
    if not at_terminal():
        raise ConfigError("backfill", "no terminal to confirm on", "add --yes")
    with asking():
        return typer.confirm("Continue?")
