"""What became of each record of a connection, counted from the store so that the figures add up."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from nexudus_sync.cli.output import print_table, say
from nexudus_sync.mapping import Side
from nexudus_sync.store import Session, Store, failures, journal, links, unlinked
from nexudus_sync.store.status import ConnectionStatus, connection_status
from nexudus_sync.texts import plural

WORDS = {
    "waiting": "waiting for the next cycle",
    "unmatched": "several candidates, a person decides",
    "ignored": "ignored by hand",
    "limit": "left out by --limit",
    "old": "older than --since",
}
"""Why a record has no counterpart, by its state."""

Line = tuple[str, int, int]
"""What became of records, the number in Nexudus, the number in the CRM."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of the records; `failures` counts the open ones by kind."""

    lines: list[Line]
    status: ConnectionStatus
    failures: dict[str, int]


def summary_of(store: Store, connection: str, names: Mapping[Side, str]) -> Summary:
    """How records were linked, or why they are alone; the last line counts all. `names`: those of the two systems."""
    with store.read() as session:
        linked, alone = _linked(session, connection, names), _alone(session, connection)
        status, kinds = connection_status(session, connection), failures.kinds(session, connection)
    lines = [line for line in (*linked, *alone) if line[1] or line[2]]
    lines += [("in this connection", sum(line[1] for line in lines), sum(line[2] for line in lines))]
    return Summary(lines, status, kinds)


def print_summary(summary: Summary, names: Mapping[Side, str]) -> None:
    """Print the summary as a table by side."""
    status = summary.status
    print_table(("records", *names.values()), summary.lines, right=tuple(names.values()))
    conflicts, failed = plural(status.conflicts, "conflict"), plural(status.failures_waiting, "failure")
    say(f"{plural(status.links, 'pair')} linked; {conflicts} and {failed} waiting for a person.")


def _linked(session: Session, connection: str, names: Mapping[Side, str]) -> list[Line]:
    """Linked records by the origin of the pair: both existed, or one was copied."""
    created = journal.confirmed_creates(session, connection)
    sources = {(side, crm_id if side == Side.NEXUDUS else nexudus_id) for side, nexudus_id, crm_id in created}
    found: Counter[str] = Counter()
    for nexudus_id, crm_id in links.active_pairs(session, connection):
        if (Side.CRM.value, nexudus_id) in sources:
            found[f"linked: copied from {names[Side.NEXUDUS]} to {names[Side.CRM]}"] += 1
        elif (Side.NEXUDUS.value, crm_id) in sources:
            found[f"linked: copied from {names[Side.CRM]} to {names[Side.NEXUDUS]}"] += 1
        else:
            found["linked: found on both sides"] += 1
    return [(word, count, count) for word, count in sorted(found.items(), reverse=True)]


def _alone(session: Session, connection: str) -> list[Line]:
    """Records without a counterpart, by reason."""
    failed = failures.kinds_by_pair(session, connection)
    kinds = {nexudus_id or crm_id: kind for nexudus_id, crm_id, kind in failed}
    found: Counter[tuple[str, str]] = Counter()
    for side, record_id, state in unlinked.present(session, connection):
        tried = record_id in kinds and state not in {"ignored", "old"}
        why = f"failed, {kinds[record_id]}" if tried else WORDS.get(state, state)
        found[why, side] += 1
    reasons = sorted({why for why, _ in found})
    return [(f"alone: {why}", found[why, "nexudus"], found[why, "crm"]) for why in reasons]
