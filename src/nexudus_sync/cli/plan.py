"""`plan`: what a sync would do now, and its cost in calls and time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nexudus_sync.cli import saved_plan
from nexudus_sync.cli.backfill import limits_of, span_of, system_names
from nexudus_sync.cli.desk import each, load_settings, open_engine, run
from nexudus_sync.cli.frame import Root, complain, worst
from nexudus_sync.cli.output import print_json, print_table, say
from nexudus_sync.cli.progress import watching
from nexudus_sync.cli.rows import of_tenant
from nexudus_sync.cli.sync import target
from nexudus_sync.config import Settings
from nexudus_sync.engine.actions import Action
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.rehearse.costs import between, of_run, pace
from nexudus_sync.engine.rehearse.rehearse import Rehearsal, rehearse
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side, Unmapped
from nexudus_sync.store.names import About, Name, about
from nexudus_sync.texts import plural

WORDS = {
    "link": "pair two existing records",
    "create": "create",
    "create-party": "create the customer",
    "update": "update",
    "delete": "delete",
}
"""What an action does, for people; the order is that of the table."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of a plan. `out`: the file to keep it in."""

    record: str | None = None
    out: Path | None = None
    detail: bool = False
    as_json: bool = False
    strict: bool = False


def plan(root: Root, connection: str | None, wanted: Wanted) -> int:
    """Rehearse a cycle of each connection and show it. Returns the exit code."""
    settings = load_settings(root, connection=connection)
    settings.named(connection)
    found: list[Action] = []
    known: dict[About, Name] = {}
    whole, kept = set[str](), list[Path]()

    async def body() -> int:
        async with open_engine(settings) as engine:
            place, connections = target(engine, engine.connection(connection), wanted.record)

            async def show(each: Connection) -> int:
                report = Report(each.name)
                async with watching(each.name, report):
                    seen = await rehearse(each, Options(), record=place, report=report)
                found.extend(seen.actions)
                known.update(seen.names)
                if seen.report.brake is None:
                    whole.add(each.name)
                if not wanted.as_json:
                    await _print(each, seen, settings, wanted)
                return worst([seen.report.exit_code, int(wanted.strict and seen.status.waiting > 0)])

            code = await each(root, engine, connections, show)
            if wanted.out is not None and whole == {each.name for each in connections}:
                saved_plan.save(wanted.out, settings, connections, wanted.record, found)
                kept.append(wanted.out)
            return code

    code = run(body())
    if wanted.as_json:
        called = ((action, known.get(about(action), Name())) for action in found)
        told = (
            {**saved_plan.action_json(action, name), **of_tenant(settings, action.connection)}
            for action, name in called
        )
        print_json(list(told))
    elif kept:
        say(f"Kept in {wanted.out}. `nexudus-sync sync --plan {wanted.out}` does what it says, and nothing else.")
    if wanted.out is not None and not kept:
        complain(root, f"--out {wanted.out}: not written, because the plan is not complete")
    return code


async def _print(connection: Connection, seen: Rehearsal, settings: Settings, wanted: Wanted) -> None:
    """Print the numbers first; each action only when asked."""
    if seen.report.brake is not None:
        say(f"{connection.name}: the brake {seen.report.brake} stops it; nothing would be written.", style="bold red")
        say("  If it is not set yet, the next sync sets it and says why; see `nexudus-sync brake show`.")
        return
    print_table(("what a sync would do", "in", "records", "fields"), _counted(seen.actions), right=("records",))
    say(f"{connection.name}: {_totals(seen.actions)}; {_waits(seen)}")
    if seen.actions:
        say(f"  {_cost(connection, seen, settings)}")
    acting = await acting_moves(connection, seen.actions)
    if acting:
        say(
            f"  {plural(acting, 'card')} would enter a stage that acts on the customer (a message, tasks, the account)."
        )
    if wanted.detail:
        title = f"{connection.name}, one by one" if seen.actions else ""
        saved_plan.print_actions(seen.actions, seen.names, title)
    elif seen.actions and not wanted.out:
        say("  `--detail` lists them one by one; `--out FILE` keeps the plan, for `sync --plan FILE`.")


def _counted(actions: Iterable[Action]) -> list[tuple[str, str, str, str]]:
    """How many records each kind of action is about, and how often each field."""
    found: dict[tuple[str, str], list[Action]] = {}
    for one in actions:
        found.setdefault((one.action, one.system), []).append(one)
    order = list(WORDS)
    kinds = sorted(found, key=lambda kind: (order.index(kind[0]) if kind[0] in order else len(order), kind[1]))
    return [
        (WORDS.get(kind, kind), system or "both", f"{len(found[kind, system]):,}", _fields(kind, found[kind, system]))
        for kind, system in kinds
    ]


def _fields(kind: str, actions: Iterable[Action]) -> str:
    """How often each field is changed, the most frequent first; of a new record all are new."""
    if kind != "update":
        return ""
    counts = Counter(name for action in actions for name in action.fields)
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _totals(actions: Sequence[Action]) -> str:
    return plural(len(actions), "action") if actions else "nothing to do"


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
