"""The oracle of the stateful test: two plain dicts and a base for each pair, and the documented policy on them.

Values are text as the sync's own pages show them ("120.00", "2026-05-04"), None for a blank. Nothing here knows of
snapshots, stamps, cursors, journals or requests.
"""

from dataclasses import dataclass, field
from typing import Any

from nexudus_sync.mapping import Side

Values = dict[str, str | None]
MANUAL = frozenset({"status", "sales_stage", "opportunity_amount"})
"""The shipped mapping leaves these to a person when both sides changed them; for the others the newest wins."""
FIELDS = (
    "title", "status", "sales_stage", "lost_reasons", "opportunity_amount", "expected_closing", "opportunity_owner",
    "utm_source", "utm_campaign",
)  # fmt: skip
CLASSES = {"Quotation": "Open", "Replied": "Open", "Closed": "Lost"}
"""What Nexudus says for an opportunity status; any other is its own word."""
NEVER = object()
"""The base of a field on which the two sides never agreed."""


def word(value: Any) -> Any:
    """The first of the value's class: what Nexudus says for it."""
    return CLASSES.get(value, value)


@dataclass
class Pair:
    """One opportunity: what each side says (None: it has no such record), and what they last agreed on.

    `state`: "new" (no counterpart yet), "ignored", "linked", "parted" (closed; nothing travels any more). `at`: when a
    person last touched each side. `shown` holds the open conflicts, `taken` a person's choice on one of them.
    `reasons`: the CRM's lost reasons after the first. `email`: the customer's, by which a record is known for good.
    """

    says: dict[Side, Values | None]
    email: str = ""
    ids: dict[Side, str] = field(default_factory=dict)
    state: str = "new"
    base: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(FIELDS, NEVER))
    at: dict[Side, float] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    shown: dict[str, dict[Side, str | None]] = field(default_factory=dict)
    taken: dict[str, Side] = field(default_factory=dict)
    told: bool = False
    """A person asked for it to be linked or parted: not again before a cycle has done so."""
    asked: bool = False
    """Deleted on one side and edited on the other: a person is asked which it shall be."""
    asked_about: Values = field(default_factory=dict)
    """The edits that the question shows."""
    answer: Side | None = None
    """What the person said."""
    refill: Values = field(default_factory=dict)
    """What ERPNext puts into a field that a save leaves empty: its lead's value."""
    cleared: set[str] = field(default_factory=set)
    """Which of those were cleared in Nexudus: what comes back a second time is held as unstable."""

    def set(self, side: Side, name: str, value: str | None) -> None:
        """One side says something else now."""
        said = self.says[side]
        assert said is not None
        if side is Side.CRM and value is None:
            value = self.refill.get(name)
        if side is Side.CRM and name == "lost_reasons" and value is None:
            self.reasons = []
        said[name] = word(value) if side is Side.NEXUDUS else value

    def value(self, side: Side, name: str) -> str | None:
        """What a side says."""
        said = self.says[side]
        assert said is not None
        return said[name]

    @property
    def twins(self) -> bool:
        """Entered on both sides, and not matched yet."""
        return self.state == "new" and None not in self.says.values()

    @property
    def gone(self) -> Side | None:
        """The side whose record was deleted; None when both are there (or neither ever was)."""
        missing = [side for side in Side if self.says[side] is None]
        return missing[0] if len(missing) == 1 and self.state == "linked" else None

    def edits(self, side: Side) -> Values:
        """What a side says where it says anything else than when both last agreed."""
        said = {name: self.value(side, name) for name in FIELDS if self.base[name] is not NEVER}
        return {name: value for name, value in said.items() if word(value) != self.base[name]}


def sync(pair: Pair, forced: Values) -> None:
    """A cycle's doing for a pair of which both records are there. `forced`: what an undo brings back."""
    for name in FIELDS:
        if name in forced:
            _both(pair, name, forced[name])
        else:
            _field(pair, name)


def _field(pair: Pair, name: str) -> None:
    said = {side: pair.value(side, name) for side in Side}
    nexudus, crm = word(said[Side.NEXUDUS]), word(said[Side.CRM])
    base = pair.base[name]
    if nexudus == crm:
        _agree(pair, name, nexudus)
    elif base is NEVER and None in (nexudus, crm):
        _carry(pair, name, Side.CRM if nexudus is None else Side.NEXUDUS)
    elif base is not NEVER and base in (nexudus, crm):
        _carry(pair, name, Side.CRM if base == nexudus else Side.NEXUDUS)
    else:
        winner = _decided(pair, name, said)
        if winner is None:
            pair.shown[name], _ = said, pair.taken.pop(name, None)
        else:
            _carry(pair, name, winner)


def _decided(pair: Pair, name: str, said: dict[Side, str | None]) -> Side | None:
    """Who wins where both sides say something new: a person's choice for these very values, else the policy."""
    if name in pair.taken and pair.shown[name] == said:
        return pair.taken[name]
    if name in MANUAL or pair.base[name] is NEVER:
        return None
    return max(Side, key=lambda side: pair.at[side])


def _carry(pair: Pair, name: str, source: Side) -> None:
    value = pair.value(source, name)
    pair.set(source.other, name, value)
    _agree(pair, name, word(value))


def _both(pair: Pair, name: str, value: str | None) -> None:
    for side in Side:
        if word(pair.value(side, name)) != word(value):
            pair.set(side, name, value)
    _agree(pair, name, word(value))


def _agree(pair: Pair, name: str, value: str | None) -> None:
    pair.base[name] = value
    pair.shown.pop(name, None)
    pair.taken.pop(name, None)
