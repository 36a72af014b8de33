"""The three-way merge of one link's fields: what each side said when they last agreed, what it says now, what to do.

Pure. Every field is decided by itself, by class (`Field.same`), under the mapping in force now:

    Nexudus changed  | CRM changed | verdict
    -----------------+-------------+-----------------------------------------------------------
    no               | no          | NOTHING
    yes              | no          | TRAVELS to the CRM
    no               | yes         | TRAVELS to Nexudus
    yes              | yes         | AGREED if alike, else by `on_conflict`: TRAVELS or CONFLICT
    never agreed on one side or both | a first match: AGREED if alike, a value fills a blank, else by `on_conflict`

A value that the other side need not know and has no word for (`Field.is_aside`) says nothing: only the other side's
changes count, and at a first match both stay as they are. A text that is still as our own write left it, or a rendering
of that (`View.written`), has not changed. If one of the two values cannot be read and the verdict would not be NOTHING,
the field is PARKED. In a one-way field only the source's values travel, and they always win: NOTHING as long as the
source has not changed (or, at a first match, is blank), whatever the other side says.
"""

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from nexudus_sync.errors import STORED_DIFFERENTLY as STORED_DIFFERENTLY
from nexudus_sync.mapping import Context, Field, Mapping, OnConflict, Raw, Side, Unreadable
from nexudus_sync.mapping.renderings import renders
from nexudus_sync.opportunity import Value, say

UNSENT: MappingABC[str, bool] = {"$unsent": True}
"""Stands in a snapshot for a value that the other side has never been given yet: the field counts as changed here."""

UNREADABLE = "unreadable"
"""The kind of a value that the mapping cannot read."""
_SHOWN = 80
"""Characters of a text that a reason shows."""

CLOSE_CALL = timedelta(seconds=2)
"""`newest` does not decide between changes this close: server clocks and stamps are no more exact."""


class Verdict(Enum):
    """What becomes of one field."""

    NOTHING = "nothing"
    AGREED = "agreed"
    TRAVELS = "travels"
    CONFLICT = "conflict"
    PARKED = "parked"
    PASSED = "passed"
    """Seen and, by a stated rule, not delivered: both sides stay as they are until one of them changes."""


@dataclass(frozen=True, slots=True)
class View:
    """One side of a link as the merge sees it.

    `snapshot` is {path text: raw} of the last agreement (a path it lacks was never agreed on). `changed_at` is when
    anybody but the sync last changed the record, by our clock, aware UTC; None if unknown. `written` are the fields of
    the sync's own last write, if nothing was saved since (the stamp is the one that its reply named).
    """

    record: MappingABC[str, Any]
    snapshot: MappingABC[str, Raw]
    context: Context
    changed_at: datetime | None = None
    written: frozenset[str] = frozenset()
    dated: MappingABC[str, datetime] = field(default_factory=dict)
    """When single keys of the record were last changed, by our clock, where the system tells."""

    def changed(self, key: str) -> datetime | None:
        """When somebody else last changed what stands under a key of the record; else the record; None if unknown."""
        return self.dated.get(key, self.changed_at)


@dataclass(frozen=True, slots=True)
class Resolution:
    """A person's choice for one field's conflict, good only for the values that were shown (as `say` shows them).

    `take` is None for a third value, which is then to stand on both sides as it is spelled.
    """

    take: Side | None
    nexudus: Any
    crm: Any
    value: Value = None

    def stands_for(self, nexudus: Value, crm: Value) -> bool:
        """Is it about what the sides say now? One of them may say the third value already."""
        shown = ((nexudus, self.nexudus), (crm, self.crm))
        return all(say(now) == then or (self.take is None and now == self.value) for now, then in shown)


@dataclass(frozen=True, slots=True)
class Apart:
    """A value for each side, to be brought back although they differ: a person is asked again which is right."""

    nexudus: Value
    crm: Value

    def of(self, side: Side) -> Value:
        """The value of one side."""
        return self.nexudus if side is Side.NEXUDUS else self.crm


@dataclass(frozen=True, slots=True)
class Outcome:
    """The decision on one field.

    `to` and `value` are set when it TRAVELS; `lost` is a value that a policy overruled. `decided` is set where a person
    typed the value: it is written as it is spelled, and the history shows what both sides said before. `apart`: the
    other side is to say something else, so that neither has agreed to it.
    """

    field: Field
    verdict: Verdict
    nexudus: Value = None
    crm: Value = None
    base: Value = None
    to: Side | None = None
    lost: Value = None
    kind: str = ""
    reason: str = ""
    decided: Resolution | None = None
    apart: bool = False

    @property
    def value(self) -> Value:
        """The value that travels: the one of the side it comes from."""
        return self.crm if self.to is Side.NEXUDUS else self.nexudus

    @property
    def waits_unseen(self) -> bool:
        """Does it travel by itself once the other side can take it? Then nobody has to decide or do anything."""
        return self.verdict is Verdict.PARKED and not self.kind

    @property
    def waits(self) -> bool:
        """Must its value wait, seen or unseen, although both sides can be read?"""
        return self.verdict is Verdict.PARKED and self.kind != UNREADABLE

    def says(self, side: Side) -> Value:
        """What a side says."""
        return self.nexudus if side is Side.NEXUDUS else self.crm


