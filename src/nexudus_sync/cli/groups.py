"""The verbs that look at the state and decide, without password or network."""

from pathlib import Path
from typing import Annotated

import typer

from nexudus_sync.cli import groups_waiting as waiting
from nexudus_sync.cli.frame import (
    LARGEST,
    ConnectionName,
    CsvFlag,
    FullFlag,
    JsonFlag,
    Limit,
    RecordId,
    StrictFlag,
    UtcFlag,
    end,
    guarded,
    readable,
    root_of,
)
from nexudus_sync.cli.usage import group

_LOOK = "Look and decide"

PausedName = Annotated[
    str, typer.Argument(metavar="CONNECTION", callback=readable, help="Its name in the configuration.")
]


mapping = group("Show and check how fields correspond.")
links = group("Which records are paired.")
notify = group("Messages to people when something is wrong or waits.")
connections = group("Connections as a whole.")
brake = group("Emergency stops: something looked very wrong, and a person has to look.")


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    for verb in (status, waiting.inbox, health, explain, history, undo, link, unlink, ignore, pause, resume, forget):
        app.command(rich_help_panel=_LOOK)(verb)
    named = {
        "conflicts": waiting.conflicts,
        "failures": waiting.failures,
        "links": links,
        "brake": brake,
        "mapping": mapping,
        "notify": notify,
        "connection": connections,
    }
    for name, verbs in named.items():
        app.add_typer(verbs, name=name, rich_help_panel=_LOOK)


@guarded
def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds, until Ctrl-C.")] = False,
    as_json: JsonFlag = False,
    strict: StrictFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show the state of each connection: its links, what waits, its last success, and any brake."""
    from nexudus_sync.cli import status as work

    if watch:
        work.watch(root_of(ctx), as_json=as_json)
    end(work.status(root_of(ctx), as_json=as_json, strict=strict))


@guarded
def health(
    ctx: typer.Context,
    connection: Annotated[
        str | None, typer.Argument(metavar="[CONNECTION]", help="Only this connection. Default: all.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say whether all is well, for a watchdog: exits with 1 and one line for each problem if it is not.

    A problem is: `run` is not at work; a brake is set; a connection keeps failing, or finished no cycle for long.
    """
    from nexudus_sync.cli import health as work

    end(work.health(root_of(ctx), connection, as_json=as_json))


@guarded
def explain(
    ctx: typer.Context,
    record: RecordId,
    connection: ConnectionName = None,
    as_json: JsonFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Explain the state of a record: its link, what both sides last said, what waits, what was written."""
    from nexudus_sync.cli import explain as work

    work.explain(root_of(ctx), record, connection, as_json=as_json)


@guarded
def history(
    ctx: typer.Context,
    record: Annotated[
        str | None, typer.Argument(metavar="[RECORD]", callback=readable, help="Show only this Nexudus or CRM id.")
    ] = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show the values that the sync overwrote, newest first; `undo` restores one."""
    from nexudus_sync.cli import lists as work

    work.show_history(root_of(ctx), record, work.How(limit=limit, as_json=as_json, as_csv=as_csv))


@guarded
def undo(
    ctx: typer.Context,
    entry: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=LARGEST, help="The id shown by `history`.", show_default=False)
    ],
    force: Annotated[bool, typer.Option("--force", help="Undo even if the value has changed since.")] = False,
) -> None:
    """Restore the old value of a history entry on both sides, at the next cycle."""
    from nexudus_sync.cli import history as work

    work.undo(root_of(ctx), entry, force=force)


@guarded
def link(
    ctx: typer.Context,
    nexudus: Annotated[
        str, typer.Argument(metavar="NEXUDUS", callback=readable, help="The Nexudus id.", show_default=False)
    ],
    crm: Annotated[str, typer.Argument(metavar="CRM", callback=readable, help="The CRM's id.", show_default=False)],
    connection: ConnectionName = None,
) -> None:
    """Pair two records by hand, at the next cycle."""
    from nexudus_sync.cli import links as work

    work.link(root_of(ctx), nexudus, crm, connection)


@guarded
def unlink(ctx: typer.Context, record: RecordId, connection: ConnectionName = None) -> None:
    """Unlink a pair, at the next cycle; both records are kept, and neither is created again."""
    from nexudus_sync.cli import links as work

    work.unlink(root_of(ctx), record, connection)


