"""What a cycle does with the fields of a pair."""

from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import FrozenInstanceError, fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.mapping import Context, Mapping, Record, Side, Table, Unreadable, pair, parse
from nexudus_sync.mapping.shipped import shipped
from nexudus_sync.merge import Apart, Outcome, Policy, Resolution, Verdict, View
from nexudus_sync.opportunity import Value, say
from nexudus_sync.plan import (
    ASKED,
    UNSTABLE,
    FieldPlan,
    Hold,
    Holds,
    agreed_snapshot,
    differing_currencies,
    plan_fields,
    unsaid,
)
from nexudus_sync.plan.holds import Rules
from pairs import (
    AGREED,
    AMOUNT,
    CONFLICT,
    NEW,
    NOON,
    NOTHING,
    NOWHERE,
    PASSED,
    SENT,
    STATUS,
    TEXT,
    Told,
    field_of,
    mapping_of,
    parked,
    to_crm,
    to_nexudus,
    told,
    views,
)

NEXUDUS, CRM = Side.NEXUDUS, Side.CRM
MANUAL = 'on_conflict = "manual"'
Two = tuple[Any, Any]


FREE = Holds()
"""Nothing is held."""


def open_question(unread: Side, shown: Any, there: Any) -> tuple[Any, Any]:
    """What a question shows, Nexudus's value first: `shown` for the side that was read, `there` for the other."""
    return (there, shown) if unread is NEXUDUS else (shown, there)


def plan(
    places: tuple[str, str],
    rules: str,
    then: Two,
    now: Two,
    policy: Policy | None = None,
    name: str = "x",
    known: Iterable[Hold] = (),
    guard: Rules | None = None,
) -> FieldPlan:
    """Plan a pair of one field."""
    mapping = mapping_of((places, rules, name))
    holds = Holds(tuple(known)) if guard is None else Holds(tuple(known), guard)
    return plan_fields(mapping, views(mapping.fields[0], then, now), policy or Policy(), holds)


def keyed(kind: str, reason: str, *keys: str, seen: bool = False) -> list[Hold]:
    """What a connector's rule says of these keys of its record."""
    return [Hold(kind, reason, key=key, counts_as_seen=seen) for key in keys]


def restore(**values: Value) -> Policy:
    return Policy(restore=values)


def settle(mapping: Mapping, sides: MappingABC[Side, View], found: FieldPlan) -> dict[Side, View]:
    """Both sides after a cycle in which every write went well."""
    records = {side: found.after.get(side, view.record) for side, view in sides.items()}
    settled = {}
    for side, view in sides.items():
        snapshot = agreed_snapshot(found.outcomes, side, view)
        for lens in (o.field.lens(side) for o in found.outcomes if o.verdict is Verdict.TRAVELS):
            snapshot[lens.path.text] = lens.raw(records[side])
        settled[side] = replace(view, record=records[side], snapshot=snapshot)
    return settled


# --- writing what travels -------------------------------------------------------------------------------------------


def test_what_travels_is_put_on_the_other_sides_record() -> None:
    found = plan(TEXT, "", ("a", "a"), ("b", "a"))
    assert found.after == {CRM: {"Id": "crm", "c": "b"}}
    assert [told(o) for o in found.outcomes] == [to_crm()]
    assert found.writes(CRM) == found.outcomes
    assert found.writes(NEXUDUS) == ()


def test_both_sides_can_change_in_one_plan_and_nothing_else_on_them_does() -> None:
    mapping = mapping_of(
        (('path = "Name"', 'path = "title"'), "", "title"),
        (('path = "a.Notes"', 'path = "notes"'), "", "notes"),
        (('path = "a.Same"', 'path = "same"'), "", "same"),
    )
    then = {
        NEXUDUS: {"Name": "old", "a.Notes": "n", "a.Same": "s"},
        CRM: {"title": "old", "notes": "n", "same": "s"},
    }
    nexudus = {"Id": 1, "Name": "new", "a": {"Notes": "n", "Same": "s", "Else": None}, "Other": [1]}
    crm = {"id": "OPP-1", "title": "old", "notes": "changed", "same": " s", "tags": ["x"]}
    sides = {NEXUDUS: View(nexudus, then[NEXUDUS], NOWHERE), CRM: View(crm, then[CRM], NOWHERE)}
    found = plan_fields(mapping, sides, Policy(), FREE)
    assert found.after == {
        NEXUDUS: {"Id": 1, "Name": "new", "a": {"Notes": "changed", "Same": "s", "Else": None}, "Other": [1]},
        CRM: {"id": "OPP-1", "title": "new", "notes": "changed", "same": " s", "tags": ["x"]},
    }
    assert [o.field.name for o in found.writes(CRM)] == ["title"]
    assert [o.field.name for o in found.writes(NEXUDUS)] == ["notes"]
    assert (nexudus["Name"], crm["title"]) == ("new", "old")


