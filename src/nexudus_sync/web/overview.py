"""The overview: in ten seconds, whether all is well and what waits."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from starlette.responses import RedirectResponse, Response

from nexudus_sync.deciding import connections
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Side
from nexudus_sync.signals import health
from nexudus_sync.store import brakes, past
from nexudus_sync.store import inbox as waiting
from nexudus_sync.store import overview as figures
from nexudus_sync.store.ask import Ask, over
from nexudus_sync.store.first_run import kept
from nexudus_sync.store.status import ConnectionStatus, progress_of, status_of
from nexudus_sync.texts import plural
from nexudus_sync.web import fleet
from nexudus_sync.web.naming import names_of
from nexudus_sync.web.sessions import Notice
from nexudus_sync.web.view import View
from nexudus_sync.web.words import span_word

_NEWEST = 6
"""Items and changes in the two lists."""
_MUCH = 0.6
"""The share of a limit from which on its bar is amber."""
_VERBS = ("sync", "pause", "resume")
_ALWAYS = ("per_hour", "per_day")
_SELDOM = 0.2
"""Of the other limits, those have a bar of which at least this share is used."""
_WINDOWS = {
    "per_hour": "this hour",
    "per_day": "today",
    "writes_per_day": "writes today",
    "customer_creations_per_day": "new customers today",
}
"""The limits that may have a bar, by their names in the configuration."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """The calls of one limit's window: how many of how many."""

    system: str
    side: Side
    word: str
    used: int
    most: int

    @property
    def percent(self) -> int:
        """How much of it is used."""
        return min(100, round(100 * self.used / self.most))

    @property
    def is_much(self) -> bool:
        """Is it worth a second look?"""
        return self.used >= _MUCH * self.most


@dataclass(frozen=True, slots=True)
class Card:
    """How one connection is: the state in a word, its colour and mark, and the sentence below it."""

    name: str
    state: str
    colour: str
    mark: str
    sentence: str
    status: ConnectionStatus
    paused: bool
    started: bool
    reported: bool
    delay: figures.Delay | None
    hours: tuple[int, ...]
    gauges: tuple[Gauge, ...]


def show(view: View) -> Response:
    """The page."""
    if fleet.is_wanted(view):
        return fleet.show(view)
    with view.asking() as ask:
        newest = waiting.page(ask, waiting.Filter(tuple(view.desk.names)), limit=_NEWEST)
        changes = past.page(ask, past.Filter(tuple(view.desk.names)))[:_NEWEST]
        names = names_of(ask, [*newest, *changes])
    return view.page("overview.html", newest=newest, changes=changes, names=names, **_state(view))


def state(view: View) -> Response:
    """What of the page is renewed while it is open: sentences, times and figures."""
    if fleet.is_wanted(view):
        return fleet.state(view)
    return view.fragment("overview_state.html", **_state(view))


def times(view: View) -> Response:
    """Remember whether this browser wants local times or UTC."""
    response = RedirectResponse("/", status_code=303)
    shown = "utc" if view.query.get("show") == "utc" else "local"
    response.set_cookie("times", shown, max_age=365 * 86400, httponly=True, samesite="strict")
    return response


def change(view: View) -> Response:
    """Pause or resume a connection, or run its next cycle now."""
    name, verb = view.request.path_params["connection"], view.request.path_params["verb"]
    back = view.back(view.to("/"))
    if name not in view.desk.names:
        raise ConfigError("the connection", f"{name!r} is not configured", "reload the page")
    if verb not in _VERBS:
        raise ConfigError("the connection", f"cannot be asked to {verb!r}", f"there are {', '.join(_VERBS)}")
    if verb == "sync":
        asked = view.desk.hands is not None and view.desk.hands.soon(name)
        command = _command(view)
        text = "The next cycle starts now." if asked else f"Nothing runs that could be asked; start `{command}`."
        return view.go(back, Notice(text, name, failed=not asked))
    with view.desk.store.session() as session:
        if verb == "pause":
            connections.pause(session, view.desk.settings, name, by=view.user, now=view.now)
            return view.go(back, Notice("Paused. Nothing is read or written until somebody resumes it.", name))
        connections.resume(session, view.desk.settings, name, now=view.now)
    if view.desk.hands is not None:
        view.desk.hands.soon(name)
    return view.go(back, Notice("Runs again.", name))


def _state(view: View) -> dict[str, Any]:
    with view.desk.store.read() as session:
        verdict = health.judge(session, view.desk.settings, view.now)
        ask = over(session)
        hours = past.by_hour(ask, tuple(view.desk.names), view.now)
        stopped = brakes.of_connections(session, view.desk.names, ("set",))
        cards = [_card(view, ask, name, verdict, tuple(hours[name])) for name in view.desk.names]
    return {"cards": cards, "hero": _hero(verdict, cards, _command(view)), "stopped": stopped, "verdict": verdict}


