"""The operator's page as an ASGI application: which address is which page, and who may do what."""

import base64
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from urllib.parse import quote

import structlog
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from nexudus_sync.clock import SystemClock
from nexudus_sync.errors import SyncError
from nexudus_sync.signals.http import SEES
from nexudus_sync.web import (
    brakes,
    bulk,
    first_run,
    history,
    inbox,
    mapping,
    overview,
    plan,
    record,
    rendering,
    signing,
)
from nexudus_sync.web.desk import Desk
from nexudus_sync.web.guard import LOOPBACK, Guard, is_foreign
from nexudus_sync.web.sessions import Notice, Session, Sessions, User
from nexudus_sync.web.view import Handler, View, answer, read_form

COOKIE = "nexudus-sync"
"""The cookie that holds a session's key."""
_WEEK = 7 * 86400
_NO_TENANT = "There is no such tenant, or it is not yours to see."

Endpoint = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger("nexudus_sync.web")


def build(
    more: Sequence[BaseRoute] = (),
    desk: Desk | Callable[[], Desk] | None = None,
    users: Iterable[User] = (),
    *,
    hosts: Collection[str] = (),
) -> ASGIApp:
    """The application: `more` routes, for which nobody has to sign in, and the pages about a desk, if there is one.

    A desk that changes while the page is served is given as what makes it.

    Without users the pages only show; with users, nobody sees them who has not signed in, and `more` knows who asks.
    `hosts` are names, beside those of this machine, under which browsers reach it.
    """
    guarded = [Middleware(Guard, hosts=[*LOOPBACK, *hosts])]
    users, paths = tuple(users), {getattr(one, "path", "") for one in more}
    if desk is None:
        sessions = Sessions(users, SystemClock())
        guarded.append(Middleware(_Known, sessions=sessions, paths=paths))
        return Starlette(routes=list(more), middleware=guarded)
    page, plans = _Page(desk if callable(desk) else lambda: desk, users), plan.Pages()
    guarded.append(Middleware(_Known, sessions=page.sessions, paths=paths))
    shown = [Route(path, page.shows(handler)) for path, handler in {**_SHOWN, "/plan": plans.show}.items()]
    done = {**_DONE, "/plan": plans.make, "/sign-out": signing.sign_out(page.sessions)}
    routes = [
        *more,
        Route("/sign-in", page.signs_in, methods=["GET", "POST"]),
        Route("/static/{name}", _static),
        *(Route(path, page.does(handler), methods=["POST"]) for path, handler in done.items()),
        *shown,
    ]
    errors = {404: page.not_found, 405: page.not_found}
    return Starlette(routes=routes, middleware=guarded, exception_handlers=errors)


_SHOWN: dict[str, Handler] = {
    "/": overview.show,
    "/overview/state": overview.state,
    "/inbox": inbox.show,
    "/inbox/new": inbox.new,
    "/inbox/preview": bulk.preview,
    "/inbox/item/{key}": inbox.item,
    "/records": record.find,
    "/record": record.show,
    "/history": history.show,
    "/history.csv": history.csv,
    "/brakes": brakes.show,
    "/mapping": mapping.show,
    "/first-run/{connection:path}.json": first_run.as_json,
    "/first-run/{connection:path}": first_run.show,
    "/times": overview.times,
}
_DONE: dict[str, Handler] = {
    "/inbox/bulk": bulk.bulk,
    "/inbox/{key}/{verb}": inbox.decide,
    "/record/{verb}": record.change,
    "/history/{number:int}/undo": history.undo,
    "/brakes/{connection:path}/{name}/release": brakes.release,
    "/connections/{connection:path}/{verb}": overview.change,
}


