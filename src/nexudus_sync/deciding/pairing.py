"""Pairing by hand: link, unlink, ignore."""

from datetime import datetime
from typing import Any

from nexudus_sync.config import Settings
from nexudus_sync.deciding.records import Located, locate, no_such
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, records
from nexudus_sync.store.tables import Decision, Link
from nexudus_sync.texts import pair_of


def link(
    session: Session, settings: Settings, nexudus: str, crm: str, connection: str | None, *, by: str, now: datetime
) -> tuple[str, list[str]]:
    """Ask for two records to be paired. Returns the connection, and the ids that no cycle has seen yet.

    Raises ConfigError for an impossible id, or where several connections could be meant, SyncError when one is linked.
    """
    if not nexudus.isdecimal():
        swapped = f"; the Nexudus id comes first: link {crm} {nexudus}" if crm.isdecimal() else ""
        raise ConfigError(f"record {nexudus}", "is not a Nexudus id: those are whole numbers" + swapped)
    asked = settings.named(connection or _connection_of(session, settings, nexudus, crm))
    (configured,), name = asked, asked[0].name
    own = [one.name for one in settings.of(name).connections]
    if records.sides_of(session, own, crm) == {Side.NEXUDUS}:
        raise ConfigError(f"record {crm}", "is a Nexudus record", "give the CRM's id second")
    for ids in ({"nexudus_id": nexudus}, {"crm_id": crm}):
        taken = records.link_by(session, configured.crm, **ids)
        if taken is not None and taken.state != "closed":
            raise SyncError(f"{pair_of(taken.nexudus_id, taken.crm_id)} are already linked; unlink them first")
    unknown = [one for one in (nexudus, crm) if not locate(session, settings, one, name).known]
    _ask(session, name, "link", by, now, nexudus_id=nexudus, crm_id=crm)
    return name, unknown


def unlink(
    session: Session, settings: Settings, record: str, connection: str | None, *, by: str, now: datetime
) -> Link:
    """Ask for a record's pair to be unlinked. Raises ConfigError for an unknown record, SyncError if it has none."""
    found = locate(session, settings, record, connection)
    if not found.known:
        raise no_such("record", record, "see `nexudus-sync links list`")
    if found.link is None or found.link.state == "closed":
        raise SyncError(f"record {record} is not linked; see `nexudus-sync links list`")
    _ask(session, found.link.connection, "unlink", by, now, link_id=found.link.id)
    return found.link


def ignore(
    session: Session, settings: Settings, record: str, connection: str | None, *, by: str, now: datetime
) -> Located:
    """Ask for an unpaired record to be left alone. Raises ConfigError where several connections could be meant.

    Raises SyncError when it is linked.
    """
    found = locate(session, settings, record, connection)
    if found.link is not None and found.link.state != "closed":
        pair = pair_of(found.link.nexudus_id, found.link.crm_id)
        raise SyncError(f"{pair} are linked; `nexudus-sync unlink {record}` separates them")
    if found.connection is None:
        raise _which(settings, record)
    _ask(session, found.connection, "ignore", by, now, side=found.side.value, record_id=record)
    return found


def _connection_of(session: Session, settings: Settings, nexudus: str, crm: str) -> str:
    """The connection that knows one of two unpaired records. Raises ConfigError when several could be meant."""
    names = [one.name for one in settings.connections]
    known = sorted(records.connections_of(session, nexudus, crm) & set(names)) or names
    if len(known) > 1:
        raise _which(settings, f"{nexudus} and {crm}")
    return known[0]


def _which(settings: Settings, what: str) -> ConfigError:
    first = settings.connections[0].name
    return ConfigError(f"record {what}", "several connections could be meant", f"add --connection {first}")


def _ask(session: Session, connection: str, kind: str, by: str, now: datetime, **args: Any) -> None:
    """Store a decision for the next cycle."""
    session.add(Decision(connection=connection, kind=kind, args=args, asked_at=now, asked_by=by))
