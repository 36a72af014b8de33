"""`forget`: erase a person's values from what the sync keeps, for a data-protection request."""

import os

import typer

from nexudus_sync.cli.desk import asking, open_desk
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import at_terminal, print_table, say
from nexudus_sync.cli.reading import no_tenant
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.config.toml import is_fleet
from nexudus_sync.deciding.records import no_such
from nexudus_sync.errors import ConfigError
from nexudus_sync.store import forgetting, tenants
from nexudus_sync.store.forgetting import Held
from nexudus_sync.texts import pair_of, plural

UNREACHED = (
    "Not reached: the records in Nexudus and in the CRM themselves, backups and copies of the state, saved plans and "
    "exports, and logs, which name records by their id. Delete those yourself."
)


def forget(root: Root, who: str | None, *, yes: bool) -> None:
    """Show what is held, ask, and erase it. Without `who`, all that is held of a removed tenant.

    Raises ConfigError when nothing is held.
    """
    if who is None:
        _forget_tenant(root, yes=yes)
        return
    with open_desk(root) as desk:
        if desk.settings.in_fleet and not desk.settings.tenant:
            raise no_tenant(root.config, sorted({desk.settings.owner(one.name) for one in desk.settings.connections}))
        names = desk.names()
        with desk.store.read() as session:
            held = forgetting.find(session, names, who)
        if not held.total and not held.linked:
            raise no_such("record or e-mail address", who, "ids are shown by `links list` and `inbox`")
        rows = [(what, f"{count:,}") for what, count in held.counts.items() if count]
        print_table(("erased", "rows"), rows, right=("rows",), empty="Nothing to erase.")
        _tell_what_stays(held)
        if not held.total or (not yes and not _agreed(who)):
            say("Nothing was erased.")
            return
        with desk.store.session() as session:
            held = forgetting.find(session, names, who)
            forgetting.erase(session, names, who, held)
    say(f"Erased: {plural(held.total, 'row')}.")
    say(UNREACHED)


def _forget_tenant(root: Root, *, yes: bool) -> None:
    """Delete what the store holds of a tenant that the fleet no longer has."""
    tenant, root.tenant = root.tenant, None
    if tenant is None:
        raise ConfigError("forget", "needs a record or an e-mail address", "or --tenant NAME, for a removed tenant")
    if not is_fleet(root.config):
        raise ConfigError("--tenant", f"{root.config} is of one installation, without [fleet]", "leave it out")
    fleet = Fleet.load(root.config, os.environ, secrets=False)
    if tenant in fleet.tenants():
        remedy = "move its folder away first; its workers then stop within a minute"
        raise ConfigError(f"tenant {tenant}", f"is still in {fleet.folder}", remedy)
    with open_desk(root) as desk:
        with desk.store.read() as session:
            held = tenants.count(session, tenant)
        if not held:
            raise no_such("tenant", tenant, "`nexudus-sync status` shows those that were removed")
        print_table(("deleted", "rows"), [(what, f"{count:,}") for what, count in held.items()], right=("rows",))
        if not yes and not _agreed(f"tenant {tenant}"):
            say("Nothing was deleted.")
            return
        with desk.store.session() as session:
            count = tenants.erase(session, tenant)
    say(f"Deleted: {plural(count, 'row')}. {UNREACHED}")


def _tell_what_stays(held: Held) -> None:
    for pair in held.linked[:5]:
        say(
            f"{pair_of(*pair)} is kept in step, so its latest values stay. Delete the record in both systems, or "
            f"`nexudus-sync unlink {pair[0]}`; after the next sync, forget it again."
        )
    if len(held.linked) > 5:
        say(f"… and {len(held.linked) - 5:,} more pairs.")
    if held.unsettled:
        count = plural(held.unsettled, "write")
        say(f"{count} without an outcome yet will stay until the next sync has found it out; forget again after that.")


def _agreed(who: str) -> bool:
    if not at_terminal():
        raise ConfigError("forget", "no terminal to confirm on", "add --yes")
    with asking():
        return typer.confirm(f"Erase this of {who} for good?")
