"""`explain`: why a record is in the state it is in."""

from typing import Any

from nexudus_sync.cli.desk import Desk, Located, locate, open_desk
from nexudus_sync.cli.frame import Root, no_such
from nexudus_sync.cli.history import print_history, undos
from nexudus_sync.cli.output import cell, print_table, say
from nexudus_sync.engine.startup.assemble import load_mapping, plain_contexts
from nexudus_sync.mapping import Context, Field, Mapping, Side, Unreadable
from nexudus_sync.merge import STORED_DIFFERENTLY, UNSENT
from nexudus_sync.opportunity import say as said
from nexudus_sync.store import Session, conflicts, decisions, failures, history, journal
from nexudus_sync.store.brakes import in_state
from nexudus_sync.store.tables import Conflict, ConnectionState, Decision, Failure, History, Link, Unlinked

LATEST = 10
"""The number of history entries that are shown."""


def explain(root: Root, record: str, connection: str | None) -> None:
    """Print all that the store knows about a record. Raises ConfigError when it knows nothing."""
    with open_desk(root) as desk, desk.store.read() as session:
        found = locate(session, desk.settings, record, connection)
        if found.link is not None:
            _print_link(session, desk, found.link)
        elif found.unlinked is not None:
            _print_alone(found, found.unlinked)
        elif not _decisions(session, found, desk.names(connection), {record}):
            remedy = "check that it is in a connection's scope; `nexudus-sync sync` looks for new records"
            raise no_such("record", record, remedy)
        else:
            say(f"{found.side.word} {record}: no cycle has seen it", style="bold")
        _print_waiting(session, found, desk.names(connection))
        say()
        lines = history.newest(session, desk.names(), record, LATEST)
        print_history(lines, undos(session, lines))


def _print_link(session: Session, desk: Desk, link: Link) -> None:
    say(f"Nexudus {link.nexudus_id} ⇄ {link.crm} {link.crm_id}, connection {link.connection}", style="bold")
    rows: list[tuple[str, Any]] = [
        ("title", _title(desk, link)),
        ("linked since (UTC)", link.created_at),
        ("state", link.state if link.closed_reason is None else f"{link.state}: {link.closed_reason}"),
        ("Nexudus stamp when read", link.nexudus_stamp),
        ("CRM stamp when read", link.crm_stamp),
        ("last edit in Nexudus (UTC)", link.nexudus_changed_at),
        ("last edit in the CRM (UTC)", link.crm_changed_at),
        ("both read in full (UTC)", link.verified_at),
        ("to be read again", _marked(link)),
        ("last cycle (UTC)", _last_success(session, link.connection)),
    ]
    rows += [("company", company) for company in _other_companies(session, desk, link)]
    print_table(("link", str(link.id)), rows)
    _print_snapshots(desk, link)


def _marked(link: Link) -> list[str]:
    marks = ((Side.NEXUDUS, link.nexudus_recheck), (Side.CRM, link.crm_recheck))
    return [side.word for side, marked in marks if marked]


def _last_success(session: Session, connection: str) -> Any:
    state = session.get(ConnectionState, connection)
    return state.last_success if state else None


def _other_companies(session: Session, desk: Desk, link: Link) -> list[str]:
    """The companies that the link kept from former connections: a moved record keeps its company in the CRM."""
    companies = {one.name: one.part for one in desk.settings.connections}
    return [
        f"came from connection {name} and keeps its company, {companies.get(name) or 'unchanged'}"
        for name in journal.former_connections(session, link)
    ]


def _mapping(desk: Desk, link: Link) -> tuple[Mapping, dict[Side, Context]]:
    """The mapping of a link's connection, and the contexts in which its snapshots are read."""
    settings = next(one for one in desk.settings.connections if one.name == link.connection)
    return load_mapping(desk.settings, settings), plain_contexts(desk.settings, settings)


def _title(desk: Desk, link: Link) -> str | None:
    mapping, contexts = _mapping(desk, link)
    field = mapping.find("title")
    names = (_said(field, side, link.half(side).snapshot, contexts[side]) for side in Side if field is not None)
    return next(filter(None, names), None)


