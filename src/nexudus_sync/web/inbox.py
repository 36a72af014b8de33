"""The inbox: conflicts and failures in one list, each answered by itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from starlette.responses import HTMLResponse, Response

from nexudus_sync import codec
from nexudus_sync.deciding import conflicts, failures, pairing
from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.mapping import OnConflict, Side
from nexudus_sync.mapping import Sync as Direction
from nexudus_sync.store import inbox as items
from nexudus_sync.store.ask import over
from nexudus_sync.store.failures import of_numbers as failures_of
from nexudus_sync.store.inbox import Filter, Item, Tab
from nexudus_sync.store.timeline import Write, last_write
from nexudus_sync.texts import plural
from nexudus_sync.web.naming import NOBODY, names_of
from nexudus_sync.web.sessions import Notice
from nexudus_sync.web.view import View
from nexudus_sync.web.words import field_word, side_of, span_word, value_word

_IN_BRACKETS = re.compile(r"\(([^()]+)\)$")
AGES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}
"""What "waiting for" can be chosen."""


def show(view: View) -> Response:
    """The page."""
    wanted, page = filter_of(view), _page(view)
    with view.asking() as ask:
        total = items.total(ask, wanted)
        found = items.page(ask, wanted, offset=(page - 1) * items.PAGE)
        opened = view.query.get("open", "")
        if opened and opened not in {one.key for one in found}:
            asked = items.get(ask, opened)
            found = [asked, *found] if asked is not None and asked.connection in view.desk.names else found
        groups = items.groups(ask, wanted)
        newest = items.newest(ask, tuple(view.desk.names))
        names = names_of(ask, found)
        counts = items.counts(ask, Filter(tuple(view.desk.names)))
    details = {one.key: details_of(view, one) for one in found if one.key == opened}
    return view.page(
        "inbox.html",
        items=found,
        names=names,
        details=details,
        total=total,
        number=page,
        pages=max(1, -(-total // items.PAGE)),
        wanted=wanted,
        age=view.query.get("age", ""),
        fields=sorted({one.field for one in groups if one.field}, key=field_word),
        kinds=sorted({one.kind for one in groups}),
        counts=counts,
        newest=newest,
    )


def item(view: View) -> Response:
    """One item unfolded, for the list."""
    with view.asking() as ask:
        found = items.get(ask, view.request.path_params["key"])
        if found is None or found.connection not in view.desk.names:
            return HTMLResponse("<p>This item is gone.</p>", status_code=404)
        names = names_of(ask, [found])
    shown = details_of(view, found)
    return view.fragment("inbox_item.html", item=found, name=names[found.key], detail=shown, back=view.to("/inbox"))


def new(view: View) -> Response:
    """Whether something has come since the list was made."""
    with view.asking() as ask:
        count = items.newer(ask, filter_of(view), _number(view, "c"), _number(view, "f"))
    return view.fragment("inbox_new.html", count=count)


def filter_of(view: View) -> Filter:
    """The filter that an address, or a form, says."""
    said: Mapping[str, str] = view.form or view.query
    connection, tab = said.get("connection", ""), said.get("list", "waiting")
    chosen = (connection,) if connection in view.desk.names else tuple(view.desk.names)
    age = AGES.get(said.get("age", ""))
    return Filter(
        chosen,
        tab if tab in get_args(Tab) else "waiting",  # type: ignore[arg-type]
        said.get("kind", ""),
        said.get("field", ""),
        said.get("q", "").strip()[:200],
        None if age is None else view.now - age,
    )


def decide(view: View) -> Response:
    """Carry out what a person says about one item."""
    key, verb = view.request.path_params["key"], view.request.path_params["verb"]
    with view.asking() as ask:
        found = items.get(ask, key)
        name = NOBODY if found is None else names_of(ask, [found])[found.key]
    work = _VERBS.get((key[:1], verb))
    if found is None or work is None or found.connection not in view.desk.names:
        raise ConfigError(f"item {key}", "there is no such item", "it may have been settled meanwhile")
    title = name.title or found.nexudus_id or found.crm_id
    back = view.back("/inbox")
    try:
        said = work(view, found)
    except SyncError as error:
        again = f"/inbox?open={key}#{key}"
        return view.go(again, Notice(str(error), title, failed=True))
    undo = f"/inbox/{key}/take-back" if verb in {"take", "value"} else ""
    return view.go(back, Notice(said, title, undo=undo))


def _take(view: View, item: Item) -> str:
    side = side_of(view.form.get("side", ""))
    if side is None:
        raise ConfigError(f"item {item.key}", "the form names no side", "choose one")
    with view.desk.store.session() as session:
        conflicts.take(session, view.desk.settings, item.id, side, by=view.user, now=view.now, seen=seen_of(view))
    return f"{outcome_word(view, item, side)}. {_when(view, item.connection)}"


def _say_value(view: View, item: Item) -> str:
    text = view.form.get("value", "").strip()
    settings, seen = view.desk.settings, seen_of(view)
    with view.desk.store.session() as session:
        taken = conflicts.say_value(session, settings, item.id, text, by=view.user, now=view.now, seen=seen)
    return f"Both sides get {value_word(taken.value, item.field)}. {_when(view, item.connection)}"


def outcome_word(view: View, item: Item, side: Side) -> str:
    """What taking a side does."""
    own, system = item.nexudus if side is Side.NEXUDUS else item.crm, view.desk.system(item.connection, side)
    if item.kind == "match":
        return f"It is copied to {view.desk.system(item.connection, side.other)} as a new record"
    if item.field != "record":
        return f"You kept {system}’s {value_word(own, item.field)}"
    if item.kind == "deleted" and item.side != side.value:
        return f"The record in {view.desk.system(item.connection, side.other)} is deleted too"
    return f"The record in {system} is kept"


def _when(view: View, connection: str) -> str:
    """When a decision is carried out."""
    following = view.desk.hands.next_cycle(connection) if view.desk.hands else None
    if following is None or following <= view.now:
        return "It is carried out at the next cycle."
    return f"It is carried out in about {span_word(following - view.now)}."


def _link(view: View, item: Item) -> str:
    other = view.form.get("other", "").strip()
    nexudus, crm = (item.nexudus_id, other) if item.nexudus_id else (other, item.crm_id)
    with view.desk.store.session() as session:
        pairing.link(session, view.desk.settings, nexudus, crm, item.connection, by=view.user, now=view.now)
    return f"They become a pair. {_when(view, item.connection)}"


def _ignore(view: View, item: Item) -> str:
    record = item.nexudus_id or item.crm_id
    with view.desk.store.session() as session:
        pairing.ignore(session, view.desk.settings, record, item.connection, by=view.user, now=view.now)
    return f"It is left alone. {_when(view, item.connection)}"


def _take_back(view: View, item: Item) -> str:
    with view.desk.store.session() as session:
        conflicts.take_back(session, view.desk.settings, item.id)
    return "Taken back: the question is open again."


def _retry(view: View, item: Item) -> str:
    with view.desk.store.session() as session:
        failures.retry(session, view.desk.settings, item.id, now=view.now)
    return "It is tried again at the next cycle."


def _retry_alike(view: View, item: Item) -> str:
    with view.desk.store.session() as session:
        alike = failures_of(session, items.alike(over(session), item))
        later = failures.retry_all(session, view.desk.settings, alike, now=view.now)
    return _tried_again(len(alike), later)


def _tried_again(count: int, later: int) -> str:
    said = f"{plural(count, 'record is', 'records are')} tried again at the next cycle."
    return said + (f" {later:,} of them follow if the first one of their kind succeeds." if later else "")


def _dismiss(view: View, item: Item) -> str:
    with view.desk.store.session() as session:
        failures.dismiss(session, view.desk.settings, item.id)
    return "Dismissed. It comes back if its reason changes."


_VERBS = {
    ("c", "take"): _take,
    ("c", "value"): _say_value,
    ("c", "take-back"): _take_back,
    ("c", "link"): _link,
    ("c", "ignore"): _ignore,
    ("f", "retry"): _retry,
    ("f", "retry-alike"): _retry_alike,
    ("f", "dismiss"): _dismiss,
}


def seen_of(view: View) -> tuple[Any, Any] | None:
    """The two values that the person saw; None for a form that does not say."""
    try:
        nexudus, crm = codec.loads(view.form["seen"])
    except (KeyError, ValueError, TypeError):
        return None
    return nexudus, crm


@dataclass(frozen=True, slots=True)
class Detail:
    """What an unfolded item shows beside its row."""

    question: str
    why: str
    seen: str
    third: bool
    choices: tuple[str, ...]
    alike: int
    payload: str
    keep: Mapping[str, str]
    """What the buttons say, by side."""
    changed: Mapping[str, datetime | None]
    """When each side's record was last changed."""
    candidates: tuple[tuple[str, str], ...] = ()
    """Of a record without a counterpart: id and words of those that it may be."""


