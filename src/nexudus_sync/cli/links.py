"""`links`, `link`, `unlink`, `ignore`: which records are paired, and decisions about it for the next cycle."""

from typing import Any

from nexudus_sync.cli.desk import Desk, Located, locate, open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.output import pair_of, say
from nexudus_sync.clock import SystemClock
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, records
from nexudus_sync.store.tables import Decision


def link(root: Root, nexudus: str, crm: str, connection: str | None) -> None:
    """Ask for two records to be paired. Raises ConfigError for an impossible id, SyncError when one is linked."""
    if not nexudus.isdecimal():
        swapped = f"; the Nexudus id comes first: link {crm} {nexudus}" if crm.isdecimal() else ""
        raise ConfigError(f"record {nexudus}", "is not a Nexudus id: those are whole numbers" + swapped)
    with open_desk(root) as desk:
        with desk.store.read() as session:
            _refuse_two_cards(session, crm)
            name = connection or _connection_of(session, desk, nexudus, crm)
            system = next(one.crm for one in desk.settings.connections if one.name == desk.names(name)[0])
            for ids in ({"nexudus_id": nexudus}, {"crm_id": crm}):
                taken = records.link_by(session, system, **ids)
                if taken is not None and taken.state != "closed":
                    pair = pair_of(taken.nexudus_id, taken.crm_id)
                    raise SyncError(f"{pair} are already linked; unlink them first")
            known = {one: locate(session, desk.settings, one, name).known for one in (nexudus, crm)}
        _ask(desk, name, "link", nexudus_id=nexudus, crm_id=crm)
    say(f"{pair_of(nexudus, crm)} will be linked at the next cycle of {name}.")
    _tell_unknown([one for one in known if not known[one]])


def unlink(root: Root, record: str, connection: str | None) -> None:
    """Ask for a pair to be unlinked. Raises ConfigError for an unknown record, SyncError when it is not linked."""
    with open_desk(root) as desk:
        found = _find(desk, record, connection)
        if not found.known:
            raise no_such("record", record, "see `nexudus-sync links list`")
        if found.link is None or found.link.state == "closed":
            raise SyncError(f"record {record} is not linked; see `nexudus-sync links list`")
        _ask(desk, found.link.connection, "unlink", link_id=found.link.id)
    pair = pair_of(found.link.nexudus_id, found.link.crm_id)
    say(f"{pair} will be unlinked at the next cycle; both records are kept, and neither is created again.")


def ignore(root: Root, record: str, connection: str | None) -> None:
    """Ask for an unpaired record to be left alone. Raises SyncError when it is linked."""
    with open_desk(root) as desk:
        found = _find(desk, record, connection)
        if found.link is not None and found.link.state != "closed":
            pair = pair_of(found.link.nexudus_id, found.link.crm_id)
            raise SyncError(f"{pair} are linked; `nexudus-sync unlink {record}` separates them")
        if found.connection is None:
            raise _which(desk, record)
        _ask(desk, found.connection, "ignore", side=found.side.value, record_id=record)
    say(f"{record} of {found.side.word} will be left alone from the next cycle on.")
    _tell_unknown([] if found.known else [record])


def _tell_unknown(records: list[str]) -> None:
    """A record that no cycle has seen may exist all the same: only the system can tell."""
    for record in records:
        say(f"  No cycle has seen {record} yet. If it does not exist, the next cycle refuses this and says so.")


def _find(desk: Desk, record: str, connection: str | None) -> Located:
    with desk.store.read() as session:
        return locate(session, desk.settings, record, connection)


def _refuse_two_cards(session: Session, crm: str) -> None:
    """Raise ConfigError for a Nexudus record given as the CRM's."""
    if records.sides_of(session, crm) == {Side.NEXUDUS}:
        raise ConfigError(f"record {crm}", "is a Nexudus record", "give the CRM's id second")


def _connection_of(session: Session, desk: Desk, nexudus: str, crm: str) -> str:
    """The connection that knows one of two unpaired records. Raises ConfigError when several could be meant."""
    known = sorted(records.connections_of(session, nexudus, crm) & set(desk.names())) or desk.names()
    if len(known) > 1:
        raise _which(desk, f"{nexudus} and {crm}")
    return known[0]


def _which(desk: Desk, what: str) -> ConfigError:
    return ConfigError(f"record {what}", "several connections could be meant", f"add --connection {desk.names()[0]}")


def _ask(desk: Desk, connection: str, kind: str, **args: Any) -> None:
    """Store a decision for the next cycle."""
    with desk.store.session() as session:
        session.add(Decision(connection=connection, kind=kind, args=args, asked_at=SystemClock().now()))
