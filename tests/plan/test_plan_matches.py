"""What a cycle does with a record without a counterpart."""

from dataclasses import FrozenInstanceError, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.mapping import Side
from nexudus_sync.plan import Candidate, UnlinkedAction, UnlinkedPlan, plan_unlinked
from pairs import NOON

NEXUDUS, CRM = Side.NEXUDUS, Side.CRM

EMAIL = "kim@example.org"


def here(number: str, title: str | None = "Desk", *, is_open: bool = True, **rest: Any) -> Candidate:
    return Candidate(NEXUDUS, number, rest.pop("email", EMAIL), title, is_open, **rest)


def there(number: str, title: str | None = "Desk", *, is_open: bool = True, **rest: Any) -> Candidate:
    return Candidate(CRM, number, rest.pop("email", EMAIL), title, is_open, **rest)


def key_of(candidate: Candidate) -> str:
    return f"{candidate.side.value}:{candidate.id}"


def match(own: list[Candidate], others: list[Candidate], since: date | None = None) -> UnlinkedPlan:
    """What becomes of the first of `own`."""
    return plan_unlinked(own[0], own, others, key_of, since)


def paired(partner: Candidate, reason: str) -> UnlinkedPlan:
    return UnlinkedPlan(UnlinkedAction.PAIR, partner, reason=reason)


def asked(*candidates: Candidate, share: str) -> UnlinkedPlan:
    return UnlinkedPlan(UnlinkedAction.ASK, candidates=candidates, reason=f"several records share {share}")


CREATED = UnlinkedPlan(UnlinkedAction.CREATE)


def test_a_record_that_nothing_matches_is_created() -> None:
    assert match([here("1")], []) == CREATED


@pytest.mark.parametrize("is_open", [True, False])
def test_an_external_key_pairs_from_either_side_whatever_else_the_records_say(is_open: bool) -> None:
    names_it = there("A", "Other", is_open=is_open, email=None, external_key="nexudus:1")
    assert match([here("1")], [there("B"), names_it]) == paired(names_it, "external key")
    assert match([here("1", external_key="crm:B")], [there("A"), there("B", "X")]) == paired(
        there("B", "X"), "external key"
    )


def test_an_external_key_pairs_a_record_without_an_email() -> None:
    partner = there("A", external_key="nexudus:1")
    assert plan_unlinked(here("1", email=None), [], [partner], key_of) == paired(partner, "external key")


def test_an_external_key_that_names_something_else_is_no_match_and_no_obstacle() -> None:
    foreign = there("A", external_key="another:9")
    assert match([here("1", external_key="crm:B")], [foreign]) == paired(foreign, "e-mail and title")


@pytest.mark.parametrize(
    ("after", "email", "named"),
    [
        (timedelta(hours=1, seconds=1), "sam@example.org", False),
        (timedelta(hours=1), "sam@example.org", True),
        (-timedelta(days=1), "sam@example.org", True),
        (timedelta(days=1), EMAIL, True),
        (timedelta(days=1), None, True),
        (None, "sam@example.org", True),
    ],
)
def test_an_external_key_names_no_later_record_of_another_customer(
    after: timedelta | None, email: str | None, named: bool
) -> None:
    """The record that was copied is gone then, and its id was given again."""
    later = here("1", email=email, created_at=None if after is None else NOON + after)
    copy = there("A", external_key="nexudus:1", created_at=NOON)
    assert match([later], [copy]) == (paired(copy, "external key") if named else CREATED)
    assert match([copy], [later]) == (paired(later, "external key") if named else CREATED)
    if not named:
        other = here("2", "Office")
        assert plan_unlinked(other, [other], [copy], key_of) == paired(copy, "e-mail")
        assert plan_unlinked(copy, [copy], [other, later], key_of) == paired(other, "e-mail")
    unknown = there("A", external_key="nexudus:1", email=None, created_at=NOON)
    assert match([later], [unknown]) == paired(unknown, "external key")
    undated = there("A", external_key="nexudus:1")
    assert match([later], [undated]) == paired(undated, "external key")


def test_several_records_that_carry_one_external_key_are_asked_about() -> None:
    twins = [there("A", external_key="nexudus:1"), there("B", "Other", external_key="nexudus:1")]
    assert match([here("1")], [*twins, there("C")]) == asked(*twins, share="external key")
    partner = there("A")
    own = [here("1", external_key="crm:A"), here("2", external_key="crm:A")]
    assert match(own, [partner]) == asked(partner, share="external key")
    assert match([here("1", external_key="crm:A"), here("2")], [partner]) == paired(partner, "external key")


