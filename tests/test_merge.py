"""What becomes of one field: the tables at the top of `merge`, and what holds whatever the values are."""

from dataclasses import FrozenInstanceError, fields, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.mapping import Context, Field, Side, Table
from nexudus_sync.merge import (
    CLOSE_CALL,
    UNSENT,
    Outcome,
    Policy,
    Resolution,
    Verdict,
    View,
    kept_differently,
    merge,
    merge_field,
)
from nexudus_sync.opportunity import say
from pairs import (
    AGREED,
    AMOUNT,
    CONFLICT,
    NEW,
    NOON,
    NOTHING,
    NOWHERE,
    SENT,
    STATUS,
    TEXT,
    Told,
    decide,
    field_of,
    mapping_of,
    mirrored_field,
    mirrored_policy,
    parked,
    swapped,
    to_crm,
    to_nexudus,
    told,
    views,
)

MANUAL, NEWEST = 'on_conflict = "manual"', 'on_conflict = "newest"'
FROM_NEXUDUS, FROM_CRM = 'sync = "from-nexudus"', 'sync = "from-crm"'
BAD = ["no text"]
"""What a text field cannot read."""
Two = tuple[Any, Any]
"""What concerns Nexudus, then what concerns the CRM."""


# --- the table of changes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (("a", "a"), ("a", "a"), NOTHING),
        (("a", "a"), ("b", "a"), to_crm()),
        (("a", "a"), ("a", "b"), to_nexudus()),
        (("a", "a"), ("b", "b"), AGREED),
        (("a", "a"), ("b", "c"), CONFLICT),
        (("a", "a"), (None, "a"), to_crm()),
        (("a", "a"), ("a", None), to_nexudus()),
        (("a", "a"), (None, "b"), CONFLICT),
        (("a", "a"), ("b", None), CONFLICT),
        (("a", "a"), (None, ""), AGREED),
        ((None, ""), ("", None), NOTHING),
        (("a", "a"), (" a\t", "a"), NOTHING),
        (("a", "b"), ("a", "b"), NOTHING),
        (("a", "b"), ("c", "b"), to_crm()),
        (("a", "b"), ("b", "b"), AGREED),
    ],
)
def test_a_two_way_field_follows_whoever_changed_it(then: Two, now: Two, expected: Told) -> None:
    assert told(decide(field_of(rules=MANUAL), then, now)) == expected


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ((NEW, NEW), ("a", "a"), AGREED),
        ((NEW, NEW), (None, ""), AGREED),
        ((NEW, NEW), ("a", None), to_crm()),
        ((NEW, NEW), (" ", "a"), to_nexudus()),
        ((NEW, NEW), ("a", "b"), CONFLICT),
        (("a", NEW), ("a", "b"), CONFLICT),
        ((NEW, "a"), ("b", "a"), CONFLICT),
        (("a", NEW), ("a", None), to_crm()),
        (("a", NEW), (None, "a"), to_nexudus()),
        ((NEW, "a"), ("a", "a"), AGREED),
        ((SENT, NEW), ("a", "b"), CONFLICT),
    ],
)
def test_a_field_that_never_agreed_is_a_first_match_in_which_a_value_fills_a_blank(
    then: Two, now: Two, expected: Told
) -> None:
    assert told(decide(field_of(rules=MANUAL), then, now)) == expected


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ((SENT, None), ("a", None), to_crm()),
        ((SENT, "b"), ("a", "b"), to_crm()),
        (("b", SENT), ("b", "a"), to_nexudus()),
        ((SENT, "b"), (None, "b"), to_crm()),
        ((SENT, None), (None, None), AGREED),
        ((SENT, "b"), ("a", "a"), AGREED),
        ((SENT, "b"), ("a", "c"), CONFLICT),
    ],
)
def test_what_was_never_delivered_counts_as_a_change_of_its_source(then: Two, now: Two, expected: Told) -> None:
    assert told(decide(field_of(rules=MANUAL), then, now)) == expected


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (("a", "a"), ("b", "a"), to_crm()),
        (("a", "a"), ("a", "b"), NOTHING),
        (("a", "a"), ("b", "c"), to_crm(lost="c")),
        (("a", "a"), ("b", "b"), AGREED),
        (("a", "a"), ("a", "a"), NOTHING),
        (("a", "a"), (None, "a"), to_crm()),
        ((NEW, NEW), ("a", None), to_crm()),
        ((NEW, NEW), ("a", "b"), to_crm(lost="b")),
        ((NEW, NEW), (None, "b"), NOTHING),
        ((NEW, NEW), ("a", "a"), AGREED),
        ((SENT, None), ("a", None), to_crm()),
        (("a", SENT), ("a", "b"), NOTHING),
    ],
)
def test_a_one_way_field_moves_only_when_its_source_does(then: Two, now: Two, expected: Told) -> None:
    field = field_of(rules=f"{FROM_NEXUDUS}\n{MANUAL}")
    assert told(decide(field, then, now)) == expected
    mirror = Told(expected.verdict, expected.to and expected.to.other, expected.lost)
    field = field_of(rules=f"{FROM_CRM}\n{MANUAL}")
    assert told(decide(field, (then[1], then[0]), (now[1], now[0]))) == mirror


