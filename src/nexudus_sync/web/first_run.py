"""The report of a connection's first run, as `backfill` kept it."""

from typing import Any

from starlette.responses import Response

from nexudus_sync import codec
from nexudus_sync.clock import moment
from nexudus_sync.store.first_run import kept
from nexudus_sync.texts import in_json
from nexudus_sync.web.view import View


def show(view: View) -> Response:
    """The page."""
    name = view.request.path_params["connection"]
    report = _report(view, name)
    if report is None:
        what = "No report of a first run is kept for this connection. `nexudus-sync backfill` makes one."
        return view.page("missing.html", status=404, what=what)
    began, done = moment(report.get("started_at")), moment(report.get("done_at"))

    def words(what: str) -> str:
        said = " ".join(view.desk.titles.get(word, word) for word in what.split())
        return said[:1].upper() + said[1:]

    return view.page("first_run.html", connection=name, report=report, began=began, done=done, words=words)


def as_json(view: View) -> Response:
    """The whole report, to keep or to send."""
    name = view.request.path_params["connection"]
    report = _report(view, name)
    if report is None:
        return Response("null\n", status_code=404, media_type="application/json")
    headers = {"content-disposition": 'attachment; filename="first-run.json"'}
    return Response(in_json(codec.dumps(report)) + "\n", media_type="application/json", headers=headers)


def _report(view: View, connection: str) -> dict[str, Any] | None:
    if connection not in view.desk.names:
        return None
    with view.asking() as ask:
        return kept(ask, connection)
