"""The verbs that run something. The verbs that look and decide are in `groups`.

Each verb imports its code when it runs, so that `--help` and shell completion stay quick.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from nexudus_sync.cli import groups, services, upkeep
from nexudus_sync.cli.frame import (
    TENANT,
    ConnectionName,
    CsvFlag,
    FullFlag,
    JsonFlag,
    LogFormat,
    LogLevel,
    PlanOption,
    RecordOption,
    Root,
    StrictFlag,
    UtcFlag,
    end,
    guarded,
    readable,
    root_of,
)
from nexudus_sync.cli.setup import options
from nexudus_sync.cli.times import IN_UTC
from nexudus_sync.cli.usage import Group, Keeping, Verbs
from nexudus_sync.texts import WHOLE

_START, _RUN = "Start here", "Run"
_HELP = """Keep Nexudus CRM opportunities and your sales team's CRM in step, both ways, field by field.

New here? [bold]nexudus-sync demo[/bold] shows everything on made-up data, without an account. To connect your own
systems: [bold]init[/bold], then [bold]check[/bold], [bold]plan[/bold], [bold]backfill[/bold] and [bold]run[/bold].

Exit codes: 0 done, 1 the run failed, 2 wrong usage, configuration, mapping or password, 3 a brake stopped a connection.
"""


class CrmName(StrEnum):
    """The CRMs that the sandbox has a stand-in for."""

    OVERPLANE = "overplane"
    ERPNEXT = "erpnext"
    HUBSPOT = "hubspot"


Happening = Literal[
    "conflict",
    "failure",
    "delete",
    "outage",
    "import",
    "restamp",
    "rename",
    "move",
    "create",
    "lock",
    "nonsense",
    "role",
]
System = Literal["nexudus", "crm"]
_HAPPENINGS = """conflict: two people edit one amount; failure: a stage that Nexudus lacks; delete: opportunities are
deleted in the CRM; outage: a system does not answer; import: most amounts change at once; restamp: everything is saved
again without a change; rename: a stage in Nexudus; move: a card goes to another location; create: one opportunity is
added on both sides; lock: somebody has an opportunity open; nonsense: a system answers with web pages; role: the sync's
user loses one."""

app = typer.Typer(
    cls=Verbs,
    help=_HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nexudus-sync {version('nexudus-sync')}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    config: Annotated[
        Path,
        typer.Option("--config", "-c", envvar="NEXUDUS_SYNC_CONFIG", metavar="PATH", help="The configuration file."),
    ] = Path("config.toml"),
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="NAME", help=TENANT)] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="How much to log. Default: as configured.")] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="Log for people or for a log collector. Default: as configured.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Read the options that come before the verb."""
    WHOLE.set(False)
    IN_UTC.set(False)
    ctx.obj = Root(config, readable(tenant), debug, log_level, log_format)


@app.command(rich_help_panel=_START, cls=Keeping)
@guarded
def demo(
    ctx: typer.Context,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="[DIR]",
            help="Keep both systems running until Ctrl-C, with all files in this new folder (nexudus-sync-demo).",
        ),
    ] = None,
    crm: Annotated[CrmName, typer.Option(help="The CRM to show.")] = CrmName.OVERPLANE,
) -> None:
    """Show the sync at work on made-up data; needs no account.

    Starts stand-ins for Nexudus and a CRM on this machine, edits records on both sides as people would, syncs, and
    shows how a conflict is resolved and what was carried over. It takes less than a minute.
    """
    from nexudus_sync.cli import demo as work

    end(work.demo(root_of(ctx), keep, crm.value))


sandboxes = typer.Typer(cls=Group, invoke_without_command=True)


@sandboxes.callback()
@guarded
def sandbox(
    ctx: typer.Context,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="DIR", help="Write config.toml, secrets.env and mapping files to this folder."),
    ] = None,
    crm: Annotated[CrmName, typer.Option(help="The CRM to run beside Nexudus.")] = CrmName.OVERPLANE,
    cards: Annotated[int, typer.Option(min=0, help="The number of opportunities in Nexudus.")] = 300,
    deals: Annotated[int, typer.Option(min=0, help="The number of opportunities in the CRM.")] = 200,
    shared: Annotated[int, typer.Option(min=0, help="How many of them are on both sides.")] = 80,
    small: Annotated[
        bool, typer.Option("--small", help="30, 20 and 10 of them: for a first run within the limits of Nexudus.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Change the seed to get different data.")] = 7,
    port: Annotated[
        int, typer.Option(min=0, max=65534, help="The port for Nexudus; the CRM gets the next one. 0: any free ports.")
    ] = 0,
) -> None:
    """Run stand-ins for Nexudus and a CRM until Ctrl-C, with a configuration that connects them.

    Use it to try the other commands, your mapping files or your monitoring without touching real data.
    """
    if ctx.invoked_subcommand is None:
        from nexudus_sync.cli import sandbox as work

        sizes = work.SMALL if small else (cards, deals, shared)
        work.sandbox(write, port, work.Counts(*sizes, seed), crm.value)