@pytest.mark.parametrize("opens", [(True, True), (True, False), (False, True), (False, False)])
def test_email_and_title_pair_whether_open_or_not(opens: tuple[bool, bool]) -> None:
    partner = there("A", is_open=opens[1])
    rival = there("B", "Office")
    assert match([here("1", is_open=opens[0]), here("2", "Office")], [rival, partner]) == paired(
        partner, "e-mail and title"
    )


@pytest.mark.parametrize("title", ["desk", " DESK ", "De\u0073k"])
def test_titles_match_without_regard_to_case_and_space(title: str) -> None:
    own = [here("1"), here("2", "Else")]
    assert match(own, [there("A", title), there("B", "Other")]).partner == there("A", title)


def test_titles_match_whichever_way_their_accents_are_spelled() -> None:
    own, composed = [here("1", "Cafe\u0301"), here("2")], there("A", "Café")
    assert match(own, [composed, there("B", "Other")]) == paired(composed, "e-mail and title")


def test_one_title_several_times_on_either_side_is_asked_about() -> None:
    twins = [there("A"), there("B", is_open=False)]
    assert match([here("1")], twins) == asked(*twins, share="e-mail and title")
    assert match([here("1"), here("2")], [there("A")]) == asked(there("A"), share="e-mail and title")


def test_a_title_matches_only_under_the_same_email() -> None:
    assert match([here("1")], [there("A", email="other@example.org")]) == CREATED
    assert match([here("1")], [there("A", email=None)]) == CREATED


def test_blank_titles_are_not_alike() -> None:
    own = [here("1", None), here("2", "")]
    others = [there("A", None), there("B", " ")]
    assert match(own, others) == asked(*others, share=EMAIL)


def test_the_email_alone_pairs_the_only_two_if_both_are_open() -> None:
    assert match([here("1")], [there("A", "Office")]) == paired(there("A", "Office"), "e-mail")
    assert match([here("1", is_open=False)], [there("A", "Office")]) == CREATED
    assert match([here("1")], [there("A", "Office", is_open=False)]) == CREATED


def test_the_email_alone_does_not_pair_where_a_side_has_several() -> None:
    office, suite = there("A", "Office"), there("B", "Suite")
    assert match([here("1")], [office, suite]) == asked(office, suite, share=EMAIL)
    assert match([here("1"), here("2", "Room")], [office]) == asked(office, share=EMAIL)
    assert match([here("1")], [office, there("B", "Suite", is_open=False)]) == asked(office, share=EMAIL)


def test_a_closed_record_is_not_asked_about() -> None:
    assert match([here("1", is_open=False)], [there("A", "Office"), there("B", "Suite")]) == CREATED
    closed = [there("A", "Office", is_open=False), there("B", "Suite", is_open=False)]
    assert match([here("1")], closed) == CREATED


def test_a_record_whose_rivals_have_a_twin_of_their_own_is_created() -> None:
    assert match([here("1"), here("2", "Office")], [there("A", "office")]) == CREATED
    suite = there("B", "Suite")
    assert match([here("1"), here("2", "Office")], [there("A", "office"), suite]) == asked(suite, share=EMAIL)


def test_a_record_without_an_email_is_created_unless_a_key_names_it() -> None:
    for email in (None, ""):
        assert match([here("1", email=email)], [there("A", email=email)]) == CREATED


CREATED_AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("created_at", "since", "action"),
    [
        (CREATED_AT, None, UnlinkedAction.CREATE),
        (None, None, UnlinkedAction.CREATE),
        (CREATED_AT, date(2026, 3, 1), UnlinkedAction.CREATE),
        (CREATED_AT - timedelta(microseconds=1), date(2026, 3, 1), UnlinkedAction.LEAVE),
        (CREATED_AT, date(2026, 3, 2), UnlinkedAction.LEAVE),
        (None, date(2026, 3, 1), UnlinkedAction.LEAVE),
    ],
)
def test_nothing_older_than_since_is_created(
    created_at: datetime | None, since: date | None, action: UnlinkedAction
) -> None:
    reason = f"created before {since}" if action is UnlinkedAction.LEAVE else ""
    assert match([here("1", created_at=created_at)], [], since) == UnlinkedPlan(action, reason=reason)


def test_since_limits_what_is_created_and_not_what_is_matched() -> None:
    later = date(2030, 1, 1)
    own = [here("1", created_at=CREATED_AT)]
    assert match(own, [there("A")], later) == paired(there("A"), "e-mail and title")
    assert match(own, [there("A", "x"), there("B", "y")], later).action is UnlinkedAction.ASK
    assert match([here("1", email=None, created_at=CREATED_AT)], [], later).action is UnlinkedAction.LEAVE


