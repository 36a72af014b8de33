"""`explain`: why a record is in the state it is in."""

from dataclasses import replace
from typing import Any

from nexudus_sync.cli.conflicts import changed_by
from nexudus_sync.cli.desk import Desk, open_desk
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.lists import print_history
from nexudus_sync.cli.output import cell, print_json, print_table, say, utc
from nexudus_sync.cli.rows import cause_of, conflict_state
from nexudus_sync.cli.times import both
from nexudus_sync.deciding.records import Located, locate, no_such
from nexudus_sync.engine.startup.assemble import load_mapping, plain_contexts
from nexudus_sync.mapping import Context, Field, Mapping, Side, Unreadable
from nexudus_sync.merge import STORED_DIFFERENTLY, UNSENT
from nexudus_sync.opportunity import say as said
from nexudus_sync.store import Session, conflicts, decisions, failures, history, journal
from nexudus_sync.store.ask import over
from nexudus_sync.store.brakes import in_state
from nexudus_sync.store.lists import undone
from nexudus_sync.store.tables import Conflict, ConnectionState, Decision, Failure, History, Link, Unlinked

LATEST = 10
"""The number of history entries that are shown."""


def explain(root: Root, record: str, connection: str | None, *, as_json: bool) -> None:
    """Print all that the store knows about a record. Raises ConfigError when it knows nothing."""
    with open_desk(root) as desk, desk.store.read() as session:
        found = locate(session, desk.settings, record, connection)
        if desk.settings.in_fleet and found.connection:  # the systems of other tenants give the same ids
            desk = replace(desk, settings=desk.settings.only({desk.settings.owner(found.connection)}))
        if as_json:
            print_json(_json(session, desk, found, connection))
            return
        if found.link is not None:
            _print_link(session, desk, found.link)
        elif found.unlinked is not None:
            _print_alone(desk, found, found.unlinked)
        else:
            _need_decision(session, desk, found, connection)
            say(f"{found.side.word} {record}: no cycle has seen it", style="bold")
        _print_waiting(session, found, desk.names(connection))
        say()
        lines = history.newest(session, desk.names(), record, LATEST)
        print_history(lines, undone(over(session), desk.names()), over(session))


def _need_decision(session: Session, desk: Desk, found: Located, connection: str | None) -> None:
    """Raise ConfigError for a record that no cycle has seen and nobody has decided about."""
    if not _decisions(session, found, desk.names(connection), {found.id}):
        remedy = "check that it is in a connection's scope; `nexudus-sync sync` looks for new records"
        raise no_such("record", found.id, remedy)


def _print_link(session: Session, desk: Desk, link: Link) -> None:
    name = " · ".join(filter(None, (_title(desk, link) or link.title, link.customer)))
    say(name or f"Nexudus {link.nexudus_id} ⇄ {link.crm} {link.crm_id}", style="bold")
    in_nexudus, in_crm = desk.settings.urls(link.connection, *link.pair)
    rows: list[tuple[str, Any]] = [
        ("record", f"Nexudus {link.nexudus_id} ⇄ {link.crm} {link.crm_id}"),
        ("connection", link.connection),
        ("in Nexudus", in_nexudus),
        ("in the CRM", in_crm),
        ("last edit in Nexudus", changed_by(link.nexudus_changed_at, link.nexudus_changed_by)),
        ("last edit in the CRM", changed_by(link.crm_changed_at, link.crm_changed_by)),
        ("linked since", both(link.created_at)),
        ("state", link.state if link.closed_reason is None else f"{link.state}: {link.closed_reason}"),
        ("both read in full", link.verified_at),
        ("to be read again", _marked(link)),
        ("last cycle", _last_success(session, link.connection)),
    ]
    rows += [("company", company) for company in _other_companies(session, desk, link)]
    print_table(("link", str(link.id)), [row for row in rows if row[1] not in (None, "", [])])
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
        return name or f"{path} {cell(snapshot[path])}"


def _said(field: Field, side: Side, snapshot: dict[str, object], context: Context) -> str | None:
    """The value of a field in a snapshot; None when it is missing or cannot be put into words."""
    raw = snapshot.get(field.lens(side).path.text)
    if raw is None or raw == UNSENT:
        return None
    try:
        return cell(said(field.read(side, raw, context)))
    except Unreadable:
        return None