@sandboxes.command("trigger")
@guarded
def sandbox_trigger(
    ctx: typer.Context,
    kind: Annotated[Happening, typer.Argument(metavar="KIND", help=_HAPPENINGS, show_default=False)],
    times: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="To N records, in place of the usual number.")
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, metavar="N", help="How long an outage lasts.")] = 60,
    system: Annotated[System, typer.Option(help="The system that an outage is of.")] = "crm",
    folder: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="The sandbox that was started with this --write.")
    ] = None,
) -> None:
    """Make something happen in the running sandbox; says what, and what to try next."""
    from nexudus_sync.cli import sandbox as work

    work.trigger(kind, folder, {"times": times, "seconds": seconds, "system": system})


app.add_typer(sandboxes, name="sandbox", rich_help_panel=_START)


@app.command(rich_help_panel=_START)
@guarded
def init(
    ctx: typer.Context,
    name: options.Name = None,
    location: options.Location = None,
    board: options.Board = None,
    connector: options.Kind = None,
    crm_url: options.CrmUrl = None,
    company: options.Company = None,
    keys: options.Keys = None,
    stages: options.Stages = None,
    reasons: options.Reasons = None,
    time_zone: options.TimeZone = None,
    create_board: options.CreateBoard = None,
    create_property: options.CreateProperty = False,
    offline: options.Offline = False,
    replace: options.Replace = False,
    no_input: options.NoInput = False,
) -> None:
    """Connect your two systems: asks for the logins, tries them, and lists what there is to choose from.

    Writes the file that --config names, the folder mappings beside it, and secrets.env, which holds the passwords and
    is readable by you only. Never overwrites a file without asking. At the end it offers the check and the first run.
    Every answer can be given as an option; logins also in the environment (NEXUDUS_USERNAME, NEXUDUS_PASSWORD, …).
    """
    from nexudus_sync.cli import init as work
    from nexudus_sync.cli.setup.answers import Answers

    answers = Answers(
        name=name,
        location=location,
        board=board,
        connector=connector,
        crm_url=crm_url,
        company=company,
        time_zone=time_zone,
        create_board=create_board,
        create_property=create_property,
        keys=tuple(keys or ()),
        stages=tuple(stages or ()),
        reasons=tuple(reasons or ()),
        offline=offline,
        replace=replace,
        asks=not no_input,
    )
    end(work.init(root_of(ctx), answers))


@app.command(rich_help_panel=_START)
@guarded
def check(
    ctx: typer.Context,
    connection: ConnectionName = None,
    create_property: options.CreateProperty = False,
    as_json: JsonFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Check that everything works, without writing anything.

    Logs in to both systems and checks the roles, the filters, the clocks, the scope, the mapping, and that the
    stages and values named by the mapping exist.
    """
    from nexudus_sync.cli import check as work

    end(work.check(root_of(ctx), connection, as_json=as_json, create_property=create_property))


@app.command(rich_help_panel=_RUN)
@guarded
def plan(
    ctx: typer.Context,
    connection: ConnectionName = None,
    record: RecordOption = None,
    detail: Annotated[bool, typer.Option("--detail", help="List every action, with each change.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Keep the plan in this file, for `sync --plan FILE`.")
    ] = None,
    as_json: JsonFlag = False,
    strict: StrictFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show what a sync would do now; writes nothing.

    It runs the same code as sync, on a copy of the state, so what it shows is what would happen.
    """
    from nexudus_sync.cli import plan as work

    end(work.plan(root_of(ctx), connection, work.Wanted(record, out, detail, as_json, strict)))


@app.command(rich_help_panel=_RUN)
@guarded
def backfill(
    ctx: typer.Context,
    connection: ConnectionName = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="YYYY-MM-DD",
            help="Never copy records created before this day; still match them.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, metavar="N", help="Create at most N records.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Continue without asking.")] = False,
    saved: PlanOption = None,
    as_json: JsonFlag = False,
    strict: StrictFlag = False,
) -> None:
    """Do the first run: match what exists on both sides, copy the rest.

    Before it starts, it shows what it would create, how many calls that takes and how long, and asks. You can stop it
    at any time; when you run it again, it continues where it stopped.
    """
    from nexudus_sync.cli import backfill as work

    day = None if since is None else since.date()
    end(work.backfill(root_of(ctx), connection, work.Wanted(day, limit, yes, strict, saved, as_json)))


@app.command(rich_help_panel=_RUN)
@guarded
def sync(
    ctx: typer.Context,
    connection: ConnectionName = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Also compare everything and look for deletions.")
    ] = False,
    record: RecordOption = None,
    saved: PlanOption = None,
    as_json: JsonFlag = False,
    strict: StrictFlag = False,
) -> None:
    """Run one cycle and exit.

    Reads what changed on both sides since the last cycle, merges it field by field, and writes what has to be carried
    over. A connection that never finished its backfill is backfilled first.
    """
    from nexudus_sync.cli import sync as work

    end(work.sync(root_of(ctx), connection, work.Wanted(record, reconcile, strict, as_json, saved)))


@app.command(rich_help_panel=_RUN)
@guarded
def export(
    ctx: typer.Context,
    connection: ConnectionName = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write to this file: JSON, or CSV if its name ends with .csv."),
    ] = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show the report of the first run again, or write it to a file."""
    from nexudus_sync.cli import first_run as work

    work.export(root_of(ctx), connection, out, as_json=as_json, as_csv=as_csv)


services.add_to(app)
groups.add_to(app)
upkeep.add_to(app)
