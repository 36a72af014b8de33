"""What all verbs share: the options before the verb, and errors as one line with the contract's exit code."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Literal, ParamSpec, cast

import typer

from nexudus_sync.cli.times import IN_UTC
from nexudus_sync.errors import SyncError
from nexudus_sync.texts import LINE, WHOLE, cut, visible

P = ParamSpec("P")

INTERRUPTED = 130
"""The exit code after Ctrl-C, as in a shell."""

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["console", "json"]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]
LARGEST = 2**63 - 1
"""The largest id that a database can hold."""
Limit = Annotated[
    int | None,
    typer.Option(
        min=1, max=LARGEST, metavar="N", help="Show only the newest N. Default: 50 in a table, all in JSON and CSV."
    ),
]
CsvFlag = Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")]
PlanOption = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Do what this plan says and nothing else; see `plan --out`."),
]
ConnectionName = Annotated[
    str | None, typer.Option("--connection", metavar="NAME", help="Only this connection. Default: all.")
]
StrictFlag = Annotated[bool, typer.Option("--strict", help="Exit with 1 when conflicts or failures wait.")]


def readable(given: str | None) -> str | None:
    """Refuse an argument that cannot be an id: an empty one, or bytes that are not UTF-8, which a store cannot find."""
    if given is not None and not given.strip():
        raise typer.BadParameter("it is empty")
    return text_or_nothing(given)


def text_or_nothing(given: str | None) -> str | None:
    """Refuse bytes that are not UTF-8: a store cannot keep or find them."""
    try:
        (given or "").encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("it holds bytes that are not UTF-8") from None
    return given


RecordOption = Annotated[
    str | None,
    typer.Option("--record", callback=readable, metavar="ID", help="Only this record: a Nexudus or a CRM id."),
]
RecordId = Annotated[
    str, typer.Argument(metavar="RECORD", callback=readable, help="A Nexudus or a CRM id.", show_default=False)
]


def _show_whole(whole: bool) -> bool:
    WHOLE.set(whole)
    return whole


FullFlag = Annotated[
    bool, typer.Option("--full", callback=_show_whole, help="Show long texts in full; by default they are cut.")
]


def _show_utc(in_utc: bool) -> bool:
    IN_UTC.set(in_utc)
    return in_utc


UtcFlag = Annotated[
    bool, typer.Option("--utc", callback=_show_utc, help="Show times in UTC, not how long ago in your own zone.")
]


@dataclass(slots=True)
class Root:
    """The options before the verb, `--tenant` wherever it stood, and the secrets known so far, which no error shows."""

    config: Path = Path("config.toml")
    tenant: str | None = None
    debug: bool = False
    log_level: LogLevel | None = None
    log_format: LogFormat | None = None
    secrets: frozenset[str] = frozenset()


TENANT = "Only this tenant of a fleet. Default: all."
"""What the option `--tenant` says of itself."""


def take_tenant(ctx: typer.Context, given: str | None) -> None:
    """Keep the `--tenant` that stood after the verb."""
    if given is not None and ctx.find_root().obj is not None:
        root_of(ctx).tenant = readable(given)


def root_of(ctx: typer.Context) -> Root:
    """The options given before the verb."""
    return cast("Root", ctx.find_root().obj)


def guarded(verb: Callable[P, None]) -> Callable[P, None]:
    """Make a verb end as the contract says, whatever happens: one line on standard error, never a traceback.

    The verb must take `ctx` as a keyword, the way typer passes it.
    """

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        root = root_of(cast("typer.Context", kwargs["ctx"]))
        try:
            verb(*args, **kwargs)
        except (typer.Exit, BrokenPipeError):
            raise  # the first is not an error; typer ends quietly on the second
        except (KeyboardInterrupt, typer.Abort):
            complain(root, "interrupted; run the same command again to continue")
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            raise typer.Exit(tell(root, error)) from None

    return run


def tell(root: Root, error: Exception, where: str = "") -> int:
    """Print an error as one line, after the place where it was caught. Returns its exit code."""
    if root.debug:
        typer.echo(shown(root, traceback.format_exc()), err=True)
    complain(root, where + _text(error, root))
    return error.exit_code if isinstance(error, SyncError) else 1


def _text(error: Exception, root: Root) -> str:
    if isinstance(error, SyncError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    more = "" if root.debug else "; run again with --debug for the traceback"
    return f"{type(error).__name__}: {error}{more}"


def complain(root: Root, text: str) -> None:
    """Print one line on standard error, without the known secrets; a key of a file is given its line."""
    from nexudus_sync.cli.positions import with_line

    line = cut(shown(root, with_line(" ".join(text.split()), root.config)), LINE)
    typer.echo(f"nexudus-sync: {line}", err=True)


def shown(root: Root, text: str) -> str:
    """The text without the known secrets and without terminal control; line breaks are kept."""
    from nexudus_sync.logs import Redact

    return visible(str(Redact(root.secrets)(None, "", {"event": text})["event"]), keep="\n")


def end(code: int) -> None:
    """End the verb with an exit code; with zero it ends normally."""
    if code:
        raise typer.Exit(code)


def worst(codes: list[int]) -> int:
    """The exit code of several connections: a wrong password or file outranks a brake, a brake a failed run."""
    return max(codes, key=(0, 1, 3, 2).index, default=0)
