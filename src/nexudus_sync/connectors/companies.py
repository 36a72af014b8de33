"""Does the CRM know the company named by a connection? A mistyped one would create a second set of all records."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from nexudus_sync.connectors.base import Check, Connector, Priority, Scope
from nexudus_sync.connectors.setup import Choice


@dataclass(frozen=True, slots=True)
class Companies:
    """How the company of a scope stands to those of the CRM.

    `wanted` is the one that creates carry, None where none is named; `names` are those there are, as far as they
    are known. `carried`: a record carries it; `others`: records carry another one. `listed`: it is in the system's own
    list of companies, None where the system keeps none, or none that the login may read. `what` is what the system
    calls a company, which is also the key of the connection.
    """

    wanted: str | None
    names: tuple[str, ...] = ()
    carried: bool = False
    others: bool = False
    listed: bool | None = None
    what: str = "company"


@runtime_checkable
class KnowsCompanies(Protocol):
    """What a connector offers besides, when it can tell the company of a scope from one that is mistyped."""

    async def companies(self, scope: Scope) -> Companies:
        """How the company that a scope's creates carry stands to those there are."""
        ...


_SHOWN = 12
"""The number of names that an error lists."""
MEANT = "or set new_company = true in the connection if it is new"
"""What to do when the name is right."""


async def companies(connector: Connector, scope: Scope) -> Companies:
    """How a scope's company stands to those of the CRM. Raises what listing raises."""
    if isinstance(connector, KnowsCompanies):
        return await connector.companies(scope)
    return await carried(connector, scope)


async def carried(connector: Connector, scope: Scope) -> Companies:
    """What the records themselves say: they are listed until one carries the company."""
    if scope.company is None:
        return Companies(None)
    names = set[str]()
    async with aclosing(connector.scan(replace(scope, company=None), None, Priority.LIVE)) as pages:  # type: ignore[type-var]
        async for page in pages:
            for row in page.rows:
                if connector.in_scope(row.record, scope):
                    return Companies(scope.company, carried=True)
                names.add(connector.facts(row.record).company or "")
    known = tuple(sorted(names - {""}))
    return Companies(scope.company, known, others=bool(known))


def choices(counted: Mapping[str, int]) -> list[Choice]:
    """What `init` offers: the companies by their number of opportunities, the most first.

    One that carries none beside others that do is new, and the configuration has to say so.
    """
    found = sorted(((number, name) for name, number in counted.items() if name), key=lambda one: (-one[0], one[1]))
    some = any(number for number, _ in found)
    return [
        Choice(
            f"{name} ({number:,} opportunit{'y' if number == 1 else 'ies'})",
            {"company": name} | ({"new_company": True} if some and not number else {}),
            name,
        )
        for number, name in found
    ]


def problem(found: Companies, system: str) -> tuple[str, str]:
    """What is wrong with the company, and the remedy; two empty texts when nothing is wrong.

    `system` is the name of the CRM in the sentence.
    """
    if found.wanted is None:
        return "", ""
    if found.listed is False:
        return (
            f'{system} has no {found.what} "{found.wanted}" (it has {_names(found)})',
            "correct it, or add it there first",
        )
    if found.carried or not found.others:
        return "", ""
    return f'no opportunity carries "{found.wanted}" (companies there: {_names(found)})', f"correct it, {MEANT}"


def line(found: Companies, system: str, *, new: bool, well: str) -> Check:
    """The line of `check`: a failure unless the company is declared new; `well` is the text when nothing is wrong."""
    wrong, remedy = problem(found, system)
    if not wrong:
        return Check(found.what, "ok", well)
    if new:
        return Check(found.what, "warn", f"{wrong}: new_company says that it is new")
    return Check(found.what, "fail", wrong, exit_code=2, remedy=remedy)


def _names(found: Companies) -> str:
    shown = ", ".join(f'"{name}"' for name in found.names[:_SHOWN]) or "none"
    more = len(found.names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