def problem_of(verdict: health.Verdict, name: str) -> health.Problem | None:
    """What is wrong with a connection, or with all of them."""
    mine = (one for one in verdict.problems if one.connection == name or one.kind == "run")
    return next(mine, None)


@dataclass(frozen=True, slots=True)
class Hero:
    """The first lines of the page."""

    well: bool
    first: str
    then: str
    waits: int

    @property
    def digest(self) -> str:
        """What tells whether they say something else than before."""
        return sha256(f"{self.first}\n{self.then}".encode()).hexdigest()[:8]


def _command(view: View) -> str:
    """What runs the cycles."""
    return "nexudus-sync worker" if view.desk.settings.in_fleet else "nexudus-sync run"


def _hero(verdict: health.Verdict, cards: list[Card], command: str) -> Hero:
    waits = sum(card.status.waiting for card in cards)
    then = f"{plural(waits, 'item waits', 'items wait')} for you." if waits else "Nothing waits for you."
    if not verdict.alive:
        then = f"Start it with `{command}`, or its service. {then}"
        return Hero(False, "The sync is not running.", then, waits)
    if verdict.problems:
        return _troubled(verdict, len(cards), then, waits)
    paused = [card.name for card in cards if card.paused]
    if paused:
        first = f"{' and '.join(paused)} {'is' if len(paused) == 1 else 'are'} paused."
        return Hero(True, first, f"All else runs. {then}" if len(paused) < len(cards) else then, waits)
    return Hero(True, "All connections are in step." if len(cards) > 1 else "Both sides are in step.", then, waits)


def _troubled(verdict: health.Verdict, count: int, then: str, waits: int) -> Hero:
    """Some connections need a look."""
    words = {"brake": "has stopped itself", "failing": "fails", "stale": "makes no progress", "config": "does not run"}
    told = ((one.connection or one.tenant, words.get(one.kind, "needs a look")) for one in verdict.problems[:3])
    first = ". ".join(f"{name} {what}" for name, what in told)
    well = count - len({one.connection for one in verdict.problems} - {None})
    others = f"{plural(well, 'other connection is', 'other connections are')} well. " if well else ""
    return Hero(False, f"{first}.", others + then, waits)


def _card(view: View, ask: Ask, name: str, verdict: health.Verdict, hours: tuple[int, ...]) -> Card:
    status, progress = status_of(ask, name), progress_of(ask, name)
    started = progress.backfilled_at is not None
    state, colour, mark, sentence = _standing(view, status, problem_of(verdict, name), started=started)
    gauges, late = tuple(_gauges(view, verdict, name)), figures.delay(ask, name)
    paused, reported = status.paused_at is not None, kept(ask, name) is not None
    return Card(name, state, colour, mark, sentence, status, paused, started, reported, late, hours, gauges)


def _standing(
    view: View, status: ConnectionStatus, problem: health.Problem | None, *, started: bool
) -> tuple[str, str, str, str]:
    """State, colour, mark and sentence."""
    if status.paused_at is not None:
        by = f" by {status.paused_by}" if status.paused_by else ""
        sentence = f"Paused{by} {view.times.ago(status.paused_at)}. Changes wait, and follow later."
        return "Paused", "faint", "pause", sentence
    if problem is not None and problem.kind == "brake":
        return "Stopped by a brake", "bad", "stop", "Nothing is written until a person has looked."
    if problem is not None:
        word = {"failing": "Trying again", "stale": "No progress"}.get(problem.kind, "Not running")
        what = problem.what[:1].upper() + problem.what[1:]
        return word, "bad" if problem.kind != "failing" else "hold", "fails", f"{what}."
    if not started:
        return "Not started", "faint", "clock", "The first run has not been made: `nexudus-sync backfill`."
    return "In step", "good", "check", _next(view, status.name)


def _next(view: View, name: str) -> str:
    following = view.desk.hands.next_cycle(name) if view.desk.hands else None
    if following is None:
        connection = view.desk.connection(name)
        return f"Looks for changes every {span_word(connection.poll)}." if connection else ""
    left = following - view.now
    return "Looking for changes now." if left <= timedelta(0) else f"The next look is in {span_word(left)}."


def _gauges(view: View, verdict: health.Verdict, connection: str) -> Iterator[Gauge]:
    """The limits of both systems that are worth a bar, with what the run says was used of them."""
    left = {} if verdict.beat is None else verdict.beat.budget
    hub = view.desk.settings.of(connection).hub
    for side, system in ((Side.NEXUDUS, hub), (Side.CRM, view.desk.crm(connection))):
        for key, (free, most) in left.get(system, {}).items():
            if key in _ALWAYS or (key in _WINDOWS and most - free >= _SELDOM * most):
                yield Gauge(view.desk.system(connection, side), side, _WINDOWS[key], max(0, most - free), most)
