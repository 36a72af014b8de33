"""What became of every record of a connection, counted from the store so that it adds up."""

from collections import Counter
from collections.abc import Mapping

from sqlmodel import Session, col, select

from nexudus_sync.cli.output import plural, print_table, say
from nexudus_sync.mapping import Side
from nexudus_sync.store import Store
from nexudus_sync.store.status import connection_status
from nexudus_sync.store.tables import Failure, Journal, Link, Unlinked

WORDS = {
    "waiting": "the next cycle takes it up",
    "unmatched": "several candidates, a person decides",
    "ignored": "ignored by hand",
    "limit": "left by --limit",
    "old": "older than --since",
}
"""By the state of a record without a counterpart: why it has none."""

Line = tuple[str, int, int]
"""What became of records, how many of Nexudus's, how many of the CRM's."""


def print_summary(store: Store, connection: str, names: Mapping[Side, str]) -> None:
    """A table by side: linked and how it came to be, or alone and why. `names`: what the two systems are called."""
    with store.read() as session:
        linked, alone = _linked(session, connection, names), _alone(session, connection)
        status = connection_status(session, connection)
    lines = [line for line in (*linked, *alone) if line[1] or line[2]]
    rows = [*lines, ("in this connection", sum(line[1] for line in lines), sum(line[2] for line in lines))]
    print_table(("records", *names.values()), rows, right=tuple(names.values()))
    conflicts, failures = plural(status.conflicts, "conflict"), plural(status.failures_waiting, "failure")
    say(f"{plural(status.links, 'pair')} linked; {conflicts} and {failures} waiting for a person.")


def _linked(session: Session, connection: str, names: Mapping[Side, str]) -> list[Line]:
    """Linked records by how the pair came to be: both were there, or one was copied."""
    query = select(Link.nexudus_id, Link.crm_id).where(col(Link.connection) == connection, col(Link.state) == "active")
    created = select(Journal.side, Journal.nexudus_id, Journal.crm_id).where(
        col(Journal.kind) == "opportunity.create", col(Journal.state) == "confirmed"
    )
    sources = {
        (side, crm_id if side == Side.NEXUDUS else nexudus_id) for side, nexudus_id, crm_id in session.exec(created)
    }
    found: Counter[str] = Counter()
    for nexudus_id, crm_id in session.exec(query):
        if (Side.CRM.value, nexudus_id) in sources:
            found[f"linked: copied from {names[Side.NEXUDUS]} to {names[Side.CRM]}"] += 1
        elif (Side.NEXUDUS.value, crm_id) in sources:
            found[f"linked: copied from {names[Side.CRM]} to {names[Side.NEXUDUS]}"] += 1
        else:
            found["linked: found on both sides"] += 1
    return [(word, count, count) for word, count in sorted(found.items(), reverse=True)]


def _alone(session: Session, connection: str) -> list[Line]:
    """Records without a counterpart, by why."""
    refused = select(Failure.nexudus_id, Failure.crm_id, Failure.kind).where(
        col(Failure.connection) == connection, col(Failure.field) == "", col(Failure.state) != "solved"
    )
    kinds = {nexudus_id or crm_id: kind for nexudus_id, crm_id, kind in session.exec(refused)}
    mine = (col(Unlinked.connection) == connection, col(Unlinked.state) != "away")
    query = select(Unlinked.side, Unlinked.record_id, Unlinked.state).where(*mine)
    found: Counter[tuple[str, str]] = Counter()
    for side, record_id, state in session.exec(query):
        failed = record_id in kinds and state not in {"ignored", "old"}
        why = f"failed, {kinds[record_id]}" if failed else WORDS.get(state, state)
        found[why, side] += 1
    reasons = sorted({why for why, _ in found})
    return [(f"alone: {why}", found[why, "nexudus"], found[why, "crm"]) for why in reasons]
