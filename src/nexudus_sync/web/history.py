"""The history: what the sync wrote over, with a way back."""

import csv as csv_format
import io
from collections.abc import Iterator
from datetime import timedelta

from starlette.responses import Response, StreamingResponse

from nexudus_sync import codec
from nexudus_sync.deciding import undo as undoing
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side
from nexudus_sync.store import past
from nexudus_sync.store.ask import Ask, over
from nexudus_sync.store.lists import HistoryRow
from nexudus_sync.store.past import Filter
from nexudus_sync.web.inbox import AGES
from nexudus_sync.web.naming import names_of
from nexudus_sync.web.sessions import Notice
from nexudus_sync.web.view import View
from nexudus_sync.web.words import field_word, value_word

SINCE = {**AGES, "month": timedelta(days=30)}
"""How far back can be chosen."""
_COLUMNS = (
    "id",
    "at",
    "connection",
    "title",
    "customer",
    "field",
    "old",
    "new",
    "lost",
    "from",
    "nexudus_id",
    "crm_id",
)
_CALCULATED = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
_AT_ONCE = 500
_HIGHEST = 2**63 - 1
"""The highest number that the store can be asked for."""
_NOTHING = "nothing to restore."
_MOVED = "; add --force"
"""Where an error begins to say, for the command line, how a value that has changed since is set back."""


def show(view: View) -> Response:
    """The page."""
    wanted = filter_of(view)
    before, after = _number(view, "before"), _number(view, "after")
    with view.asking() as ask:
        total, found = past.look(ask, wanted, before=before, after=after)
        if after is not None and len(found) < past.PAGE:
            before = after = None
            total, found = past.look(ask, wanted, before=None, after=None)
        names = names_of(ask, found)
        newest = 0 if before is None and after is None else past.newest(ask, wanted)
        fields = past.fields(ask, tuple(view.desk.names))
    return view.page(
        "history.html",
        rows=found,
        names=names,
        total=total,
        wanted=wanted,
        fields=sorted(fields, key=field_word),
        newer=bool(found) and newest > found[0].id,
        older=len(found) == past.PAGE,
        since=view.query.get("since", ""),
    )


def filter_of(view: View) -> Filter:
    """The filter that the address says."""
    connection, since = view.query.get("connection", ""), SINCE.get(view.query.get("since", ""))
    return Filter(
        (connection,) if connection in view.desk.names else tuple(view.desk.names),
        field=view.query.get("field", ""),
        from_side=view.query.get("from", ""),
        record=view.query.get("record", ""),
        text=view.query.get("q", "").strip()[:200],
        since=None if since is None else view.now - since,
    )


def undo(view: View) -> Response:
    """Ask for a value to be brought back at the next cycle."""
    number = min(view.request.path_params["number"], _HIGHEST)
    force, back = view.query.get("force") == "yes", view.back("/history")
    try:
        with view.desk.store.session() as session:
            said = undoing.ask(session, view.desk.settings, number, force=force, by=view.user, now=view.now)
            entry = past.get(over(session), number)
    except SyncError as error:
        text, moved, _ = str(error).partition(_MOVED)
        if not moved:
            raise
        again = f"/history/{number}/undo?force=yes"
        return view.go(back, Notice(f"{text}.", undo=again, word="Set it back all the same", back=back, failed=True))
    return view.go(back, Notice(said if entry is None else _undone(entry, said)))


def _undone(entry: HistoryRow, said: str) -> str:
    """What comes of an undo; the command line says it with the ids of both records."""
    field, old = field_word(entry.field), value_word(entry.old, entry.field)
    if said.endswith(_NOTHING):
        return f"{field} says {old} already: there is nothing to set back."
    if entry.from_side not in {side.value for side in Side}:
        return f"{field}: both sides get back what they said, at the next cycle, and the conflict opens again."
    return f"{field} is set back to {old} on both sides, at the next cycle."


def csv(view: View) -> Response:
    """All entries of the filter, for a spreadsheet."""
    headers = {"content-disposition": 'attachment; filename="history.csv"'}
    return StreamingResponse(_lines(view, filter_of(view)), media_type="text/csv; charset=utf-8", headers=headers)


def _lines(view: View, wanted: Filter) -> Iterator[str]:
    """The table, some entries at a time: a browser that takes its time must not keep the store from tidying up."""
    yield _line(_COLUMNS)
    before: int | None = None
    while True:
        with view.asking() as ask:
            part = past.page(ask, wanted, before=before, limit=_AT_ONCE)
            lines = list(_rows(ask, part))
        yield from lines
        if len(part) < _AT_ONCE:
            return
        before = part[-1].id


def _rows(ask: Ask, part: list[HistoryRow]) -> Iterator[str]:
    names = names_of(ask, part)
    for row in part:
        name = names[f"h{row.id}"]
        at = "" if row.at is None else f"{row.at:%Y-%m-%dT%H:%M:%SZ}"
        values = (_said(row.old), _said(row.new), _said(row.lost))
        about = (row.id, at, row.connection, name.title, name.customer, row.field)
        yield _line((*about, *values, row.from_side, row.nexudus_id, row.crm_id))


def _said(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else codec.dumps(value)


def _line(cells: tuple[object, ...]) -> str:
    out = io.StringIO()
    csv_format.writer(out).writerow([_harmless(str(cell)) for cell in cells])
    return out.getvalue()


def _harmless(text: str) -> str:
    """A spreadsheet must not calculate what somebody wrote into a record."""
    is_number = text.lstrip("-").replace(".", "", 1).isdecimal()
    return f"'{text}" if text.startswith(_CALCULATED) and not is_number else text


def _number(view: View, key: str) -> int | None:
    said = view.query.get(key, "")
    return int(said) if said.isdecimal() and len(said) < 16 else None