def _print_snapshots(desk: Desk, link: Link) -> None:
    """Print what each side said when they last agreed, in canonical words.

    Where only the system's own list knows the name of an id, the other side's name is shown: they agreed.
    """
    mapping, contexts = _mapping(desk, link)
    rows = [(field.name, *(_snapshot(field, side, link, contexts) for side in Side)) for field in mapping.fields]
    print_table(("when they last agreed", "Nexudus said", "the CRM said"), rows)


def _snapshot(field: Field, side: Side, link: Link, contexts: dict[Side, Context]) -> str:
    path, snapshot = field.lens(side).path.text, link.half(side).snapshot
    if path not in snapshot:
        return "(not read yet)"
    if snapshot[path] == UNSENT:
        return "(not carried over yet)"
    try:
        return cell(said(field.read(side, snapshot[path], contexts[side])))
    except Unreadable:
        name = _said(field, side.other, link.half(side.other).snapshot, contexts[side.other])
        return f"{path} {cell(snapshot[path])}" + (f" ({name})" if name else "")


def _said(field: Field, side: Side, snapshot: dict[str, object], context: Context) -> str | None:
    """The value of a field in a snapshot; None when it is missing or cannot be put into words."""
    raw = snapshot.get(field.lens(side).path.text)
    if raw is None or raw == UNSENT:
        return None
    try:
        return cell(said(field.read(side, raw, context)))
    except Unreadable:
        return None


def _print_alone(found: Located, row: Unlinked) -> None:
    say(f"{found.side.word} {row.record_id}, connection {row.connection}: no counterpart", style="bold")
    rows = [
        ("title", row.title),
        ("e-mail", row.email),
        ("created (UTC)", row.created_at),
        ("open", row.is_open),
        ("stamp", row.stamp),
        ("state", row.state),
        ("why", row.reason),
    ]
    print_table(("record", row.record_id), rows)


def _print_waiting(session: Session, found: Located, names: list[str]) -> None:
    """Print the conflicts, failures, writes and decisions about the record, and a brake on its connection."""
    ids = _ids(found)
    rows: list[tuple[str, str]] = []
    rows += [("brake", f"{one.name}: {one.evidence}") for one in in_state(session, found.connection or "")]
    rows += [
        (f"conflict {one.id}", _conflict(one)) for one in conflicts.about_records(session, ids) if one.state != "closed"
    ]
    rows += [
        (f"failure {one.id}", _failure(one)) for one in failures.about_records(session, ids) if one.state == "open"
    ]
    rows += [
        ("write", f"{one.kind} is {one.state}: {', '.join(one.fields)}")
        for one in journal.pending(session, found.connection or "")
        if {one.nexudus_id, one.crm_id} & ids
    ]
    rows += [
        ("decision", f"{one.kind}: {one.outcome or 'at the next cycle'}")
        for one in _decisions(session, found, names, ids)
    ]
    print_table(("waiting", "what"), rows, empty="Nothing is waiting.")


def _ids(found: Located) -> set[str]:
    if found.link is None:
        return {found.id}
    return {found.link.nexudus_id, found.link.crm_id}


def _conflict(one: Conflict) -> str:
    taken = f"; the next cycle takes {one.take}" if one.state == "resolved" else ""
    return f"{one.field}: Nexudus says {cell(one.nexudus)}, the CRM says {cell(one.crm)}{taken}"


def _failure(one: Failure) -> str:
    when = f"next try {cell(one.next_attempt)} UTC" if one.next_attempt else "next try when something changes"
    if one.kind == STORED_DIFFERENTLY:
        when = "nothing is waiting"
    return f"{one.field or 'the record'} ({one.kind}, {one.attempts} tries, {when}): {one.reason}"


def _decisions(session: Session, found: Located, names: list[str], ids: set[str]) -> list[Decision]:
    """The decisions that people made about the record, with their outcome, refused ones included."""
    link_id = found.link.id if found.link else None
    asked = decisions.of_connections(session, names)
    return [one for one in asked if _concerns(session, one, link_id, ids)]


def _concerns(session: Session, one: Decision, link_id: int | None, ids: set[str]) -> bool:
    named = {str(one.args[key]) for key in ("nexudus_id", "crm_id", "record_id") if key in one.args}
    if one.kind == "undo":
        entry = session.get(History, one.args["history_id"])
        named = {entry.nexudus_id, entry.crm_id} if entry else set()
    return bool(named & ids) or (link_id is not None and one.args.get("link_id") == link_id)