def _print_alone(desk: Desk, found: Located, row: Unlinked) -> None:
    name = " · ".join(filter(None, (row.title, row.customer or row.email)))
    say(f"{name or found.side.word + ' ' + row.record_id}: no counterpart", style="bold")
    urls = desk.settings.urls(row.connection, row.record_id, row.record_id)
    rows = [
        ("record", f"{found.side.word} {row.record_id}"),
        ("connection", row.connection),
        ("in the browser", urls[0] if found.side is Side.NEXUDUS else urls[1]),
        ("title", row.title),
        ("e-mail", row.email),
        ("created", row.created_at),
        ("open", row.is_open),
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
        (f"conflict {one.id}", _conflict(one))
        for one in conflicts.about_records(session, names, ids)
        if one.state != "closed"
    ]
    rows += [
        (f"failure {one.id}", _failure(one))
        for one in failures.about_records(session, names, ids)
        if one.state == "open"
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
    taken = f"; {conflict_state(one)}" if one.state == "resolved" else ""
    return f"{one.field}: Nexudus says {cell(one.nexudus)}, the CRM says {cell(one.crm)}{taken}"


def _failure(one: Failure) -> str:
    when = f"next try {cell(one.next_attempt)}" if one.next_attempt else "next try when something changes"
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


def _json(session: Session, desk: Desk, found: Located, connection: str | None) -> dict[str, Any]:
    """The same as JSON. Raises ConfigError when the store knows nothing."""
    if not found.known:
        _need_decision(session, desk, found, connection)
    ids, names, ask = _ids(found), desk.names(connection), over(session)
    undos = undone(ask, desk.names())
    return {
        "record": found.id,
        "side": found.side.value,
        "connection": found.connection,
        "link": None if found.link is None else _link_json(desk, found.link),
        "unlinked": None if found.unlinked is None else _alone_json(found.unlinked),
        **_waiting_json(session, found.connection or "", names, ids),
        "decisions": [
            {"kind": one.kind, "asked_at": utc(one.asked_at), "by": one.asked_by, "outcome": one.outcome}
            for one in _decisions(session, found, names, ids)
        ],
        "history": [
            {"id": str(one.id), "at": utc(one.at), "field": one.field, "old": one.old, "new": one.new}
            | {"lost": one.lost, "from": "undo" if cause_of(one, undos) else one.from_side, "by": one.decided_by}
            for one in history.newest(session, desk.names(), found.id, LATEST)
        ],
    }


def _waiting_json(session: Session, connection: str, names: list[str], ids: set[str]) -> dict[str, Any]:
    return {
        "brakes": [one.name for one in in_state(session, connection)],
        "conflicts": [
            {"id": str(one.id), "field": one.field, "nexudus": one.nexudus, "crm": one.crm, "state": one.state}
            for one in conflicts.about_records(session, names, ids)
            if one.state != "closed"
        ],
        "failures": [
            {"id": str(one.id), "kind": one.kind, "field": one.field, "reason": one.reason}
            for one in failures.about_records(session, names, ids)
            if one.state == "open"
        ],
        "writes": [
            {"kind": one.kind, "state": one.state, "fields": sorted(one.fields)}
            for one in journal.pending(session, connection)
            if {one.nexudus_id, one.crm_id} & ids
        ],
    }


def _link_json(desk: Desk, link: Link) -> dict[str, Any]:
    nexudus_url, crm_url = desk.settings.urls(link.connection, *link.pair)
    mapping, contexts = _mapping(desk, link)
    return {
        "id": str(link.id),
        "title": _title(desk, link) or link.title,
        "customer": link.customer,
        "state": link.state,
        "reason": link.closed_reason,
        "nexudus_id": link.nexudus_id,
        "crm_id": link.crm_id,
        "nexudus_url": nexudus_url,
        "crm_url": crm_url,
        "created_at": utc(link.created_at),
        "nexudus_changed_at": utc(link.nexudus_changed_at),
        "nexudus_changed_by": link.nexudus_changed_by,
        "crm_changed_at": utc(link.crm_changed_at),
        "crm_changed_by": link.crm_changed_by,
        "to_be_read_again": _marked(link),
        "agreed": {
            field.name: {side.value: _said(field, side, link.half(side).snapshot, contexts[side]) for side in Side}
            for field in mapping.fields
        },
    }


def _alone_json(row: Unlinked) -> dict[str, Any]:
    return {
        "title": row.title,
        "customer": row.customer,
        "email": row.email,
        "created_at": utc(row.created_at),
        "open": row.is_open,
        "state": row.state,
        "reason": row.reason,
    }
