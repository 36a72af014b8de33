"""What waits for people about pairs of records: their open conflicts and failures."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session

from nexudus_sync.store.concerning import Pair, conflicts_about, failures_about
from nexudus_sync.store.tables import Conflict, Failure


@dataclass(frozen=True, slots=True)
class OpenItems:
    """What waits about one pair: conflicts that are not closed, and failures that are not solved."""

    conflicts: list[Conflict]
    failures: list[Failure]

    def __bool__(self) -> bool:
        return bool(self.conflicts or self.failures)


def about(session: Session, connection: str, pairs: Iterable[Pair]) -> dict[Pair, OpenItems]:
    """What waits about each of these pairs (Nexudus's id first), each with an entry: two statements for up to 500."""
    named = list(pairs)
    conflicts = conflicts_about(session, connection, named)
    failures = failures_about(session, connection, named)
    return {pair: OpenItems(conflicts[pair], failures[pair]) for pair in named}


def of_pair(session: Session, connection: str, pair: Pair) -> OpenItems:
    """What waits about one pair."""
    return about(session, connection, [pair])[pair]
