"""`plan`: what a sync would do now, and its cost in calls and time."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from nexudus_sync.cli.backfill import limits_of, span_of, system_names
from nexudus_sync.cli.desk import each, load_settings, open_engine, run
from nexudus_sync.cli.frame import Root, worst
from nexudus_sync.cli.output import cell, print_json, print_table, say
from nexudus_sync.cli.sync import target
from nexudus_sync.config import Settings
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.rehearse.costs import between, of_run, pace
from nexudus_sync.engine.rehearse.rehearse import Action, Rehearsal, rehearse
from nexudus_sync.mapping import Side, Unmapped
from nexudus_sync.texts import pair_of, plural


def plan(root: Root, connection: str | None, record: str | None, *, as_json: bool, strict: bool) -> int:
    """Rehearse a cycle of each connection and show it. Returns the exit code."""
    settings = load_settings(root)
    settings.named(connection)
    found: list[dict[str, Any]] = []

    async def body() -> int:
        async with open_engine(settings) as engine:
            place, connections = target(engine, engine.connection(connection), record)

            async def show(each: Connection) -> int:
                seen = await rehearse(each, Options(), record=place)
                found.extend(as_row(action) for action in seen.actions)
                if not as_json:
                    await _print(each, seen, settings)
                return worst([seen.report.exit_code, int(strict and seen.status.waiting > 0)])

            return await each(root, engine, connections, show)

    code = run(body())
    if as_json:
        print_json(found)
    return code


def as_row(action: Action) -> dict[str, Any]:
    """An action in the JSON of the contract."""
    return {
        "connection": action.connection,
        "action": action.action,
        "system": action.system,
        "nexudus_id": action.nexudus_id,
        "crm_id": action.crm_id,
        "fields": action.fields,
    }


async def _print(connection: Connection, seen: Rehearsal, settings: Settings) -> None:
    if seen.report.brake is not None:
        say(f"{connection.name}: the brake {seen.report.brake} stops it; nothing would be written.", style="bold red")
        say("  If it is not set yet, the next sync sets it and says why; see `nexudus-sync brake show`.")
        return
    rows = [_row(action) for action in seen.actions]
    print_table(("action", "in", "record", "fields"), rows, title=connection.name)
    say(f"{connection.name}: {_totals(seen.actions)}; {_waits(seen)}")
    if seen.actions:
        say(f"  {_cost(connection, seen, settings)}")
    acting = await acting_moves(connection, seen.actions)
    if acting:
        say(
            f"  {plural(acting, 'card')} would enter a stage that acts on the customer (a message, tasks, the account)."
        )


def _row(action: Action) -> tuple[str, str, str, str]:
    return (
        action.action,
        action.system or "both",
        pair_of(action.nexudus_id, action.crm_id),
        "; ".join(_change(name, said["old"], said["new"]) for name, said in action.fields.items()),
    )


def _change(field: str, old: Any, new: Any) -> str:
    return f"{field}: {cell(new)}" if old is None else f"{field}: {cell(old)} → {cell(new)}"


def _totals(actions: Iterable[Action]) -> str:
    counts = Counter((one.action, one.system) for one in actions)
    said = [f"{count:,} × {action}{f' in {system}' if system else ''}" for (action, system), count in counts.items()]
    return ", ".join(said) or "nothing to do"


def _waits(seen: Rehearsal) -> str:
    conflicts, failures = plural(seen.status.conflicts, "conflict"), plural(seen.status.failures_waiting, "failure")
    return f"{conflicts} and {failures} would wait"


def _cost(connection: Connection, seen: Rehearsal, settings: Settings) -> str:
    """The calls that such a sync would make: listing, reading and writing."""
    names, limits = system_names(connection), limits_of(settings, connection)
    traits = {side: connection.connector(side).traits for side in Side}
    calls = of_run(traits, seen.listed, seen.read, seen.counts(connection))
    said = " and ".join(f"{calls[side].calls:,} to {names[side]}" for side in Side)
    paces = {side: pace(connection.connector(side)) for side in Side}
    span = span_of(*between(calls, limits, paces))
    return f"Calls, about: {said}; at the configured limits and the systems' current speed, {span}."


async def acting_moves(connection: Connection, actions: Iterable[Action]) -> int:
    """How many actions move a card into a stage that messages customers, creates tasks or acts on accounts."""
    connector, scope = connection.connector(Side.NEXUDUS), connection.scope(Side.NEXUDUS)
    context, count = await connection.context(Side.NEXUDUS, {}), 0
    # an allowed stage still acts, and a backfill has to count all of them
    unallowed = replace(scope, allow_stages=frozenset())
    for action in actions:
        said = {name: change["new"] for name, change in action.fields.items()}
        after: dict[str, Any] = {}
        if action.system == connector.name and "sales_stage" in said:
            with suppress(Unmapped):
                after = connection.mapping.field("sales_stage").put(Side.NEXUDUS, said["sales_stage"], {}, context)
        count += bool(after and connector.refusals({}, after, unallowed, live=False))
    return count
