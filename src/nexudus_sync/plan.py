"""What a cycle saw → what it will do.

Pure: plain objects in, plain objects out, so that `plan` prints exactly what `sync` does.

A link, by what became of its two records (`plan_link`):

    Nexudus   | CRM  | deletes = "ignore" | deletes = "propagate"
    ----------+------+--------------------+--------------------------------------------------------
    here      | here | merge the fields   | merge the fields
    gone      | gone | CLOSE              | CLOSE
    gone      | here | CLOSE              | DELETE the CRM's, or ASK if it was edited since
    here      | gone | CLOSE              | DELETE Nexudus's, or ASK if it was edited since
    elsewhere | any  | MOVE (to the connection whose scope holds the card, or to sleep)

A record without a counterpart, by the first line that fits (`plan_unlinked`):

    what the two sides' unlinked records say | one on either side | several
    -----------------------------------------+--------------------+------------------------------------------
    an external key names the other          | PAIR               | ASK
    same e-mail and title, or a rendering    | PAIR               | ASK
    same e-mail (not just "n/a"), both open  | PAIR               | ASK between the open ones without a twin
    anything else                            | CREATE it on the other side, or LEAVE it if it is too old
"""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from nexudus_sync.addresses import names_people
from nexudus_sync.mapping import Mapping, OnUnmapped, Record, Side, Unmapped, Unreadable
from nexudus_sync.mapping.titles import renderings, twins, without_twins
from nexudus_sync.merge import UNREADABLE, Outcome, Policy, Verdict, View, merge
from nexudus_sync.opportunity import Value, hear, say

AMOUNT = "opportunity_amount"
APART = timedelta(hours=1)
"""By so much a record comes after another one's copy before it is taken for a later one of the same id."""


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


def sent_snapshot(
    outcomes: Iterable[Outcome], side: Side, snapshot: MappingABC[str, Any], record: MappingABC[str, Any], to: Side
) -> dict[str, Any]:
    """A side's snapshot after `outcomes` were written to `to`.

    `record` is what the side said (source) or was sent (target).
    """
    moved = dict(snapshot)
    for outcome in outcomes:
        if outcome.verdict is Verdict.TRAVELS and outcome.to is to:
            lens = outcome.field.lens(side)
            moved[lens.path.text] = lens.raw(record)
    return moved


class Presence(Enum):
    """What became of one record of a link."""

    HERE = "here"
    GONE = "gone"
    ELSEWHERE = "elsewhere"


class Fate(Enum):
    """What a cycle does with a link as a whole."""

    MERGE = "merge"
    CLOSE = "close"
    DELETE = "delete"
    ASK = "ask"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """`side` is the record a DELETE deletes, or the edited one an ASK is about."""

    fate: Fate
    side: Side | None = None
    reason: str = ""