def test_two_fields_that_travel_to_one_record_are_both_on_it() -> None:
    mapping = mapping_of((TEXT, "", "x"), (('path = "M"', 'path = "d"'), "", "y"))
    nexudus = View({"N": "b", "M": "c"}, {"N": "a", "M": "a"}, NOWHERE)
    crm = View({"c": "a", "d": "a"}, {"c": "a", "d": "a"}, NOWHERE)
    assert plan_fields(mapping, {NEXUDUS: nexudus, CRM: crm}, Policy(), FREE).after == {CRM: {"c": "b", "d": "c"}}


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (("a", "a"), ("a", "a"), NOTHING),
        (("a", "a"), ("b", "b"), AGREED),
        (("a", "a"), ("b", "c"), CONFLICT),
        (("a", "a"), (["?"], "b"), parked("unreadable")),
    ],
)
def test_only_what_travels_changes_a_record(then: Two, now: Two, expected: Told) -> None:
    found = plan(TEXT, MANUAL, then, now)
    assert [told(o) for o in found.outcomes] == [expected]
    assert found.after == {}


def test_a_person_s_choice_and_the_first_match_rule_reach_the_merge() -> None:
    chosen = Policy(resolutions={"x": Resolution(CRM, "b", "c")})
    assert plan(TEXT, MANUAL, ("a", "a"), ("b", "c"), chosen).after == {NEXUDUS: {"Id": "nexudus", "N": "c"}}
    assert plan(TEXT, "", (NEW, NEW), ("b", "c"), Policy("nexudus")).after == {CRM: {"Id": "crm", "c": "b"}}


# --- values that cannot be said -------------------------------------------------------------------------------------


def test_a_value_that_cannot_be_said_waits_and_says_what_to_add() -> None:
    found = plan(STATUS, "", (1, "Open"), (1, "Merged"))
    assert [told(o) for o in found.outcomes] == [parked("unmapped")]
    assert found.outcomes[0].reason == "'Merged' is not in n.toml: fields.x.values; add it to the line it belongs to"
    assert (found.outcomes[0].nexudus, found.outcomes[0].crm, found.outcomes[0].base) == ("Open", "Merged", "Open")
    assert found.after == {}


def test_a_value_that_cannot_be_said_holds_back_its_own_field_only() -> None:
    mapping = mapping_of((STATUS, "", "x"), (('path = "M"', 'path = "d"'), "", "y"))
    nexudus = View({"N": 1, "M": "a"}, {"N": 1, "M": "a"}, NOWHERE)
    crm = View({"c": "Merged", "d": "b"}, {"c": "Open", "d": "a"}, NOWHERE)
    found = plan_fields(mapping, {NEXUDUS: nexudus, CRM: crm}, Policy(), FREE)
    assert [told(o) for o in found.outcomes] == [parked("unmapped"), to_nexudus()]
    assert found.after == {NEXUDUS: {"N": 1, "M": "b"}}


def test_skip_passes_over_a_value_that_cannot_be_said() -> None:
    found = plan(STATUS, 'on_unmapped = "skip"', (1, "Open"), (1, "Merged"))
    assert [told(o) for o in found.outcomes] == [PASSED]
    assert found.outcomes[0].reason == ""
    assert found.after == {}


def test_what_holds_an_unsaid_value_names_its_field_and_is_shown_unless_it_is_to_be_skipped() -> None:
    waits, skipped = mapping_of((STATUS, "", "x"), (('path = "M"', 'path = "d"'), 'on_unmapped = "skip"', "y")).fields
    assert unsaid(waits, "no word") == Hold("unmapped", "no word", "x")
    assert unsaid(skipped, "no word") == Hold("", "", "y", counts_as_seen=True)


def test_a_default_is_written_for_a_value_that_cannot_be_said() -> None:
    found = plan(STATUS, 'on_unmapped = { default = "Lost" }', (1, "Open"), (1, "Merged"))
    assert [told(o) for o in found.outcomes] == [to_nexudus()]
    assert found.after == {NEXUDUS: {"Id": "nexudus", "N": 3}}


def test_a_default_that_stands_there_already_is_agreement() -> None:
    mapping = mapping_of((STATUS, 'on_unmapped = { default = "Lost" }', "x"))
    sides = views(mapping.fields[0], (3, "Lost"), (3, "Merged"))
    found = plan_fields(mapping, sides, Policy(), FREE)
    assert [told(o) for o in found.outcomes] == [AGREED]
    assert found.after == {}
    settled = settle(mapping, sides, found)
    assert settled[CRM].snapshot == {"c": "Merged"}
    assert [told(o) for o in plan_fields(mapping, settled, Policy(), FREE).outcomes] == [NOTHING]


