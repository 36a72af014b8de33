"""The verbs that run something. The verbs that look and decide are in `groups`.

Each verb imports its code when it runs, so that `--help` and shell completion stay quick.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nexudus_sync.cli import groups
from nexudus_sync.cli.frame import (
    ConnectionName,
    FullFlag,
    JsonFlag,
    LogFormat,
    LogLevel,
    RecordOption,
    Root,
    StrictFlag,
    end,
    guarded,
    root_of,
)
from nexudus_sync.cli.usage import Verbs
from nexudus_sync.texts import WHOLE

_START, _RUN = "Start here", "Run"
_HELP = """Keep Nexudus CRM opportunities and your sales team's CRM in step, both ways, field by field.

New here? [bold]nexudus-sync demo[/bold] shows everything on made-up data, without an account. To connect your own
systems: [bold]init[/bold], then [bold]check[/bold], [bold]plan[/bold], [bold]backfill[/bold] and [bold]run[/bold].

Exit codes: 0 done, 1 the run failed, 2 wrong usage, configuration, mapping or password, 3 a brake stopped a connection.
"""


class CrmName(StrEnum):
    """The CRMs that the sandbox has a double for."""

    OVERPLANE = "overplane"
    ERPNEXT = "erpnext"
    HUBSPOT = "hubspot"


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
    ctx.obj = Root(config, debug, log_level, log_format)


@app.command(rich_help_panel=_START)
@guarded
def demo(
    ctx: typer.Context,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the configuration and the state in this new folder."),
    ] = None,
    crm: Annotated[CrmName, typer.Option(help="The CRM to show.")] = CrmName.OVERPLANE,
) -> None:
    """Show the sync at work on made-up data; needs no account.

    Starts stand-ins for Nexudus and a CRM on this machine, runs a backfill, edits records on both sides as people
    would, syncs, and shows what was carried over and how a conflict is resolved. It takes less than a minute.
    """
    from nexudus_sync.cli import demo as work

    end(work.demo(root_of(ctx), keep, crm.value))


@app.command(rich_help_panel=_START)
@guarded
def sandbox(
    ctx: typer.Context,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write config.toml and env.sh to this folder.")
    ] = None,
    crm: Annotated[CrmName, typer.Option(help="The CRM to run beside Nexudus.")] = CrmName.OVERPLANE,
    cards: Annotated[int, typer.Option(min=0, help="The number of opportunities in Nexudus.")] = 300,
    deals: Annotated[int, typer.Option(min=0, help="The number of opportunities in the CRM.")] = 200,
    shared: Annotated[int, typer.Option(min=0, help="How many of them are on both sides.")] = 80,
    seed: Annotated[int, typer.Option(help="Change the seed to get different data.")] = 7,
    port: Annotated[
        int, typer.Option(min=0, max=65534, help="The port for Nexudus; the CRM gets the next one. 0: any free ports.")
    ] = 0,
) -> None:
    """Run stand-ins for Nexudus and a CRM until Ctrl-C, with a configuration that connects them.

    Use it to try the other commands, your mapping files or your monitoring without touching real data.
    """
    from nexudus_sync.cli import sandbox as work

    work.sandbox(write, port, work.Counts(cards, deals, shared, seed), crm.value)


@app.command(rich_help_panel=_START)
@guarded
def init(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option(help="The name of the connection.", show_default=False)] = None,
    location: Annotated[
        int | None, typer.Option(min=1, help="The id of the Nexudus location (business).", show_default=False)
    ] = None,
    board: Annotated[
        int | None, typer.Option(min=1, help="The id of a board, in place of a location.", show_default=False)
    ] = None,
    connector: Annotated[str | None, typer.Option(help="The kind of CRM.", show_default=False)] = None,
    crm_url: Annotated[str | None, typer.Option(help="The address of the CRM.", show_default=False)] = None,
    company: Annotated[
        str | None, typer.Option(help="The CRM's company for this location; empty for all.", show_default=False)
    ] = None,
) -> None:
    """Write a configuration and the mapping files; asks for what the options leave out.

    Writes the file that --config names and the folder mappings beside it. Never overwrites a file. Does not ask for
    passwords: the configuration takes them from environment variables.
    """
    from nexudus_sync.cli import init as work

    work.init(root_of(ctx), work.Answers(name, location, board, connector, crm_url, company))


@app.command(rich_help_panel=_START)
@guarded
def check(ctx: typer.Context, connection: ConnectionName = None, full: FullFlag = False) -> None:
    """Check that everything works, without writing anything.

    Logs in to both systems and checks the roles, the filters, the clocks, the scope, the mapping's laws, and that the
    stages and values named by the mapping exist.
    """
    from nexudus_sync.cli import check as work

    end(work.check(root_of(ctx), connection))


@app.command(rich_help_panel=_RUN)
@guarded
def plan(
    ctx: typer.Context,
    connection: ConnectionName = None,
    record: RecordOption = None,
    as_json: JsonFlag = False,
    strict: StrictFlag = False,
    full: FullFlag = False,
) -> None:
    """Show what a sync would do now. Writes no record, link or cursor.

    It runs the same code as sync, on a copy of the state, so what it shows is what would happen.
    """
    from nexudus_sync.cli import plan as work

    end(work.plan(root_of(ctx), connection, record, as_json=as_json, strict=strict))


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
    strict: StrictFlag = False,
) -> None:
    """Do the first run: match what exists on both sides, copy the rest.

    Before it starts, it shows what it would create, how many calls that takes and how long, and asks. You can stop it
    at any time; when you run it again, it continues where it stopped.
    """
    from nexudus_sync.cli import backfill as work

    day = None if since is None else since.date()
    end(work.backfill(root_of(ctx), connection, work.Wanted(day, limit, yes, strict)))


@app.command(rich_help_panel=_RUN)
@guarded
def sync(
    ctx: typer.Context,
    connection: ConnectionName = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Also compare everything and look for deletions.")
    ] = False,
    record: RecordOption = None,
    strict: StrictFlag = False,
) -> None:
    """Run one cycle and exit.

    Reads what changed on both sides since the last cycle, merges it field by field, and writes what has to be carried
    over. A connection that never finished its backfill is backfilled first.
    """
    from nexudus_sync.cli import sync as work

    end(work.sync(root_of(ctx), connection, record, reconcile=reconcile, strict=strict))


@app.command(rich_help_panel=_RUN)
@guarded
def run(ctx: typer.Context) -> None:
    """Keep syncing until stopped (the daemon).

    Each connection is polled and reconciled as often as the configuration says. It survives errors and logs
    them; SIGTERM or Ctrl-C ends it cleanly within seconds.
    """
    from nexudus_sync.cli import sync as work

    end(work.run_daemon(root_of(ctx)))


groups.add_to(app)
