"""The fields of a pair: the merge, put onto both records as far as it can be written.

What becomes of a field, by the first line that applies:

    a person brings a value back (undo)        | TRAVELS to each side that does not say it yet, unless it is held
    something holds it (`holds.py`)            | PARKED, PASSED or CONFLICT: it stays where it is
    the merge lets it travel (`merge.py`), and |
        the other side can say it              | TRAVELS
        the other side's default stands there  | AGREED
    anything else                              | what the merge says
"""

from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Any

from nexudus_sync.mapping import Field, Mapping, OnUnmapped, Record, Side, Unmapped, Unreadable
from nexudus_sync.merge import UNREADABLE, Outcome, Policy, Verdict, View, merge
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
    field = outcome.field
    if field.name not in policy.restore:
        return [outcome]
    value, made = policy.restore[field.name], []
    try:
        now = {side: field.get(side, view.record, view.context) for side, view in views.items()}
    except Unreadable as problem:  # cannot be read, so it is not overwritten, not even by an undo
        return [instead(outcome, Verdict.PARKED, UNREADABLE, str(problem))]
    for side in Side:
        if not field.same(now[side], value):
            says = now | {side.other: value}
            nexudus, crm = says[Side.NEXUDUS], says[Side.CRM]
            made.append(Outcome(field, Verdict.TRAVELS, nexudus, crm, outcome.base, to=side, lost=now[side]))
    return made or [instead(outcome, Verdict.AGREED)]


def _put(outcomes: list[Outcome], side: Side, view: View) -> tuple[list[Outcome], Record]:
    """Put every value that travels to `side` onto its record; a value that cannot be said there is held."""
    record, done = dict(view.record), []
    for outcome in outcomes:
        if outcome.verdict is Verdict.TRAVELS and outcome.to is side:
            try:
                changed = outcome.field.put(side, outcome.value, record, view.context)
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
