"""What can go wrong between a client and a server, on request or by chance; both transports apply it."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from nexudus_sandbox.double import Double
from nexudus_sandbox.throttle import answer_409, answer_429
from nexudus_sandbox.wire import Request, Response, html_response, json_response
from nexudus_sync import codec

Failure = Literal["connect", "drop", "timeout"]
"""How a connection can end without an answer: never made, closed, or silent."""

BREAKS: dict[str, tuple[bool, Failure]] = {
    "connect": (False, "connect"),
    "drop": (False, "drop"),
    "drop_after": (True, "drop"),
    "timeout_before": (False, "timeout"),
    "timeout_after": (True, "timeout"),
}
"""Faults without an answer: was the request applied, and how does the connection end."""

INSTEAD: dict[str, Callable[[float], Response]] = {
    "throttle_409": answer_409,
    "throttle_429": answer_429,
    "error_500_before": lambda _: _error_500(),
    "html": lambda _: html_response(200, "We'll be right back"),
}
"""Faults that answer without applying the request; they are given the seconds to wait."""

GARBLED: dict[str, Callable[[Response], Response]] = {
    "error_500_after": lambda _: _error_500(),
    "html_after": lambda _: html_response(200, "We'll be right back"),
    "empty": lambda answer: replace(answer, body=b""),
    "truncated": lambda answer: replace(answer, body=answer.body[: len(answer.body) // 2]),
    "wrong_total": lambda answer: _otherwise(answer, lambda list_, key: list_ | {key: list_.get(key, 0) + 7}),
}

REFUSALS: dict[str, Callable[[Request, float], Response]] = {
    "record_403": lambda *_: json_response(403, {"message": "This record is locked by an approval."}),
    "locked_423": lambda _, seconds: _locked(seconds),
    "nonsense_headers": lambda *_: _nonsense(),
    "echo": lambda request, _: _echo(request),
}
"""Odd answers that do not apply the request; they are given it, and the seconds to wait."""

ODDITIES: dict[str, Callable[[Response], Response]] = {
    "no_total": lambda answer: _otherwise(answer, lambda list_, key: list_ | {key: None}),
    "null_list": lambda answer: _otherwise(answer, lambda list_, key: list_ | {LISTED[key]: None, key: 0}),
    "endless": lambda answer: _otherwise(answer, lambda list_, _: list_ | {"HasNextPage": True, "has_more": True}),
    "latin_1": lambda answer: _latin_1(answer),
}
"""Odd answers to a request that is applied."""
"""Faults that apply the request and spoil the answer."""

KINDS = frozenset({*BREAKS, *INSTEAD, *GARBLED, "slow", "late_commit"})
"""What can strike by chance.