def test_a_default_that_cannot_be_said_either_waits() -> None:
    found = plan(STATUS, 'on_unmapped = { default = "Nowhere" }', (1, "Open"), (1, "Merged"))
    assert [told(o) for o in found.outcomes] == [parked("unmapped")]


def test_a_blank_for_what_the_other_side_requires_waits() -> None:
    found = plan((TEXT[0] + "\nrequired = true", TEXT[1]), "", ("a", "a"), ("a", None))
    assert [told(o) for o in found.outcomes] == [parked("unmapped")]
    assert found.outcomes[0].reason == "Nexudus requires N; fill it in on the other side"


# --- refusals -------------------------------------------------------------------------------------------------------

TWO = mapping_of((TEXT, MANUAL, "x"), (('path = "M.deep"', 'path = "d.deep"'), "", "y"))
TWO_CHANGED = {
    NEXUDUS: View({"N": "b", "M": {"deep": "b"}}, {"N": "a", "M.deep": "a"}, NOWHERE),
    CRM: View({"c": "a", "d": {"deep": "a"}}, {"c": "a", "d.deep": "a"}, NOWHERE),
}


def test_the_guard_is_asked_once_about_each_record_that_would_change() -> None:
    asked: list[tuple[Side, Record, Record]] = []

    def guard(side: Side, before: Record, after: Record) -> list[Hold]:
        asked.append((side, before, after))
        return []

    plan(TEXT, "", ("a", "a"), ("b", "a"), guard=guard)
    assert asked == [(CRM, {"Id": "crm", "c": "a"}, {"Id": "crm", "c": "b"})]
    asked.clear()
    plan(TEXT, MANUAL, ("a", "a"), ("b", "c"), guard=guard)
    assert asked == []


@pytest.mark.parametrize(("accept", "verdict"), [(False, Verdict.PARKED), (True, Verdict.PASSED)])
def test_a_refused_key_is_held_back_and_the_rest_is_written(accept: bool, verdict: Verdict) -> None:
    refused = keyed("stage-acts", "that stage writes to customers", "d", seen=accept)
    found = plan_fields(TWO, TWO_CHANGED, Policy(), Holds(rules=lambda side, before, after: refused))
    assert [told(o) for o in found.outcomes] == [to_crm(), Told(verdict, kind="stage-acts")]
    assert found.outcomes[1].reason == "that stage writes to customers"
    assert found.after == {CRM: {"c": "b", "d": {"deep": "a"}}}


def test_the_first_refusal_that_concerns_a_field_is_the_one_told() -> None:
    refused = [Hold("other", "not it"), *keyed("one", "first", "c", "d"), *keyed("two", "second", "c", seen=True)]
    found = plan_fields(TWO, TWO_CHANGED, Policy(), Holds(rules=lambda side, before, after: refused))
    assert [(told(o), o.reason) for o in found.outcomes] == [(parked("one"), "first")] * 2
    assert found.after == {}


def test_a_refusal_concerns_what_travels_to_that_side_and_nothing_else() -> None:
    sides = {
        NEXUDUS: View({"N": "b", "M": {"deep": "a"}}, {"N": "a", "M.deep": "a"}, NOWHERE),
        CRM: View({"c": "c", "d": {"deep": "b"}}, {"c": "a", "d.deep": "a"}, NOWHERE),
    }
    refused = keyed("no", "not there", "N", "M", "c", "d")

    def guard(side: Side, before: Record, after: Record) -> list[Hold]:
        return refused if side is CRM else []

    found = plan_fields(TWO, sides, Policy(), Holds(rules=guard))
    assert [told(o) for o in found.outcomes] == [CONFLICT, to_nexudus()]
    assert found.after == {NEXUDUS: {"N": "b", "M": {"deep": "b"}}}


def test_a_refusal_on_nexudus_leaves_what_travels_to_the_crm() -> None:
    sides = {
        NEXUDUS: View({"N": "b", "M": {"deep": "a"}}, {"N": "a", "M.deep": "a"}, NOWHERE),
        CRM: View({"c": "a", "d": {"deep": "b"}}, {"c": "a", "d.deep": "a"}, NOWHERE),
    }
    refused = keyed("no", "not there", "N", "M")

    def guard(side: Side, before: Record, after: Record) -> list[Hold]:
        return refused if side is NEXUDUS else []

    found = plan_fields(TWO, sides, Policy(), Holds(rules=guard))
    assert [told(o) for o in found.outcomes] == [to_crm(), parked("no")]
    assert found.after == {CRM: {"c": "b", "d": {"deep": "b"}}}


# --- currencies -----------------------------------------------------------------------------------------------------

