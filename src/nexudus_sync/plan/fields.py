"""The fields of a pair: the merge, put onto both records as far as it can be written.

What becomes of a field, by the first line that applies:

    a person brings a value back (undo), or    | TRAVELS to each side that does not say it yet, unless it is held;
    typed a third one for a conflict           | two values that are brought back end in CONFLICT, as they were
    something holds it (`holds.py`)            | PARKED, PASSED or CONFLICT: it stays where it is
    the merge lets it travel (`merge.py`), and |
        the other side can say it              | TRAVELS
        the other side's default stands there  | AGREED
    anything else                              | what the merge says
"""

from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from nexudus_sync.mapping import Field, Mapping, OnUnmapped, Record, Side, Unmapped, Unreadable
from nexudus_sync.merge import UNREADABLE, Apart, Outcome, Policy, Resolution, Verdict, View, merge
from nexudus_sync.opportunity import Value
from nexudus_sync.plan.holds import UNMAPPED, Hold, Holds, held, instead, withhold


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """The merge of a pair, as far as it can be written.

    `after` holds the whole record of each side that is to change.
    """

    outcomes: tuple[Outcome, ...]
    after: MappingABC[Side, Record]

    def writes(self, side: Side) -> tuple[Outcome, ...]:
        """The outcomes that travel to a side."""
        return tuple(o for o in self.outcomes if o.verdict is Verdict.TRAVELS and o.to is side)


def plan_fields(mapping: Mapping, views: MappingABC[Side, View], policy: Policy, holds: Holds) -> FieldPlan:
    """Merge a pair's fields, put what travels onto the records, and keep back what must not travel now."""
    merged = merge(mapping, views[Side.NEXUDUS], views[Side.CRM], policy)
    outcomes = [one for outcome in merged for one in _restored(outcome, views, policy)]
    after: dict[Side, Record] = {}
    for side in Side:
        view = views[side]
        outcomes, record = _put(withhold(outcomes, side, holds.known, policy), side, view)
        # The rules are about whole records, so they see the one that would be written.
        rules = holds.rules(side, dict(view.record), record) if record != view.record else []
        if rules:
            outcomes, record = _put(withhold(outcomes, side, rules, policy), side, view)
        if record != view.record:
            after[side] = record
    return FieldPlan(tuple(outcomes), after)


def _restored(outcome: Outcome, views: MappingABC[Side, View], policy: Policy) -> list[Outcome]:
    """For a value to be brought back: one outcome for each side that does not say it, whoever changed it since."""
    field, typed = outcome.field, policy.typed(outcome.field.name)
    if field.name not in policy.restore and typed is None:
        return [outcome]
    try:
        now = {side: field.get(side, view.record, view.context) for side, view in views.items()}
    except Unreadable as problem:  # cannot be read, so it is not overwritten, not even by an undo
        return [instead(outcome, Verdict.PARKED, UNREADABLE, str(problem))]
    if typed is None or field.name in policy.restore:
        return _brought_back(outcome, now, policy.restore[field.name])
    return _typed(outcome, now, typed, views)


def _typed(
    outcome: Outcome, now: MappingABC[Side, Value], typed: Resolution, views: MappingABC[Side, View]
) -> list[Outcome]:
    """A third value, as it is spelled: by class, a side that says its like would be left alone."""
    problem = ""
    try:
        typed = replace(typed, value=_held_alike(outcome.field, typed.value, views))
    except Unmapped as unsayable:
        problem = str(unsayable)
    if not typed.stands_for(now[Side.NEXUDUS], now[Side.CRM]):  # was edited since: it is for the merge again
        return [outcome]
    if problem:  # is for both sides or for none
        return [held(outcome, Hold(UNMAPPED, problem, outcome.field.name))]
    made = [_travels(outcome, now, side, typed.value) for side in Side if now[side] != typed.value]
    return [replace(one, lost=None, decided=typed) for one in made] or [instead(outcome, Verdict.AGREED)]


def _held_alike(field: Field, value: Value, views: MappingABC[Side, View]) -> Value:
    """The value, if both sides can say it. Raises Unmapped.

    Money is rounded to the digits that a side keeps: the other would else seem to have been changed once more.
    """
    for side, view in views.items():
        record = field.put(side, value, dict(view.record), view.context, literal=True)
        said = field.get(side, record, view.context) if isinstance(value, Decimal) else None
        value = said if isinstance(said, Decimal) else value  # of 0, which may say nothing, nothing is to be rounded
    return value


def _brought_back(outcome: Outcome, now: MappingABC[Side, Value], value: Value | Apart) -> list[Outcome]:
    wanted = value if isinstance(value, Apart) else Apart(value, value)
    apart = [side for side in Side if not outcome.field.same(now[side], wanted.of(side))]
    made = [_travels(outcome, now, side, wanted.of(side)) for side in apart]
    made = [replace(one, apart=wanted is value) for one in made]
    return made or [instead(outcome, Verdict.CONFLICT if wanted is value else Verdict.AGREED)]


def _travels(outcome: Outcome, now: MappingABC[Side, Value], to: Side, value: Value) -> Outcome:
    """A value goes to a side, whatever the other side says."""
    says = {**now, to.other: value}
    nexudus, crm = says[Side.NEXUDUS], says[Side.CRM]
    return Outcome(outcome.field, Verdict.TRAVELS, nexudus, crm, outcome.base, to=to, lost=now[to])


def _put(outcomes: list[Outcome], side: Side, view: View) -> tuple[list[Outcome], Record]:
    """Put every value that travels to `side` onto its record; a value that cannot be said there is held."""
    record, done = dict(view.record), []
    for outcome in outcomes:
        if outcome.verdict is Verdict.TRAVELS and outcome.to is side:
            try:
                literal = outcome.decided is not None
                changed = outcome.field.put(side, outcome.value, record, view.context, literal=literal)
            except Unmapped as problem:
                outcome = held(outcome, unsaid(outcome.field, str(problem)))
            else:
                if changed == record:  # cannot be said there, and the default for it stands there already
                    outcome = instead(outcome, Verdict.AGREED)
                record = changed
        done.append(outcome)
    return done, record


def unsaid(field: Field, reason: str, *, aside: bool = False) -> Hold:
    """The hold on a value that the other side has no word for.

    A value to skip, or one that the other side need not know (`aside`), is not shown to anybody.
    """
    if aside or field.on_unmapped is OnUnmapped.SKIP:
        return Hold("", "", field.name, counts_as_seen=True)
    return Hold(UNMAPPED, reason, field.name)


def agreed_snapshot(outcomes: Iterable[Outcome], side: Side, view: View) -> dict[str, Any]:
    """The side's snapshot after the outcomes that need no write.

    These are the fields that agree, that were passed over, or that need nothing although they never agreed.
    """
    snapshot = dict(view.snapshot)
    for outcome in outcomes:
        lens = outcome.field.lens(side)
        first = outcome.verdict is Verdict.NOTHING and lens.path.text not in snapshot
        if first or outcome.verdict in {Verdict.AGREED, Verdict.PASSED}:
            snapshot[lens.path.text] = lens.raw(view.record)
    return snapshot
