"""The overview of a fleet: which tenants need a look, the worst first."""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from starlette.responses import Response

from nexudus_sync.signals import health
from nexudus_sync.signals.health import Problem, Standing, Verdict
from nexudus_sync.store.ask import over
from nexudus_sync.store.glance import Glance, glances
from nexudus_sync.texts import plural
from nexudus_sync.web.view import View

PAGE = 50
"""Rows on one page."""
SHOWN = ("trouble", "waiting", "new", "paused")
"""What the list can be narrowed to."""
_RANKS = {"config": 0, "brake": 1, "failing": 2, "stale": 3}
_NEW, _WAITING, _FINE, _PAUSED = 4, 5, 6, 7
_WORDS = {
    0: ("Broken", "bad", "fails"),
    1: ("Stopped by a brake", "bad", "stop"),
    2: ("Trying again", "hold", "fails"),
    3: ("No progress", "bad", "clock"),
    _NEW: ("Not started", "faint", "clock"),
    _WAITING: ("In step", "good", "check"),
    _FINE: ("In step", "good", "check"),
    _PAUSED: ("Paused", "faint", "pause"),
}
"""The state in a word, its colour and its mark, by rank."""


@dataclass(frozen=True, slots=True)
class Row:
    """A connection, or a tenant whose configuration is broken (`connection` ""). `rank`: the lower the worse."""

    tenant: str
    connection: str
    rank: int
    glance: Glance
    sentence: str = ""

    @property
    def word(self) -> str:
        """Its state."""
        return _WORDS[self.rank][0]

    @property
    def colour(self) -> str:
        """The colour of its state."""
        return _WORDS[self.rank][1]

    @property
    def mark(self) -> str:
        """The mark of its state."""
        return _WORDS[self.rank][2]

    @property
    def short(self) -> str:
        """The connection's name within its tenant."""
        return self.connection.partition("/")[2]

    def is_shown(self, text: str, only: str) -> bool:
        """Is it among those that are asked for?"""
        if text and text.casefold() not in (self.connection or self.tenant).casefold():
            return False
        kinds = {
            "trouble": self.rank < _NEW,
            "waiting": self.glance.waiting > 0,
            "new": self.rank == _NEW,
            "paused": self.rank == _PAUSED,
        }
        return kinds.get(only, True)


def is_wanted(view: View) -> bool:
    """Is this overview the one to show? Not for one tenant, whose connections are shown in full."""
    return not view.tenant and len(view.desk.tenants) > 1


def show(view: View) -> Response:
    """The page."""
    return view.page("fleet.html", **_state(view))


def state(view: View) -> Response:
    """What of the page is renewed while it is open."""
    return view.fragment("fleet_state.html", **_state(view))


def _state(view: View) -> dict[str, Any]:
    with view.desk.store.read() as session:
        verdict = health.judge(session, view.desk.settings, view.now)
        known = glances(over(session), view.desk.names)
    rows = sorted(
        _rows(view, verdict, known), key=lambda row: (row.rank, -row.glance.waiting, row.connection or row.tenant)
    )
    text, only = view.query.get("q", "").strip()[:100], view.query.get("show", "")
    found = [row for row in rows if row.is_shown(text, only)]
    pages = max(1, -(-len(found) // PAGE))
    number = min(_number(view), pages)
    first, then = _hero(verdict, rows)
    counts = {kind: sum(row.is_shown("", kind) for row in rows) for kind in SHOWN}
    return {
        "rows": found[(number - 1) * PAGE : number * PAGE],
        "total": len(found),
        "all": len(rows),
        "counts": counts,
        "text": text,
        "only": only if only in SHOWN else "",
        "number": number,
        "pages": pages,
        "first": first,
        "then": then,
        "well": verdict.alive and not counts["trouble"],
        "digest": sha256(f"{first}\n{then}".encode()).hexdigest()[:8],
    }


def _rows(view: View, verdict: Verdict, known: dict[str, Glance]) -> list[Row]:
    problems = {one.connection: one for one in verdict.problems if one.connection is not None}
    rows = [_row(view, one, known[one.name], problems.get(one.name)) for one in verdict.connections]
    broken = (one for one in verdict.problems if one.kind == "config")
    return rows + [Row(one.tenant, "", _RANKS["config"], Glance(), _sentence(one)) for one in broken]


def _row(view: View, one: Standing, glance: Glance, problem: Problem | None) -> Row:
    if problem is not None:
        return Row(one.tenant, one.name, _RANKS[problem.kind], glance, _sentence(problem))
    if glance.paused_at is not None:
        by = f" by {glance.paused_by}" if glance.paused_by else ""
        return Row(one.tenant, one.name, _PAUSED, glance, f"Paused{by} {view.times.ago(glance.paused_at)}.")
    if glance.backfilled_at is None:
        return Row(one.tenant, one.name, _NEW, glance, "The first run has not ended.")
    return Row(one.tenant, one.name, _WAITING if glance.waiting else _FINE, glance)


def _sentence(problem: Problem) -> str:
    return f"{problem.what[:1].upper()}{problem.what[1:]}."


def _hero(verdict: Verdict, rows: list[Row]) -> tuple[str, str]:
    """The first two sentences."""
    tenants, waits = len({row.tenant for row in rows}), sum(row.glance.waiting for row in rows)
    then = f"{plural(waits, 'item waits', 'items wait')} for people." if waits else "Nothing waits for anybody."
    if not verdict.alive:
        return "No worker is running.", f"Start `nexudus-sync worker`, or its service. {then}"
    ill = {row.tenant for row in rows if row.rank < _NEW}
    if not ill:
        return f"All {plural(tenants, 'tenant')} are in step.", then
    words = Counter(row.word.lower() for row in rows if row.rank < _NEW)
    said = ", ".join(f"{count:,} {word}" for word, count in words.items())
    needs = "needs" if len(ill) == 1 else "need"
    return f"{len(ill):,} of {plural(tenants, 'tenant')} {needs} a look.", f"{said[:1].upper()}{said[1:]}. {then}"


def _number(view: View) -> int:
    said = view.query.get("page", "")
    return max(1, int(said)) if said.isdecimal() and len(said) < 7 else 1
