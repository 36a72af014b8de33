"""`conflicts`: fields that both sides changed to different values, for a person to decide."""

from datetime import datetime
from typing import Any

from nexudus_sync.cli.desk import open_desk, who
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import cell, print_json, print_table, say, utc
from nexudus_sync.cli.rows import conflict_state, of_tenant
from nexudus_sync.cli.times import both
from nexudus_sync.clock import SystemClock
from nexudus_sync.deciding import conflicts
from nexudus_sync.deciding.records import no_such
from nexudus_sync.mapping import Side
from nexudus_sync.store.ask import over
from nexudus_sync.store.names import Name, about, names
from nexudus_sync.store.tables import Conflict, Link
from nexudus_sync.texts import pair_of


def show(root: Root, number: int, *, as_json: bool) -> None:
    """Print one conflict in full. Raises ConfigError when no conflict has that id."""
    with open_desk(root) as desk, desk.store.read() as session:
        one = session.get(Conflict, number)
        if one is None or not desk.settings.sees(one.connection):
            raise no_such("conflict", number, "see `nexudus-sync conflicts list`")
        pair = one.nexudus_id, one.crm_id
        name = names(over(session), [about(one)]).get(about(one), Name())
        link = session.get(Link, one.link_id) if one.link_id else None
    urls = desk.settings.urls(one.connection, *pair)
    if as_json:
        print_json({**_json(one, name, link, urls), **of_tenant(desk.settings, one.connection)})
        return
    known = " · ".join(filter(None, (name.title, name.customer)))
    say(f"{one.field} of {known or pair_of(*pair)}", style="bold")
    print_table(("conflict", str(one.id)), [row for row in _rows(one, name, link, urls) if row[1] not in (None, "")])
    if one.state == "open":
        say(f"Resolve it with {conflicts.how(one)}.")
    elif one.state == "resolved":
        say(f"{conflicts.what_happens(one)}, at the next cycle; `conflicts take-back {one.id}` undoes that.")


def _rows(one: Conflict, name: Name, link: Link | None, urls: tuple[str | None, str | None]) -> list[tuple[str, Any]]:
    changed = (link.nexudus_changed_at, link.crm_changed_at) if link else (None, None)
    return [
        ("Nexudus says", cell(one.nexudus)),
        ("changed in Nexudus", changed_by(changed[0], name.nexudus_changed_by)),
        ("the CRM says", cell(one.crm)),
        ("changed in the CRM", changed_by(changed[1], name.crm_changed_by)),
        ("when they last agreed", cell(one.base)),
        ("why", one.reason or "the two sides say different things, and no rule decides"),
        ("open since", both(one.opened_at)),
        ("state", conflict_state(one)),
        ("record", pair_of(one.nexudus_id, one.crm_id)),
        ("in Nexudus", urls[0]),
        ("in the CRM", urls[1]),
        ("connection", one.connection),
    ]


def changed_by(moment: datetime | None, by: str) -> str:
    """When a record was last edited there, and by whom, as far as its system tells."""
    return " by ".join(filter(None, (both(moment) if moment else "", by)))


def _json(one: Conflict, name: Name, link: Link | None, urls: tuple[str | None, str | None]) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "connection": one.connection,
        "title": name.title,
        "customer": name.customer,
        "field": one.field,
        "kind": one.kind,
        "base": one.base,
        "nexudus": one.nexudus,
        "crm": one.crm,
        "nexudus_id": one.nexudus_id,
        "crm_id": one.crm_id,
        "nexudus_url": urls[0],
        "crm_url": urls[1],
        "nexudus_changed_at": utc(link.nexudus_changed_at) if link else None,
        "nexudus_changed_by": name.nexudus_changed_by,
        "crm_changed_at": utc(link.crm_changed_at) if link else None,
        "crm_changed_by": name.crm_changed_by,
        "reason": one.reason,
        "opened_at": utc(one.opened_at),
        "state": one.state,
        "take": one.take,
        "value": one.value,
        "decided_by": one.decided_by,
        "decided_at": utc(one.decided_at),
    }


def resolve(root: Root, number: int, take: str | None, value: str | None) -> None:
    """Store a person's decision for the next cycle: a side, or a third value. Raises ConfigError, SyncError."""
    with open_desk(root) as desk, desk.store.session() as session:
        by, now = who(), SystemClock().now()
        if value is None:
            one = conflicts.take(session, desk.settings, number, Side(take or ""), by=by, now=now)
        else:
            one = conflicts.say_value(session, desk.settings, number, value, by=by, now=now)
        name = names(over(session), [about(one)]).get(about(one), Name())
        said = conflicts.what_happens(one)
    known = f"{name.title}: " if name.title else ""
    say(f"{known}{said}, at the next cycle.")


def take_back(root: Root, number: int) -> None:
    """Take a decision back before the next cycle carries it out. Raises ConfigError, SyncError."""
    with open_desk(root) as desk, desk.store.session() as session:
        one = conflicts.take_back(session, desk.settings, number)
        said = f"Conflict {number} about {one.field} of {pair_of(one.nexudus_id, one.crm_id)} is open again."
    say(said)
