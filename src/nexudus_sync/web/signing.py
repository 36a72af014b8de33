"""Signing in and out."""

from starlette.responses import Response

from nexudus_sync.texts import plural
from nexudus_sync.web.sessions import Sessions
from nexudus_sync.web.view import Handler, View

STALE = "This form was open for too long. Please sign in again."
_WRONG = "That name and password do not belong together."


def show(view: View) -> Response:
    """The form."""
    if view.user:
        return view.go("/")
    return view.fragment("sign-in.html", problem="")


def sign_in(view: View, sessions: Sessions) -> Response:
    """Check the password; a right one starts a session with a new key, so that an old one is worth nothing."""
    name = view.form.get("name", "").strip()
    wait = sessions.wait(name)
    if wait:
        problem = f"There were several wrong passwords. Try again in {plural(wait, 'second')}."
        return view.fragment("sign-in.html", status=429, problem=problem)
    if not sessions.check(name, view.form.get("password", "")):
        return view.fragment("sign-in.html", status=403, problem=_WRONG)
    if view.session is not None:
        sessions.end(view.session)
    view.session = sessions.start(name)
    return view.go(view.back("/"))


def sign_out(sessions: Sessions) -> Handler:
    """The handler that ends the session."""

    def end(view: View) -> Response:
        if view.session is not None:
            sessions.end(view.session)
        return view.go("/sign-in")

    return end