CURRENCY_REASON = "Nexudus has GBP, the CRM EUR: the amount is not copied; make the currencies agree"


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ((10, 10), (20, 10), parked("currency")),
        ((10, 10), (20, 30), parked("currency")),
        ((10, 10), (20, 20), parked("currency")),
        ((NEW, NEW), (20, None), parked("currency")),
        ((10, 10), (10, 10), NOTHING),
    ],
)
def test_an_amount_does_not_cross_between_two_currencies(then: Two, now: Two, expected: Told) -> None:
    found = plan(AMOUNT, MANUAL, then, now, known=differing_currencies("GBP", "EUR"), name="opportunity_amount")
    assert [told(o) for o in found.outcomes] == [expected]
    assert found.outcomes[0].reason == (CURRENCY_REASON if expected != NOTHING else "")
    assert found.after == {}


@pytest.mark.parametrize("currencies", [("GBP", "GBP"), (None, "EUR"), ("GBP", None), ("", "EUR"), ("GBP", "")])
def test_an_amount_crosses_where_the_currencies_agree_or_one_is_not_said(
    currencies: tuple[str | None, str | None],
) -> None:
    found = plan(AMOUNT, MANUAL, (10, 10), (20, 10), known=differing_currencies(*currencies), name="opportunity_amount")
    assert found.after == {CRM: {"Id": "crm", "c": Decimal("20.00")}}


def test_only_the_amount_minds_the_currency() -> None:
    found = plan(AMOUNT, MANUAL, (10, 10), (20, 10), known=differing_currencies("GBP", "EUR"))
    assert [told(o) for o in found.outcomes] == [to_crm()]


# --- fields that will not stay --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (("a", "a"), ("b", "a"), parked("unstable")),
        (("a", "a"), ("a", "b"), parked("unstable")),
        (("a", "a"), ("b", "c"), CONFLICT),
        (("a", "a"), ("b", "b"), AGREED),
        (("a", "a"), ("a", "a"), NOTHING),
    ],
)
def test_an_unstable_field_is_not_written_any_more(then: Two, now: Two, expected: Told) -> None:
    found = plan(TEXT, MANUAL, then, now, known=[Hold(UNSTABLE, "it comes back different", "x")])
    assert [told(o) for o in found.outcomes] == [expected]
    assert found.outcomes[0].reason == ("it comes back different" if expected == parked("unstable") else "")
    assert found.after == {}


def test_other_fields_are_not_held() -> None:
    assert plan(TEXT, "", ("a", "a"), ("b", "a"), known=[Hold(UNSTABLE, "other", "y")]).after == {
        CRM: {"Id": "crm", "c": "b"}
    }


# --- conflicts of which one side was not read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unread", "now"), [(CRM, (Decimal(20), 10)), (NEXUDUS, (10, Decimal(20)))], ids=["the CRM", "Nexudus"]
)
def test_an_open_conflict_stands_while_the_side_that_was_read_says_what_was_shown(unread: Side, now: Two) -> None:
    policy = Policy(asked={"opportunity_amount": open_question(unread, "20.00", "30.00")})
    hold = Hold(ASKED, "", "opportunity_amount", side=unread)
    found = plan(AMOUNT, MANUAL, (10, 10), now, policy, "opportunity_amount", [hold])
    there = {unread: Decimal(30), unread.other: Decimal(20)}
    field = found.outcomes[0].field
    assert found.outcomes == (Outcome(field, Verdict.CONFLICT, there[NEXUDUS], there[CRM], Decimal(10)),)
    assert found.after == {}


@pytest.mark.parametrize(
    ("now", "field", "unread", "shown", "expected"),
    [
        (("b", "a"), "x", CRM, "other", to_crm()),
        (("b", "a"), "x", NEXUDUS, "b", to_crm()),
        (("b", "a"), "y", CRM, "b", to_crm()),
        (("b", "b"), "x", CRM, "b", AGREED),
        (("a", "a"), "x", CRM, "a", NOTHING),
    ],
)
def test_a_conflict_does_not_stand_where_the_values_moved_on(
    now: Two, field: str, unread: Side, shown: str, expected: Told
) -> None:
    policy = Policy(asked={field: open_question(unread, shown, "c")})
    found = plan(TEXT, MANUAL, ("a", "a"), now, policy, known=[Hold(ASKED, "", field, side=unread)])
    assert [told(o) for o in found.outcomes] == [expected]


def test_a_question_that_is_not_shown_any_more_holds_nothing() -> None:
    found = plan(TEXT, MANUAL, ("a", "a"), ("b", "a"), known=[Hold(ASKED, "", "x", side=CRM)])
    assert [told(o) for o in found.outcomes] == [to_crm()]


def test_a_value_that_is_brought_back_does_not_wait_for_an_open_question() -> None:
    policy = Policy(asked={"x": ("b", "c")}, restore={"x": "b"})
    found = plan(TEXT, MANUAL, ("a", "a"), ("b", "a"), policy, known=[Hold(ASKED, "", "x", side=CRM)])
    assert [told(o) for o in found.outcomes] == [to_crm(lost="a")]


