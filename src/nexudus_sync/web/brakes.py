"""The brakes: what was seen, what it may mean, and the release."""

from starlette.responses import Response

from nexudus_sync.deciding import brakes as deciding
from nexudus_sync.errors import ConfigError
from nexudus_sync.store import brakes as kept
from nexudus_sync.store import names as naming
from nexudus_sync.store.ask import over
from nexudus_sync.store.links import of_numbers
from nexudus_sync.web.sessions import Notice
from nexudus_sync.web.view import View

_SHOWN = 50
"""Records that the evidence names."""
CAUSES = {
    "mass-delete": (
        "A new login or token sees less than the old one.",
        "The location, the board or the company was renamed or moved.",
        "One of the systems was restored from an old backup.",
        "Somebody deleted many records on purpose.",
    ),
    "mass-change": (
        "An import, or a script, changed many records at once.",
        "A stage, a user or a field was renamed in one of the systems.",
        "Somebody changed many records on purpose.",
    ),
    "empty-side": (
        "A new login or token sees nothing.",
        "The scope or the company in the configuration is wrong, or was renamed.",
        "One of the systems answered with an empty list by mistake.",
    ),
    "no-pairs": (
        "The company or the scope in the configuration belongs to another team.",
        "The records have no e-mail addresses by which they could be matched.",
        "The two systems really have nothing in common yet.",
    ),
}
"""What usually lies behind a brake, by its name."""


def show(view: View) -> Response:
    """The page."""
    with view.desk.store.read() as session:
        found = kept.of_connections(session, view.desk.names, ("set", "released"))
        pairs = {
            one.id: [(link.connection, *link.pair) for link in of_numbers(session, one.links[:_SHOWN])] for one in found
        }
        names = naming.names(over(session), [pair for rows in pairs.values() for pair in rows])
    permits = {one.id: deciding.permits(view.desk.settings, one) for one in found}
    return view.page("brakes.html", brakes=found, pairs=pairs, names=names, causes=CAUSES, permits=permits)


def release(view: View) -> Response:
    """Let the connection go on once."""
    connection, name = view.request.path_params["connection"], view.request.path_params["name"]
    if view.form.get("looked") != "yes":
        raise ConfigError("the release", "the box is not ticked", "look at the evidence first")
    if connection not in view.desk.names:
        raise ConfigError("the connection", f"{connection!r} is not configured")
    with view.desk.store.session() as session:
        seen = view.form.get("seen", "")
        now = "|".join(str(one.id) for one in kept.of_name(session, connection, name, "set"))
        if seen != now:
            raise ConfigError("the brake", "has changed since you looked", "look at the evidence again")
        deciding.release(session, [connection], name, by=view.user, now=view.now)
    if view.desk.hands is not None:
        view.desk.hands.soon(connection)
    return view.go(view.to("/"), Notice("Released. The next cycle goes on, for these records only.", connection))
