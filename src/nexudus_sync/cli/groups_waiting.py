"""The verbs about what waits for a person: conflicts, failures, and both in one list."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nexudus_sync.cli.frame import (
    LARGEST,
    ConnectionName,
    CsvFlag,
    FullFlag,
    JsonFlag,
    Limit,
    UtcFlag,
    guarded,
    readable,
    root_of,
)
from nexudus_sync.cli.usage import group
from nexudus_sync.errors import ConfigError

if TYPE_CHECKING:
    from nexudus_sync.store.only import Only

conflicts = group("Fields that both sides changed to different values: a person decides.")
failures = group("What could not be carried over, and why.")

ConflictId = Annotated[
    int, typer.Argument(metavar="ID", min=1, max=LARGEST, help="The id shown by `conflicts list`.", show_default=False)
]
MaybeConflict = Annotated[
    int | None, typer.Argument(metavar="[ID]", min=1, max=LARGEST, help="The id shown by `conflicts list`.")
]
MaybeFailure = Annotated[
    int | None, typer.Argument(metavar="[ID]", min=1, max=LARGEST, help="The id shown by `failures list`.")
]
Take = Literal["nexudus", "crm"]
FieldOption = Annotated[
    str | None, typer.Option("--field", callback=readable, metavar="NAME", help="Only about this field.")
]
KindOption = Annotated[
    str | None, typer.Option("--kind", callback=readable, metavar="KIND", help="Only of this kind (in --json).")
]
TextOption = Annotated[
    str | None,
    typer.Option("--text", callback=readable, metavar="TEXT", help="Only with this in a value, a title or a customer."),
]
OlderOption = Annotated[
    str | None, typer.Option("--older-than", metavar="AGE", help="Only older than this: 30m, 12h, 7d.")
]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


def _only(field: str | None, kind: str | None, text: str | None, older_than: str | None) -> "Only":
    """What the options ask for. Raises ConfigError for an age that is none."""
    from nexudus_sync.config.settings import duration
    from nexudus_sync.store.only import Only

    try:
        before = None if older_than is None else datetime.now(UTC) - duration(older_than)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise ConfigError("--older-than", problem, remedy) from None
    return Only(field, kind, text, before)


@guarded
def inbox(
    ctx: typer.Context,
    connection: ConnectionName = None,
    field: FieldOption = None,
    kind: KindOption = None,
    text: TextOption = None,
    older_than: OlderOption = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show all that waits for a person, conflicts and failures in one list, newest first."""
    from nexudus_sync.cli import inbox as work
    from nexudus_sync.cli.lists import How

    how = How(_only(field, kind, text, older_than), limit, as_json, as_csv)
    work.show(root_of(ctx), connection, how)


@conflicts.command("list")
@guarded
def conflicts_list(
    ctx: typer.Context,
    connection: ConnectionName = None,
    field: FieldOption = None,
    kind: KindOption = None,
    text: TextOption = None,
    older_than: OlderOption = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show the conflicts that wait for a decision, newest first."""
    from nexudus_sync.cli import lists as work

    how = work.How(_only(field, kind, text, older_than), limit, as_json, as_csv)
    work.show_conflicts(root_of(ctx), connection, how)


@conflicts.command("show")
@guarded
def conflicts_show(
    ctx: typer.Context,
    conflict: ConflictId,
    as_json: JsonFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show one conflict in full."""
    from nexudus_sync.cli import conflicts as work

    work.show(root_of(ctx), conflict, as_json=as_json)


@conflicts.command("resolve")
@guarded
def conflicts_resolve(
    ctx: typer.Context,
    conflict: MaybeConflict = None,
    take: Annotated[Take | None, typer.Option("--take", help="The side to take.", show_default=False)] = None,
    value: Annotated[
        str | None,
        typer.Option("--value", metavar="TEXT", help='A third value, for both sides; "" empties the field.'),
    ] = None,
    connection: ConnectionName = None,
    field: FieldOption = None,
    kind: KindOption = None,
    text: TextOption = None,
    older_than: OlderOption = None,
    yes: YesFlag = False,
) -> None:
    """Resolve a conflict; the next cycle carries it out if both sides still have the values shown now.

    Without an ID: all that the filters name, after a preview. Questions about whole records, and about values that
    were overwritten, are then left out unless --kind names them; a record is never deleted that way.
    """
    from nexudus_sync.cli import bulk
    from nexudus_sync.cli import conflicts as work

    if (take is None) == (value is None):
        raise ConfigError("conflicts resolve", "needs either --take or --value", "give one of them")
    only = _only(field, kind, text, older_than)
    if conflict is None:
        bulk.resolve(root_of(ctx), connection, only, bulk.Answer(take, value), yes=yes)
    else:
        bulk.refuse_filters("conflicts resolve", connection, only)
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
    field: FieldOption = None,
    kind: KindOption = None,
    text: TextOption = None,
    older_than: OlderOption = None,
    limit: Limit = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
    full: FullFlag = False,
    in_utc: UtcFlag = False,
) -> None:
    """Show the open failures, newest first."""
    from nexudus_sync.cli import lists as work

    how = work.How(_only(field, kind, text, older_than), limit, as_json, as_csv)
    work.show_failures(root_of(ctx), connection, how)


@failures.command("retry")
@guarded
def failures_retry(
    ctx: typer.Context,
    failure: MaybeFailure = None,
    every: Annotated[bool, typer.Option("--all", help="Retry all open failures.")] = False,
    connection: ConnectionName = None,
    field: FieldOption = None,
    kind: KindOption = None,
    text: TextOption = None,
    older_than: OlderOption = None,
    yes: YesFlag = False,
) -> None:
    """Retry a failure at the next cycle, all of them, or those that the filters name (after a preview)."""
    from nexudus_sync.cli import bulk
    from nexudus_sync.cli import failures as work

    only = _only(field, kind, text, older_than)
    if failure is None and not every and bulk.is_narrow(connection, only):
        bulk.retry(root_of(ctx), connection, only, yes=yes)
    else:
        bulk.refuse_filters("failures retry", connection, only)
        work.retry(root_of(ctx), failure, every=every)


@failures.command("dismiss")
@guarded
def failures_dismiss(
    ctx: typer.Context,
    failure: MaybeFailure = None,
    connection: ConnectionName = None,
    field: FieldOption = None,
    kind: KindOption = None,
    text: TextOption = None,
    older_than: OlderOption = None,
    yes: YesFlag = False,
) -> None:
    """Hide a failure until its reason changes; without an ID, those that the filters name (after a preview)."""
    from nexudus_sync.cli import bulk
    from nexudus_sync.cli import failures as work

    only = _only(field, kind, text, older_than)
    if failure is None:
        bulk.dismiss(root_of(ctx), connection, only, yes=yes)
    else:
        bulk.refuse_filters("failures dismiss", connection, only)
        work.dismiss(root_of(ctx), failure)