@guarded
def ignore(ctx: typer.Context, record: RecordId, connection: ConnectionName = None) -> None:
    """Leave an unpaired record alone from now on."""
    from nexudus_sync.cli import links as work

    work.ignore(root_of(ctx), record, connection)


@guarded
def pause(ctx: typer.Context, connection: PausedName) -> None:
    """Run no more cycles of a connection until it is resumed; what changes meanwhile is carried over then."""
    from nexudus_sync.cli import pauses as work

    work.pause(root_of(ctx), connection)


@guarded
def resume(ctx: typer.Context, connection: PausedName) -> None:
    """Let a paused connection run again."""
    from nexudus_sync.cli import pauses as work

    work.resume(root_of(ctx), connection)


@guarded
def forget(
    ctx: typer.Context,
    who: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECORD|E-MAIL]", callback=readable, help="A record's id, or a person's e-mail address."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Erase without asking.")] = False,
) -> None:
    """Erase a person's values from the sync's own records, for a data-protection request.

    Erases the values in history, journal, conflicts, failures, closed pairs, records without a counterpart and the
    report of the first run. Says what it cannot reach. With `--tenant NAME` alone: all that is held of a tenant that
    was removed from the fleet.
    """
    from nexudus_sync.cli import forget as work

    work.forget(root_of(ctx), who, yes=yes)


@connections.command("rename")
@guarded
def connection_rename(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", callback=readable, help="The name that the state knows.")],
    new: Annotated[str, typer.Argument(metavar="NEW", callback=readable, help="The name in the configuration.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Rename without asking.")] = False,
) -> None:
    """Give a connection another name in the state, with all that is kept under it; `run` has to be stopped."""
    from nexudus_sync.cli import rename as work

    work.rename(root_of(ctx), old, new, yes=yes)


@links.command("list")
@guarded
def links_list(
    ctx: typer.Context,
    connection: ConnectionName = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show the pairs, newest first, closed ones included with the reason."""
    from nexudus_sync.cli import lists as work

    work.show_links(root_of(ctx), connection, work.How(limit=limit, as_json=as_json, as_csv=as_csv))


@brake.command("show")
@guarded
def brake_show(
    ctx: typer.Context,
    connection: ConnectionName = None,
    as_json: JsonFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show the brakes that are set, and why."""
    from nexudus_sync.cli import brakes as work

    work.show(root_of(ctx), connection, as_json=as_json)


@brake.command("release")
@guarded
def brake_release(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name shown by `brake show`.", show_default=False)],
    connection: ConnectionName = None,
) -> None:
    """Let the next cycle continue despite the brake, once."""
    from nexudus_sync.cli import brakes as work

    work.release(root_of(ctx), name, connection)


NexudusFile = Annotated[
    Path | None,
    typer.Option("--nexudus", metavar="FILE", help="Use this Nexudus mapping, not the configured one."),
]
CrmFile = Annotated[
    Path | None, typer.Option("--crm", metavar="FILE", help="Use this CRM mapping, not the configured one.")
]


@mapping.command("check")
@guarded
def mapping_check(
    ctx: typer.Context, nexudus: NexudusFile = None, crm: CrmFile = None, as_json: JsonFlag = False
) -> None:
    """Check that the mapping round-trips: what is read and written back stays the same, and nothing else changes.

    Checks the mappings of the configured connections, else the shipped ones. Needs no network.
    """
    from nexudus_sync.cli import mappings as work

    end(work.check(root_of(ctx), nexudus, crm, as_json=as_json))


@mapping.command("show")
@guarded
def mapping_show(
    ctx: typer.Context, nexudus: NexudusFile = None, crm: CrmFile = None, as_json: JsonFlag = False
) -> None:
    """Show every field as both sides see it."""
    from nexudus_sync.cli import mappings as work

    work.show(root_of(ctx), nexudus, crm, as_json=as_json)


@notify.command("test")
@guarded
def notify_test(ctx: typer.Context) -> None:
    r"""Send a test message to each address of \[notify], and say whether it went."""
    from nexudus_sync.cli import notify as work

    end(work.test(root_of(ctx)))
