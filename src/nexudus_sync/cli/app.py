"""The command line as people see it: the verbs that run something. Those that look and decide are in `groups`.

Verbs import what they run when they run it, so that `--help` and shell completion stay quick.
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

New here? [bold]nexudus-sync demo[/bold] shows all of it on made-up data and needs nothing. For your own:
[bold]init[/bold], then [bold]check[/bold], [bold]plan[/bold], [bold]backfill[/bold] and [bold]run[/bold].

Exit codes: 0 done, 1 the run failed, 2 wrong usage, configuration, mapping or password, 3 a brake stopped a connection.
"""


class CrmName(StrEnum):
    """The CRMs that the sandbox has doubles of."""

    OVERPLANE = "overplane"
    ERPNEXT = "erpnext"


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
    log_level: Annotated[LogLevel | None, typer.Option(help="How much to log; else as the configuration says.")] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="For people or for a log collector; else as the configuration says.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before the verb."""
    WHOLE.set(False)
    ctx.obj = Root(config, debug, log_level, log_format)


@app.command(rich_help_panel=_START)
@guarded
def demo(
    ctx: typer.Context,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Leave configuration and state in this new folder, to look around."),
    ] = None,
    crm: Annotated[CrmName, typer.Option(help="Which CRM the made-up data is in.")] = CrmName.OVERPLANE,
) -> None:
    """Show it at work on made-up data; needs nothing.

    Starts doubles of Nexudus and of a CRM on this machine, runs a backfill, edits records on both sides as people
    would, syncs, and shows what travelled and how a conflict is settled. Takes less than a minute.
    """
    from nexudus_sync.cli import demo as work

    end(work.demo(root_of(ctx), keep, crm.value))


@app.command(rich_help_panel=_START)
@guarded
def sandbox(
    ctx: typer.Context,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write config.toml and env.sh there; print nothing.")
    ] = None,
    crm: Annotated[CrmName, typer.Option(help="Which CRM stands beside Nexudus.")] = CrmName.OVERPLANE,
    cards: Annotated[int, typer.Option(min=0, help="Opportunities in Nexudus.")] = 300,
    deals: Annotated[int, typer.Option(min=0, help="Opportunities in the CRM.")] = 200,
    shared: Annotated[int, typer.Option(min=0, help="How many of them are the same on both sides.")] = 80,
    seed: Annotated[int, typer.Option(help="Another number makes other data.")] = 7,
    port: Annotated[
        int, typer.Option(min=0, max=65534, help="Nexudus listens here, the CRM one above; 0: wherever it is free.")
    ] = 0,
) -> None:
    """Keep doubles of Nexudus and of a CRM running, until Ctrl-C, with a configuration that connects them.

    Use it to try the other commands, your mapping files or your monitoring without touching real data.
    """
    from nexudus_sync.cli import sandbox as work

    work.sandbox(write, port, work.Counts(cards, deals, shared, seed), crm.value)


@app.command(rich_help_panel=_START)
@guarded
def init(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option(help="What to call the connection.", show_default=False)] = None,
    location: Annotated[
        int | None, typer.Option(min=1, help="The id of the Nexudus location (business).", show_default=False)
    ] = None,
    board: Annotated[
        int | None, typer.Option(min=1, help="The id of one board, instead of a location.", show_default=False)
    ] = None,
    connector: Annotated[str | None, typer.Option(help="Which kind of CRM it is.", show_default=False)] = None,
    crm_url: Annotated[str | None, typer.Option(help="The address of the CRM.", show_default=False)] = None,
    company: Annotated[
        str | None, typer.Option(help="The CRM's company for this location; empty: all.", show_default=False)
    ] = None,
) -> None:
    """Write a configuration and the mapping files; asks for what the options leave open.

    Writes the file that --config names and the folder mappings beside it, and never overwrites. Passwords are not
    asked for: the file takes them from environment variables.
    """
    from nexudus_sync.cli import init as work

    work.init(root_of(ctx), work.Answers(name, location, board, connector, crm_url, company))


@app.command(rich_help_panel=_START)
@guarded
def check(ctx: typer.Context, connection: ConnectionName = None, full: FullFlag = False) -> None:
    """See whether all of it works, without writing anything.

    Logs in to both systems and looks at roles, filters, clocks, what the scope names, the mapping's laws, and whether
    the stages and values that the mapping names exist.
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

    It is the same code that sync runs, on a copy of the state; so what it shows is what would happen.
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
            formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Create nothing older, now or later; matching sees all."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, metavar="N", help="Create at most so many records.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go on without asking.")] = False,
    strict: StrictFlag = False,
) -> None:
    """The first run: match what exists on both sides, copy the rest.

    First shows what it would create, how many calls that takes and how long, and asks. It can be stopped at any time:
    run again, it goes on where it was.
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
        bool, typer.Option("--reconcile", help="Compare everything, and look for deletions as well.")
    ] = False,
    record: RecordOption = None,
    strict: StrictFlag = False,
) -> None:
    """Run one cycle and exit.

    Reads what changed on both sides since the last time, merges it field by field, and writes what has to travel. A
    connection that never finished its backfill is backfilled first.
    """
    from nexudus_sync.cli import sync as work

    end(work.sync(root_of(ctx), connection, record, reconcile=reconcile, strict=strict))


@app.command(rich_help_panel=_RUN)
@guarded
def run(ctx: typer.Context) -> None:
    """Keep syncing until stopped: the daemon.

    Each connection is polled and reconciled as often as the configuration says. It survives errors and tells them in
    the log; SIGTERM or Ctrl-C ends it cleanly within seconds.
    """
    from nexudus_sync.cli import sync as work

    end(work.run_daemon(root_of(ctx)))


groups.add_to(app)