@pytest.mark.parametrize("rules", ["", FROM_NEXUDUS, FROM_CRM])
@pytest.mark.parametrize(
    ("then", "now"),
    [
        (("a", "a"), (BAD, "a")),
        (("a", "a"), ("a", BAD)),
        (("a", "a"), (BAD, "b")),
        (("a", BAD), ("b", BAD)),
        ((BAD, "a"), (BAD, "b")),
        ((BAD, "a"), ("a", {"no": "text"})),
        ((NEW, NEW), ("a", BAD)),
        ((SENT, "a"), (BAD, "a")),
        ((NEW, NEW), (BAD, None)),
    ],
)
def test_a_value_that_cannot_be_read_waits_as_a_visible_failure(rules: str, then: Two, now: Two) -> None:
    assert told(decide(field_of(rules=rules), then, now)) == parked("unreadable")


def test_the_reason_says_which_system_has_what_it_cannot_read() -> None:
    outcome = decide(field_of(), ("a", "a"), ("a", BAD))
    assert outcome.reason == "the CRM has ['no text'] in c, which is not text"
    assert (outcome.nexudus, outcome.crm, outcome.base) == (None, None, None)


def test_what_was_unreadable_at_the_last_agreement_and_still_stands_is_no_change() -> None:
    assert told(decide(field_of(), ("a", BAD), ("a", BAD))) == NOTHING


def test_a_field_that_was_unreadable_and_says_something_now_has_changed() -> None:
    assert told(decide(field_of(), ("a", BAD), ("a", "b"))) == to_nexudus()


# --- classes and spellings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ((1, "Open"), (1, "Quotation"), NOTHING),
        ((1, "Open"), (0, "Replied"), NOTHING),
        ((1, "Open"), ("1", "open"), NOTHING),
        ((1, "Quotation"), (3, "Quotation"), to_crm()),
        ((1, "Quotation"), (1, "Closed"), to_nexudus()),
        ((1, "Quotation"), (3, "Closed"), AGREED),
        ((1, "Quotation"), (3, "Converted"), CONFLICT),
        ((NEW, NEW), (1, "Replied"), AGREED),
        ((NEW, NEW), (1, "Lost"), CONFLICT),
        ((1, "Open"), (9, "Open"), parked("unreadable")),
        ((1, "Open"), (1, "Merged"), to_nexudus()),
    ],
)
def test_values_of_a_table_are_compared_by_class(then: Two, now: Two, expected: Told) -> None:
    assert told(decide(field_of(STATUS, MANUAL), then, now)) == expected


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ((Decimal("100.50"), "100.5"), (Decimal("100.500"), " 100.50"), NOTHING),
        ((0, None), (None, Decimal("0.00")), NOTHING),
        ((NEW, NEW), (Decimal(0), 250), to_nexudus()),
        ((NEW, NEW), (Decimal("0.004"), None), AGREED),
        ((100, 100), (Decimal("100.004"), 100), NOTHING),
        ((100, 100), (Decimal("100.005"), 100), to_crm()),
    ],
)
def test_amounts_are_compared_in_the_minor_unit_and_zero_is_blank(then: Two, now: Two, expected: Told) -> None:
    assert told(decide(field_of(AMOUNT, MANUAL), then, now)) == expected


def test_an_edited_mapping_makes_no_phantom_changes() -> None:
    narrow = field_of((STATUS[0].replace('2 = ["Converted"]', '2 = ["Converted", "Won"]'), STATUS[1]))
    for field in (field_of(STATUS), narrow):
        assert told(decide(field, (2, "Won"), (2, "Won"))) == NOTHING
    assert told(decide(narrow, (2, "Converted"), (2, "Won"))) == NOTHING
    assert told(decide(field_of(STATUS), (2, "Converted"), (2, "Won"))) == to_nexudus()


