"""Ids that were given again: restored from a backup, Nexudus numbers new cards like those that are gone since.

A card that nobody linked then bears the id of a linked one. That link ends, and its other record stays as it is.
"""

from sqlmodel import Session

from nexudus_sync.connectors.base import GivesIdsAgain, Record
from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.engine.outcomes import end
from nexudus_sync.mapping import Side
from nexudus_sync.store import records
from nexudus_sync.store.tables import Link


def is_another(bridge: Bridge, link: Link, card: Record) -> bool:
    """Is this a later card than the linked one?

    It was created after the two were linked and after that one's last stamp: the one by our clock, which may have been
    wrong then, the other by the server's, which an import may have set.
    """
    connector = bridge.connector(Side.NEXUDUS)
    created = bridge.our_time(Side.NEXUDUS, bridge.facts(Side.NEXUDUS, card).created_at)
    if not isinstance(connector, GivesIdsAgain) or created is None or created <= link.created_at:
        return False
    return connector.came_later(card, link.nexudus_stamp)


def make_way(session: Session, bridge: Bridge, nexudus_id: str) -> None:
    """End the link that holds an id which is another card's now; it keeps the id with its own number behind it."""
    link = records.link_by(session, bridge.crm, nexudus_id=nexudus_id)
    if link is None:
        return
    if link.state != "closed":
        end(session, link, "its card is gone: Nexudus gave its id to another one", bridge.clock.now())
    link.nexudus_id = f"{nexudus_id}~{link.id}"
    session.add(link)
    session.flush()  # before the id is used again
