"""Holds: what must not travel now. Every rule says so in this one shape; the table tells what each kind stops.

    kind                        | stops                                    | becomes
    ----------------------------+------------------------------------------+---------------------------------------
    `currency`                  | all that would come of the field         | PARKED
    ASKED (no failure's kind)   | what travels to the side that was not    | CONFLICT, as it was shown
                                | read, unless the other one moved on      |
    `unstable`                  | what travels, either way                 | PARKED
    `unmapped`                  | what travels and cannot be said there    | PARKED; PASSED under `on_unmapped = "skip"`
    any other (a system's rule, | what travels to that side                | PARKED; PASSED where it counts as seen
    or what it refused before)  |                                          |

People see the first hold, in this order, that stops a field. A value that a person brings back (undo) is stopped
neither by a question nor for being unstable.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from nexudus_sync.mapping import Field, Record, Side
from nexudus_sync.merge import Outcome, Policy, Verdict
from nexudus_sync.opportunity import hear, say

AMOUNT = "opportunity_amount"
ASKED = "asked"
"""The kind of a hold for an open question while one side is unread: the question stands without another read."""
CURRENCY = "currency"
UNSTABLE = "unstable"
UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True)
class Hold:
    """Something that must not travel now.

    It is about a field by its name (`field`), or about everything that a record keeps under a key (`key`, as connectors
    say it). With neither, it refuses a create altogether. `side`: where it must not be written; None for both, or for
    the side whose rule it is. `kind` is the kind of the failure that shows it ("" for none). `counts_as_seen`: no later
    sync delivers the source's value either, until it changes.
    """

    kind: str
    reason: str
    field: str = ""
    key: str = ""
    side: Side | None = None
    counts_as_seen: bool = False

    @property
    def whole(self) -> bool:
        """Does it refuse a create altogether?"""
        return not self.field and not self.key

    def covers(self, field: Field, side: Side) -> bool:
        """Is it about this field, as far as it would be written to that side?"""
        if self.side not in (None, side):
            return False
        return field.name == self.field or field.lens(side).path.root == self.key


Rules = Callable[[Side, Record, Record], list[Hold]]
"""(side, before, after) → what of `after` must not be written there."""


def _no_rules(side: Side, before: Record, after: Record) -> list[Hold]:
    return []


@dataclass(frozen=True, slots=True)
class Holds:
    """Everything that may hold a pair's fields back: the `known` holds, and `rules` about a whole record."""

    known: tuple[Hold, ...] = ()
    rules: Rules = _no_rules


def differing_currencies(nexudus: str | None, crm: str | None) -> list[Hold]:
    """Hold back the amount where the currencies differ: it would only be relabelled."""
    if not (nexudus and crm and nexudus != crm):
        return []
    reason = f"Nexudus has {nexudus}, the CRM {crm}: the amount is not copied; make the currencies agree"
    return [Hold(CURRENCY, reason, AMOUNT)]


def withhold(outcomes: Iterable[Outcome], side: Side, holds: Iterable[Hold], policy: Policy) -> list[Outcome]:
    """The outcomes, with those held that must not travel to `side`; the first of several holds counts."""
    found = list(holds)
    stopped = ((o, next((hold for hold in found if _stops(hold, o, side, policy)), None)) for o in outcomes)
    return [outcome if hold is None else _instead_of(outcome, hold, policy) for outcome, hold in stopped]


def _instead_of(outcome: Outcome, hold: Hold, policy: Policy) -> Outcome:
    return _asked(outcome, policy) if hold.kind == ASKED else held(outcome, hold)


def _stops(hold: Hold, outcome: Outcome, side: Side, policy: Policy) -> bool:
    if not hold.covers(outcome.field, side):
        return False
    if hold.kind == CURRENCY:  # amounts in two currencies cannot be compared: they neither agree nor conflict
        return outcome.verdict is not Verdict.NOTHING
    if outcome.to is not side:  # does not travel there
        return False
    if hold.kind in (ASKED, UNSTABLE) and outcome.field.name in policy.restore:
        return False  # is brought back by a person, whatever was asked and whatever came back before
    return hold.kind != ASKED or _still_shown(outcome, policy)


def _still_shown(outcome: Outcome, policy: Policy) -> bool:
    """Does the side that was read still say what the open question shows? Then the other side need not be read."""
    shown = policy.asked.get(outcome.field.name)
    return shown is not None and say(outcome.value) == shown[0 if outcome.to is Side.CRM else 1]


def _asked(outcome: Outcome, policy: Policy) -> Outcome:
    """The open question stands. The side that was not read says what the question shows for it."""
    nexudus, crm = policy.asked[outcome.field.name]
    asked = instead(outcome, Verdict.CONFLICT)
    if outcome.to is Side.NEXUDUS:
        return replace(asked, nexudus=hear(outcome.field.name, nexudus))
    return replace(asked, crm=hear(outcome.field.name, crm))


def held(outcome: Outcome, hold: Hold) -> Outcome:
    """The outcome of a field that is held."""
    return instead(outcome, Verdict.PASSED if hold.counts_as_seen else Verdict.PARKED, hold.kind, hold.reason)


def instead(outcome: Outcome, verdict: Verdict, kind: str = "", reason: str = "") -> Outcome:
    """The outcome with another verdict: nothing travels."""
    return replace(outcome, verdict=verdict, kind=kind, reason=reason, to=None, lost=None)
