"""What a link remembers of each side: snapshot, stamp, mark and digest."""

from collections.abc import Mapping
from datetime import datetime

from nexudus_sync.connectors.base import Stamp
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session
from nexudus_sync.store.tables import Link


def snapshot_of(link: Link, side: Side) -> dict[str, object]:
    """A link's snapshot of one side."""
    return link.nexudus_snapshot if side is Side.NEXUDUS else link.crm_snapshot


def stamp_of(link: Link, side: Side) -> str:
    """The stamp token under which a link last read one side."""
    return link.nexudus_stamp if side is Side.NEXUDUS else link.crm_stamp


def id_of(link: Link, side: Side) -> str:
    """A link's record id on one side."""
    return link.nexudus_id if side is Side.NEXUDUS else link.crm_id


def identity_of(link: Link, side: Side) -> str:
    """The identity of a link's record on one side, "" where it is not known."""
    return link.nexudus_identity if side is Side.NEXUDUS else link.crm_identity


def set_identity(link: Link, side: Side, identity: str) -> None:
    """Which record it is that bears a link's id on one side."""
    if side is Side.NEXUDUS:
        link.nexudus_identity = identity
    else:
        link.crm_identity = identity


def set_snapshot(link: Link, side: Side, snapshot: dict[str, object]) -> None:
    """Replace one side's snapshot."""
    if side is Side.NEXUDUS:
        link.nexudus_snapshot = snapshot
    else:
        link.crm_snapshot = snapshot


def note_stamps(session: Session, link: Link, sights: Mapping[Side, Sight], now: datetime) -> None:
    """Under which stamps the link's records were read.

    A later stamp is news even while the link waits for its next attempt. One that is new is no news to a listing any
    more: its record stays marked until it is settled.
    """
    for side, sight in sights.items():
        if sight.real and sight.stamp is not None:
            if sight.stamp.token != stamp_of(link, side):
                set_mark(link, side, True)
            set_stamp(link, side, sight.stamp, now)
    session.add(link)


def set_stamp(link: Link, side: Side, stamp: Stamp, now: datetime) -> None:
    """The newest state that is known of a side, and when that was noted first."""
    noted = now if stamp.token != stamp_of(link, side) else None
    if side is Side.NEXUDUS:
        link.nexudus_stamp, link.nexudus_stamped_at = stamp.token, stamp.at
        link.nexudus_noted_at = noted or link.nexudus_noted_at
    else:
        link.crm_stamp, link.crm_stamped_at = stamp.token, stamp.at
        link.crm_noted_at = noted or link.crm_noted_at


def set_mark(link: Link, side: Side, mark: bool) -> None:
    """Must the record be read once more?"""
    if side is Side.NEXUDUS:
        link.nexudus_recheck = mark
    else:
        link.crm_recheck = mark


def set_digest(link: Link, side: Side, digest: str) -> None:
    """The fingerprint of the row that the next listing is compared with."""
    if side is Side.NEXUDUS:
        link.nexudus_digest = digest
    else:
        link.crm_digest = digest
