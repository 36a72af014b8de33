"""`plan`: the same cycle that `sync` would run, on a copy of the store and without sending a write.

So it prints what `sync` does, by construction. Reads are real; no record, link or cursor changes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nexudus_sync.engine.actions import Action
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options, run_cycle, settle_record
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, journal, links
from nexudus_sync.store.ask import over
from nexudus_sync.store.in_memory import copy_of
from nexudus_sync.store.names import About, Name, about, names
from nexudus_sync.store.status import ConnectionStatus, connection_status
from nexudus_sync.store.tables import Journal, Unlinked


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a cycle would do, what it saw on the way, and the status that the connection would then have."""

    actions: list[Action]
    report: Report
    status: ConnectionStatus
    names: Mapping[About, Name] = field(default_factory=dict)
    """What people know the records of the actions by."""

    @property
    def listed(self) -> dict[Side, int]:
        """How many rows of each side were listed."""
        return {side: self.report.listed[side.value] for side in Side}

    @property
    def read(self) -> dict[Side, int]:
        """How many links' records had to be read on each side: those that may have moved, and new pairs."""
        return {side: self.report.marked[side.value] + self.report.pairs for side in Side}

    def counts(self, connection: Connection) -> Counter[tuple[str, Side]]:
        """How many actions of each kind go to each side."""
        sides = {connection.connector(side).name: side for side in Side}
        return Counter((one.action, sides[one.system]) for one in self.actions if one.system in sides)


async def rehearse(
    connection: Connection, options: Options, *, record: tuple[Side, str] | None = None, report: Report | None = None
) -> Rehearsal:
    """What a cycle of this connection would do now; `report` fills on the way.

    Raises what the cycle raises while reading.
    """
    copy = copy_of(connection.store, connection.name)
    try:
        stage = replace(connection, store=copy, siblings=[], dry=True)
        with copy.read() as session:
            journaled, linked = journal.newest_id(session), links.newest_id(session)
        if record is None:
            report = await run_cycle(stage, options, report)
        else:
            report = await settle_record(stage, *record, options, report)
        with copy.read() as session:
            actions = [*_pairs(session, linked), *_writes(session, connection, journaled)]
            status = connection_status(session, connection.name)
            known = names(over(session), map(about, actions))
    finally:
        copy.close()
    return Rehearsal(actions, report, status, known)


def _pairs(session: Session, after: int) -> list[Action]:
    found = links.made_after(session, after)
    return [Action(link.connection, "link", "", link.nexudus_id, link.crm_id, {}) for link in found]


def _writes(session: Session, connection: Connection, after: int) -> list[Action]:
    rows = journal.planned_after(session, after)
    parties: set[tuple[str, str]] = set()
    found = [row for row in rows if not _repeats_party(session, row, parties)]
    return [connection.action(row.kind, Side(row.side), row.nexudus_id, row.crm_id, row.fields) for row in found]


def _repeats_party(session: Session, row: Journal, parties: set[tuple[str, str]]) -> bool:
    """Is it a party that an earlier row creates? A sync would find that one; in a rehearsal it does not exist."""
    if row.kind != "party.create":
        return False
    source = session.get(Unlinked, (row.connection, Side(row.side).other.value, row.nexudus_id or row.crm_id))
    party = (row.side, (source and source.email) or f"of {row.id}")
    repeated = party in parties
    parties.add(party)
    return repeated