def test_a_renamed_stage_is_no_change_because_it_is_held_by_id() -> None:
    field = field_of(('path = "N"\ntype = "stage"', 'path = "c"'))
    stages = Context(directories={"stage": Table(((101, "Toured"), (102, "Won")))})
    nexudus = View({"N": 101}, {"N": 101}, stages)
    crm = View({"c": "Tour booked"}, {"c": "Tour booked"}, NOWHERE)
    assert told(merge_field(field, nexudus, crm, Policy())) == NOTHING
    assert told(merge_field(field, replace(nexudus, record={"N": 102}), crm, Policy())) == to_crm()


def test_a_blank_that_the_mapping_gives_a_meaning_is_a_value_and_not_a_gap_to_fill() -> None:
    blank = 'blank = "Open"\n'
    field = field_of((blank + STATUS[0], STATUS[1] + f"\n{blank}"), MANUAL)
    assert told(decide(field, (NEW, NEW), (None, ""))) == AGREED
    assert told(decide(field, (NEW, NEW), (None, "Quotation"))) == AGREED
    assert told(decide(field, (NEW, NEW), (None, "Lost"))) == CONFLICT
    assert decide(field, (None, None), (2, "Lost")).base == "Open"


# --- what an outcome tells ------------------------------------------------------------------------------------------


def test_an_outcome_tells_what_both_sides_say_and_what_they_agreed_on_last() -> None:
    field = field_of(rules=MANUAL)
    assert decide(field, ("a", "a"), ("b ", "c")) == Outcome(field, Verdict.CONFLICT, "b", "c", "a")
    assert decide(field, ("a", "a"), ("b", "a")) == Outcome(field, Verdict.TRAVELS, "b", "a", "a", Side.CRM)
    assert decide(field, ("a", "a"), ("a", "b")) == Outcome(field, Verdict.TRAVELS, "a", "b", "a", Side.NEXUDUS)
    assert decide(field, ("a", "a"), ("b", "b")) == Outcome(field, Verdict.AGREED, "b", "b", "a")
    assert decide(field, ("a", "a"), ("a", "a")) == Outcome(field, Verdict.NOTHING)


@pytest.mark.parametrize(
    ("then", "base"),
    [
        (("a", "a"), "a"),
        ((NEW, "a"), "a"),
        (("a", NEW), "a"),
        ((SENT, "a"), "a"),
        ((BAD, "a"), "a"),
        (("a", "b"), "a"),
        ((None, "b"), None),
        ((NEW, NEW), None),
        ((SENT, BAD), None),
    ],
)
def test_the_base_is_what_a_snapshot_still_tells(then: Two, base: str | None) -> None:
    assert decide(field_of(rules=MANUAL), then, ("x", "y")).base == base


def test_the_value_that_travels_is_the_one_of_the_side_it_comes_from() -> None:
    field = field_of()
    assert Outcome(field, Verdict.TRAVELS, "n", "c", to=Side.CRM).value == "n"
    assert Outcome(field, Verdict.TRAVELS, "n", "c", to=Side.NEXUDUS).value == "c"


def test_an_outcome_repeats_each_side() -> None:
    outcome = Outcome(field_of(), Verdict.CONFLICT, "n", "c")
    assert [outcome.says(side) for side in Side] == ["n", "c"]


def test_fields_are_decided_one_by_one_in_the_mappings_order() -> None:
    mapping = mapping_of(
        (('path = "Name"', 'path = "title"'), "", "title"),
        (('path = "Notes"', 'path = "notes"'), MANUAL, "notes"),
        (('path = "Utm"', 'path = "utm"'), "", "utm"),
    )
    nexudus = View({"Name": "b", "Notes": "x"}, {"Name": "a", "Notes": "o", "Utm": None}, NOWHERE)
    crm = View({"title": "a", "notes": "y"}, {"title": "a", "notes": "o", "utm": None}, NOWHERE)
    found = merge(mapping, nexudus, crm, Policy())
    assert [(o.field.name, told(o)) for o in found] == [("title", to_crm()), ("notes", CONFLICT), ("utm", NOTHING)]