@dataclass(frozen=True, slots=True)
class Policy:
    """What a connection says about conflicts: `first_match` stands in for `newest` where there is no base.

    `asked` are the values that open questions show, Nexudus's first: it was unknown which is the newest, and a later
    change of other fields does not tell. `restore` are values that a person brings back: the plan puts them on both
    sides, whatever these say now.
    """

    first_match: str = "manual"
    resolutions: MappingABC[str, Resolution] = field(default_factory=dict)
    asked: MappingABC[str, tuple[Any, Any]] = field(default_factory=dict)
    restore: MappingABC[str, Value | Apart] = field(default_factory=dict)

    def typed(self, name: str) -> Resolution | None:
        """The third value that a person typed for a field, if one did."""
        choice = self.resolutions.get(name)
        return choice if choice is not None and choice.take is None else None


class _Change(Enum):
    NO = 0
    YES = 1
    FIRST = 2


_Views = MappingABC[Side, View]


def merge(mapping: Mapping, nexudus: View, crm: View, policy: Policy) -> list[Outcome]:
    """Decide every field of a link, in the mapping's order."""
    return [merge_field(field, nexudus, crm, policy) for field in mapping.fields]


def merge_field(field: Field, nexudus: View, crm: View, policy: Policy) -> Outcome:
    """Decide one field; see the table at the top."""
    views = {Side.NEXUDUS: nexudus, Side.CRM: crm}
    changes = _changes(field, views)
    if set(changes.values()) == {_Change.NO}:  # nobody edited it, so even a value that cannot be read is left alone
        return Outcome(field, Verdict.NOTHING)
    try:
        seen = _seen(field, views)
    except Unreadable as problem:  # was edited to something that cannot be read: it is neither copied nor overwritten
        return Outcome(field, Verdict.PARKED, kind=UNREADABLE, reason=str(problem))
    if field.same(seen.nexudus, seen.crm):  # was edited to the same on both sides, or always said the same
        return Outcome(field, Verdict.AGREED, seen.nexudus, seen.crm, seen.base)
    if _Change.FIRST in changes.values():  # was newly mapped or paired: there is nothing to tell an edit by
        return _first_match(seen, views, policy)
    rendered = {side: _rendered(field, side, views[side]) for side in Side if changes[side] is _Change.YES}
    if all(rendered.values()):  # was written by us and is only spelled in the system's own way: nobody edited it
        return replace(seen, verdict=Verdict.AGREED, kind=STORED_DIFFERENTLY, reason="; ".join(rendered.values()))
    return _later_match(seen, [side for side, reason in rendered.items() if not reason], views, policy)


def both_changed(field: Field, views: _Views) -> bool:
    """Were both sides changed since they last agreed?"""
    return set(_changes(field, views).values()) == {_Change.YES}


def _changes(field: Field, views: _Views) -> dict[Side, _Change]:
    """Which side has changed. One that says what the other need not know has not."""
    changes = {side: _change(field, side, view) for side, view in views.items()}
    if set(changes.values()) == {_Change.NO}:
        return changes
    aside = [side for side in Side if _is_aside(field, side, views)]
    if aside and _Change.FIRST in changes.values():  # there is nothing to compare: both stay as they are
        aside = list(Side)
    return changes | dict.fromkeys(aside, _Change.NO)


def _is_aside(field: Field, side: Side, views: _Views) -> bool:
    return field.is_aside(side, views[side].record, views[side].context, views[side.other].context)


def _seen(field: Field, views: _Views) -> Outcome:
    """What both sides say, and said when they last agreed. Raises Unreadable."""
    now = {side: field.get(side, view.record, view.context) for side, view in views.items()}
    return Outcome(field, Verdict.NOTHING, now[Side.NEXUDUS], now[Side.CRM], _base(field, views))


def kept_differently(field: Field, side: Side, sent: Value, got: Value, context: Context) -> str:
    """What to say if a side keeps a rendering of a text that was sent; "" if it does not."""
    free = field.lens(side).is_free(context) and field.lens(side.other).is_free(Context())
    if not (free and isinstance(sent, str) and isinstance(got, str)):
        return ""
    if not renders(sent, got):
        return ""
    system = field.lens(side).kind.system
    return f"{system} stores {_shown(sent)} as {_shown(got)}; edit either side if that is not good enough"


