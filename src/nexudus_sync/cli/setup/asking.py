"""Questions at the terminal: asked again after an unusable answer, so that nothing typed before is lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import typer

from nexudus_sync.cli.desk import asking
from nexudus_sync.cli.output import say
from nexudus_sync.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks a person. `asks` False: nobody is there, and a missing answer is an error that names the option."""

    asks: bool

    def ask(
        self,
        option: str,
        question: str,
        parse: Callable[[str], T],
        *,
        default: str | None = None,
        hidden: bool = False,
    ) -> T:
        """The answer to one question. Raises ConfigError when there is nobody to ask."""
        if not self.asks:
            raise unanswered(question, option)
        while True:
            given = _prompt(question, default, hidden=hidden)
            try:
                return parse(given)
            except (ValueError, ConfigError) as error:
                typer.echo(f"{error}. Please try again.")

    def choose(self, option: str, question: str, labels: Sequence[str], *, default: int | None = None) -> int:
        """The index of one of the labels; they are listed with numbers from 1. `default` is an index.

        Raises ConfigError, with what there is to choose from, when there is nobody to ask.
        """
        if not self.asks:
            raise unanswered(question, option, "there is: " + "; ".join(labels))
        say()
        say(question)
        for number, label in enumerate(labels, start=1):
            say(f"  {number:>2}  {label}")
        return self.ask(option, "Number", _index(labels), default=None if default is None else str(default + 1))

    def agrees(self, question: str, *, default: bool) -> bool:
        """Yes or no; no where nobody is asked."""
        if not self.asks:
            return False
        with asking():
            return typer.confirm(question, default=default)


def unanswered(question: str, option: str, more: str = "") -> ConfigError:
    """The error for an answer that is missing, which names the option to give it by."""
    short = question.partition(" (")[0].rstrip("?")
    remedy = f"give it as {option}" + (f"; {more}" if more else "")
    return ConfigError("init", f"{short[0].lower()}{short[1:]} is missing", remedy)


def _prompt(question: str, default: str | None, *, hidden: bool) -> str:
    with asking():
        found: str = typer.prompt(
            question, default=default, type=str, hide_input=hidden, show_default=bool(default) and not hidden
        )
    return found


def _index(labels: Sequence[str]) -> Callable[[str], int]:
    def parse(given: str) -> int:
        wanted = given.strip()
        if wanted.isdecimal() and 1 <= int(wanted) <= len(labels):
            return int(wanted) - 1
        alike = [index for index, label in enumerate(labels) if label.casefold().startswith(wanted.casefold())]
        if wanted and len(alike) == 1:
            return alike[0]
        raise ValueError(f"give a number from 1 to {len(labels)}")

    return parse
