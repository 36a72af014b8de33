"""The verbs that look at the state and decide, without password or network."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nexudus_sync.cli.frame import (
    ConnectionName,
    FullFlag,
    JsonFlag,
    RecordId,
    StrictFlag,
    end,
    guarded,
    readable,
    root_of,
    text_or_nothing,
)
from nexudus_sync.cli.usage import Group
from nexudus_sync.errors import ConfigError

_LOOK = "Look and decide"

LARGEST = 2**63 - 1
"""The largest id that a database can hold."""
ConflictId = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=LARGEST, help="The id shown by `conflicts list`.", show_default=False)
]
FailureId = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=LARGEST, help="The id shown by `failures list`.", show_default=False)
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, max=LARGEST, metavar="N", help="Show only the newest N. Default: 50 in a table, all in JSON."),
]
PausedName = Annotated[
    str, typer.Argument(metavar="CONNECTION", callback=readable, help="Its name in the configuration.")
]
Take = Literal["nexudus", "crm"]


def _group(text: str) -> typer.Typer:
    return typer.Typer(cls=Group, help=text)


mapping = _group("Show and check how fields correspond.")
conflicts = _group("Fields that both sides changed to different values: a person decides.")
failures = _group("What could not be carried over, and why.")
links = _group("Which records are paired.")
notify = _group("Messages to people when something is wrong or waits.")
brake = _group("Emergency stops: something looked very wrong, and a person has to look.")


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    for verb in (status, health, explain, history, undo, link, unlink, ignore, pause, resume):
        app.command(rich_help_panel=_LOOK)(verb)
    named = {"conflicts": conflicts, "failures": failures, "links": links, "brake": brake, "mapping": mapping}
    named |= {"notify": notify}
    for name, group in named.items():
        app.add_typer(group, name=name, rich_help_panel=_LOOK)


@guarded
def status(ctx: typer.Context, as_json: JsonFlag = False, strict: StrictFlag = False, full: FullFlag = False) -> None:
    """Show the state of each connection: its links, what waits, its last success, and any brake."""
    from nexudus_sync.cli import status as work

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
def explain(ctx: typer.Context, record: RecordId, connection: ConnectionName = None, full: FullFlag = False) -> None:
    """Explain the state of a record: its link, what both sides last said, what waits, what was written."""
    from nexudus_sync.cli import explain as work

    work.explain(root_of(ctx), record, connection)


@guarded
def history(
    ctx: typer.Context,
    record: Annotated[
        str | None, typer.Argument(metavar="[RECORD]", callback=readable, help="Show only this Nexudus or CRM id.")
    ] = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    full: FullFlag = False,
) -> None:
    """Show the values that the sync overwrote, newest first; `undo` restores one."""
    from nexudus_sync.cli import lists as work

    work.show_history(root_of(ctx), record, limit, as_json=as_json)


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


@links.command("list")
@guarded
def links_list(
    ctx: typer.Context,
    connection: ConnectionName = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    full: FullFlag = False,
) -> None:
    """Show the pairs, newest first, closed ones included with the reason."""
    from nexudus_sync.cli import lists as work

    work.show_links(root_of(ctx), connection, limit, as_json=as_json)


@conflicts.command("list")
@guarded
def conflicts_list(
    ctx: typer.Context,
    connection: ConnectionName = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    full: FullFlag = False,
) -> None:
    """Show the conflicts that wait for a decision, newest first."""
    from nexudus_sync.cli import lists as work

    work.show_conflicts(root_of(ctx), connection, limit, as_json=as_json)


@conflicts.command("show")
@guarded
def conflicts_show(ctx: typer.Context, conflict: ConflictId, full: FullFlag = False) -> None:
    """Show one conflict in full."""
    from nexudus_sync.cli import conflicts as work

    work.show(root_of(ctx), conflict)


@conflicts.command("resolve")
@guarded
def conflicts_resolve(
    ctx: typer.Context,
    conflict: ConflictId,
    take: Annotated[Take | None, typer.Option("--take", help="The side to take.", show_default=False)] = None,
    value: Annotated[
        str | None,
        typer.Option(
            "--value",
            callback=text_or_nothing,
            metavar="TEXT",
            help='A third value, for both sides; "" empties the field.',
            show_default=False,
        ),
    ] = None,
) -> None:
    """Resolve a conflict; the next cycle carries it out if both sides still have the values shown now."""
    from nexudus_sync.cli import conflicts as work

    if (take is None) == (value is None):
        raise ConfigError("conflicts resolve", "needs either --take or --value", "give one of them")
    work.resolve(root_of(ctx), conflict, take, value)


@conflicts.command("take-back")
@guarded
def conflicts_take_back(ctx: typer.Context, conflict: ConflictId) -> None:
    """Take a decision back, as long as no cycle has carried it out."""
    from nexudus_sync.cli import conflicts as work

    work.take_back(root_of(ctx), conflict)


@failures.command("list")
@guarded
def failures_list(
    ctx: typer.Context,
    connection: ConnectionName = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    full: FullFlag = False,
) -> None:
    """Show the open failures, newest first."""
    from nexudus_sync.cli import lists as work

    work.show_failures(root_of(ctx), connection, limit, as_json=as_json)


@failures.command("retry")
@guarded
def failures_retry(
    ctx: typer.Context,
    failure: Annotated[
        int | None, typer.Argument(metavar="[ID]", min=1, max=LARGEST, help="The id shown by `failures list`.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Retry all open failures.")] = False,
) -> None:
    """Retry a failure at the next cycle."""
    from nexudus_sync.cli import failures as work

    work.retry(root_of(ctx), failure, every=every)


@failures.command("dismiss")
@guarded
def failures_dismiss(ctx: typer.Context, failure: FailureId) -> None:
    """Hide a failure; it comes back if its reason changes."""
    from nexudus_sync.cli import failures as work

    work.dismiss(root_of(ctx), failure)


@brake.command("show")
@guarded
def brake_show(ctx: typer.Context, connection: ConnectionName = None, full: FullFlag = False) -> None:
    """Show the brakes that are set, and why."""
    from nexudus_sync.cli import brakes as work

    work.show(root_of(ctx), connection)


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
def mapping_check(ctx: typer.Context, nexudus: NexudusFile = None, crm: CrmFile = None) -> None:
    """Check that the mapping round-trips: what is read and written back stays the same, and nothing else changes.

    Checks the mappings of the configured connections, else the shipped ones. Needs no network.
    """
    from nexudus_sync.cli import mappings as work

    end(work.check(root_of(ctx), nexudus, crm))


@mapping.command("show")
@guarded
def mapping_show(ctx: typer.Context, nexudus: NexudusFile = None, crm: CrmFile = None) -> None:
    """Show every field as both sides see it."""
    from nexudus_sync.cli import mappings as work

    work.show(root_of(ctx), nexudus, crm)


@notify.command("test")
@guarded
def notify_test(ctx: typer.Context) -> None:
    """Send a test message to each address of [notify], and say whether it went."""
    from nexudus_sync.cli import notify as work

    end(work.test(root_of(ctx)))