def test_an_open_conflict_goes_before_what_is_unstable_and_the_currencies_before_both() -> None:
    policy = Policy(asked={"opportunity_amount": ("20.00", "30.00")})
    holds = [Hold(ASKED, "", "opportunity_amount", side=CRM), Hold(UNSTABLE, "?", "opportunity_amount")]
    options: dict[str, Any] = {"policy": policy, "name": "opportunity_amount"}
    found = plan(AMOUNT, MANUAL, (10, 10), (20, 10), known=holds, **options)
    assert [told(o) for o in found.outcomes] == [CONFLICT]
    found = plan(AMOUNT, MANUAL, (10, 10), (20, 10), known=[*differing_currencies("GBP", "EUR"), *holds], **options)
    assert [told(o) for o in found.outcomes] == [parked("currency")]


# --- undo -----------------------------------------------------------------------------------------------------------


def test_a_forced_value_goes_to_both_sides_whatever_they_say() -> None:
    found = plan(TEXT, MANUAL, ("a", "a"), ("b", "c"), policy=restore(x="z"))
    assert found.after == {NEXUDUS: {"Id": "nexudus", "N": "z"}, CRM: {"Id": "crm", "c": "z"}}
    field = found.outcomes[0].field
    assert found.outcomes == (
        Outcome(field, Verdict.TRAVELS, "b", "z", "a", NEXUDUS, "b"),
        Outcome(field, Verdict.TRAVELS, "z", "c", "a", CRM, "c"),
    )
    assert [o.value for o in found.outcomes] == ["z", "z"]


@pytest.mark.parametrize(
    ("now", "after"),
    [
        ((1, "Lost"), {CRM: {"Id": "crm", "c": "Quotation"}}),
        ((3, "Replied"), {NEXUDUS: {"Id": "nexudus", "N": 1}}),
        ((0, "Replied"), {}),
    ],
)
def test_a_forced_value_is_not_written_where_its_class_stands_already(now: Two, after: Any) -> None:
    found = plan(STATUS, MANUAL, (2, "Converted"), now, policy=restore(x="Quotation"))
    assert found.after == after
    assert [o.to for o in found.outcomes] == (list(after) or [None])
    assert [o.verdict for o in found.outcomes] == [Verdict.TRAVELS if after else Verdict.AGREED]


def test_a_forced_blank_is_written() -> None:
    assert plan(TEXT, "", ("a", "a"), ("a", "a"), policy=restore(x=None)).after == {
        NEXUDUS: {"Id": "nexudus", "N": None},
        CRM: {"Id": "crm", "c": None},
    }


def test_forcing_one_field_leaves_the_others_to_the_merge() -> None:
    found = plan_fields(TWO, TWO_CHANGED, restore(x="a"), FREE)
    assert [told(o) for o in found.outcomes] == [to_nexudus(lost="b"), to_crm()]
    assert found.after == {NEXUDUS: {"N": "a", "M": {"deep": "b"}}, CRM: {"c": "a", "d": {"deep": "b"}}}


@pytest.mark.parametrize(("then", "now"), [(("a", "a"), ("a", ["?"])), ((["?"], "a"), (["?"], "a"))])
def test_a_forced_value_is_not_written_over_what_cannot_be_read(then: Two, now: Two) -> None:
    found = plan(TEXT, "", then, now, policy=restore(x="z"))
    assert [told(o) for o in found.outcomes] == [parked("unreadable")]
    assert found.outcomes[0].reason.endswith("which is not text")
    assert found.after == {}


def test_a_forced_value_outranks_a_hold_but_not_the_currencies() -> None:
    assert plan(
        TEXT, "", ("a", "a"), ("b", "a"), policy=restore(x="z"), known=[Hold(UNSTABLE, "unstable", "x")]
    ).after.keys() == {*Side}
    policy, differing = restore(opportunity_amount=Decimal(5)), differing_currencies("GBP", "EUR")
    found = plan(AMOUNT, "", (10, 10), (10, 10), policy, "opportunity_amount", differing)
    assert [told(o) for o in found.outcomes] == [parked("currency")] * 2
    assert found.after == {}


# --- a third value --------------------------------------------------------------------------------------------------


def typed(nexudus: Any, crm: Any, value: Value) -> Policy:
    return Policy(resolutions={"x": Resolution(None, nexudus, crm, value)})


def test_a_third_value_goes_to_both_sides_and_nothing_counts_as_lost() -> None:
    policy = typed("b", "c", "z")
    found = plan(TEXT, MANUAL, ("a", "a"), ("b", "c"), policy=policy)
    assert found.after == {NEXUDUS: {"Id": "nexudus", "N": "z"}, CRM: {"Id": "crm", "c": "z"}}
    assert [(o.to, o.value, o.lost, o.decided) for o in found.outcomes] == [
        (NEXUDUS, "z", None, policy.resolutions["x"]),
        (CRM, "z", None, policy.resolutions["x"]),
    ]


