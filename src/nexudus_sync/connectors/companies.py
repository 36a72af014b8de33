"""Does the CRM know the company named by a connection? A mistyped one would create a second set of all records."""

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from nexudus_sync.connectors.base import Check, Connector, Priority, Scope


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
    return Check(found.what, "fail", wrong if found.listed is False else f"{wrong}; {remedy}", exit_code=2)


def _names(found: Companies) -> str:
    shown = ", ".join(f'"{name}"' for name in found.names[:_SHOWN]) or "none"
    more = len(found.names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
