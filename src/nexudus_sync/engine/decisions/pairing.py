"""Link two records because a person asked for it."""

from collections.abc import Collection

from nexudus_sync.connectors.answers import same_identity
from nexudus_sync.connectors.base import Record
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.read.fetch import fetch
from nexudus_sync.engine.write.created import Match, link_records
from nexudus_sync.errors import NotFound, Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, journal, records
from nexudus_sync.store.tables import Link, Unlinked


async def link_by_hand(connection: Connection, nexudus_id: str, crm_id: str) -> str:
    """Link two records; returns the decision's outcome. Raises the `ConnectorError` tree, NotPlanned."""
    ids, identities = {}, {}
    for side, record_id in ((Side.NEXUDUS, nexudus_id), (Side.CRM, crm_id)):
        record = await fetch_if_there(connection, side, record_id)
        if record is None:
            return no_such_record(connection, side, record_id)
        facts = connection.facts(side, record)
        ids[side], identities[side] = facts.id or record_id, facts.identity
        if _is_another(connection, side, ids[side], identities[side]):
            return f"refused: {record_id} is the id of another record now; ask again if you mean that one"
    pair_ids = ids[Side.NEXUDUS], ids[Side.CRM]
    if _in_doubt(connection, *pair_ids):
        raise Unavailable(connection.crm, "it is not known yet whether it was already copied", " and ".join(pair_ids))
    connection.refuse_unplanned(connection.link_action(*pair_ids))
    with connection.store.session() as session:
        for side, record_id in ids.items():
            known = next(iter(records.links_of(session, connection.crm, side, record_id, identities[side])), None)
            if known is not None and known.state != "closed":
                return f"refused: {known.nexudus_id} is linked with {known.crm_id}; unlink them first"
            if known is not None:
                stay_alone(session, connection, known, set(pair_ids))
                session.delete(known)
                session.flush()
        link_records(session, connection, [Match(pair_ids, (identities[Side.NEXUDUS], identities[Side.CRM]))])
    return "linked"


def _in_doubt(connection: Connection, nexudus_id: str, crm_id: str) -> bool:
    """May one of the two have been copied already? Linked now, it would end up with two counterparts."""
    with connection.store.read() as session:
        return journal.is_perhaps_copied(session, connection.crm, nexudus_id, crm_id)


def _is_another(connection: Connection, side: Side, record_id: str, identity: str) -> bool:
    """Was the id given to another record since people were shown the one they mean?"""
    with connection.store.read() as session:
        known = session.get(Unlinked, (connection.name, side.value, record_id))
    return known is not None and not same_identity(known.identity, identity)


def stay_alone(session: Session, connection: Connection, parted: Link, taken: Collection[str]) -> None:
    """Keep the other record of a parted pair from being copied, now that the first is linked with another one."""
    for side, record_id in ((Side.NEXUDUS, parted.nexudus_id), (Side.CRM, parted.crm_id)):
        if record_id not in taken:
            identity = parted.half(side).identity
            row = Unlinked(connection=connection.name, side=side.value, record_id=record_id, identity=identity)
            row.state, row.reason = "ignored", "parted by hand"
            session.merge(row)


async def fetch_if_there(connection: Connection, side: Side, record_id: str) -> Record | None:
    """The record; None if it does not exist. Raises the `ConnectorError` tree."""
    try:
        return await fetch(connection, side, record_id)
    except NotFound:
        return None
    except Unavailable:
        # Nexudus may answer 500 for a record that does not exist, so the error alone is no reason to wait
        if await connection.connector(side).absent(record_id, ""):
            return None
        raise


def no_such_record(connection: Connection, side: Side, record_id: str) -> str:
    """The outcome of a decision about a record that does not exist."""
    return f"refused: {connection.connector(side).name} has no record {record_id}"