@pytest.mark.parametrize(("now", "writes"), [(("z", "c"), [CRM]), (("b", "z"), [NEXUDUS]), (("z", "z"), [])])
def test_a_third_value_is_finished_where_one_side_has_it(now: Two, writes: list[Side]) -> None:
    found = plan(TEXT, MANUAL, ("a", "a"), now, policy=typed("b", "c", "z"))
    assert list(found.after) == writes
    assert [o.verdict for o in found.outcomes] == ([Verdict.TRAVELS] if writes else [Verdict.AGREED])


@pytest.mark.parametrize("now", [("d", "c"), ("b", "d"), ("z", "d")])
def test_a_third_value_is_only_for_the_values_that_were_shown(now: Two) -> None:
    found = plan(TEXT, MANUAL, ("a", "a"), now, policy=typed("b", "c", "z"))
    assert [told(o) for o in found.outcomes] == [CONFLICT]
    assert found.after == {}


def test_a_third_value_is_written_as_it_is_spelled_where_its_like_stands() -> None:
    found = plan(STATUS, MANUAL, (2, "Converted"), (1, "Replied"), policy=typed("Open", "Replied", "Quotation"))
    assert found.after[CRM]["c"] == "Quotation"


def test_a_third_value_that_cannot_be_said_is_held() -> None:
    found = plan(STATUS, MANUAL, (2, "Converted"), (0, "Lost"), policy=typed("Open", "Lost", "Nowhere"))
    assert {told(o).kind for o in found.outcomes} == {"unmapped"}
    assert found.after == {}


def test_a_third_value_takes_no_default() -> None:
    """The default is for what travels by itself; a person would see another value than the one that was typed."""
    rules = 'on_unmapped = { default = "Open" }'
    found = plan(STATUS, rules, (2, "Converted"), (0, "Lost"), policy=typed("Open", "Lost", "Nowhere"))
    assert found.after == {}


def test_a_third_value_is_not_written_over_what_cannot_be_read() -> None:
    found = plan(TEXT, "", ("a", "a"), ("b", ["?"]), policy=typed("b", "c", "z"))
    assert [told(o) for o in found.outcomes] == [parked("unreadable")]


def test_an_undo_goes_before_a_third_value() -> None:
    policy = replace(typed("b", "c", "z"), restore={"x": "a"})
    found = plan(TEXT, MANUAL, ("a", "a"), ("b", "c"), policy=policy)
    assert found.after == {NEXUDUS: {"Id": "nexudus", "N": "a"}, CRM: {"Id": "crm", "c": "a"}}
    assert [o.decided for o in found.outcomes] == [None, None]


def test_two_values_are_brought_back_each_to_its_side_and_asked_about() -> None:
    policy = Policy(restore={"x": Apart("b", "c")})
    found = plan(TEXT, MANUAL, ("z", "z"), ("z", "z"), policy=policy)
    assert found.after == {NEXUDUS: {"Id": "nexudus", "N": "b"}, CRM: {"Id": "crm", "c": "c"}}
    found = plan(TEXT, MANUAL, ("z", "z"), ("b", "c"), policy=policy)
    assert [o.verdict for o in found.outcomes] == [Verdict.CONFLICT]
    assert found.after == {}


def test_a_forced_value_forgets_the_failure_of_a_field_that_says_it_already() -> None:
    found = plan(AMOUNT, "", (10, 10), (20, 20), policy=restore(x=Decimal(20)), known=[Hold(UNSTABLE, "unstable", "x")])
    assert found.outcomes == (Outcome(found.outcomes[0].field, Verdict.AGREED, Decimal(20), Decimal(20), Decimal(10)),)


# --- snapshots ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "remembered", "known"),
    [
        (Verdict.NOTHING, "old", "new"),
        (Verdict.AGREED, "new", "new"),
        (Verdict.PASSED, "new", "new"),
        (Verdict.TRAVELS, "old", None),
        (Verdict.CONFLICT, "old", None),
        (Verdict.PARKED, "old", None),
    ],
)
def test_a_snapshot_moves_for_what_needs_no_write(verdict: Verdict, remembered: str, known: str | None) -> None:
    """`remembered`: where the path had been agreed on; `known`: where it never had."""
    for side, key in ((NEXUDUS, "N"), (CRM, "c")):
        outcome = Outcome(field_of(), verdict, "v", "v", to=CRM)
        view = View({key: "new", "Other": 1}, {key: "old", "elsewhere": 7}, NOWHERE)
        assert agreed_snapshot([outcome], side, view) == {key: remembered, "elsewhere": 7}
        first = agreed_snapshot([outcome], side, replace(view, snapshot={}))
        assert first == ({} if known is None else {key: known})
        assert view.snapshot == {key: "old", "elsewhere": 7}