@pytest.mark.parametrize(
    "plain",
    [
        View({}, {}, NOWHERE),
        Resolution(Side.CRM, "a", "b"),
        Outcome(field_of(), Verdict.NOTHING),
        Policy(),
    ],
    ids=lambda plain: type(plain).__name__,
)
def test_what_goes_in_and_what_comes_out_cannot_be_changed_on_its_way(plain: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(plain, fields(plain)[0].name, "changed")
    assert not hasattr(plain, "__dict__")


def test_the_words_of_an_outcome_are_those_of_the_table() -> None:
    assert [verdict.value for verdict in Verdict] == [verdict.name.lower() for verdict in Verdict]


def test_the_mark_of_what_was_never_delivered_is_as_stores_hold_it() -> None:
    assert UNSENT == {"$unsent": True}


# --- who wins -------------------------------------------------------------------------------------------------------

BOTH = (("a", "a"), ("b", "c"))
FIRST = ((NEW, NEW), ("b", "c"))


@pytest.mark.parametrize(
    ("rule", "later", "first"),
    [
        ("manual", CONFLICT, CONFLICT),
        ("nexudus", to_crm(lost="c"), to_crm(lost="c")),
        ("crm", to_nexudus(lost="b"), to_nexudus(lost="b")),
        ("newest", to_nexudus(lost="b"), CONFLICT),
    ],
)
def test_on_conflict_decides_value_against_value(rule: str, later: Told, first: Told) -> None:
    field, at = field_of(rules=f'on_conflict = "{rule}"'), (NOON, NOON + timedelta(minutes=1))
    assert told(decide(field, *BOTH, at)) == later
    assert told(decide(field, *FIRST, at)) == first


def test_on_conflict_is_newest_where_the_mapping_does_not_say() -> None:
    assert told(decide(field_of(), *BOTH, (NOON + timedelta(minutes=1), NOON))) == to_crm(lost="c")


@pytest.mark.parametrize(
    ("first_match", "expected"),
    [
        ("manual", CONFLICT),
        ("nexudus", to_crm(lost="c")),
        ("crm", to_nexudus(lost="b")),
        ("newest", to_crm(lost="c")),
    ],
)
def test_first_match_stands_in_for_newest_where_there_is_no_base(first_match: str, expected: Told) -> None:
    at = (NOON + timedelta(minutes=1), NOON)
    policy = Policy(first_match)
    assert told(decide(field_of(rules=NEWEST), *FIRST, at, policy)) == expected
    assert told(decide(field_of(rules=NEWEST), *BOTH, at, policy)) == to_crm(lost="c")
    assert told(decide(field_of(rules=MANUAL), *FIRST, at, policy)) == CONFLICT
    assert told(decide(field_of(rules='on_conflict = "crm"'), *FIRST, at, policy)) == to_nexudus(lost="b")


SECOND, TICK = timedelta(seconds=1), timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("lead", "expected"),
    [
        (timedelta(0), CONFLICT),
        (SECOND, CONFLICT),
        (2 * SECOND, CONFLICT),
        (2 * SECOND + TICK, to_crm(lost="c")),
        (-SECOND, CONFLICT),
        (-2 * SECOND, CONFLICT),
        (-2 * SECOND - TICK, to_nexudus(lost="b")),
    ],
)
def test_newest_is_manual_up_to_two_seconds_apart(lead: timedelta, expected: Told) -> None:
    assert told(decide(field_of(rules=NEWEST), *BOTH, (NOON + lead, NOON))) == expected


def test_a_close_call_is_two_seconds() -> None:
    assert timedelta(seconds=2) == CLOSE_CALL


@pytest.mark.parametrize("at", [(None, None), (NOON, None), (None, NOON)])
def test_newest_is_manual_when_a_side_does_not_say_when_it_changed(at: tuple[datetime | None, datetime | None]) -> None:
    assert told(decide(field_of(rules=NEWEST), *BOTH, at)) == CONFLICT


def test_newest_compares_moments_and_not_clock_faces() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=1)))
    assert told(decide(field_of(rules=NEWEST), *BOTH, (elsewhere, NOON))) == CONFLICT


