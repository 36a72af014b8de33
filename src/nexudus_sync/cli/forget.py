"""`forget`: erase a person's values from what the sync keeps, for a data-protection request."""

import typer

from nexudus_sync.cli.desk import asking, open_desk
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import at_terminal, print_table, say
from nexudus_sync.deciding.records import no_such
from nexudus_sync.errors import ConfigError
from nexudus_sync.store import forgetting
from nexudus_sync.store.forgetting import Held
from nexudus_sync.texts import pair_of, plural

UNREACHED = (
    "Not reached: the records in Nexudus and in the CRM themselves, backups and copies of the state, saved plans and "
    "exports, and logs, which name records by their id. Delete those yourself."
)


def forget(root: Root, who: str, *, yes: bool) -> None:
    """Show what is held, ask, and erase it. Raises ConfigError when nothing is held."""
    with open_desk(root) as desk:
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
