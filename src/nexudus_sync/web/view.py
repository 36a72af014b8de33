"""One request of the page: who asks, what was sent, and how it is answered."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from nexudus_sync.store.ask import Ask, over
from nexudus_sync.store.inbox import Filter, counts
from nexudus_sync.web.desk import Desk
from nexudus_sync.web.rendering import render
from nexudus_sync.web.sessions import Notice, Session
from nexudus_sync.web.words import Times

LARGEST_FORM = 64 * 1024
"""Bytes of a form that are read; more is refused."""
_MOST_FIELDS = 500

Form = Mapping[str, str]


@dataclass(slots=True)
class View:
    """One request. `session` is None for a browser that was never given one; `chosen` are all `item`s of the form.

    `desk` has what this person may see, and of that the `tenant` alone that the address asks for, if it asks for one.
    """

    desk: Desk
    request: Request
    session: Session | None
    now: datetime
    may_sign_in: bool
    form: Form = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)
    tenant: str = ""

    @property
    def user(self) -> str:
        """The name of whoever is signed in, "" if nobody is."""
        return self.session.user if self.session else ""

    @property
    def query(self) -> Form:
        """What the address says after the question mark."""
        return self.request.query_params

    @property
    def times(self) -> Times:
        """How moments are shown to this browser."""
        return Times(self.now, UTC if self.request.cookies.get("times") == "utc" else None)

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        """Questions to the store, all about one moment."""
        with self.desk.store.read() as session:
            yield over(session)

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """The page made from a template, in the common frame."""
        with self.asking() as ask:
            waiting = counts(ask, Filter(tuple(self.desk.names)))["waiting"]
        notices = list(self.session.notices) if self.session else []
        if self.session:
            self.session.notices.clear()
        return self.fragment(template, status=status, waiting=waiting, notices=notices, **values)

    def fragment(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A part of a page, for a page that is open."""
        common = {
            "view": self,
            "desk": self.desk,
            "times": self.times,
            "user": self.user,
            "token": self.session.token if self.session and self.user else "",
            "may_decide": bool(self.user),
            "may_sign_in": self.may_sign_in,
            "path": self.request.url.path,
        }
        return HTMLResponse(render(template, **{**common, **values}), status_code=status)

    def go(self, address: str, notice: Notice | None = None) -> Response:
        """Send the browser to another page of ours, which shows the notice."""
        if notice is not None and self.session is not None:
            self.session.notices.append(notice)
        return RedirectResponse(address, status_code=303)

    def back(self, otherwise: str) -> str:
        """The page of ours that a form says it came from."""
        wanted = self.form.get("back", "")
        parts = urlsplit(wanted)
        ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc
        return wanted if ours else otherwise

    @property
    def only(self) -> str:
        """What an address without a question mark ends with, so that it is about the tenant that is chosen."""
        return f"?{urlencode({'tenant': self.tenant})}" if self.tenant else ""

    @property
    def also(self) -> str:
        """The same for an address that asks for something already."""
        return f"&{urlencode({'tenant': self.tenant})}" if self.tenant else ""

    def to(self, path: str) -> str:
        """A path of ours, about the tenant that is chosen."""
        return path + (self.also if "?" in path else self.only)

    def address(self, path: str, **changed: Any) -> str:
        """A path with the present query, in which these keys are changed; None takes one out."""
        kept = {**dict(self.query), **changed}
        said = urlencode({key: value for key, value in kept.items() if value not in (None, "")})
        return f"{path}?{said}" if said else path


Handler = Callable[[View], Response]


async def answer(handler: Handler, view: View) -> Response:
    """Run a handler in a thread of its own, so that a slow answer holds nobody else up."""
    return await run_in_threadpool(handler, view)


async def read_form(request: Request) -> tuple[dict[str, str], list[str]] | None:
    """The fields of a form, and all its `item`s; None for what is no form, or one that is too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return None
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_FORM:
                return None
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (ClientDisconnect, UnicodeDecodeError, ValueError):
        return None
    return dict(pairs), [value for name, value in pairs if name == "item"]
