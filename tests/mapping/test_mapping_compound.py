"""Fields that are one value in a system: the laws are tried on both together."""

from typing import Any

import pytest

from nexudus_sync.connectors.hubspot.example import StageAndStatus
from nexudus_sync.mapping import Mapping, Side, laws, pair, parse
from nexudus_sync.mapping.shipped import shipped


def mapping_of(crm: str = "hubspot") -> Mapping:
    return pair(parse(shipped("nexudus"), "n.toml", Side.NEXUDUS), parse(shipped(crm), "c.toml", Side.CRM))


def told(compound: StageAndStatus) -> list[tuple[str, str]]:
    return [(one.level, one.law) for one in laws.check(mapping_of(), compound=compound)][:1]


def test_the_shipped_mapping_of_hubspot_keeps_the_laws_for_status_and_stage_together() -> None:
    (found,) = [one for one in laws.check(mapping_of(), compound=StageAndStatus()) if one.law == "Compound"]
    assert (found.level, found.detail) == ("ok", "holds on the CRM side (120 writes)")


def test_a_mapping_without_such_fields_is_not_concerned() -> None:
    found = laws.check(mapping_of("overplane"), compound=StageAndStatus())
    assert not [one for one in found if one.law == "Compound"]


class Reopens(StageAndStatus):
    """Writing back what was read moves the deal."""

    def settled(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        return super().settled(before, after) if after != before else {**before, "dealstage": "1"}


class Ignores(StageAndStatus):
    """A status that is written changes another key, and itself never."""

    def settled(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        return before if after == before else {**before, "dealstage": "2", "@status": "open", "dealname": "x"}


class Forgets(StageAndStatus):
    """Whatever is written, the deal lands in one stage."""

    def settled(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        there = super().settled(before, after)
        return before if there == before else {**there, "dealstage": self.states()[0]["dealstage"], "@status": "lost"}


class HasMore(StageAndStatus):
    """One deal lies in a stage that nobody knows."""

    def states(self) -> list[dict[str, Any]]:
        known = super().states()
        return [*known, {**known[0], "dealstage": "999"}]


@pytest.mark.parametrize(("compound", "law"), [(Reopens(), "GetPut"), (Ignores(), "NoClobber"), (Forgets(), "PutGet")])
def test_a_connector_that_makes_another_value_of_them_is_found_out(compound: StageAndStatus, law: str) -> None:
    assert told(compound) == [("fail", law)]


def test_a_stage_that_cannot_be_read_is_not_written_over_and_breaks_nothing() -> None:
    assert told(HasMore()) == told(StageAndStatus())


def test_the_label_of_a_closed_stage_need_not_exist_in_nexudus() -> None:
    context = StageAndStatus().context
    found = laws.check(mapping_of(), {**laws.EXAMPLE_CONTEXTS, Side.CRM: context})
    missing = [one.detail for one in found if one.field == "sales_stage" and one.law == "coverage"]
    labels = ("First", "Closed won", "Closed lost")
    assert [label for label in labels if any(f"'{label}'" in one for one in missing)] == ["First"]
