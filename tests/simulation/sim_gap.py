"""The stated gap: an edit that falls between our last read of a record and our write of it."""

from urllib.parse import unquote

from sim_world import Reading, SimWorld

from nexudus_sandbox.double import Change
from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sync.mapping import Side

GAP = 2.0
"""Seconds between our last read of a record and our write that are the stated gap; what is older is a stale read.

Unless the write was on the way for longer, which nobody can help.
"""


def in_gap(world: SimWorld, side: Side, record_id: str, index: int) -> bool:
    """Did the edit fall between our last read of the record and a write of ours that followed, unseen for good?"""
    if side is Side.CRM and (world.desk.locks or world.desk.keeps_histories):
        return False
    changes = world.double(side).changes
    for reading in world.readings[side]:
        writes = reading.method in {"PUT", "PATCH"} and (record_id in reading.path or side is Side.NEXUDUS)
        if not writes or reading.changes <= index:
            continue
        touched = [c for c in changes[index : reading.changes] if c.by == SYNC_USER and c.record_id == record_id]
        if not touched:
            continue
        reads = [
            (one.changes, one.at)
            for one in world.readings[side]
            if one.method == "GET" and one.changes <= reading.changes and _shows(side, one, record_id)
        ]
        changes_then, at = max(
            ((count, at) for count, at in reads if count <= reading.changes - len(touched)), default=(index + 1, 0.0)
        )
        return changes_then <= index and (reading.lingered or reading.at - at <= GAP)
    return False


def _shows(side: Side, reading: Reading, record_id: str) -> bool:
    listed = side is Side.CRM and reading.path.endswith("/crm/opportunity") and record_id.encode() in reading.body
    return listed or unquote(reading.path).endswith(f"/{record_id}")


CAUSES = {"Status": "CrmBoardColumnId", "closedate": "dealstage"}
"""What a server sets by itself, and the field whose change makes it do so."""


def by_server(world: SimWorld, side: Side, record_id: str, key: str, index: int) -> bool:
    """Was it changed by what the server does itself: a stage that wins or loses a deal on entry, or dates its end?"""
    later = [c for c in world.double(side).changes[index + 1 :] if c.record_id == record_id]
    for number, change in enumerate(later):
        if change.field == key and key in CAUSES:
            around = later[max(0, number - 4) : number + 5]
            return any(c.field == CAUSES[key] and c.at == change.at for c in around)
    return False


def in_any_gap(world: SimWorld, side: Side, change: Change, index: int) -> bool:
    """A value a person wrote between our GET and our PUT is what the stated gap may take away."""
    changes = world.double(side).changes
    earlier = [
        i
        for i in range(index)
        if changes[i].record_id == change.record_id and changes[i].field == change.field and changes[i].by != SYNC_USER
    ]
    return bool(earlier) and in_gap(world, side, change.record_id, earlier[-1])
