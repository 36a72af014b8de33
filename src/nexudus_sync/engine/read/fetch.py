"""Read one record by its id: the one place that tells an answer about another record from one about this record."""

from datetime import timedelta

from nexudus_sync import codec
from nexudus_sync.connectors.answers import expect, same_identity
from nexudus_sync.connectors.base import Priority, Record, Row, Stamp
from nexudus_sync.engine.connection import Connection
from nexudus_sync.errors import AnotherRecord, ConnectorError, Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store import records
from nexudus_sync.store.records import Remembered
from nexudus_sync.store.tables import Link

PATIENCE = timedelta(minutes=15)
"""How long an older version of a record counts as lag; after that, it is believed."""


class Outdated(Unavailable):
    """The system shows an older version of the record than is known already: one of its replicas lags behind."""


async def fetch(
    connection: Connection,
    side: Side,
    record_id: str,
    identity: str = "",
    *,
    row: Row | None = None,
    priority: Priority = Priority.LIVE,
    children: bool = True,
) -> Record:
    """The full record of that id and, as far as both are known, that identity. Raises AnotherRecord, and what
    `Connector.fetch` raises; ConnectorError for a record that cannot be stored, compared or written back."""
    connector = connection.connector(side)
    record = await connector.fetch(record_id, row, priority, children=children)
    problem = unusable(connection, side, record)
    if problem is not None:
        raise problem
    facts = connector.facts(record)
    expect(connector.name, record_id, facts.id or record_id, fold=True)
    if not same_identity(identity, facts.identity):
        raise another_record(connection, side, record_id, facts.identity)
    return record


def unusable(connection: Connection, side: Side, record: Record) -> ConnectorError | None:
    """The error of a record that cannot be stored, compared or written back; None if it can."""
    try:
        codec.dumps(record)
    except (ValueError, RecursionError):
        problem = "the record contains what JSON cannot represent: NaN, or endless nesting"
        return ConnectorError(connection.connector(side).name, problem)
    return None


def another_record(connection: Connection, side: Side, record_id: str, identity: str) -> AnotherRecord:
    """The error that the id belongs to another record than before."""
    problem = "its id belongs to another record now; nothing was copied from that one"
    return AnotherRecord(connection.connector(side).name, problem, record_id, told=record_id, identity=identity)


def learn_identity(connection: Connection, side: Side, link: Link, record: Record) -> None:
    """Learn an unknown identity from a full read. Raises AnotherRecord if it is that of another link's record."""
    identity = connection.facts(side, record).identity
    if not identity or link.half(side).identity:
        return
    record_id = link.half(side).id
    with connection.store.read() as session:
        known = records.links_of(session, connection.crm, side, record_id, identity)
    if any(one.half(side).identity == identity and one.id != link.id for one in known):
        raise another_record(connection, side, record_id, identity)
    link.half(side).identity = identity


def is_older(connection: Connection, side: Side, known: Remembered, stamp: Stamp) -> bool:
    """Is a listed stamp older than the one remembered? Then the record is read by its id."""
    if stamp.at is None or known.link_id is None or not known.stamp:
        return False
    with connection.store.read() as session:
        stamped_at = records.stamped_at(session, side, known.link_id)
    return stamped_at is not None and stamp.at < stamped_at


def refuse_old(connection: Connection, side: Side, link: Link, stamp: Stamp, seen: Stamp | None) -> None:
    """Raises Outdated for a stamp older than one `seen` in this cycle, or than one noted a short while ago.

    After longer, the system may have been restored; so it may at a reconcile, which believes what it reads.
    """
    if stamp.at is None:
        return
    if seen is not None and seen.at is not None and stamp.at < seen.at:
        raise _outdated(connection, side, link)
    known, noted = link.half(side).stamped_at, link.half(side).noted_at
    if connection.sweeping_since is not None or known is None or noted is None or stamp.at >= known:
        return
    if timedelta(0) <= connection.clock.now() - noted < PATIENCE:
        raise _outdated(connection, side, link)


def _outdated(connection: Connection, side: Side, link: Link) -> Outdated:
    problem = "the system shows an older version than the last known change"
    return Outdated(connection.connector(side).name, problem, link.half(side).id)