def test_a_value_passed_over_does_not_let_the_loser_win_in_the_next_cycle() -> None:
    mapping = mapping_of((STATUS, 'on_conflict = "crm"\non_unmapped = "skip"', "x"))
    sides = views(mapping.fields[0], (1, "Open"), (3, "Merged"))
    found = plan_fields(mapping, sides, Policy(), FREE)
    assert [told(o) for o in found.outcomes] == [PASSED]
    settled = settle(mapping, sides, found)
    assert (settled[NEXUDUS].snapshot, settled[CRM].snapshot) == ({"N": 3}, {"c": "Merged"})
    assert [told(o) for o in plan_fields(mapping, settled, Policy(), FREE).outcomes] == [NOTHING]


# --- whatever the values are ----------------------------------------------------------------------------------------

STAGES = Table(((101, "New lead"), (102, "Tour booked"), (103, "Won")))
SHIPPED = pair(
    parse(shipped("nexudus"), "nexudus.toml", Side.NEXUDUS), parse(shipped("overplane"), "overplane.toml", Side.CRM)
)
CONTEXTS = {
    NEXUDUS: Context(directories={"stage": STAGES, "user": Table(((7, "sam@example.com"), (8, "kim@example.com")))}),
    CRM: Context(directories={"user": Table((("U1", "sam@example.com"), ("U3", "only@example.com")))}),
}
SAMPLES: dict[str, Two] = {
    "title": ([None, "", "A", "a", " A ", ["?"]], [None, "A", "b"]),
    "status": ([None, 0, 1, 2, 3, 9], ["", "Open", "Replied", "Converted", "Lost", "Closed", "Merged"]),
    "sales_stage": ([None, 101, 102, 999], [None, "new lead", "Tour booked", "Nowhere"]),
    "lost_reasons": (
        [None, 1, 4, 77],
        [[], [{"lost_reason": "Price"}, {"lost_reason": "Need"}], [{"lost_reason": "Mood"}], "?"],
    ),
    "opportunity_amount": ([None, 0, 10, Decimal("10.004")], [None, Decimal("10.00"), "12.5", "much"]),
    "expected_closing": ([None, "2026-03-01T09:30:00Z", "2026-03-02"], [None, "2026-03-01", "2026-03-02", "soon"]),
    "opportunity_owner": ([None, 7, 8, 99], ["", "U1", "U3", "sam@example.com"]),
    "utm_source": ([None, "ads"], [None, "ads", "mail"]),
}
"""What the records can say, field by field; among it what cannot be read, and what cannot be said on the other side."""


@st.composite
def links(draw: st.DrawFn) -> dict[Side, View]:
    """Two records of the shipped mapping and what their link remembers of them."""
    sides = {}
    for side in Side:
        record: Record = {"Id": side.value, "Untouched": {"a": [1]}}
        snapshot: dict[str, Any] = {}
        for name, samples in SAMPLES.items():
            raws = samples[0] if side is NEXUDUS else samples[1]
            path = SHIPPED.field(name).lens(side).path
            record = path.set(record, draw(st.sampled_from(raws)))
            then = draw(st.sampled_from([NEW, SENT, path.get(record), *raws]))
            if then is not NEW:
                snapshot[path.text] = then
        changed_at = draw(st.sampled_from([None, NOON, NOON + timedelta(minutes=1)]))
        sides[side] = View(record, snapshot, CONTEXTS[side], changed_at)
    return sides


POLICIES = st.sampled_from([Policy(rule) for rule in ("manual", "newest", "nexudus", "crm")])
WAITING = {Verdict.CONFLICT, Verdict.PARKED}


def readable(name: str, side: Side, view: View) -> bool:
    try:
        SHIPPED.field(name).get(side, view.record, view.context)
    except Unreadable:
        return False
    return True


@settings(max_examples=80, deadline=None)
@given(links(), POLICIES)
def test_two_cycles_reach_agreement_on_all_that_is_not_shown_and_the_next_plans_nothing(
    sides: dict[Side, View], policy: Policy
) -> None:
    first = plan_fields(SHIPPED, sides, policy, FREE)
    settled = settle(SHIPPED, sides, first)
    second = plan_fields(SHIPPED, settled, policy, FREE)
    assert second.after == {}
    shown = {o.field.name for o in second.outcomes if o.verdict in WAITING}
    assert shown == {o.field.name for o in first.outcomes if o.verdict in WAITING}
    assert {o.verdict for o in second.outcomes} <= {Verdict.NOTHING, *WAITING}
    for outcome in first.outcomes:
        if outcome.verdict in {Verdict.TRAVELS, Verdict.AGREED}:
            said = [outcome.field.get(side, settled[side].record, settled[side].context) for side in Side]
            assert outcome.field.same(*said)
    assert plan_fields(SHIPPED, settle(SHIPPED, settled, second), policy, FREE) == second


