"""One record: what both sides say, what they agreed on last, and all that happened to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from nexudus_sync.deciding import pairing
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Field, Side, Unreadable
from nexudus_sync.merge import UNSENT
from nexudus_sync.opportunity import say
from nexudus_sync.store import Session, conflicts, failures, links, timeline, unlinked
from nexudus_sync.store import names as naming
from nexudus_sync.store.ask import over
from nexudus_sync.store.search import Found, records
from nexudus_sync.store.tables import Conflict, Failure, Link, Unlinked
from nexudus_sync.web.sessions import Notice
from nexudus_sync.web.view import View
from nexudus_sync.web.words import value_word

_MOST = 50
"""Records that a search shows."""


@dataclass(frozen=True, slots=True)
class Row:
    """A field of both sides, in words. `waits`: a conflict or failure about it waits."""

    field: str
    nexudus: str
    crm: str
    base: str
    differs: bool
    waits: str


@dataclass(frozen=True, slots=True)
class Place:
    """The record that an address names: its connection and ids, with its link or its row alone."""

    connection: str
    nexudus_id: str
    crm_id: str
    link: Link | None
    alone: Unlinked | None

    @property
    def address(self) -> str:
        """Where its page is."""
        return address_of(self.connection, self.nexudus_id, self.crm_id)

    @property
    def is_linked(self) -> bool:
        """Is it a pair that is kept in step?"""
        return self.link is not None and self.link.state == "active"


def address_of(connection: str, nexudus_id: str, crm_id: str) -> str:
    """The address of a record's page."""
    said = {"connection": connection, "nexudus": nexudus_id, "crm": crm_id}
    return "/record?" + urlencode({key: value for key, value in said.items() if value})


def find(view: View) -> Response:
    """Look for records by a word of their title or customer, or by an id. One that is found alone is shown at once."""
    text = view.query.get("q", "").strip()[:200]
    with view.asking() as ask:
        found: list[Found] = records(ask, tuple(view.desk.names), text, _MOST) if text else []
    if len(found) == 1:
        return view.go(view.to(address_of(found[0].connection, found[0].nexudus_id, found[0].crm_id)))
    return view.page("records.html", found=found, text=text, most=_MOST, address=address_of)


def show(view: View) -> Response:
    """The page."""
    with view.desk.store.read() as session:
        place = _place(view, session, view.query)
        if place is None:
            return view.page("missing.html", status=404, what="No cycle has seen this record.")
        ask, pair = over(session), (place.nexudus_id, place.crm_id)
        link_id = None if place.link is None else place.link.id
        asked, failed = _waiting(session, place)
        story = timeline.of_pair(ask, place.connection, *pair, link_id)
        about = (place.connection, *pair)
        name = naming.names(ask, [about]).get(about, naming.Name())
        rows = [] if place.link is None else list(_rows(view, place.link, asked, failed))
        email = None if place.alone is None else place.alone.email
    values: dict[str, Any] = {"place": place, "name": name, "rows": rows, "story": story, "email": email or ""}
    return view.page("record.html", conflicts=asked, failures=failed, resting=_resting(view, place), **values)


def _waiting(session: Session, place: Place) -> tuple[list[Conflict], list[Failure]]:
    """The conflicts and failures about it that wait for a person."""
    ids, here = {place.nexudus_id, place.crm_id} - {""}, [place.connection]
    asked = [one for one in conflicts.about_records(session, here, ids) if one.state == "open"]
    return asked, [one for one in failures.about_records(session, here, ids) if one.state == "open"]


def change(view: View) -> Response:
    """Sync it now, unlink it, or leave it alone from now on."""
    verb = view.request.path_params["verb"]
    with view.desk.store.session() as session:
        place = _place(view, session, view.form)
        if place is None:
            raise ConfigError("the record", "no cycle has seen it")
        record, settings = place.nexudus_id or place.crm_id, view.desk.settings
        who: dict[str, Any] = {"by": view.user, "now": view.now}
        if verb == "unlink":
            pairing.unlink(session, settings, record, place.connection, **who)
            said = "The pair is parted at the next cycle. Both records stay, and you can link them again."
        elif verb == "ignore":
            pairing.ignore(session, settings, record, place.connection, **who)
            said = "It is left alone from the next cycle on."
        elif verb == "sync" and place.link is not None:
            place.link.mark_both(True)
            session.add(place.link)
            said = "Both records are read again at the next cycle."
        else:
            raise ConfigError("the record", f"cannot be asked to {verb!r}")
    if verb == "sync" and view.desk.hands is not None and view.desk.hands.soon(place.connection):
        said = "Both records are read again now; look again in a few seconds."
    return view.go(view.to(place.address), Notice(said))


def _place(view: View, session: Session, said: Any) -> Place | None:
    connection, ids = said.get("connection", ""), {Side.NEXUDUS: said.get("nexudus", ""), Side.CRM: said.get("crm", "")}
    given = {side: record_id for side, record_id in ids.items() if record_id}
    if connection not in view.desk.names:
        return None
    for side, record_id in given.items():
        known = links.of_record(session, [connection], side, record_id)
        right = [one for one in known if given.get(side.other) in (None, one.half(side.other).id)]
        if right:
            link = min(right, key=lambda one: ("active", "sleeping", "closed").index(one.state))
            return Place(connection, *link.pair, link, None)
    for side, record_id in given.items():
        alone = unlinked.find(session, [connection], side, record_id)
        if alone is not None:
            pair = (record_id, "") if side is Side.NEXUDUS else ("", record_id)
            return Place(connection, pair[0], pair[1], None, alone)
    return None


def _rows(view: View, link: Link, asked: list[Conflict], failed: list[Failure]) -> Iterator[Row]:
    """The fields that travel, those first about which something waits."""
    questions = {one.field: one for one in asked}
    broken = {one.field: one for one in failed if one.field}
    for field in view.desk.mappings[link.connection].fields:
        said = {side: _said(view, link, side, field) for side in Side}
        if field.name in questions:
            one = questions[field.name]
            own, other = value_word(one.nexudus, field.name), value_word(one.crm, field.name)
            yield Row(field.name, own, other, value_word(one.base, field.name), True, f"c{one.id}")
        else:
            waits = f"f{broken[field.name].id}" if field.name in broken else ""
            yield Row(field.name, said[Side.NEXUDUS], said[Side.CRM], "", bool(waits), waits)


def _said(view: View, link: Link, side: Side, field: Field) -> str:
    """What a side said when both agreed last. Where only its own list knows a name, the other side's name is shown."""
    for one in (side, side.other):
        path, snapshot = field.lens(one).path.text, link.half(one).snapshot
        if path not in snapshot:
            return "not read yet"
        if snapshot[path] == UNSENT:
            return "not carried over yet"
        try:
            found = field.read(one, snapshot[path], view.desk.context(link.connection, one, snapshot))
            return value_word(say(found), field.name)
        except Unreadable:
            continue
    return value_word(link.half(side).snapshot.get(field.lens(side).path.text))


def _resting(view: View, place: Place) -> list[str]:
    """The fields that stay where they are."""
    mapping = view.desk.mappings[place.connection]
    names = dict.fromkeys([*mapping.nexudus.lenses, *mapping.crm.lenses])
    return [name for name in names if mapping.find(name) is None]