def details_of(view: View, item: Item) -> Detail:
    """All that helps to decide about an item."""
    if item.is_conflict:
        return _of_conflict(view, item)
    with view.asking() as ask:
        alike = len(items.alike(ask, item))
        write = last_write(ask, item.connection, item.nexudus_id, item.crm_id)
    return Detail("", "", "", False, (), alike, "" if write is None else _payload(view, item, write), {}, {})


def _payload(view: View, item: Item, write: Write) -> str:
    """The latest write about the record, field by field."""
    system = view.desk.system(item.connection, write.side)
    lines = [f"{write.kind} in {system} ({write.state})"]
    lines += [f"{name} = {codec.dumps(said.get('sent', said.get('new')))}" for name, said in write.fields.items()]
    return "\n".join(lines)


def _of_conflict(view: View, item: Item) -> Detail:
    field = None if item.connection not in view.desk.mappings else view.desk.mappings[item.connection].find(item.field)
    third = item.kind == "field" and field is not None and field.sync is Direction.TWO_WAY
    choices = tuple(members[0] for members in field.classes.members) if field is not None and third else ()
    question, why = _asked(view, item)
    keep = {side.value: keep_word(view, item, side) for side in Side}
    with view.asking() as ask:
        nexudus, crm = items.changed_at(ask, item)
    changed = {Side.NEXUDUS.value: nexudus, Side.CRM.value: crm}
    seen = codec.dumps([item.nexudus, item.crm])
    return Detail(question, why, seen, third, choices, 0, "", keep, changed, _candidates(item))


