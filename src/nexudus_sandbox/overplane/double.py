"""The Overplane double: its routes, and what people do in it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from nexudus_sandbox.double import Double, Row
from nexudus_sandbox.overplane.objects import Objects, RefusalError
from nexudus_sandbox.overplane.options import OverplaneOptions
from nexudus_sandbox.overplane.shape import LOST_REASON_DETAIL, OPPORTUNITY, SHAPES
from nexudus_sandbox.throttle import Throttle, Window
from nexudus_sandbox.wire import Handler, Request, Response, json_response, raw_json_response
from nexudus_sync import codec

DEFAULT_LIMIT = 20


class OverplaneDouble(Double):
    """An Overplane account in memory.

    Its rate limits are not documented: `windows` has none by default. People's edits go through `create`, `edit`,
    `move`, `delete` and `set_lost_reasons`; other objects through `add` and `objects`.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        seed: int = 0,
        options: OverplaneOptions | None = None,
        windows: Sequence[Window] = (),
        time_scale: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        super().__init__(clock, seed=seed, offset=offset, throttle=Throttle(windows, time_scale=time_scale))
        self.options = options or OverplaneOptions()
        self.tokens: dict[str, str] = {}
        """The user of each token."""
        self.objects = Objects(self.options, self.rng, self.now, self._changed)
        for kind in SHAPES:
            self._add_routes(kind)

    def answer(self, request: Request) -> tuple[str, Response]:
        """Throttle, look at the token, then serve."""
        refusal = self.throttle.refuse(self.clock().timestamp(), write=request.is_write)
        if refusal is not None:
            return "", refusal
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        user = self.tokens.get(token) if scheme.lower() == "bearer" else None
        if user is None:
            return "", _error(401, "Invalid API key")
        found = self.router.find(request)
        if found is None:
            return user, _error(404, f"No such endpoint: {request.method} {request.path}")
        try:
            return user, found[0].handler(request, user, found[1])
        except RefusalError as refused:
            return user, _error(400, refused.message, refused.param)
        except KeyError:
            return user, _error(404, "No such object")
        except ValueError:
            return user, _error(400, "The body is not a JSON object")

    def add(self, kind: str, by: str, **values: Any) -> str:
        """A person adds an object of any kind; gives its id. Raises RefusalError."""
        with self.lock:
            self.settle()
            return str(self.objects.add(kind, values, by)["id"])

    def create(self, by: str, **values: Any) -> str:
        """A person adds an opportunity; gives its id. Raises RefusalError when something required is missing."""
        return self.add(OPPORTUNITY, by, **values)

    def edit(self, row_id: str, by: str, **changes: Any) -> Row:
        """A person changes fields of an opportunity. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            return self.objects.change(OPPORTUNITY, row_id, changes, by)

    def move(self, row_id: str, stage: str, by: str) -> Row:
        """A person sets an opportunity's sales stage."""
        return self.edit(row_id, by, sales_stage=stage)

    def touch(self, row_id: str, by: str) -> None:
        """Something moves an opportunity's stamp and nothing else. Raises KeyError when there is none."""
        self.edit(row_id, by)

    def delete(self, row_id: str, by: str) -> None:
        """A person deletes an opportunity. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            self.objects.remove(OPPORTUNITY, row_id, by)

    def set_lost_reasons(self, row_id: str, reasons: Sequence[str], by: str) -> None:
        """A person replaces an opportunity's lost reasons. Raises KeyError when there is no such opportunity."""
        with self.lock:
            self.settle()
            if row_id not in self.objects.rows[OPPORTUNITY]:
                raise KeyError(row_id)
            for row in self.objects.children(LOST_REASON_DETAIL, row_id):
                self.objects.remove(LOST_REASON_DETAIL, row["id"], by)
            for reason in reasons:
                self.objects.add(LOST_REASON_DETAIL, {"opportunity_id": row_id, "lost_reason": reason}, by)

    def lost_reasons(self, row_id: str) -> list[str]:
        """An opportunity's lost reasons, in their order."""
        with self.lock:
            return [row["lost_reason"] for row in self.objects.children(LOST_REASON_DETAIL, row_id)]

    def record(self, row_id: str) -> Row:
        """An opportunity as it is now. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            return self.objects.rows[OPPORTUNITY][row_id]

    def records(self) -> dict[str, Row]:
        """All opportunities by id, as they are now."""
        with self.lock:
            self.settle()
            return dict(self.objects.rows[OPPORTUNITY])

    def _changed(self, by: str, kind: str, before: Row | None, after: Row | None) -> None:
        self.changed(by, kind, (after or before or {})["id"], before, after)

    def _add_routes(self, kind: str) -> None:
        objects, path, add = self.objects, f"/api/{SHAPES[kind].path}", self.router.add

        def create(request: Request, by: str, _row_id: str) -> Response:
            row = objects.add(kind, request.object(), by)
            return raw_json_response(self.options.created_status, objects.text(row))

        def update(request: Request, by: str, row_id: str) -> Response:
            return raw_json_response(200, objects.text(objects.change(kind, row_id, request.object(), by)))

        def delete(_request: Request, by: str, row_id: str) -> Response:
            objects.remove(kind, row_id, by)
            return json_response(200, {"id": row_id, "deleted": True})

        add("POST", path, create)
        add("PATCH", f"{path}/{{id}}", update)
        add("DELETE", f"{path}/{{id}}", delete)
        if SHAPES[kind].parent:
            add("GET", path, self._list_children(kind))
            add("POST", f"{path}/reorder", self._reorder(kind))
        else:
            add("GET", path, lambda request, _by, _id: self._page(request, list(reversed(objects.rows[kind].values()))))
            add("GET", f"{path}/{{id}}", lambda _r, _by, row_id: self._one(kind, row_id))

    def _one(self, kind: str, row_id: str) -> Response:
        return raw_json_response(200, self.objects.text(self.objects.rows[kind][row_id]))

    def _list_children(self, kind: str) -> Handler:
        def handler(request: Request, _by: str, _row_id: str) -> Response:
            parent = request.query.get("parent_id", "")
            if not parent:
                raise RefusalError("parent_id is required", "parent_id")
            return self._page(request, self.objects.children(kind, parent))

        return handler

    def _reorder(self, kind: str) -> Handler:
        def handler(request: Request, by: str, _row_id: str) -> Response:
            ids = request.object().get("ids")
            if not isinstance(ids, list):
                raise RefusalError("ids is required", "ids")
            rows = self.objects.reorder(kind, ids, by)
            return json_response(200, {"data": rows})

        return handler

    def _page(self, request: Request, rows: list[Row]) -> Response:
        limit, offset = _number(request, "limit", DEFAULT_LIMIT), _number(request, "offset", 0)
        if limit > self.options.max_limit:
            if self.options.over_limit == "refuse":
                raise RefusalError(f"limit must be at most {self.options.max_limit}", "limit")
            limit = self.options.max_limit
        shown = ",".join(self.objects.text(row) for row in rows[offset : offset + limit])
        has_more = codec.dumps(offset + limit < len(rows))
        return raw_json_response(200, f'{{"data":[{shown}],"has_more":{has_more},"total":{len(rows)}}}')


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if text and not text.isdecimal():
        raise RefusalError(f"{name} must be an integer", name)
    return int(text) if text else default


def _error(status: int, message: str, param: str = "") -> Response:
    error = {"type": "invalid_request_error", "message": message} | ({"param": param} if param else {})
    return json_response(status, {"error": error})
