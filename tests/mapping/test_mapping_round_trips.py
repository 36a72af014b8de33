"""The two laws over generated records, for every field of the shipped mapping and in five zones."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.mapping import Context, Mapping, Record, Side, Unmapped, Unreadable, pair, parse
from nexudus_sync.mapping.shipped import shipped

MAPPING = pair(
    parse(shipped("nexudus"), "nexudus.toml", Side.NEXUDUS), parse(shipped("overplane"), "overplane.toml", Side.CRM)
)
FIELDS = [field.name for field in MAPPING.fields]
ZONES = ("Europe/London", "Europe/Madrid", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")

BLANKS = st.sampled_from([None, "", " "])
TEXTS = st.one_of(BLANKS, st.text(max_size=12), st.sampled_from(["a\r\nb", "e\u0301", " x ", "x" * 3000]))
MONEY = st.one_of(
    BLANKS,
    st.integers(-(10**12), 10**12),
    st.decimals(-(10**9), 10**9, places=3),
    st.sampled_from([0, Decimal("0.00"), "12.5", "1e3"]),
)
DAYS = st.dates().map(lambda day: day.isoformat())
MOMENTS = st.builds(
    "{}T{}{}".format,
    DAYS,
    st.times().map(lambda t: t.replace(fold=0).isoformat()),
    st.sampled_from(["Z", "", "+02:00"]),
)
DATES = st.one_of(BLANKS, DAYS, MOMENTS)
REASONS = st.sampled_from(["Price", "PoorQualification", "poor qualification", "Not returning calls", "Other", " "])
ROWS = st.lists(
    st.fixed_dictionaries(
        {"lost_reason": st.one_of(REASONS, BLANKS)}, optional={"idx": st.integers(0, 3), "id": st.text()}
    ),
    max_size=3,
)
PLAIN_TEXTS = {"title": TEXTS, **{name: TEXTS for name in FIELDS if name.startswith("utm_")}}
RAWS: dict[Side, dict[str, st.SearchStrategy[Any]]] = {
    Side.NEXUDUS: PLAIN_TEXTS | {
        "status": st.one_of(BLANKS, st.sampled_from([0, 1, 2, 3, "1", "3"])),
        "sales_stage": st.one_of(BLANKS, st.integers(101, 104)),
        "lost_reasons": st.one_of(BLANKS, st.integers(1, 20), st.just(99)),
        "opportunity_amount": MONEY,
        "expected_closing": DATES,
        "opportunity_owner": st.one_of(BLANKS, st.sampled_from([7, 8])),
    },
    Side.CRM: PLAIN_TEXTS | {
        "status": st.one_of(BLANKS, st.sampled_from(["Open", "Replied", "quotation", "Converted", "Lost", "Closed"])),
        "sales_stage": st.one_of(BLANKS, st.sampled_from(["New lead", "tour booked", "Won"])),
        "lost_reasons": st.one_of(st.none(), ROWS),
        "opportunity_amount": MONEY,
        "expected_closing": DATES,
        "opportunity_owner": st.one_of(BLANKS, st.sampled_from(["sam@example.com", "U2", "SAM@EXAMPLE.COM"])),
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=ZONES)
def contexts(request: pytest.FixtureRequest, nexudus: Context, crm: Context) -> dict[Side, Context]:
    return {Side.NEXUDUS: replace(nexudus, time_zone=ZoneInfo(request.param)), Side.CRM: crm}


def record_of(data: st.DataObject, mapping: Mapping, side: Side) -> Record:
    """A record whose every mapped field says something, and that has keys no mapping knows."""
    record: Record = {"Id": 5, "Unknown": {"a": [1, None]}}
    for field in mapping.fields:
        if data.draw(st.booleans()):
            path = field.lens(side).path
            record = path.set(path.set(record, "x"), data.draw(RAWS[side][field.name]))
    return record


def test_the_samples_name_every_field() -> None:
    assert set(FIELDS) == set(RAWS[Side.NEXUDUS]) == set(RAWS[Side.CRM])


@pytest.mark.parametrize("side", list(Side))
@given(data=st.data())
@settings(max_examples=40)
def test_writing_back_what_was_read_changes_nothing(
    contexts: dict[Side, Context], side: Side, data: st.DataObject
) -> None:
    record = record_of(data, MAPPING, side)
    for field in MAPPING.fields:
        try:
            value = field.get(side, record, contexts[side])
        except Unreadable:
            continue
        assert field.put(side, value, record, contexts[side]) is record


@pytest.mark.parametrize("to", list(Side))
@given(data=st.data())
@settings(max_examples=40)
def test_what_one_side_says_is_said_by_the_other_once_it_was_written_there(
    contexts: dict[Side, Context], to: Side, data: st.DataObject
) -> None:
    source, before = record_of(data, MAPPING, to.other), record_of(data, MAPPING, to)
    for field in MAPPING.fields:
        try:
            value = field.get(to.other, source, contexts[to.other])
            after = field.put(to, value, before, contexts[to])
        except (Unreadable, Unmapped):
            continue
        assert field.same(field.get(to, after, contexts[to]), value)
        assert field.put(to, value, after, contexts[to]) is after
        root = field.lens(to).path.root
        assert {k: v for k, v in after.items() if k != root} == {k: v for k, v in before.items() if k != root}


@pytest.mark.parametrize("name", [name for name in FIELDS if name != "expected_closing"])
@given(data=st.data())
@settings(max_examples=20)
def test_the_crm_can_say_all_that_nexudus_says(nexudus: Context, crm: Context, name: str, data: st.DataObject) -> None:
    field = MAPPING.field(name)
    value = field.read(Side.NEXUDUS, data.draw(RAWS[Side.NEXUDUS][name]), nexudus)
    after = field.put(Side.CRM, value, {}, crm)
    assert field.same(field.get(Side.CRM, after, crm), value)
