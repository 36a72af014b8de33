from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sandbox_client import HandClock

from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.nexudus.enums import LEAD_SOURCES, LOSS_REASONS
from nexudus_sandbox.overplane import OverplaneDouble
from nexudus_sandbox.seed import Seeded, seed
from nexudus_sandbox.seed.words import REASONS

LONDON = ZoneInfo("Europe/London")


class Grown:
    def __init__(self, **counts: int) -> None:
        clock = HandClock()
        self.nexudus, self.overplane = NexudusDouble(clock.now), OverplaneDouble(clock.now)
        self.seeded: Seeded = seed(self.nexudus, self.overplane, **counts)
        self.cards, self.rows = self.nexudus.records(), self.overplane.records()
        self.london = [self.cards[card] for card in self.seeded.nexudus_ids]

    def card_says(self, card_id: int) -> dict[str, Any]:
        card = self.cards[card_id]
        owner = self.nexudus.directory.users.get(card["ResponsibleId"], {})
        due = card["DueDate"] and datetime.fromisoformat(card["DueDate"]).astimezone(LONDON).date().isoformat()
        return {
            "title": card["Name"],
            "email": card["CoworkerEmail"],
            "status": {0: "open", None: "open", 1: "open", 2: "won", 3: "lost"}[card["Status"]],
            "stage": card["CrmBoardColumnName"],
            "reason": REASONS.get(card["LossReason"]),
            "amount": card["Value"] or Decimal(0),
            "due": due,
            "owner": owner.get("Email"),
            "utm": [card[key] for key in ("UtmSource", "UtmMedium", "UtmCampaign", "UtmContent")],
            "currency": card["CrmBoardColumnCrmBoardBusinessCurrencyCode"],
        }

    def row_says(self, row_id: str) -> dict[str, Any]:
        row = self.rows[row_id]
        return {
            "title": row["title"],
            "email": row["contact_email"],
            "status": {"Converted": "won", "Lost": "lost", "Closed": "lost"}.get(row["status"], "open"),
            "stage": row["sales_stage"],
            "reason": next(iter(self.overplane.lost_reasons(row_id)), None),
            "amount": row["opportunity_amount"] or Decimal(0),
            "due": row["expected_closing"],
            "owner": row["opportunity_owner"],
            "utm": [row[key] for key in ("utm_source", "utm_medium", "utm_campaign", "utm_content")],
            "currency": row["currency"],
        }


@pytest.fixture(scope="module")
def grown() -> Grown:
    return Grown()


def test_the_counts_are_those_asked_for_and_there_is_more_elsewhere(grown: Grown) -> None:
    seeded = grown.seeded
    assert (len(seeded.nexudus_ids), len(seeded.crm_ids), len(seeded.pairs)) == (300, 200, 80)
    assert {card["CrmBoardColumnCrmBoardBusinessId"] for card in grown.london} == {1001}
    assert {row["company"] for row in grown.rows.values()} == {"Example Corp", "Example Iberia", "Example Americas"}
    assert {card["CrmBoardColumnCrmBoardBusinessCurrencyCode"] for card in grown.cards.values()} == {
        "GBP",
        "EUR",
        "USD",
    }
    assert (len(grown.cards), len(grown.rows)) == (324, 224)


def test_equal_pairs_say_the_same_on_both_sides(grown: Grown) -> None:
    assert len(grown.seeded.equal) == 60
    for card_id, row_id in grown.seeded.equal:
        assert grown.card_says(card_id) == grown.row_says(row_id)


def test_other_pairs_agree_on_who_and_what_and_differ_in_little(grown: Grown) -> None:
    assert (len(grown.seeded.blank), len(grown.seeded.different)) == (10, 10)
    for card_id, row_id in grown.seeded.blank + grown.seeded.different:
        card, row = grown.card_says(card_id), grown.row_says(row_id)
        assert (card["title"], card["email"]) == (row["title"], row["email"])
        assert len([key for key in card if card[key] != row[key]]) == 1


def test_no_address_is_on_both_sides_but_the_shared_ones(grown: Grown) -> None:
    emails = {card["CoworkerEmail"] for card in grown.cards.values()} & {
        row["contact_email"] for row in grown.rows.values()
    }
    shared = {grown.card_says(card_id)["email"] for card_id, _ in grown.seeded.pairs}
    assert emails - {None} == shared


def test_every_loss_reason_and_lead_source_occurs(grown: Grown) -> None:
    assert {card["LossReason"] for card in grown.london} >= {*LOSS_REASONS}
    assert {card["LeadSource"] for card in grown.london} >= {*LEAD_SOURCES}


def test_the_data_has_the_oddities_of_grown_data(grown: Grown) -> None:
    assert {card["Status"] for card in grown.london} == {0, 1, 2, 3, None}
    assert any(len(card["Notes"] or "") > 1000 for card in grown.london)
    assert any(card["UtmTerm"] == "büro mieten" for card in grown.london)
    assert any(card["CustomFields"] for card in grown.london)
    assert any(card["CoworkerEmail"] is None for card in grown.london)
    assert any("×" in card["Name"] and "ü" in card["CoworkerFullName"] for card in grown.london)
    assert {card["CrmBoardColumnCrmBoardName"] for card in grown.london} == {"Sales", "Sales 2019"}
    stamps = [card["UpdatedOn"] for card in grown.london]
    assert max(stamps.count(stamp) for stamp in stamps) >= 10


def test_some_due_dates_fall_on_another_day_in_utc(grown: Grown) -> None:
    due = [datetime.fromisoformat(card["DueDate"]) for card in grown.london if card["DueDate"]]
    assert any(at.date() != at.astimezone(LONDON).date() for at in due)


def test_nothing_was_updated_before_it_was_created_or_just_now(grown: Grown) -> None:
    for card in grown.london:
        assert card["CreatedOn"] <= card["UpdatedOn"] <= "2025-06-16T09:00:30Z"


def test_records_are_kept_in_the_order_of_their_creation(grown: Grown) -> None:
    created = [card["CreatedOn"] for card in grown.cards.values()]
    stamps = [row["created_at"] for row in grown.rows.values()]
    assert created == sorted(created)
    assert stamps == sorted(stamps)


def test_each_side_has_a_stage_the_other_lacks_and_little_in_it(grown: Grown) -> None:
    stages = [grown.card_says(card)["stage"] for card in grown.seeded.nexudus_ids]
    rows = [grown.rows[row]["sales_stage"] for row in grown.seeded.crm_ids]
    assert (stages.count("Welcome mail"), stages.count("Archive & delete"), rows.count("Prospecting")) == (2, 0, 2)
    assert {*rows} - {*stages} == {"Prospecting"}


def test_planting_data_lets_no_stage_act(grown: Grown) -> None:
    assert grown.nexudus.acts == []


def test_the_same_seed_gives_the_same_data() -> None:
    small = {"nexudus": 30, "crm": 20, "shared": 8}
    assert Grown(**small).cards == Grown(**small).cards
    assert Grown(**small, seed=8).cards != Grown(**small).cards


def test_no_more_can_be_shared_than_a_side_has() -> None:
    with pytest.raises(ValueError, match="more shared"):
        Grown(nexudus=3, crm=2, shared=3)
