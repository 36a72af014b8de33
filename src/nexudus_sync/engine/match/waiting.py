"""Records without a counterpart, as matching sees them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from nexudus_sync import addresses
from nexudus_sync.engine.connection import Connection, day
from nexudus_sync.engine.inbox import drop_unlinked_record
from nexudus_sync.mapping import Side
from nexudus_sync.plan import Candidate, UnlinkedPlan, plan_unlinked
from nexudus_sync.store import unlinked
from nexudus_sync.store.tables import Unlinked

MATCHED_STATES = ("waiting", "unmatched", "limit")
"""The states of unlinked records that a cycle tries to match."""


@dataclass(slots=True)
class Waiting:
    """The unlinked records of a connection, indexed for matching."""

    rows: dict[tuple[Side, str], Unlinked]
    by_email: dict[tuple[Side, str], list[Candidate]] = field(default_factory=lambda: defaultdict(list))
    by_key: dict[tuple[Side, str], list[Candidate]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def load(cls, connection: Connection) -> "Waiting":
        """Load all but the records that a person set aside."""
        with connection.store.read() as session:
            rows = unlinked.taking_part(session, connection.name)
        found = cls({(Side(row.side), row.record_id): row for row in rows})
        for (side, _), row in found.rows.items():
            candidate = as_candidate(row)
            if candidate.email:
                found.by_email[side, candidate.email].append(candidate)
            if candidate.external_key:
                found.by_key[side, candidate.external_key].append(candidate)
        return found

    def plan(self, connection: Connection, row: Unlinked, since: str | None) -> UnlinkedPlan:
        """What becomes of one of them."""
        record, side = as_candidate(row), Side(row.side)

        def key_of(candidate: Candidate) -> str:
            return connection.key(candidate.side, candidate.id)

        own = self.by_email.get((side, record.email or ""), [])
        others = list(self.by_email.get((side.other, record.email or ""), []))
        named = self.by_key.get((side.other, key_of(record)), [])
        others += [candidate for candidate in named if candidate not in others]
        _, _, other_id = (record.external_key or "").rpartition(":")
        pointed = self.rows.get((side.other, other_id))
        if pointed is not None and as_candidate(pointed) not in others:
            others.append(as_candidate(pointed))
        return plan_unlinked(record, own, others, key_of, day(since))


def as_candidate(row: Unlinked) -> Candidate:
    """A stored row as the plan sees it."""
    email = addresses.key(row.email or "") or None  # rows of earlier versions hold it as it was spelled
    return Candidate(Side(row.side), row.record_id, email, row.title, row.is_open, row.external_key, row.created_at)


def forget_linked(connection: Connection) -> None:
    """Drop the records that another connection to this CRM has linked: they no longer wait here."""
    with connection.store.session() as session:
        for side in Side:
            for row in unlinked.linked_elsewhere(session, connection.name, connection.crm, side):
                drop_unlinked_record(session, connection, side, row.record_id)
                session.delete(row)


def oldest_first(row: Unlinked) -> tuple[str, str]:
    """The order in which counterparts are created."""
    return (row.created_at.isoformat() if row.created_at else "", row.record_id)


def has_email(row: Unlinked) -> bool:
    """Does it have an address to find or create a customer by?"""
    return addresses.comparable(row.email or "") is not None


def records_named(pairs: Iterable[tuple[str, str]]) -> set[tuple[Side, str]]:
    """The records that pairs of ids name."""
    return {(side, pair[index]) for pair in pairs for index, side in enumerate(Side) if pair[index]}


def ids_by_side(row: Unlinked) -> dict[str, str]:
    """The id by which failures name an unlinked record."""
    return {"nexudus_id" if row.side == Side.NEXUDUS else "crm_id": row.record_id}
