"""HTTP as the doubles see it: a request, an answer and a router. No sockets here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from nexudus_sync import codec


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case; of a repeated query parameter the last one counts."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_write(self) -> bool:
        """Can it change anything?"""
        return self.method not in {"GET", "HEAD"}

    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is not."""
        return codec.loads(self.body)

    def object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ValueError when it is anything else."""
        value = self.json()
        if not isinstance(value, dict):
            raise ValueError("a JSON object is expected")
        return value


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, whole."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is not."""
        return codec.loads(self.body)


JSON_TYPE = "application/json; charset=utf-8"


def parse_query(text: str) -> dict[str, str]:
    """A query string's parameters, blank ones kept."""
    return dict(parse_qsl(text, keep_blank_values=True))


def json_response(status: int, value: Any) -> Response:
    """An answer with `value` as its JSON body."""
    return raw_json_response(status, codec.dumps(value))


def raw_json_response(status: int, text: str) -> Response:
    """An answer whose JSON is already written."""
    return Response(status, {"Content-Type": JSON_TYPE}, text.encode())


def html_response(status: int, title: str) -> Response:
    """A page for people where a program expected JSON."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Response(status, {"Content-Type": "text/html; charset=utf-8"}, page.encode())


Handler = Callable[[Request, str, str], Response]
"""Takes the request, who asks, and the id in the path ("" where there is none)."""


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path, and the role it takes ("" for none)."""

    handler: Handler
    role: str = ""


class Router:
    """Finds the route of a request: exact paths first, then paths that end in an id."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._with_id: dict[tuple[str, str], Route] = {}

    def add(self, method: str, path: str, handler: Handler, role: str = "") -> None:
        """Register a route; a path may end in `/{id}`."""
        routes = self._with_id if path.endswith("/{id}") else self._exact
        routes[method, path.removesuffix("/{id}")] = Route(handler, role)

    def roles(self) -> frozenset[str]:
        """All roles that some route takes."""
        routes = (*self._exact.values(), *self._with_id.values())
        return frozenset(route.role for route in routes if route.role)

    def find(self, request: Request) -> tuple[Route, str] | None:
        """The route and the id in the path; None when nothing answers."""
        exact = self._exact.get((request.method, request.path))
        if exact is not None:
            return exact, ""
        parent, _, record_id = request.path.rpartition("/")
        route = self._with_id.get((request.method, parent))
        return (route, record_id) if route is not None and record_id else None