CANDIDATES = st.tuples(
    st.sampled_from("123"),
    st.sampled_from(["Desk", "desk", "Office", None]),
    st.booleans(),
    st.sampled_from([None, None, None, "nexudus:1", "crm:1", "crm:2", "foreign:1"]),
)
CROWDS = st.lists(CANDIDATES, max_size=3, unique_by=lambda made: made[0])


@settings(max_examples=300, deadline=None)
@given(CROWDS, CROWDS)
def test_two_records_that_pair_do_so_from_either_side_and_nobody_else_pairs_with_them(
    nexudus: list[tuple[str, str | None, bool, str | None]], crm: list[tuple[str, str | None, bool, str | None]]
) -> None:
    own = [here(number, title, is_open=is_open, external_key=key) for number, title, is_open, key in nexudus]
    others = [there(number, title, is_open=is_open, external_key=key) for number, title, is_open, key in crm]
    partner = {c.id: plan_unlinked(c, own, others, key_of).partner for c in own}
    back = {c.id: plan_unlinked(c, others, own, key_of).partner for c in others}
    for record in own:
        found = partner[record.id]
        assert found is None or back[found.id] == record
    assert sum(map(bool, partner.values())) == sum(map(bool, back.values()))


def test_a_record_that_a_key_gives_to_another_is_nobody_elses_match() -> None:
    taken, other = there("A", external_key="nexudus:2"), there("B", "Office")
    assert match([here("1"), here("2", "Room")], [taken]) == CREATED
    assert match([here("1"), here("2", "Room")], [taken, other]) == paired(other, "e-mail")
    assert match([here("1"), here("2", external_key="crm:A")], [there("A"), other]) == paired(other, "e-mail")


# --- titles and addresses that are spelled in several ways ---------------------------------------------------------


@pytest.mark.parametrize("kept", ["Tour ?", "tour 🎉", "Tour &#127881;"])
def test_a_title_as_a_system_keeps_it_is_the_same_title(kept: str) -> None:
    one, other = here("1", "Tour 🎉", is_open=False), there("2", kept, is_open=False)
    assert match([one], [other]) == paired(other, "e-mail and title")
    assert match([other], [one]) == paired(one, "e-mail and title")


def test_the_very_same_title_goes_before_a_rendering() -> None:
    own = [here("1", "Tour 🎉", is_open=False), here("2", "Tour ?", is_open=False)]
    others = [there("3", "Tour ?", is_open=False), there("4", "Tour 🎉", is_open=False)]
    assert match(own, others) == paired(others[1], "e-mail and title")
    assert match(own[::-1], others) == paired(others[0], "e-mail and title")


def test_two_that_may_be_made_of_one_title_are_asked_about() -> None:
    one = here("1", "Tour 🎉", is_open=False)
    others = [there("2", "Tour ?", is_open=False), there("3", "Tour", is_open=False)]
    assert match([one], others) == asked(*others, share="e-mail and title")


def test_one_that_is_another_ones_rendering_is_nobody_elses_rival() -> None:
    own = [here("1", "Desk"), here("2", "Tour 🎉")]
    assert match(own, [there("3", "Tour ?")]).action is UnlinkedAction.CREATE


@pytest.mark.parametrize("email", ["n/a", "-", "none@"])
def test_what_is_no_address_pairs_with_the_same_title_and_with_nothing_else(email: str) -> None:
    one, same, other = here("1", email=email), there("2", email=email), there("3", "Tour", email=email)
    assert match([one], [same]) == paired(same, "e-mail and title")
    assert match([one], [other]).action is UnlinkedAction.CREATE


def test_two_addresses_in_one_place_name_people_all_the_same() -> None:
    email = "a@example.com; b@example.com"
    one, other = here("1", email=email), there("2", "Tour", email=email)
    assert match([one], [other]) == paired(other, "e-mail")


# --- the plain objects ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [here("1"), UnlinkedPlan(UnlinkedAction.CREATE)], ids=["candidate", "plan"])
def test_a_plan_cannot_be_changed_on_its_way(plain: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(plain, fields(plain)[0].name, "changed")
    assert not hasattr(plain, "__dict__")


def test_the_words_of_a_plan_are_those_of_the_table() -> None:
    assert [word.value for word in UnlinkedAction] == [word.name.lower() for word in UnlinkedAction]