def _candidates(item: Item) -> tuple[tuple[str, str], ...]:
    """Id and words of the records that one without a counterpart may belong to; the question names them so."""
    named = item.crm if item.nexudus_id else item.nexudus
    if item.kind != "match" or not isinstance(named, list):
        return ()
    found = [(_IN_BRACKETS.search(str(one)), str(one)) for one in named]
    return tuple((id_[1], words) for id_, words in found if id_ is not None)


def _asked(view: View, item: Item) -> tuple[str, str]:
    """The question, and why no rule answered it."""
    word = field_word(item.field).lower()
    crm = view.desk.system(item.connection, Side.CRM)
    if item.kind == "field":
        return f"Which {word} is right?", item.reason or _why(view, item)
    if item.kind == "overwritten":
        return f"Was the {word} meant to be overwritten?", item.reason or (
            "The sync wrote over a value that it had not seen, because it was changed at the same moment."
        )
    if item.kind == "match":
        own = "Nexudus" if item.nexudus_id else crm
        why = item.reason.partition(";")[0] or "several records may be its counterpart"
        return f"Which record belongs to the one in {own}?", f"{why[:1].upper()}{why[1:]}."
    if item.kind == "deleted":
        edited = view.desk.system(item.connection, Side(item.side) if item.side else Side.NEXUDUS)
        return "Keep the record, or delete it?", item.reason or f"It was deleted on one side and edited in {edited}."
    return "Which record is the right one?", item.reason or "A system answers with another record than before."


def _why(view: View, item: Item) -> str:
    """Why the field's rule did not answer it."""
    mapping = view.desk.mappings.get(item.connection)
    field = None if mapping is None else mapping.find(item.field)
    known = item.base is not None
    begun = "Both sides changed it since they last agreed" if known else "They never agreed, as far as is known"
    if field is None or field.on_conflict is OnConflict.MANUAL:
        return f"{begun}, and the rule for this field is that a person decides."
    return f"{begun}, {'and it is not known which change is the newer one' if known else 'so it takes a person'}."


def keep_word(view: View, item: Item, side: Side) -> str:
    """What the button says that takes a side."""
    if item.kind == "match":
        return f"Copy it to {view.desk.system(item.connection, side.other)} as a new record"
    if item.kind == "deleted":
        return "Keep the record" if item.side == side.value else "Delete it here too"
    if item.field == "record":
        return f"Keep the one in {view.desk.system(item.connection, side)}"
    return f"Keep {value_word(item.nexudus if side is Side.NEXUDUS else item.crm, item.field)}"


def _page(view: View) -> int:
    return max(1, min(_number(view, "page") or 1, 100_000))


def _number(view: View, key: str) -> int:
    said = view.query.get(key, "")
    return int(said) if said.isdecimal() and len(said) < 10 else 0