def _shown(text: str) -> str:
    return f'"{text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"}"'


def _rendered(field: Field, side: Side, view: View) -> str:
    """What to say if the change on this side is only the system's rendering of our own write; "" if it is not."""
    then = view.snapshot[field.lens(side).path.text]
    if field.name not in view.written or then == UNSENT:
        return ""
    try:
        sent = field.read(side, then, view.context)
    except Unreadable:
        return ""
    return kept_differently(field, side, sent, field.get(side, view.record, view.context), view.context)


def _change(field: Field, side: Side, view: View) -> _Change:
    """Has this side changed since the last agreement, as the present mapping reads both?"""
    lens = field.lens(side)
    if lens.path.text not in view.snapshot:  # was mapped after the last agreement
        return _Change.FIRST
    then, raw = view.snapshot[lens.path.text], lens.raw(view.record)
    if then == raw:
        return _Change.NO
    if then == UNSENT:  # was never given to the other side, which makes it as good as edited
        return _Change.YES
    try:
        alike = field.same(field.read(side, then, view.context), field.read(side, raw, view.context))
    except Unreadable:  # moved, and nobody can tell that it means the same
        return _Change.YES
    return _Change.NO if alike else _Change.YES


def _base(field: Field, views: _Views) -> Value:
    """What both sides said when they last agreed, as far as a snapshot still tells."""
    for side, view in views.items():
        then = view.snapshot.get(field.lens(side).path.text, UNSENT)
        if then != UNSENT:
            try:
                return field.read(side, then, view.context)
            except Unreadable:
                continue
    return None


def _first_match(seen: Outcome, views: _Views, policy: Policy) -> Outcome:
    """Two values that never agreed: a value fills a blank, else `on_conflict`, with `first_match` for `newest`."""
    source = _only_source(seen.field)
    if source is not None:  # comes from one side only: a blank there takes nothing away from the other
        return seen if seen.says(source) is None else _travels(seen, source, overrules=True)
    for side in Side:
        if seen.says(side) is None:  # is blank on one side: filling it in overrules nobody
            return _travels(seen, side.other)
    rule = seen.field.on_conflict
    return _by_rule(seen, OnConflict(policy.first_match) if rule is OnConflict.NEWEST else rule, views, policy)


def _later_match(seen: Outcome, moved: list[Side], views: _Views, policy: Policy) -> Outcome:
    """Two values that agreed once and differ now."""
    source = _only_source(seen.field)
    if source is not None:  # comes from one side only: an edit on the other stays there until the source changes
        return _travels(seen, source, overrules=source.other in moved) if source in moved else seen
    if len(moved) == 1:  # was edited on one side only
        return _travels(seen, moved[0])
    return _by_rule(seen, seen.field.on_conflict, views, policy)


def _by_rule(seen: Outcome, rule: OnConflict, views: _Views, policy: Policy) -> Outcome:
    """Value against value: a person's choice between exactly these two, else the rule."""
    stands = rule is OnConflict.NEWEST and policy.asked.get(seen.field.name) == (say(seen.nexudus), say(seen.crm))
    winner = _resolved(seen, policy) or (None if stands else _winner(seen.field, rule, views))
    return replace(seen, verdict=Verdict.CONFLICT) if winner is None else _travels(seen, winner, overrules=True)


def _travels(seen: Outcome, source: Side, *, overrules: bool = False) -> Outcome:
    """The source's value goes to the other side; where it `overrules` what somebody meant there, that is lost."""
    lost = seen.says(source.other) if overrules else None
    return replace(seen, verdict=Verdict.TRAVELS, to=source.other, lost=lost)


def _resolved(seen: Outcome, policy: Policy) -> Side | None:
    choice = policy.resolutions.get(seen.field.name)
    if choice is None or not choice.stands_for(seen.nexudus, seen.crm):
        return None  # was edited since a person chose between two other values
    return choice.take


def _winner(field: Field, rule: OnConflict, views: _Views) -> Side | None:
    """The side a rule prefers; None leaves it to a person."""
    if rule is OnConflict.NEXUDUS:
        return Side.NEXUDUS
    if rule is OnConflict.CRM:
        return Side.CRM
    nexudus, crm = (views[side].changed(field.lens(side).path.root) for side in Side)
    # Under `newest` a person decides where an edit's time is not known, or the two are too close to tell.
    if rule is OnConflict.MANUAL or nexudus is None or crm is None or abs(nexudus - crm) <= CLOSE_CALL:
        return None
    return Side.NEXUDUS if nexudus > crm else Side.CRM


def _only_source(field: Field) -> Side | None:
    """The side a one-way field comes from; what the other side says stays there until the source changes."""
    return field.sources[0] if len(field.sources) == 1 else None
