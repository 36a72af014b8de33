"""What a cycle does with a pair whose record is gone."""

from dataclasses import FrozenInstanceError

import pytest

from nexudus_sync.mapping import Side
from nexudus_sync.plan import PairAction, PairPlan, Presence, plan_pair

NEXUDUS, CRM = Side.NEXUDUS, Side.CRM
HERE, GONE, ELSEWHERE = Presence.HERE, Presence.GONE, Presence.ELSEWHERE


@pytest.mark.parametrize("edited", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(
    ("nexudus", "crm", "ignore", "propagate", "asked"),
    [
        (HERE, HERE, PairPlan(PairAction.MERGE), PairPlan(PairAction.MERGE), None),
        (
            GONE,
            GONE,
            PairPlan(PairAction.CLOSE, reason="deleted on both sides"),
            PairPlan(PairAction.CLOSE, reason="deleted on both sides"),
            None,
        ),
        (
            GONE,
            HERE,
            PairPlan(PairAction.CLOSE, reason="deleted in Nexudus; kept in the CRM"),
            PairPlan(PairAction.DELETE, CRM, "deleted in Nexudus"),
            PairPlan(PairAction.ASK, CRM, "deleted in Nexudus and edited in the CRM"),
        ),
        (
            HERE,
            GONE,
            PairPlan(PairAction.CLOSE, reason="deleted in the CRM; kept in Nexudus"),
            PairPlan(PairAction.DELETE, NEXUDUS, "deleted in the CRM"),
            PairPlan(PairAction.ASK, NEXUDUS, "deleted in the CRM and edited in Nexudus"),
        ),
        *(
            (ELSEWHERE, crm, *[PairPlan(PairAction.MOVE, reason="the card left this connection's scope")] * 2, None)
            for crm in (HERE, GONE)
        ),
    ],
)
def test_what_becomes_of_a_link_follows_from_what_became_of_its_records(
    nexudus: Presence,
    crm: Presence,
    ignore: PairPlan,
    propagate: PairPlan,
    asked: PairPlan | None,
    edited: tuple[bool, bool],
) -> None:
    """`asked`: the answer under "propagate" where the record that is left was edited."""
    presence, was_edited = {NEXUDUS: nexudus, CRM: crm}, dict(zip(Side, edited, strict=True))
    left_was_edited = asked is not None and asked.side is not None and was_edited[asked.side]
    assert plan_pair(presence, was_edited, "ignore") == ignore
    assert plan_pair(presence, was_edited, "propagate") == (asked if left_was_edited else propagate)


def test_a_plan_cannot_be_changed_on_its_way() -> None:
    plan = PairPlan(PairAction.MERGE)
    with pytest.raises(FrozenInstanceError):
        plan.action = PairAction.CLOSE
    assert not hasattr(plan, "__dict__")
    assert (plan.side, plan.reason) == (None, "")


def test_the_words_of_a_plan_are_those_of_the_table() -> None:
    for words in (Presence, PairAction):
        assert [word.value for word in words] == [word.name.lower() for word in words]