class _Page:
    """What the routes share: the sessions, and the rules of who may look and who may decide."""

    def __init__(self, desk: Callable[[], Desk], users: tuple[User, ...]) -> None:
        self._desk, self._has_users = desk, bool(users)
        self._clock = desk().clock
        self.sessions = Sessions(users, self._clock)

    def shows(self, handler: Handler) -> Endpoint:
        """A route that only shows."""

        async def endpoint(request: Request) -> Response:
            view = self._view(request)
            if self._has_users and not view.user:
                return _to_sign_in(request)
            return await self._answered(handler, view)

        return endpoint

    def does(self, handler: Handler) -> Endpoint:
        """A route that changes something: somebody has to be signed in, and the form has to be ours."""

        async def endpoint(request: Request) -> Response:
            view = self._view(request)
            if not view.user:
                return await answer(lambda view: view.page("refused.html", status=403), view)
            form = await read_form(request)
            if form is None or not self._is_ours(request, view.session, form[0]):
                return await answer(lambda view: view.page("stale.html", status=403), view)
            view.form, view.chosen = form
            return await self._answered(handler, view)

        return endpoint

    async def signs_in(self, request: Request) -> Response:
        """The sign-in, and what comes of it."""
        view = self._view(request)
        if not self._has_users:
            return RedirectResponse("/", status_code=303)
        if request.method == "GET":
            view.session = view.session or self.sessions.start()
            return self._with_cookie(request, await answer(signing.show, view), view.session)
        form = await read_form(request)
        if form is None or not self._is_ours(request, view.session, form[0]):
            return await answer(lambda view: view.fragment("sign-in.html", status=403, problem=signing.STALE), view)
        view.form = form[0]
        result = await answer(lambda view: signing.sign_in(view, self.sessions), view)
        if view.session is not None and view.session.user:
            result = self._with_cookie(request, result, view.session)
        return result

    async def not_found(self, request: Request, _: Exception) -> Response:
        """No such page."""
        view = self._view(request)
        if self._has_users and not view.user:
            return _to_sign_in(request)
        return await answer(lambda view: view.page("missing.html", status=404, what="There is no such page."), view)

    async def _answered(self, handler: Handler, view: View) -> Response:
        if view.tenant and view.tenant not in view.desk.tenants:
            view.tenant, handler = "", _no_tenant
        try:
            return await answer(handler, view)
        except SyncError as error:
            if view.request.method == "POST":
                return view.go(view.back("/"), Notice(str(error), failed=True))
            status, text = 503, str(error)
        except Exception as error:  # a fault of this program: the log has it all, the browser a sentence
            log.error("page.failed", path=view.request.url.path, exc_info=error)
            status, text = 500, "This page could not be made. The log says why; the sync goes on."
        return await answer(lambda view: view.fragment("broken.html", status=status, what=text), view)

    def _view(self, request: Request) -> View:
        """The request as the pages see it: what this person may not see is not on the desk."""
        session = self.sessions.find(request.cookies.get(COOKIE))
        desk = self._desk()
        if self._has_users:
            allowed = self.sessions.sees(session.user if session else "")
            desk = desk if allowed is None else desk.only(allowed)
        tenant = request.query_params.get("tenant", "") if desk.settings.in_fleet else ""
        view = View(desk.only({tenant}) if tenant else desk, request, session, self._clock.now(), self._has_users)
        view.tenant = tenant
        return view

    def _is_ours(self, request: Request, session: Session | None, form: dict[str, str]) -> bool:
        if session is None or is_foreign(request.headers, request.headers.get("host", "")):
            return False
        return secrets.compare_digest(form.get("token", "").encode(), session.token.encode())

    def _with_cookie(self, request: Request, response: Response, session: Session) -> Response:
        response.set_cookie(
            COOKIE, session.key, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return response


def _no_tenant(view: View) -> Response:
    """For an address about a tenant that there is not, or that this person may not see: the same for both."""
    return view.page("missing.html", status=404, what=_NO_TENANT)


class _Known:
    """Says in the scope of the other routes who asks, if that is known."""

    def __init__(self, app: ASGIApp, sessions: Sessions, paths: Collection[str]) -> None:
        self._app, self._sessions, self._paths = app, sessions, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] in self._paths:
            request = Request(scope)
            known = self._sees(request.headers, request.cookies)
            if known is not None:
                scope[SEES] = known[0]
        await self._app(scope, receive, send)

    def _sees(self, headers: Headers, cookies: Mapping[str, str]) -> tuple[frozenset[str] | None] | None:
        """The tenants that somebody who asks for figures may see; None for nobody who is known.

        A program gives the name and the password each time, and a browser its session.
        """
        session = self._sessions.find(cookies.get(COOKIE))
        if session is not None and session.user:
            return (self._sessions.sees(session.user),)
        name, password = basic(headers.get("authorization", ""))
        if not name or self._sessions.wait(name) or not self._sessions.check(name, password):
            return None
        return (self._sessions.sees(name),)


def basic(header: str) -> tuple[str, str]:
    """The name and the password that a program gives with a request; "" and "" for none."""
    scheme, _, given = header.partition(" ")
    if scheme.casefold() != "basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password


def _to_sign_in(request: Request) -> Response:
    """To the sign-in, and from there to what was asked for. A part of an open page asks for the whole way."""
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted)}", status_code=303)


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    try:
        body = rendering.static(name)
    except FileNotFoundError:
        return Response(status_code=404)
    return Response(body, media_type=rendering.type_of(name), headers={"cache-control": f"max-age={_WEEK}"})