@pytest.mark.parametrize(
    ("rule", "asked", "expected"),
    [
        ("newest", ("b", "c"), CONFLICT),
        ("newest", ("b", "other"), to_crm(lost="c")),
        ("newest", ("other", "c"), to_crm(lost="c")),
        ("nexudus", ("b", "c"), to_crm(lost="c")),
    ],
)
def test_what_is_asked_is_not_decided_by_what_else_changes(rule: str, asked: tuple[str, str], expected: Told) -> None:
    field, at = field_of(rules=f'on_conflict = "{rule}"'), (NOON + 3 * SECOND, NOON)
    assert told(decide(field, *BOTH, at, Policy(asked={"x": asked}))) == expected
    assert told(decide(field, *BOTH, at, Policy(asked={"y": ("b", "c")}))) == to_crm(lost="c")
    answer = {"x": Resolution(Side.CRM, "b", "c")}
    assert told(decide(field, *BOTH, at, Policy(resolutions=answer, asked={"x": asked}))) == to_nexudus(lost="b")


# --- what a person decided ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [BOTH, FIRST])
@pytest.mark.parametrize("rule", ["manual", "newest", "nexudus", "crm"])
def test_a_resolution_for_the_values_shown_outranks_every_rule(rule: str, case: tuple[Two, Two]) -> None:
    field, at = field_of(rules=f'on_conflict = "{rule}"'), (NOON, NOON + timedelta(hours=1))
    for take, expected in ((Side.NEXUDUS, to_crm(lost="c")), (Side.CRM, to_nexudus(lost="b"))):
        policy = Policy(resolutions={"x": Resolution(take, "b", "c")})
        assert told(decide(field, *case, at=at, policy=policy)) == expected


@pytest.mark.parametrize(
    "resolutions",
    [
        {"x": Resolution(Side.CRM, "b", "other")},
        {"x": Resolution(Side.CRM, "other", "c")},
        {"x": Resolution(Side.CRM, "c", "b")},
        {"y": Resolution(Side.CRM, "b", "c")},
    ],
)
def test_a_resolution_for_other_values_or_another_field_reopens_the_conflict(
    resolutions: dict[str, Resolution],
) -> None:
    assert told(decide(field_of(rules=MANUAL), *BOTH, policy=Policy(resolutions=resolutions))) == CONFLICT


def test_a_resolution_knows_money_by_its_digits() -> None:
    policy = Policy(resolutions={"x": Resolution(Side.CRM, "10.50", "12.00")})
    now = (Decimal("10.5"), Decimal(12))
    assert told(decide(field_of(AMOUNT, MANUAL), (9, 9), now, policy=policy)) == to_nexudus(lost=Decimal("10.50"))


def test_a_resolution_is_not_asked_where_only_one_side_changed() -> None:
    policy = Policy(resolutions={"x": Resolution(Side.CRM, "b", "a")})
    assert told(decide(field_of(rules=MANUAL), ("a", "a"), ("b", "a"), policy=policy)) == to_crm()


# --- whatever the values are ----------------------------------------------------------------------------------------

RULES = [
    f'{sync}\non_conflict = "{rule}"'
    for sync in ("", FROM_NEXUDUS, FROM_CRM)
    for rule in ("manual", "newest", "nexudus", "crm")
]
KINDS: list[tuple[list[Field], list[Any], list[Any]]] = [
    ([field_of(TEXT, rules) for rules in RULES], [None, "", "a", " a", "A", "b", BAD], [None, "a", "A", "b", BAD]),
    (
        [field_of(STATUS, rules) for rules in RULES],
        [None, 0, 1, 2, 3, "3", 9],
        [None, "Open", "Quotation", "Lost", "Closed", "Merged", BAD],
    ),
    (
        [field_of(AMOUNT, rules) for rules in RULES],
        [None, 0, 1, Decimal("1.00"), Decimal("1.004"), "2", "much"],
        [None, Decimal(0), 1, Decimal("1.01"), 2, "much"],
    ),
]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Field, dict[Side, View], Policy]:
    fields, nexudus, crm = draw(st.sampled_from(KINDS))
    field = draw(st.sampled_from(fields))
    now = draw(st.sampled_from(nexudus)), draw(st.sampled_from(crm))
    then = draw(st.sampled_from([NEW, SENT, *nexudus])), draw(st.sampled_from([NEW, SENT, *crm]))
    moments = st.sampled_from([None, NOON, NOON + timedelta(seconds=2), NOON + timedelta(seconds=3)])
    policy = Policy(draw(st.sampled_from(["manual", "newest", "nexudus", "crm"])))
    sides = views(field, then, now, (draw(moments), draw(moments)))
    if draw(st.booleans()):
        seen = merge_field(field, sides[Side.NEXUDUS], sides[Side.CRM], policy)
        choice = Resolution(draw(st.sampled_from(list(Side))), say(seen.nexudus), say(seen.crm))
        policy = replace(policy, resolutions={"x": choice})
    return field, sides, policy


