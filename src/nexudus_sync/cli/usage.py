"""Wrong usage of the command line: one line on standard error and exit code 2, as for other mistakes."""

import sys
from collections.abc import Sequence
from functools import cache, partial
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from nexudus_sync.cli.frame import TENANT, Root, complain, take_tenant, tell

WRONG = 2
"""The exit code of wrong usage."""

_WITHOUT_TENANTS = ("demo", "sandbox", "trigger")
"""The verbs that read no configuration."""

# depending on its version, typer uses the real click or a copy of its own: this is the base class in either
_UsageError: Any = typer.BadParameter.__bases__[0]


class Group(TyperGroup):
    """A group of commands whose help is for people: without the types and bounds that only programmers read."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of its commands; None if there is none of that name."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            if cmd_name not in _WITHOUT_TENANTS:
                _let_name_tenant(found)
            _tidy(found, ctx)
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write its own help."""
        _tidy(self, ctx)
        super().format_help(ctx, formatter)


def _let_name_tenant(command: Any) -> None:
    """Give a verb the option `--tenant`: all of them have it, and what they read says what it means."""
    if not hasattr(command, "commands") and not any("--tenant" in param.opts for param in command.params):
        command.params.extend(_of_any_verb().params)


@cache
def _of_any_verb() -> Any:
    """A command with the option alone."""
    made = typer.Typer(add_completion=False)

    @made.command()
    def verb(
        tenant: Annotated[
            str | None,
            typer.Option(metavar="NAME", help=TENANT, expose_value=False, callback=take_tenant),
        ] = None,
    ) -> None:
        """Do nothing."""

    return typer.main.get_command(made)


def group(text: str) -> typer.Typer:
    """A group of verbs with this help."""
    return typer.Typer(cls=Group, help=text)


def _tidy(command: Any, ctx: Any) -> None:
    """Leave out of its help what would read `<bool>` or `[1<=x<=9]`; what is accepted stays the same."""
    for param in command.get_params(ctx):
        kind = getattr(param, "type", None)
        bounded = any(getattr(one, "min", None) is not None for one in (param, kind))
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif bounded and param.metavar is None:
            param.metavar = "N"
        if getattr(param, "param_type_name", "") == "argument" and hasattr(param, "display_type_rich"):
            param.display_type_rich = lambda ctx: ""
        for owner, name in ((param, "_get_number_range_help_str"), (kind, "_describe_range")):  # by typer's version
            if bounded and hasattr(owner, name):
                setattr(owner, name, lambda: "")


class Verbs(Group):
    """The command line; without arguments it shows its help."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run it. Ends the process with the exit code unless `standalone_mode` is False."""
        given = list(sys.argv[1:] if args is None else args)
        run = partial(super().main, given or ["--help"], prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return run()
        try:
            code = run()
        except _UsageError as error:
            complain(Root(), told(error))
            sys.exit(WRONG)
        except OSError as error:  # from printing before any verb runs, such as help to a full disk
            sys.exit(tell(Root(), error))
        sys.exit(code if given else WRONG)


class Keeping(TyperCommand):
    """A command whose `--keep` may stand without a folder, for which it then has a usual one."""

    usual = "nexudus-sync-demo"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual folder where none is named."""
        given = list(args)
        if "--keep" in given:
            after = given.index("--keep") + 1
            if after == len(given) or given[after].startswith("-"):
                given.insert(after, self.usual)
        return super().parse_args(ctx, given)


def told(error: Any) -> str:
    """A usage error from typer as one line: what is wrong, and where to look."""
    text = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    words, ctx = list[str](), error.ctx
    while ctx is not None and ctx.parent is not None:
        words.insert(0, ctx.info_name)
        ctx = ctx.parent
    gap = " " if text.endswith("?") else "; "
    return f"{text[:1].lower()}{text[1:]}{gap}see `{' '.join(['nexudus-sync', *words, '--help'])}`"
