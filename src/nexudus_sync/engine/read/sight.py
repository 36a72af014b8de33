"""What a cycle knows of records: listed, read, or only rebuilt from a snapshot."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nexudus_sync.connectors.base import Record, Row, Stamp
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Context, Mapping, Side
from nexudus_sync.merge import UNSENT
from nexudus_sync.plan import Presence


@dataclass(frozen=True, slots=True)
class Listed:
    """A row, and the moment (monotonic seconds) when its page was requested: it shows nothing later."""

    row: Row
    at: float


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new or changed row of a record without a counterpart, and what the store is to keep of it, by column."""

    listed: Listed
    kept: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sight:
    """One record of a link. `read_at` (monotonic seconds) is None when the record is only rebuilt from the snapshot.

    `whole`: child rows were read as well.
    """

    record: Record
    context: Context
    stamp: Stamp | None = None
    read_at: float | None = None
    whole: bool = False
    presence: Presence = Presence.HERE

    @property
    def real(self) -> bool:
        """Was it seen in this cycle?"""
        return self.read_at is not None


def rebuilt(mapping: Mapping, side: Side, snapshot: dict[str, object]) -> Record:
    """A record that says what the snapshot says, and nothing else."""
    record: Record = {}
    for path in mapping.paths(side):
        raw = snapshot.get(path.text)
        if raw is not None and raw != UNSENT:
            record = path.set(record, raw)
    return record


@dataclass(slots=True)
class Listing:
    """What one listing of a side showed.

    `rows`: those kept for this cycle, by record id. Of links: `moved` are those with a record that moved or is marked,
    `news` those that moved since they were last read (and when), `minor` those that only the system itself moved,
    `absent` the active ones whose record is missing from a complete listing or has lost its id to another record;
    `learnt` are row digests that were missing. Of unlinked records: `fresh` are the new or changed rows, `odd` those
    that make no sense (and why). `doubtful` rows prove nothing by themselves: an id that is `twice` in a page, or with
    another identity than is known; `closer` counts those looked at. `ids` are those of all rows, `inside` counts this
    connection's own.
    """

    side: Side
    rows: dict[str, Listed] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)
    news: dict[int, datetime | None] = field(default_factory=dict)
    minor: set[int] = field(default_factory=set)
    learnt: dict[int, str] = field(default_factory=dict)
    fresh: dict[str, Fresh] = field(default_factory=dict)
    odd: dict[str, SyncError] = field(default_factory=dict)
    gone_unlinked: set[str] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)
    doubtful: dict[str, Listed] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    closer: int = 0
    ids: set[str] = field(default_factory=set)
    inside: int = 0
    cursor: str | None = None
    complete: bool = False

    @property
    def listed(self) -> int:
        """How many records were listed."""
        return len(self.ids)
