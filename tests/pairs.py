"""One field on two small records, and what the merge and the plan make of it."""

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from nexudus_sync.mapping import Context, Field, Mapping, OnConflict, Side, Sync, pair, parse
from nexudus_sync.merge import UNSENT, Outcome, Policy, Verdict, View, merge_field

NEW: Any = object()
"""In place of a snapshot's value: the path was never agreed on."""
SENT = UNSENT
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOWHERE = Context()

TEXT = ('path = "N"', 'path = "c"')
STATUS = (
    """
path = "N"
[fields.x.values]
1 = ["Open", "Quotation", "Replied"]
2 = ["Converted"]
3 = ["Lost", "Closed"]
0 = ["Open"]
""",
    'path = "c"',
)
AMOUNT = ('path = "N"\ntype = "decimal"', 'path = "c"\ntype = "decimal"')


def field_of(places: tuple[str, str] = TEXT, rules: str = "", name: str = "x") -> Field:
    """The field "x" of two mapping files; `rules` are further lines of the CRM's."""
    return mapping_of((places, rules, name)).fields[0]


def mapping_of(*fields: tuple[tuple[str, str], str, str]) -> Mapping:
    """A mapping of several fields: each (places, rules, name)."""
    nexudus, crm = "", ""
    for places, rules, name in fields:
        lines = places[1].split("\n", 1)
        nexudus += f"[fields.{name}]\n{places[0]}\n".replace("fields.x.", f"fields.{name}.")
        crm += f"[fields.{name}]\n{lines[0]}\n{rules}\n{''.join(lines[1:])}\n".replace("fields.x.", f"fields.{name}.")
    return pair(parse(nexudus, "n.toml", Side.NEXUDUS), parse(crm, "c.toml", Side.CRM))


def views(
    field: Field,
    then: tuple[Any, Any],
    now: tuple[Any, Any],
    at: tuple[datetime | None, datetime | None] = (None, None),
) -> dict[Side, View]:
    """Both sides of a link of this one field."""
    made = {}
    for side, before, raw, moment in zip(Side, then, now, at, strict=True):
        path = field.lens(side).path
        snapshot = {} if before is NEW else {path.text: before}
        made[side] = View(path.set({"Id": side.value}, raw), snapshot, NOWHERE, moment)
    return made


def decide(
    field: Field,
    then: tuple[Any, Any],
    now: tuple[Any, Any],
    at: tuple[datetime | None, datetime | None] = (None, None),
    policy: Policy | None = None,
) -> Outcome:
    """Merge one field: what the snapshots said `then`, what the records say `now`."""
    sides = views(field, then, now, at)
    return merge_field(field, sides[Side.NEXUDUS], sides[Side.CRM], policy or Policy())


@dataclass(frozen=True)
class Told:
    """An outcome without its field and its reason, short enough for a table."""

    verdict: Verdict
    to: Side | None = None
    lost: Any = None
    kind: str = ""


def told(outcome: Outcome) -> Told:
    return Told(outcome.verdict, outcome.to, outcome.lost, outcome.kind)


NOTHING, AGREED, CONFLICT, PASSED = (
    Told(Verdict.NOTHING),
    Told(Verdict.AGREED),
    Told(Verdict.CONFLICT),
    Told(Verdict.PASSED),
)


def to_crm(lost: Any = None) -> Told:
    return Told(Verdict.TRAVELS, Side.CRM, lost)


def to_nexudus(lost: Any = None) -> Told:
    return Told(Verdict.TRAVELS, Side.NEXUDUS, lost)


def parked(kind: str) -> Told:
    return Told(Verdict.PARKED, kind=kind)


_SWAP = {"nexudus": "crm", "crm": "nexudus"}


def mirrored_field(field: Field) -> Field:
    """The field with its two sides swapped, and its rules with them."""
    sync = {Sync.FROM_NEXUDUS: Sync.FROM_CRM, Sync.FROM_CRM: Sync.FROM_NEXUDUS}.get(field.sync, field.sync)
    on_conflict = OnConflict(_SWAP.get(field.on_conflict, field.on_conflict))
    rules = replace(field.policy, sync=sync, on_conflict=on_conflict)
    return replace(field, nexudus=field.crm, crm=field.nexudus, policy=rules)


def mirrored_policy(policy: Policy) -> Policy:
    """The connection's policy as seen from the other side."""
    resolutions = {
        name: replace(choice, take=choice.take.other, nexudus=choice.crm, crm=choice.nexudus)
        for name, choice in policy.resolutions.items()
    }
    return Policy(_SWAP.get(policy.first_match, policy.first_match), resolutions)


def swapped(sides: MappingABC[Side, View]) -> dict[Side, View]:
    return {side: sides[side.other] for side in Side}
