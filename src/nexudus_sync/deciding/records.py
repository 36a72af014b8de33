"""The record that a person names by its id."""

from collections.abc import Iterable
from dataclasses import dataclass

from nexudus_sync.config import Settings
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, links, records, unlinked
from nexudus_sync.store.tables import Link, Unlinked

_SHOWN = 5
"""So many tenants are named in an error."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where the record named by an argument belongs. `link` is its pair; `unlinked` is its row when it has no pair.

    `connection` is None when the store does not know the record and several connections could be meant.
    """

    side: Side
    id: str
    connection: str | None
    link: Link | None = None
    unlinked: Unlinked | None = None

    @property
    def known(self) -> bool:
        """Does the store know the record?"""
        return self.link is not None or self.unlinked is not None


def locate(session: Session, settings: Settings, record: str, connection: str | None = None) -> Located:
    """Find the side and connection of a record by its id; an unknown id is Nexudus's if it is all digits.

    Raises ConfigError for a connection that is not configured, and for an id that records of several tenants have.
    """
    names = [one.name for one in settings.named(connection)]
    _refuse_several(session, settings, names, record)
    for side in Side:
        link = _link(session, names, side, record)
        if link is not None:
            return Located(side, record, link.connection, link=link)
    for side in Side:
        row = unlinked.find(session, names, side, record)
        if row is not None:
            return Located(side, record, row.connection, unlinked=row)
    side = Side.NEXUDUS if record.isdecimal() else Side.CRM
    return Located(side, record, names[0] if len(names) == 1 else None)


def _refuse_several(session: Session, settings: Settings, names: list[str], record: str) -> None:
    """Each tenant's systems number their records by themselves: an id alone does not tell which one is meant."""
    if not settings.in_fleet or settings.tenant:
        return
    found = records.connections_of(session, record, record) & set(names)
    refuse_tenants(settings, f"record {record}", found)


def refuse_tenants(settings: Settings, what: str, connections: Iterable[str]) -> None:
    """Raise ConfigError for what is of several tenants where one is meant."""
    owners = sorted({settings.owner(name) for name in connections})
    if len(owners) > 1:
        shown = ", ".join(owners[:_SHOWN]) + (f" and {len(owners) - _SHOWN:,} more" if len(owners) > _SHOWN else "")
        raise ConfigError(what, f"several tenants have it: {shown}", f"add --tenant {owners[0]}")


def no_such(what: str, given: object, remedy: str) -> ConfigError:
    """The error for an id or name that does not exist."""
    return ConfigError(f"{what} {given}", f"there is no such {what}", remedy)


def _link(session: Session, names: list[str], side: Side, record: str) -> Link | None:
    """The record's link; an active one before a sleeping one before a closed one."""
    found = links.of_record(session, names, side, record)
    return min(found, key=lambda link: ("active", "sleeping", "closed").index(link.state), default=None)
