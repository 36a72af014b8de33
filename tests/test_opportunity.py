from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nexudus_sync import codec
from nexudus_sync.opportunity import FIELDS, Opportunity, PartyKind, Status, Value, hear, say


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, None),
        ("Desk for 4", "Desk for 4"),
        ("", ""),
        (True, True),
        (7, 7),
        (Decimal("10.50"), "10.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.00"), "0.00"),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "2026-03-01T09:30:00Z"),
        (datetime(2026, 3, 1, 9, 30, 1, 999, tzinfo=UTC), "2026-03-01T09:30:01Z"),
    ],
)
def test_a_value_is_said_as_a_page_or_json_shows_it(value: Value, said: object) -> None:
    assert say(value) == said
    assert type(say(value)) is type(said)


@pytest.mark.parametrize(
    ("field", "said", "value"),
    [
        ("title", "Desk for 4", "Desk for 4"),
        ("title", None, None),
        ("opportunity_amount", "10.50", Decimal("10.50")),
        ("opportunity_amount", None, None),
        ("expected_closing", "2026-03-01", date(2026, 3, 1)),
        ("created_at", "2026-03-01T09:30:00Z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("first_response_time", 90, 90),
        ("opportunity_from", "Lead", PartyKind.LEAD),
        ("status", "In talks", "In talks"),
        ("lost_reasons", "Price", "Price"),
        ("lost_reasons", None, None),
        ("budget_code", "2026-03-01", "2026-03-01"),
        ("budget_code", 7, 7),
    ],
)
def test_what_was_said_of_a_field_is_heard_as_its_own_type(field: str, said: object, value: Value) -> None:
    assert hear(field, said) == value
    assert type(hear(field, said)) is type(value)


def test_what_a_field_cannot_say_is_an_error() -> None:
    with pytest.raises(ValidationError):
        hear("opportunity_amount", "much")


@settings(deadline=None)
@given(st.decimals(-(10**12), 10**12, places=2))
def test_an_amount_survives_the_store(amount: Decimal) -> None:
    heard = hear("opportunity_amount", codec.loads(codec.dumps(say(amount))))
    assert heard == amount
    assert isinstance(heard, Decimal)


@settings(deadline=None)
@given(st.dates())
def test_a_day_survives_the_store(day: date) -> None:
    assert hear("expected_closing", say(day)) == day


def test_the_statuses_are_erpnexts() -> None:
    assert [status.value for status in Status] == ["Open", "Quotation", "Replied", "Converted", "Lost", "Closed"]
    assert [kind.value for kind in PartyKind] == ["Lead", "Customer", "Prospect"]


def test_an_opportunity_is_blank_until_told_otherwise_and_does_not_change() -> None:
    blank = Opportunity()
    assert blank.lost_reasons == ()
    assert blank.custom == {}
    assert {getattr(blank, name) for name in FIELDS} == {None, ()}
    with pytest.raises(ValidationError):
        blank.title = "New"  # type: ignore[misc]


def test_an_opportunity_has_no_field_that_the_model_does_not_name() -> None:
    with pytest.raises(ValidationError):
        Opportunity(budget_code="x")  # type: ignore[call-arg]


def test_money_and_days_are_kept_as_such() -> None:
    known = Opportunity(opportunity_amount=Decimal("10.50"), expected_closing=date(2026, 3, 1), status=Status.OPEN)
    assert str(known.opportunity_amount) == "10.50"
    assert known.expected_closing == date(2026, 3, 1)


def test_the_canonical_fields_are_all_but_the_id_and_the_custom_ones() -> None:
    assert set(Opportunity.model_fields) - set(FIELDS) == {"id", "custom"}
    assert FIELDS[:6] == ("created_at", "updated_at", "title", "status", "sales_stage", "lost_reasons")
