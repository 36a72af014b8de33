"""The plan: what the next cycle would do. It costs calls, so it is made when somebody asks, and kept."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import structlog
from starlette.responses import Response

from nexudus_sync.errors import ConfigError, SyncError
from nexudus_sync.store import names as naming
from nexudus_sync.web import fleet
from nexudus_sync.web.desk import Desk, Foreseen, Step
from nexudus_sync.web.view import View

log = structlog.get_logger("nexudus_sync.web")
_SHOWN = 100
"""Steps of one sort that are shown; the others are counted."""
_ORDER = ("link", "create-party", "create", "update", "delete")


@dataclass(slots=True)
class Kept:
    """A connection's plan: being made since `began`, or what came of it `at` that moment."""

    began: datetime
    at: datetime | None = None
    found: Foreseen | None = None
    problem: str = ""


@dataclass(slots=True)
class Plans:
    """The latest plan of each connection. Used by several threads."""

    kept: dict[str, Kept] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, desk: Desk, connection: str, now: datetime) -> None:
        """Make a plan beside the page, unless one is being made."""
        hands = desk.hands
        if hands is None:
            raise ConfigError("the plan", "nothing runs that could make it", "start `nexudus-sync run`")
        with self.lock:
            known = self.kept.get(connection)
            if known is not None and known.at is None:
                return
            made = self.kept[connection] = Kept(now)

        def work() -> None:
            try:
                made.found = hands.plan(connection)
            except SyncError as error:
                made.problem = str(error)
            except Exception as error:  # a fault of this program must not leave the page waiting for ever
                log.error("plan.failed", connection=connection, exc_info=error)
                made.problem = "The plan could not be made; the log says why."
            made.at = desk.clock.now()

        threading.Thread(target=work, name="plan", daemon=True).start()


@dataclass(frozen=True, slots=True)
class Group:
    """The steps of one sort: all of them counted, the first of them shown."""

    action: str
    count: int
    systems: tuple[tuple[str, int], ...]
    steps: tuple[Step, ...]


def groups_of(found: Foreseen) -> list[Group]:
    """The steps by sort, in the order in which a cycle takes them."""
    made = []
    for action in sorted({one.action for one in found.steps}, key=lambda one: (_ORDER.index(one), one)):
        steps = [one for one in found.steps if one.action == action]
        systems = Counter(one.system for one in steps if one.system)
        made.append(Group(action, len(steps), tuple(systems.items()), tuple(steps[:_SHOWN])))
    return made


class Pages:
    """The page, and the button that has a plan made."""

    def __init__(self) -> None:
        self._plans = Plans()

    def show(self, view: View) -> Response:
        """The page."""
        name = view.query.get("connection", "")
        if not name and fleet.is_wanted(view):
            return view.page("choose.html", what="Plan")
        if not view.desk.names:
            return view.page("missing.html", status=404, what="There is no connection yet.")
        name = name if name in view.desk.names else view.desk.names[0]
        kept = self._plans.kept.get(name)
        found = None if kept is None else kept.found
        groups = [] if found is None else groups_of(found)
        with view.asking() as ask:
            about = [(name, one.nexudus_id, one.crm_id) for group in groups for one in group.steps]
            names = {named[1:]: found for named, found in naming.names(ask, about).items()}
        values: dict[str, Any] = {"connection": name, "kept": kept, "found": found, "groups": groups, "names": names}
        if view.request.headers.get("hx-request"):
            return view.fragment("plan_state.html", **values)
        return view.page("plan.html", **values)

    def make(self, view: View) -> Response:
        """Begin to make a plan."""
        name = view.form.get("connection", "")
        if name not in view.desk.names:
            raise ConfigError("the connection", f"{name!r} is not configured")
        self._plans.start(view.desk, name, view.now)
        return view.go(view.to(f"/plan?connection={quote(name)}"))