@settings(max_examples=80, deadline=None)
@given(links(), POLICIES)
def test_a_plan_changes_nothing_but_the_places_it_means_to_and_nothing_it_cannot_read(
    sides: dict[Side, View], policy: Policy
) -> None:
    found = plan_fields(SHIPPED, sides, policy, FREE)
    for side, view in sides.items():
        after = found.after.get(side, view.record)
        roots = {o.field.lens(side).path.root for o in found.writes(side)}
        assert {key for key in {*after, *view.record} if after.get(key) != view.record.get(key)} == roots
        for name in SAMPLES:
            lens = SHIPPED.field(name).lens(side)
            assert readable(name, side, view) or lens.raw(after) == lens.raw(view.record)


@settings(max_examples=60, deadline=None)
@given(links(), st.sampled_from(["A", "z", None]))
def test_a_forced_value_stands_on_both_sides_afterwards(sides: dict[Side, View], value: Value) -> None:
    found = plan_fields(SHIPPED, sides, restore(title=value), FREE)
    settled = settle(SHIPPED, sides, found)
    title = SHIPPED.field("title")
    if readable("title", NEXUDUS, sides[NEXUDUS]):
        assert [title.get(side, view.record, view.context) for side, view in settled.items()] == [value, value]
        again = plan_fields(SHIPPED, settled, Policy(), FREE)
        assert next(o.verdict for o in again.outcomes if o.field is title) is Verdict.NOTHING
    else:
        assert settled[NEXUDUS].record["Name"] == ["?"]


@settings(max_examples=60, deadline=None)
@given(links(), POLICIES, st.sets(st.sampled_from(["title", "status", "sales_stage", "utm_source"])))
def test_what_the_guard_refuses_is_not_on_the_record(
    sides: dict[Side, View], policy: Policy, refused: set[str]
) -> None:
    def guard(side: Side, before: Record, after: Record) -> list[Hold]:
        return keyed("no", "refused", *refused) if side is CRM else []

    found, free = (plan_fields(SHIPPED, sides, policy, how) for how in (Holds(rules=guard), FREE))
    after, record = found.after.get(CRM, sides[CRM].record), sides[CRM].record
    assert all(after.get(key) == record.get(key) for key in refused)
    assert found.writes(NEXUDUS) == free.writes(NEXUDUS)
    assert {o.field.name for o in free.writes(CRM)} - {o.field.name for o in found.writes(CRM)} <= refused


@settings(max_examples=60, deadline=None)
@given(links(), st.sampled_from(list(Side)))
def test_a_conflict_resolved_for_the_values_shown_travels_the_way_that_was_chosen(
    sides: dict[Side, View], take: Side
) -> None:
    shown = [o for o in plan_fields(SHIPPED, sides, Policy(), FREE).outcomes if o.verdict is Verdict.CONFLICT]
    chosen = {o.field.name: Resolution(take, say(o.nexudus), say(o.crm)) for o in shown}
    found = {o.field.name: o for o in plan_fields(SHIPPED, sides, Policy(resolutions=chosen), FREE).outcomes}
    for outcome in shown:
        now = found[outcome.field.name]
        assert (now.verdict, now.to, now.kind) in {
            (Verdict.TRAVELS, take.other, ""),
            (Verdict.PARKED, None, "unmapped"),
        }


# --- the plain objects ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plain",
    [Hold("kind", "reason"), Holds(), FieldPlan((), {})],
    ids=lambda plain: type(plain).__name__,
)
def test_a_plan_cannot_be_changed_on_its_way(plain: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(plain, fields(plain)[0].name, "changed")
    assert not hasattr(plain, "__dict__")


def test_a_hold_about_nothing_in_particular_is_about_the_whole_record() -> None:
    hold = Hold("kind", "reason")
    assert (hold.field, hold.key, hold.side, hold.counts_as_seen, hold.whole) == ("", "", None, False, True)
    assert not Hold("kind", "reason", field="x").whole
    assert not Hold("kind", "reason", key="c").whole


def test_a_hold_is_about_a_field_by_its_name_or_by_the_key_it_is_kept_under() -> None:
    field = TWO.field("y")
    assert Hold("k", "r", "y").covers(field, NEXUDUS)
    assert Hold("k", "r", key="d").covers(field, CRM)
    assert not Hold("k", "r", key="d").covers(field, NEXUDUS)
    assert not Hold("k", "r", "y", side=CRM).covers(field, NEXUDUS)
    assert not Hold("k", "r", "x").covers(field, CRM)
    assert not Hold("k", "r").covers(field, CRM)
