from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync import codec
from nexudus_sync.connectors.base import Draft, Party, Scope
from nexudus_sync.connectors.overplane import steps
from nexudus_sync.errors import Refused

DAY = date(2026, 3, 2)
ANA = Party("ana@example.com", "Ana", "Ana SL", "Lead", "lead_1")


def draft(**record) -> Draft:
    return Draft(record, ANA, Scope(company="Example Corp"), "crm:7", "EUR")


def test_a_create_carries_what_the_page_requires_and_the_mapped_values():
    step = steps.create(
        "crm", draft(title="Desk", opportunity_amount=Decimal("10.50"), notes=None), "Example Corp", DAY
    )
    assert step.kind == "opportunity.create"
    assert step.payload == {
        "opportunity_from": "Lead",
        "party_name": "lead_1",
        "company": "Example Corp",
        "transaction_date": "2026-03-02",
        "contact_email": "ana@example.com",
        "customer_name": "Ana",
        "currency": "EUR",
        "title": "Desk",
        "opportunity_amount": Decimal("10.50"),
    }
    assert codec.loads(codec.dumps(step.payload)) == step.payload
    assert {"title", "opportunity_amount", "notes", "lost_reasons", "company"} <= step.keys


def test_lost_reasons_are_not_part_of_a_create():
    step = steps.create("crm", draft(title="Desk", lost_reasons=[{"lost_reason": "Price"}]), "Example Corp", DAY)
    assert "lost_reasons" not in step.payload
    assert "lost_reasons" not in step.keys
    assert "lost_reasons" in steps.create("crm", draft(lost_reasons=[]), "Example Corp", DAY).keys


def test_a_mapped_value_goes_before_what_a_create_fills_in_and_a_blank_one_does_not():
    step = steps.create("crm", draft(contact_email="", customer_name="Ana García"), "Example Corp", DAY)
    assert step.payload["contact_email"] == "ana@example.com"
    assert step.payload["customer_name"] == "Ana García"


@pytest.mark.parametrize("company", [None, ""])
def test_a_create_without_a_company_is_refused_and_says_which_key_to_set(company):
    with pytest.raises(Refused, match=r"crm\.crm\.company") as caught:
        steps.create("crm", draft(title="Desk"), company, DAY)
    assert caught.value.keys == {"company"}


def test_an_update_sends_only_the_top_level_keys_that_differ():
    before = {"id": "o1", "title": "a", "status": "Open", "probability": Decimal("1.0"), "gone": 1, "updated_at": "x"}
    after = {"id": "o1", "title": "b", "status": "Open", "probability": 1, "new": 2, "updated_at": "y"}
    (step,) = steps.update(before, after)
    assert (step.kind, step.record_id) == ("opportunity.update", "o1")
    assert step.payload == {"title": "b", "gone": None, "new": 2}
    assert step.keys == {"title", "gone", "new"}


def test_nothing_is_sent_when_nothing_differs():
    record = {"id": "o1", "title": "a", "lost_reasons": [{"id": "r1", "lost_reason": "Price"}]}
    assert steps.update(record, dict(record)) == []
    assert steps.update(record, {"id": "o1", "title": "a"}) == []


def test_lost_reason_rows_become_a_step_each_after_the_update():
    before = {"id": "o1", "lost_reasons": [{"id": "r1", "lost_reason": "a"}, {"id": "r2", "lost_reason": "b"}]}
    after = {"id": "o1", "status": "Lost", "lost_reasons": [{"id": "r2", "lost_reason": "c"}, {"lost_reason": "d"}]}
    made = steps.update(before, after)
    assert [(step.kind, step.payload) for step in made] == [
        ("opportunity.update", {"status": "Lost"}),
        ("lost-reason.update", {"id": "r2", "body": {"lost_reason": "c"}}),
        ("lost-reason.delete", {"id": "r1"}),
        ("lost-reason.create", {"body": {"opportunity_id": "o1", "lost_reason": "d"}}),
    ]
    assert all(step.keys == {"lost_reasons"} and step.record_id == "o1" for step in made[1:])


def test_clearing_the_lost_reasons_deletes_every_row():
    before = {"id": "o1", "lost_reasons": [{"id": "r1"}, {"id": "r2"}]}
    assert [step.payload for step in steps.update(before, before | {"lost_reasons": None})] == [
        {"id": "r1"},
        {"id": "r2"},
    ]


KEYS = st.sampled_from(["title", "status", "utm_source", "x"])
RECORDS = st.dictionaries(KEYS, st.none() | st.text(max_size=3) | st.integers(0, 3), max_size=4)


@settings(max_examples=100, deadline=None)
@given(RECORDS, RECORDS)
def test_applying_an_update_to_the_record_before_gives_the_record_after(before, after):
    sent = [step.payload for step in steps.update(before | {"id": "o1"}, after | {"id": "o1"})]
    result = before | (sent[0] if sent else {})
    assert all(result.get(key) == after.get(key) for key in before | after)
    assert all(before.get(key) != value for body in sent for key, value in body.items())


@pytest.mark.parametrize(
    ("kind", "name", "firm", "body"),
    [
        ("Lead", "Ana", "Ana SL", {"lead_name": "Ana", "company_name": "Ana SL"}),
        ("Lead", " ", None, {"lead_name": "a@example.com"}),
        ("Customer", "Ana", "Ana SL", {"customer_name": "Ana", "customer_type": "Individual"}),
        ("Customer", "", "Ana SL", {"customer_name": "Ana SL", "customer_type": "Company"}),
        ("Prospect", "Ana", "Ana SL", {"company_name": "Ana SL"}),
        ("Prospect", "Ana", None, {"company_name": "Ana"}),
    ],
)
def test_a_party_is_created_with_the_names_its_kind_has(kind, name, firm, body):
    step = steps.party("crm", Party("a@example.com", name, firm), kind)
    assert step.kind == "party.create"
    assert step.payload == {"kind": kind, "body": {"email_id": "a@example.com"} | body}


def test_a_party_without_email_is_refused():
    with pytest.raises(Refused, match="without an e-mail"):
        steps.party("crm", Party("", "Ana"), "Lead")