`slow`: the answer takes `seconds`; `late_commit`: silence, and it is applied `seconds` later.
"""

CHANGED = "changed"
"""The kind of a rule that lets answers say something else (another record's, an older state): see `Faults.change`."""

SECONDS = {"slow": 5.0, "late_commit": 90.0, "throttle_409": 1.0, "throttle_429": 1.0, "locked_423": 3.0}
"""How long a fault lasts unless told otherwise; those not named: 60 s."""


def _error_500() -> Response:
    return json_response(500, {"Message": "An error has occurred."})


LISTS = {"Records": "TotalItems", "data": "total"}
"""What a list's answer keeps its rows under, and its total. An Overplane opportunity has a `total` of its own."""


LISTED: dict[str, str] = {key: rows for rows, key in LISTS.items()}


def _otherwise(answer: Response, change: Callable[[dict[str, Any], str], dict[str, Any]]) -> Response:
    """A list's answer changed, given the name of its total; any other answer as it is."""
    try:
        value = answer.json()
    except ValueError:
        return answer
    for rows, key in LISTS.items():
        if isinstance(value, dict) and isinstance(value.get(rows), list) and isinstance(value.get(key), int):
            return replace(answer, body=codec.dumps(change(value, key)).encode())
    return answer


def _locked(seconds: float) -> Response:
    answer = json_response(423, {"message": "Somebody has this record open."})
    return replace(answer, headers={**answer.headers, "Retry-After": str(round(seconds))})


def _nonsense() -> Response:
    """A redirect to nowhere, at no time."""
    return Response(302, {"Location": "http://[nowhere", "Date": "Mon, 99 Foo 9999", "Retry-After": "soon"})


def _latin_1(answer: Response) -> Response:
    """The same text in an old encoding, and labelled so."""
    headers = {**answer.headers, "Content-Type": "application/json; charset=ISO-8859-1"}
    return Response(answer.status, headers, answer.body.decode().encode("latin-1", "replace"))


def _echo(request: Request) -> Response:
    """A server's error page that shows the whole request, as frameworks do while they are developed with."""
    headers = dict(sorted(request.headers.items(), key=lambda header: header[0] != "authorization"))
    told = {"headers": headers, "body": request.body.decode(errors="replace")}
    return json_response(400, {"message": codec.dumps(told)})


@dataclass(slots=True)
class Rule:
    """One fault asked for: which requests it concerns, and which of those it strikes."""

    kind: str
    match: Callable[[Request], bool]
    seconds: float
    nth: int
    times: int
    share: float | None
    spoil: Callable[[Response], Response]
    seen: int = 0

    def strikes(self, rng: random.Random) -> bool:
        """Count a request it concerns, and say whether the fault strikes."""
        self.seen += 1
        if self.share is not None:
            return rng.random() < self.share
        return self.nth <= self.seen < self.nth + self.times


class Faults:
    """A plan of faults. `injected` lists what struck, in order."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random(0)  # noqa: S311  a reproducible plan, nothing secret
        self.rules: list[Rule] = []
        self.injected: list[tuple[str, Request]] = []

    def add(
        self,
        kind: str,
        match: str | Callable[[Request], bool] = "",
        *,
        nth: int = 1,
        times: int = 1,
        share: float | None = None,
        seconds: float | None = None,
    ) -> Rule:
        """Ask for a fault.

        `match` is a test of the request, or a regular expression searched for in "METHOD /path"; "" concerns all. It
        strikes the `nth` such request from now on and the `times` - 1 after it, or with `share` that part of all of
        them, by chance. `seconds`: how long it lasts, see `SECONDS`. Raises ValueError for an unknown kind.
        """
        known = KINDS | REFUSALS.keys() | ODDITIES.keys()
        if kind not in known:
            raise ValueError(f"no such fault: {kind}; there are {', '.join(sorted(known))}")
        duration = SECONDS.get(kind, 60.0) if seconds is None else seconds
        spoil = {**GARBLED, **ODDITIES}.get(kind, lambda answer: answer)
        return self._ask(Rule(kind, _matcher(match), duration, nth, times, share, spoil))

    def change(
        self,
        match: str | Callable[[Request], bool],
        spoil: Callable[[Response], Response],
        *,
        nth: int = 1,
        times: int = 1,
        share: float | None = None,
    ) -> Rule:
        """Let answers say what `spoil` makes of them; which, see `add`."""
        return self._ask(Rule(CHANGED, _matcher(match), 0.0, nth, times, share, spoil))

    def _ask(self, rule: Rule) -> Rule:
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget the plan; what struck is kept."""
        self.rules.clear()

    def pick(self, request: Request) -> Rule | None:
        """The first rule that strikes this request."""
        for rule in self.rules:
            if rule.match(request) and rule.strikes(self._rng):
                self.injected.append((rule.kind, request))
                return rule
        return None


def _matcher(match: str | Callable[[Request], bool]) -> Callable[[Request], bool]:
    if not isinstance(match, str):
        return match
    expression = re.compile(match)
    return lambda request: expression.search(f"{request.method} {request.path}") is not None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client gets to see: an answer after `seconds`, or a failure after as long."""

    response: Response | None
    failure: Failure | None = None
    seconds: float = 0.0


def exchange(double: Double, faults: Faults | None, request: Request) -> Outcome:
    """Carry a request to a double and its answer back, through the faults."""
    rule = faults.pick(request) if faults is not None else None
    if rule is None:
        return Outcome(double.handle(request))
    if rule.kind in BREAKS:
        applied, failure = BREAKS[rule.kind]
        if applied:
            double.handle(request)
        return Outcome(None, failure, rule.seconds if failure == "timeout" else 0.0)
    if rule.kind in REFUSALS:
        return Outcome(REFUSALS[rule.kind](request, rule.seconds))
    if rule.kind in INSTEAD:
        return Outcome(INSTEAD[rule.kind](rule.seconds))
    if rule.kind == "late_commit":
        double.later(rule.seconds, lambda: double.serve(request))
        return Outcome(None, "timeout", rule.seconds)
    answer = double.handle(request)
    if rule.kind == "slow":
        return Outcome(answer, None, rule.seconds)
    return Outcome(rule.spoil(answer))
