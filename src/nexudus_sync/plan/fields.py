"""The fields of a pair: the merge, put onto both records, as far as it can be written.

What the merge says of a field (`merge.py` has its table) is what becomes of it, but for a field that

    is brought back (undo)                            | goes to each side that does not say the value yet
    stands as an open conflict, one side not read     | CONFLICT, as it was shown, unless the other side moved on
    never stays as it is written                      | PARKED, `unstable`
    is an amount between two currencies               | PARKED, `currency`
    cannot be said on the other side                  | PARKED, `unmapped`; PASSED under `on_unmapped = "skip"`
    must not be written there, by a rule of that side | PARKED under the rule's kind; PASSED where it counts as seen
"""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from typing import Any

from nexudus_sync.mapping import Mapping, OnUnmapped, Record, Side, Unmapped, Unreadable
from nexudus_sync.merge import UNREADABLE, Outcome, Policy, Verdict, View, merge
from nexudus_sync.opportunity import Value, hear, say

AMOUNT = "opportunity_amount"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A change that must not be written. `keys` are the record's keys it concerns; `whole` refuses a create altogether.

    `kind` names the rule (a failure's kind): "stage-deletes-customer", "stage-deactivates-customer", "stage-acts", …
    `accept` marks the backfill's refusals: the source's value counts as seen, so a later sync does not deliver it by
    itself.
    """

    kind: str
    reason: str
    keys: frozenset[str] = frozenset()
    whole: bool = False
    accept: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """An open conflict, seen from the side that was read.

    `shown` is what it showed for that side, `there` what it showed for the `unread` one, both as `say` says them.
    """

    unread: Side
    shown: Any
    there: Any


Guard = Callable[[Side, Record, Record], list[Refusal]]
"""(side, before, after) → what must not be written there."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """The merge of a link, as far as it can be written.

    `after` holds the whole record of each side that is to change.
    """

    outcomes: tuple[Outcome, ...]
    after: MappingABC[Side, Record]

    def writes(self, side: Side) -> tuple[Outcome, ...]:
        """The outcomes that travel to a side."""
        return tuple(o for o in self.outcomes if o.verdict is Verdict.TRAVELS and o.to is side)


def plan_fields(
    mapping: Mapping,
    views: MappingABC[Side, View],
    policy: Policy,
    guard: Guard,
    currencies: tuple[str | None, str | None] = (None, None),
    *,
    forced: MappingABC[str, Value] | None = None,
    held: MappingABC[str, str] | None = None,
    standing: MappingABC[str, Standing] | None = None,
) -> FieldPlan:
    """Merge a link's fields, put what travels onto the records, and park what cannot be said or must not be written.

    `forced` brings values to both sides whatever they say now (undo); `held` parks fields with a reason (unstable
    ones); `standing` are open conflicts of which one side was not read again.
    """
    outcomes = merge(mapping, views[Side.NEXUDUS], views[Side.CRM], policy)
    outcomes = [_hold(_stand(outcome, standing or {}), held or {}) for outcome in outcomes]
    outcomes = [one for outcome in outcomes for one in _force(outcome, forced or {}, views)]
    outcomes = [_hold_currency(outcome, currencies) for outcome in outcomes]
    after: dict[Side, Record] = {}
    for side in Side:
        outcomes, record = _put(outcomes, side, views[side])
        refusals = guard(side, dict(views[side].record), record) if record != views[side].record else []
        if refusals:
            outcomes, record = _put([_refuse(o, side, refusals) for o in outcomes], side, views[side])
        if record != views[side].record:
            after[side] = record
    return FieldPlan(tuple(outcomes), after)


def _instead(outcome: Outcome, verdict: Verdict, kind: str = "", reason: str = "") -> Outcome:
    """The outcome with another verdict: nothing travels."""
    return replace(outcome, verdict=verdict, kind=kind, reason=reason, to=None, lost=None)


def _hold(outcome: Outcome, held: MappingABC[str, str]) -> Outcome:
    if outcome.verdict is not Verdict.TRAVELS or outcome.field.name not in held:
        return outcome
    return _instead(outcome, Verdict.PARKED, "unstable", held[outcome.field.name])


def _stand(outcome: Outcome, standing: MappingABC[str, Standing]) -> Outcome:
    """An open conflict whose one side still says what was shown stands: the other need not be read to know it."""
    known = standing.get(outcome.field.name)
    if known is None or outcome.verdict is not Verdict.TRAVELS or outcome.to is not known.unread:
        return outcome
    if say(outcome.value) != known.shown:
        return outcome
    there, held = hear(outcome.field.name, known.there), _instead(outcome, Verdict.CONFLICT)
    return replace(held, nexudus=there) if known.unread is Side.NEXUDUS else replace(held, crm=there)


def _force(outcome: Outcome, forced: MappingABC[str, Value], views: MappingABC[Side, View]) -> list[Outcome]:
    """One outcome per side that does not say the forced value yet; none of them asks who is right."""
    field = outcome.field
    if field.name not in forced:
        return [outcome]
    value, made = forced[field.name], []
    try:
        now = {side: field.get(side, view.record, view.context) for side, view in views.items()}
    except Unreadable as problem:
        return [_instead(outcome, Verdict.PARKED, UNREADABLE, str(problem))]
    for side in Side:
        if not field.same(now[side], value):
            says = now | {side.other: value}
            nexudus, crm = says[Side.NEXUDUS], says[Side.CRM]
            made.append(Outcome(field, Verdict.TRAVELS, nexudus, crm, outcome.base, to=side, lost=now[side]))
    return made or [_instead(outcome, Verdict.AGREED)]


def _hold_currency(outcome: Outcome, currencies: tuple[str | None, str | None]) -> Outcome:
    """An amount does not cross between two currencies: it would be relabelled."""
    nexudus, crm = currencies
    differ = bool(nexudus and crm and nexudus != crm)
    if not differ or outcome.field.name != AMOUNT or outcome.verdict is Verdict.NOTHING:
        return outcome
    reason = f"Nexudus has {nexudus}, the CRM {crm}: the amount is not carried; make the currencies agree"
    return _instead(outcome, Verdict.PARKED, "currency", reason)


def _put(outcomes: list[Outcome], side: Side, view: View) -> tuple[list[Outcome], Record]:
    """Put every value that travels to `side` onto its record; what cannot be said there is parked or passed over."""
    record, done = dict(view.record), []
    for outcome in outcomes:
        if outcome.verdict is Verdict.TRAVELS and outcome.to is side:
            try:
                changed = outcome.field.put(side, outcome.value, record, view.context)
            except Unmapped as problem:
                outcome = _unsaid(outcome, str(problem))
            else:
                if changed == record:  # the default for what cannot be said there stands there already
                    outcome = _instead(outcome, Verdict.AGREED)
                record = changed
        done.append(outcome)
    return done, record


def _unsaid(outcome: Outcome, reason: str) -> Outcome:
    if outcome.field.on_unmapped is OnUnmapped.SKIP:
        return _instead(outcome, Verdict.PASSED)
    return _instead(outcome, Verdict.PARKED, "unmapped", reason)


def _refuse(outcome: Outcome, side: Side, refusals: list[Refusal]) -> Outcome:
    if outcome.verdict is not Verdict.TRAVELS or outcome.to is not side:
        return outcome
    root = outcome.field.lens(side).path.root
    for refusal in refusals:
        if root in refusal.keys:
            verdict = Verdict.PASSED if refusal.accept else Verdict.PARKED
            return _instead(outcome, verdict, refusal.kind, refusal.reason)
    return outcome


def agreed_snapshot(outcomes: Iterable[Outcome], side: Side, view: View) -> dict[str, Any]:
    """The side's snapshot after the parts of a merge that need no write.

    What agrees, what was seen and passed over, and what there is nothing to do about though it never agreed.
    """
    snapshot = dict(view.snapshot)
    for outcome in outcomes:
        lens = outcome.field.lens(side)
        first = outcome.verdict is Verdict.NOTHING and lens.path.text not in snapshot
        if first or outcome.verdict in {Verdict.AGREED, Verdict.PASSED}:
            snapshot[lens.path.text] = lens.raw(view.record)
    return snapshot