def merged(field: Field, sides: dict[Side, View], policy: Policy) -> Outcome:
    return merge_field(field, sides[Side.NEXUDUS], sides[Side.CRM], policy)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_swapping_the_sides_mirrors_the_outcome(case: tuple[Field, dict[Side, View], Policy]) -> None:
    field, sides, policy = case
    here = merged(field, sides, policy)
    there = merged(mirrored_field(field), swapped(sides), mirrored_policy(policy))
    assert (there.verdict, there.nexudus, there.crm, there.lost, there.kind) == (
        here.verdict,
        here.crm,
        here.nexudus,
        here.lost,
        here.kind,
    )
    assert there.to == (here.to and here.to.other)


@settings(max_examples=200, deadline=None)
@given(cases(), st.sampled_from(KINDS))
def test_where_neither_side_changed_nothing_happens_whatever_the_mapping_says_now(
    case: tuple[Field, dict[Side, View], Policy], kind: tuple[list[Field], list[Any], list[Any]]
) -> None:
    _, sides, policy = case
    still = {
        side: replace(view, snapshot={path: view.record.get(path)})
        for side, path, view in zip(Side, ("N", "c"), sides.values(), strict=True)
    }
    for field in kind[0]:
        assert merged(field, still, policy) == Outcome(field, Verdict.NOTHING)


@settings(max_examples=200, deadline=None)
@given(cases(), st.text(max_size=3), st.integers())
def test_the_rest_of_the_records_makes_no_difference(
    case: tuple[Field, dict[Side, View], Policy], text: str, number: int
) -> None:
    field, sides, policy = case
    noisy = {
        side: replace(view, record={"Other": text, **view.record, "Id": number}, snapshot={**view.snapshot, "Other": 1})
        for side, view in sides.items()
    }
    assert merged(field, noisy, policy) == merged(field, sides, policy)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_a_value_that_somebody_wrote_is_never_overruled_without_a_trace(
    case: tuple[Field, dict[Side, View], Policy],
) -> None:
    field, sides, policy = case
    outcome = merged(field, sides, policy)
    if outcome.to is None:
        assert outcome.lost is None
        return
    written_over, path = outcome.says(outcome.to), field.lens(outcome.to).path.text
    then = sides[outcome.to].snapshot.get(path, SENT)
    first = any(field.lens(side).path.text not in view.snapshot for side, view in sides.items())
    stood_there = then not in (SENT, BAD, 9, "much") and field.same(field.read(outcome.to, then, NOWHERE), written_over)
    assert outcome.lost == (written_over if first or not stood_there else None)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_only_readable_values_travel_or_are_asked_about(case: tuple[Field, dict[Side, View], Policy]) -> None:
    field, sides, policy = case
    unreadable = any(sides[side].record.get(path) in (BAD, 9, "much") for side, path in zip(Side, "Nc", strict=True))
    outcome = merged(field, sides, policy)
    assert outcome.verdict in ({Verdict.NOTHING, Verdict.PARKED} if unreadable else set(Verdict) - {Verdict.PARKED})
    assert (outcome.kind, bool(outcome.reason)) == (
        ("unreadable", True) if outcome.verdict is Verdict.PARKED else ("", False)
    )


# --- texts of which a side keeps a rendering --------------------------------------------------------------------------

WROTE = frozenset({"x"})
"""The field, as a write of ours was about it."""


def kept(then: Two, now: Two, *, side: Side = Side.CRM, field: Field | None = None) -> Outcome:
    """The outcome where what a side says now bears the stamp of our own write to it."""
    sides = {
        Side.NEXUDUS: View({"N": now[0]}, {"N": then[0]}, Context()),
        Side.CRM: View({"c": now[1]}, {"c": then[1]}, Context()),
    }
    sides[side] = replace(sides[side], written=WROTE)
    return merge_field(field or field_of(), sides[Side.NEXUDUS], sides[Side.CRM], Policy())


