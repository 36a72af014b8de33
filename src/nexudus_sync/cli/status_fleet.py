"""`status` of a whole fleet: the worst first, broken and removed tenants among them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from nexudus_sync.cli.output import BLANK, print_table, say
from nexudus_sync.cli.reading import Reading
from nexudus_sync.config.settings import Settings
from nexudus_sync.store.status import ConnectionStatus, failing, known_tenants
from nexudus_sync.texts import plural

SHOWN = 50
"""So many rows the table has at most."""
_TOLD = 10
"""So many problems of tenants are told below it."""
COLUMNS = ("connection", "state", "links", "conflicts", "failures", "pending", "last success")

BROKEN, BRAKE, FAILING, NEW, WAITING, FINE, PAUSED, REMOVED = range(8)
"""How bad it is, the worst first."""
_WORDS = {
    BROKEN: "does not run: its configuration is broken",
    BRAKE: "stopped by a brake",
    FAILING: "failing",
    NEW: "first run not finished",
    WAITING: "in step",
    FINE: "in step",
    PAUSED: "paused",
    REMOVED: "removed; its state is kept",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A connection, or a tenant of which no connection is known (`status` None)."""

    name: str
    rank: int
    status: ConnectionStatus | None = None

    @property
    def order(self) -> tuple[Any, ...]:
        """Where it stands in the list."""
        return self.rank, -(self.status.waiting if self.status else 0), self.name


def rows_of(desk: Reading, found: Sequence[ConnectionStatus]) -> list[Row]:
    """All rows, the worst first."""
    ill = failing(desk.ask)
    rows = [Row(one.name, _rank(one, ill), one) for one in found]
    rows += [Row(tenant, BROKEN) for tenant in desk.settings.broken]
    rows += [Row(tenant, REMOVED) for tenant in removed(desk)]
    return sorted(rows, key=lambda row: row.order)


def removed(desk: Reading) -> list[str]:
    """The tenants that the fleet no longer has, of which the store still holds something."""
    there = {desk.settings.owner(one.name) for one in desk.settings.connections} | set(desk.settings.broken)
    return [tenant for tenant in known_tenants(desk.ask) if tenant not in there]


def _rank(one: ConnectionStatus, ill: Collection[str]) -> int:
    if one.brake:
        return BRAKE
    if one.paused_at is not None:
        return PAUSED
    if one.name in ill:
        return FAILING
    if one.last_success is None:
        return NEW
    return WAITING if one.waiting else FINE


def tenants_json(settings: Settings, gone: Sequence[str]) -> list[dict[str, Any]]:
    """Every tenant, as JSON: "state" is "ok", "broken" or "removed"; a broken one has its "problem"."""
    own = {settings.owner(one.name) for one in settings.connections}
    found: list[tuple[str, str, str | None]] = [(tenant, "ok", None) for tenant in own]
    found += [(tenant, "broken", str(error)) for tenant, error in settings.broken.items()]
    found += [(tenant, "removed", None) for tenant in gone]
    return [{"tenant": tenant, "state": state, "problem": problem} for tenant, state, problem in sorted(found)]


def show(settings: Settings, rows: Sequence[Row]) -> None:
    """Print it for people."""
    print_table(COLUMNS, [_cells(row) for row in rows[:SHOWN]], right=COLUMNS[2:6], empty="There is no tenant yet.")
    if len(rows) > SHOWN:
        say(f"… and {len(rows) - SHOWN:,} more; `status --tenant NAME` shows one tenant, `status --json` has all.")
    for tenant, error in list(settings.broken.items())[:_TOLD]:
        say(f"{tenant}: {error}", style="bold red")
    if any(row.rank == BRAKE for row in rows):
        say("A braked connection writes nothing; see `nexudus-sync brake show`.", style="bold red")
    if any(row.rank == REMOVED for row in rows):
        say("To delete what is kept of a removed tenant: `nexudus-sync forget --tenant NAME`.")
    say(_total(settings, rows))


def _cells(row: Row) -> tuple[Any, ...]:
    one = row.status
    if one is None:
        return (row.name, _WORDS[row.rank], BLANK, BLANK, BLANK, BLANK, BLANK)
    state = f"stopped by {one.brake}" if row.rank == BRAKE else _WORDS[row.rank]
    return (one.name, state, one.links, one.conflicts, one.failures, one.pending, one.last_success or "never")


def _total(settings: Settings, rows: Sequence[Row]) -> str:
    """All of it in one line."""
    known = {settings.owner(row.name) for row in rows if row.status} | set(settings.broken)
    counts = Counter("in step" if row.rank == WAITING else _WORDS[row.rank] for row in rows if row.status)
    said = ", ".join(f"{count:,} {what}" for what, count in counts.most_common())
    waits = sum(row.status.waiting for row in rows if row.status)
    connections = plural(sum(counts.values()), "connection")
    broken = f"; {plural(len(settings.broken), 'tenant is', 'tenants are')} broken" if settings.broken else ""
    waiting = plural(waits, "conflict or failure waits", "conflicts and failures wait")
    return f"{plural(len(known), 'tenant')}, {connections}: {said or 'none'}{broken}; {waiting}."
