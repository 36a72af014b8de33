"""Names in a configuration or mapping file that a system does not have: refused before anything is written.

One rule decides what stops a connection, for `check` and for the verbs that write: names of a field whose file pairs
names of the two systems (stages, users, links), defaults, the company, and what the scope names (a location, a board,
its time zone, allowed stages). Any other value missing from a list waits as a failure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from nexudus_sync.connectors import companies
from nexudus_sync.connectors.base import Scope
from nexudus_sync.connectors.optional import ChecksScopes
from nexudus_sync.engine.connection import Connection
from nexudus_sync.errors import ConfigError, MappingError
from nexudus_sync.mapping import Context, Field, Side, Unmapped
from nexudus_sync.mapping.context import Directory
from nexudus_sync.mapping.kinds import Kind
from nexudus_sync.store import links

_NAMING = frozenset({"stage", "user", "link"})
"""The types whose values are names in a system's own list."""
_SHOWN = 3
"""How many missing values a line names."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """Values of a field that are missing from a side's list and will wait as failures; `text` is one line."""

    side: Side
    text: str


async def refuse_missing(connection: Connection) -> None:
    """Raises MappingError or ConfigError for the first missing name.

    Makes no call if no file writes names and something is linked already.
    """
    first = not _has_links(connection)
    await _refuse_scope(connection, first=first)
    if first:
        await _refuse_company(connection)
    named = [field for field in connection.mapping.fields if stops(field) or field.policy.default is not None]
    if not named:
        return
    contexts = {side: await connection.context(side, {}) for side in Side}
    for field in named:
        for where, problem in missing_names(field, contexts):
            raise MappingError(where, problem)


async def _refuse_scope(connection: Connection, *, first: bool) -> None:
    """Raises ConfigError for a wrong name in a side's scope.

    After the `first` link only allowed stages are checked, and parts of a system that a rename can take away.
    """
    for side in Side:
        connector, scope = connection.connector(side), connection.scope(side)
        looks = first or scope.allow_stages or getattr(connector, "needs_part", False)
        if looks and isinstance(connector, ChecksScopes):
            for line in await connector.wrong_scope(scope, first=first):
                raise ConfigError(f"{connection.where}.{line.subject.replace(' ', '_')}", line.detail, line.remedy)


async def _refuse_company(connection: Connection) -> None:
    """Raises ConfigError for a wrong company; only until the first link exists, which proves it right."""
    scope = connection.scope(Side.CRM)
    if scope.new_company:
        return
    connector = connection.connector(Side.CRM)
    found = await companies.companies(connector, scope)
    wrong, remedy = companies.problem(found, connector.name)
    if wrong:
        raise ConfigError(_company_key(connection, scope, found.what), wrong, remedy)


def _company_key(connection: Connection, scope: Scope, what: str) -> str:
    """The key of the company: in the connection or, if it is for creates only, in the CRM's own table."""
    if scope.company is not None:
        return f"{connection.where}.{what}"
    file, found, _ = connection.where.rpartition(": ")
    return f"{file}{found}crm.{connection.crm}.company"


def _has_links(connection: Connection) -> bool:
    with connection.store.read() as session:
        return links.has_any(session, connection.name)


def stops(field: Field) -> bool:
    """Does a missing name stop the connection? It does if a person paired names of the two systems."""
    lenses = [field.lens(side) for side in Side]
    return any(lens.kind.name in _NAMING for lens in lenses) and any(lens.values is not None for lens in lenses)


def missing_names(field: Field, contexts: dict[Side, Context]) -> Iterator[tuple[str, str]]:
    """The missing names that stop the connection: the place of each in its file, and the problem."""
    if stops(field):
        for side, where, name, directory in _missing(field, contexts):
            yield where, _no_such(field.lens(side).kind, name, directory.names())
    yield from _default(field, contexts)


def _missing(field: Field, contexts: dict[Side, Context]) -> Iterator[tuple[Side, str, str, Directory]]:
    """The names in the field's value tables that are missing from a side's list (of stages, of users)."""
    for side in Side:
        lens = field.lens(side)
        directory = lens.kind.directory(contexts[side])
        if directory is None:
            continue
        other = field.lens(side.other).values
        named = [(lens.values.where, own) for own, _ in lens.values.entries] if lens.values else []
        if other is not None and lens.values is None:
            named += [(f"{other.where}.{own}", values[0]) for own, values in other.entries]
        for where, name in named:
            if not lens.kind.exists(name, contexts[side]):
                yield side, where, name, directory


def _default(field: Field, contexts: dict[Side, Context]) -> Iterator[tuple[str, str]]:
    """A default that is missing from a side's own list: it would never be written."""
    default = field.policy.default
    for side in (source.other for source in field.sources if default is not None):
        lens = field.lens(side)
        directory = lens.kind.directory(contexts[side])
        if directory is None:
            continue
        try:
            lens.write(default, None, contexts[side])
        except Unmapped:
            problem = _no_such(lens.kind, str(default), directory.names())
            yield f"{field.crm.kind.where}.on_unmapped.default", problem


def lacking(field: Field, contexts: dict[Side, Context]) -> Iterator[Lacking]:
    """The missing values that do not stop the connection: what is missing, and what to do."""
    if stops(field):
        return
    found: dict[Side, list[str]] = {}
    for side, _, name, _ in _missing(field, contexts):
        found.setdefault(side, []).append(name)
    for side, names in found.items():
        kind = field.lens(side).kind
        shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        remedy = getattr(kind.directory(contexts[side]), "remedy", "") or "add them there"
        text = f"{kind.system} has no {shown}{more} for {kind.path}: such a value waits as a failure; {remedy}"
        yield Lacking(side, text)


def _no_such(kind: Kind, name: str, names: tuple[str, ...]) -> str:
    near = kind.near(name, names)
    remedy = f"did you mean '{near}'?" if near else f"it has {', '.join(names) or 'none'}"
    return f"{kind.system} has no '{name}'; {remedy}"
