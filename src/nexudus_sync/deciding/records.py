"""The record that a person names by its id."""

from dataclasses import dataclass

from nexudus_sync.config import Settings
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, links, unlinked
from nexudus_sync.store.tables import Link, Unlinked


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

    Raises ConfigError for a connection that is not configured.
    """
    names = [one.name for one in settings.named(connection)]
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


def no_such(what: str, given: object, remedy: str) -> ConfigError:
    """The error for an id or name that does not exist."""
    return ConfigError(f"{what} {given}", f"there is no such {what}", remedy)


def _link(session: Session, names: list[str], side: Side, record: str) -> Link | None:
    """The record's link; an active one before a sleeping one before a closed one."""
    found = links.of_record(session, names, side, record)
    return min(found, key=lambda link: ("active", "sleeping", "closed").index(link.state), default=None)