def test_what_a_system_made_of_our_write_is_agreed_on_and_told() -> None:
    outcome = kept(("Tour 🎉", "Tour 🎉"), ("Tour 🎉", "Tour ?"))
    assert (outcome.verdict, outcome.kind, outcome.to) == (Verdict.AGREED, "stored-differently", None)
    assert outcome.reason.startswith('the CRM stores "Tour 🎉" as "Tour ?"')
    outcome = kept(("Tour 🎉", "Tour 🎉"), ("Tour ?", "Tour 🎉"), side=Side.NEXUDUS)
    assert outcome.reason.startswith('Nexudus stores "Tour 🎉" as "Tour ?"')


def test_both_sides_can_store_a_text_differently_at_once() -> None:
    sides = (
        View({"N": "Tour ?"}, {"N": "Tour 🎉"}, Context(), written=WROTE),
        View({"c": "tour 🎉"}, {"c": "Tour 🎉"}, Context(), written=WROTE),
    )
    outcome = merge_field(field_of(), *sides, Policy())
    assert (outcome.verdict, outcome.kind) == (Verdict.AGREED, "stored-differently")
    assert outcome.reason.startswith("Nexudus stores")
    assert "; the CRM stores" in outcome.reason


def test_a_long_text_is_shown_by_its_beginning() -> None:
    outcome = kept(("x" * 200, "x" * 200), ("x" * 200, "x" * 100))
    assert outcome.reason.count("x" * 80 + "…") == 2


def test_an_edit_of_the_other_side_travels_over_a_rendering() -> None:
    outcome = kept(("Tour 🎉", "Tour 🎉"), ("Visit", "Tour ?"))
    assert (outcome.verdict, outcome.to, outcome.value, outcome.kind) == (Verdict.TRAVELS, Side.CRM, "Visit", "")


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (("Tour", "Tour"), ("Tour", "Prospect"), to_nexudus()),
        (("Tour", "Tour"), ("Tour", None), to_nexudus()),
        (("Tour", UNSENT), ("Tour", "Tou"), to_nexudus()),
        (("Tour", BAD), ("Tour", "Tou"), to_nexudus()),
        (("Tour 🎉", "Tour 🎉"), ("Tour ?", "Tour ?"), AGREED),
    ],
)
def test_whatever_else_it_says_is_its_own_change(then: Two, now: Two, expected: Told) -> None:
    assert told(kept(then, now)) == expected


def test_without_the_stamp_of_our_write_a_rendering_is_an_edit() -> None:
    assert told(kept(("Tour 🎉", "Tour 🎉"), ("Tour 🎉", "Tour ?"), side=Side.NEXUDUS)) == to_nexudus()


def test_a_name_of_a_table_is_no_text_to_be_rendered() -> None:
    outcome = kept((1, "Open"), (1, "Lost"), field=field_of(STATUS))
    assert (outcome.verdict, outcome.kind) == (Verdict.TRAVELS, "")


def test_a_number_is_no_text_to_be_rendered() -> None:
    outcome = kept((Decimal(10), Decimal(10)), (Decimal(10), Decimal(1)), field=field_of(AMOUNT))
    assert (outcome.verdict, outcome.kind) == (Verdict.TRAVELS, "")


def test_another_stage_is_no_rendering_though_it_begins_like_the_one_that_was_sent() -> None:
    stage = ('path = "N"\ntype = "stage"', 'path = "c"')
    context = Context(directories={"stage": Table(((1, "Proposal sent"), (2, "Proposal")))})
    views = (
        View({"N": 1}, {"N": 1}, context),
        View({"c": "Proposal"}, {"c": "Proposal sent"}, Context(), written=WROTE),
    )
    outcome = merge_field(field_of(stage), *views, Policy())
    assert (outcome.verdict, outcome.value) == (Verdict.TRAVELS, "Proposal")


def test_only_free_texts_of_both_sides_are_kept_differently() -> None:
    chosen = field_of(('path = "N"\ntype = "link"', 'path = "c"'))
    assert kept_differently(field_of(), Side.CRM, "Desk 1", "desk 1", NOWHERE)
    assert [kept_differently(chosen, side, "Desk 1", "desk 1", NOWHERE) for side in Side] == ["", ""]


@pytest.mark.parametrize(("length", "shown"), [(80, "x" * 80), (81, "x" * 80 + "…")])
def test_a_long_text_is_cut_where_it_is_shown(length: int, shown: str) -> None:
    told = kept_differently(field_of(), Side.CRM, "X" * length, "x" * length, NOWHERE)
    assert f'as "{shown}"; ' in told