def plan_link(presence: MappingABC[Side, Presence], edited: MappingABC[Side, bool], deletes: str) -> LinkPlan:
    """What becomes of a link; the table at the top. `edited`: the side changed since both agreed."""
    if presence[Side.NEXUDUS] is Presence.ELSEWHERE:
        return LinkPlan(Fate.MOVE, reason="the card left this connection's scope")
    gone = [side for side in Side if presence[side] is Presence.GONE]
    if not gone:
        return LinkPlan(Fate.MERGE)
    if len(gone) == 2:
        return LinkPlan(Fate.CLOSE, reason="deleted on both sides")
    left = gone[0].other
    if deletes == "ignore":
        return LinkPlan(Fate.CLOSE, reason=f"deleted in {left.other.word}; kept in {left.word}")
    if edited[left]:
        return LinkPlan(Fate.ASK, left, f"deleted in {left.other.word} and edited in {left.word}")
    return LinkPlan(Fate.DELETE, left, f"deleted in {left.other.word}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An unlinked record as matching knows it.

    `email` is in the form in which addresses are compared, be it an oddity that is none; `external_key` is what its key
    field holds.
    """

    side: Side
    id: str
    email: str | None
    title: str | None
    is_open: bool
    external_key: str | None = None
    created_at: datetime | None = None


class Lot(Enum):
    """What a cycle does with an unlinked record."""

    PAIR = "pair"
    ASK = "ask"
    CREATE = "create"
    LEAVE = "leave"


BY_EMAIL = "e-mail"
"""The reason of a pair that has nothing but its e-mail in common."""


@dataclass(frozen=True, slots=True)
class UnlinkedPlan:
    """`partner` is the record to PAIR with; `candidates` those a person has to choose from."""

    lot: Lot
    partner: Candidate | None = None
    candidates: tuple[Candidate, ...] = ()
    reason: str = ""


def plan_unlinked(
    record: Candidate,
    own: list[Candidate],
    others: list[Candidate],
    key_of: Callable[[Candidate], str],
    since: date | None = None,
) -> UnlinkedPlan:
    """Match a record, else create it; the table at the top.

    `own` are the unlinked records of its side with its e-mail (itself included), `others` the other side's, and those
    that an external key connects with it. `key_of` gives the external key that names a record. `since`: nothing older
    is created.
    """

    def names(one: Candidate, two: Candidate) -> bool:
        return one.external_key == key_of(two) and not _is_later_stranger(two, one)

    def named(one: Candidate, two: Candidate) -> bool:
        return names(one, two) or names(two, one)

    def free(candidates: list[Candidate], others: list[Candidate]) -> list[Candidate]:
        """Those that no external key connects with any of the others."""
        keys, theirs = {key_of(o) for o in others}, {o.external_key for o in others}

        def unnamed(one: Candidate) -> bool:
            return one.external_key not in keys and key_of(one) not in theirs

        return [c for c in candidates if unnamed(c) or not any(named(c, o) for o in others)]

    partners = [o for o in others if named(record, o)]
    if partners:
        return _one_of(partners, [c for c in own if named(c, partners[0])], "external key")
    return _by_email(record, free(own, others), free(others, own)) or _create(record, since)


def _is_later_stranger(named: Candidate, copy: Candidate) -> bool:
    """Does a copy's external key name another record than the one that was copied?

    That one is gone, and its id was given again: this one is another customer's and came after the copy, by more than
    two servers' clocks can differ.
    """
    if not (named.email and copy.email and named.created_at and copy.created_at):
        return False
    return named.email != copy.email and named.created_at - copy.created_at > APART


def _by_email(record: Candidate, own: list[Candidate], others: list[Candidate]) -> UnlinkedPlan | None:
    """Match by e-mail; None where nothing fits. Who matches does so from either side, and with nobody else."""
    others = [o for o in others if record.email and o.email == record.email]
    same = twins(record, others)
    if same:
        return _one_of(same, twins(record, own), "e-mail and title")
    rest, own_rest = without_twins(others, own), without_twins(own, others)
    kept = renderings(record, rest)
    if kept:
        return _one_of(kept, renderings(kept[0], own_rest), "e-mail and title")
    if not record.is_open or not names_people(record.email or ""):
        return None
    if len(own) == 1 and len(others) == 1 and others[0].is_open:
        return UnlinkedPlan(Lot.PAIR, others[0], reason=BY_EMAIL)
    rivals = tuple(o for o in rest if o.is_open and not renderings(o, own_rest))
    return UnlinkedPlan(Lot.ASK, candidates=rivals, reason=f"several records share {record.email}") if rivals else None


def _one_of(alike: list[Candidate], own_alike: list[Candidate], what: str) -> UnlinkedPlan:
    """The only one there is for the only one that asks, else a person's choice."""
    if len(alike) == 1 and len(own_alike) <= 1:
        return UnlinkedPlan(Lot.PAIR, alike[0], reason=what)
    return UnlinkedPlan(Lot.ASK, candidates=tuple(alike), reason=f"several records share {what}")


def _create(record: Candidate, since: date | None) -> UnlinkedPlan:
    if since is not None and (record.created_at is None or record.created_at.date() < since):
        return UnlinkedPlan(Lot.LEAVE, reason=f"created before {since.isoformat()}")
    return UnlinkedPlan(Lot.CREATE)
