import asyncio
from datetime import timedelta

import httpx
import pytest
from fake_overplane import NOW, OPPORTUNITY, FakeOverplane, spaced
from hypothesis import given, settings
from hypothesis import strategies as st

from nexudus_sync.clock import SystemClock
from nexudus_sync.connectors import rows
from nexudus_sync.connectors.base import Page, Scope
from nexudus_sync.connectors.overplane.api import Listing
from nexudus_sync.connectors.overplane.sweep import Sweeper
from nexudus_sync.connectors.page_size import PageSize
from nexudus_sync.errors import Refused, Unavailable

ALL = Scope()


async def scanned(crm, scope=ALL, cursor="") -> list[Page]:
    return [page async for page in crm.scan(scope, cursor)]


def ids(pages: list[Page]) -> list[str]:
    return [row.id for page in pages for row in page.rows]


def fill(server: FakeOverplane, count: int) -> list[str]:
    return [server.add(OPPORTUNITY, contact_email="a@example.com", company="Example Corp")["id"] for _ in range(count)]


async def test_a_calm_scan_takes_one_call_a_page_and_lists_everything_once(connect, server):
    made = fill(server, 250)
    pages = await scanned(connect(page_size=100))
    assert ids(pages) == made[::-1]
    assert [query["offset"] for _, _, query, _ in server.calls] == ["0", "100", "200"]
    assert [page.complete for page in pages] == [False, False, False, True]
    assert (pages[-1].cursor, pages[-1].total) == ("", 250)
    assert all(page.cursor is None for page in pages[:-1])


async def test_pages_are_asked_for_ahead_once_the_first_one_told_how_many_there_are(connect, server):
    made = fill(server, 250)
    crm = connect(page_size=40)
    crm.read_ahead(3)
    pages = await scanned(crm)
    assert ids(pages) == made[::-1]
    assert pages[-1].complete
    offsets = [int(query["offset"]) for _, _, query, _ in server.calls]
    assert (offsets[0], sorted(offsets)) == (0, [0, 40, 80, 120, 160, 200, 240])


@pytest.mark.parametrize("total", [None, 1, 400, "about 60", True])
async def test_pages_asked_for_ahead_by_a_wrong_total_list_everything_all_the_same(connect, server, total):
    made = fill(server, 250)
    server.listed = {"total": total}
    crm = connect(page_size=40)
    crm.read_ahead(4)
    pages = await scanned(crm)
    assert pages[-1].complete
    assert set(ids(pages)) == set(made)


async def test_a_page_is_as_old_as_its_request_also_where_it_was_asked_for_ahead(connect, server, clock):
    fill(server, 120)
    crm = connect(page_size=40)
    crm.read_ahead(3)
    pages, ends = [], []
    async for page in crm.scan(ALL, ""):
        pages.append(page)
        clock.pass_time(10)
        ends.append(clock.monotonic())
    assert pages[2].asked_at is not None
    assert pages[2].asked_at < ends[1]


async def test_a_smaller_page_than_the_first_one_drops_what_was_asked_for_behind_it(connect, server):
    made = fill(server, 250)

    def shorter(request: httpx.Request) -> None:
        server.largest = 30 if len(server.calls) > 2 else 40

    server.before = shorter
    crm = connect(page_size=40)
    crm.read_ahead(3)
    pages = await scanned(crm)
    assert pages[-1].complete
    assert set(ids(pages)) == set(made)


async def test_a_list_without_any_record_is_complete(crm):
    pages = await scanned(crm)
    assert ids(pages) == []
    assert pages[-1].complete


async def test_a_server_that_honours_fewer_rows_is_asked_for_so_many_from_then_on(crm, server):
    server.largest = 100
    made = fill(server, 250)
    assert ids(await scanned(crm)) == made[::-1]
    assert [(q["limit"], q["offset"]) for _, _, q, _ in server.calls] == [("1000", "0"), ("100", "100"), ("100", "200")]
    server.calls.clear()
    await scanned(crm)
    assert {q["limit"] for _, _, q, _ in server.calls} == {"100"}


async def test_a_server_that_refuses_a_large_limit_is_asked_for_half_until_it_accepts(crm, server):
    server.largest, server.refuses_large = 100, True
    made = fill(server, 70)
    assert ids(await scanned(crm)) == made[::-1]
    assert [q["limit"] for _, _, q, _ in server.calls] == ["1000", "500", "250", "125", "62", "62"]
    server.calls.clear()
    await scanned(crm)
    assert [q["limit"] for _, _, q, _ in server.calls] == ["62", "62"]


async def test_a_new_process_does_not_ask_again_for_what_was_refused(connect, server, memory):
    server.largest, server.refuses_large = 100, True
    fill(server, 70)
    await scanned(connect(memory))
    server.calls.clear()
    await scanned(connect(memory))
    assert [q["limit"] for _, _, q, _ in server.calls] == ["62", "62"]


@pytest.mark.parametrize(("days", "settings"), [(8, {}), (-8, {}), (0, {"page_size": 500})])
async def test_after_a_week_or_with_another_page_size_it_is_found_out_again(
    days, settings, connect, server, memory, clock
):
    server.largest = 100
    fill(server, 150)
    await scanned(connect(memory))
    server.calls.clear()
    clock.at += timedelta(days=days)
    await scanned(connect(memory, **settings))
    assert [q["limit"] for _, _, q, _ in server.calls] == [str(settings.get("page_size", 1000)), "100"]


async def test_a_listing_refused_for_another_reason_is_an_error_and_forgets_no_limit(crm, server):
    server.before = lambda request: httpx.Response(400, json={"message": "no"})
    with pytest.raises(Refused, match="no"):
        await scanned(crm)
    assert [q["limit"] for _, _, q, _ in server.calls] == ["1000", "500", "250", "125", "62", "31", "20"]
    server.before = lambda request: None
    server.calls.clear()
    await scanned(crm)
    assert [q["limit"] for _, _, q, _ in server.calls] == ["1000"]


async def test_one_very_short_page_does_not_make_later_pages_that_short(connect, server):
    made = fill(server, 60)
    rows = list(server.tables[OPPORTUNITY])
    answers = [httpx.Response(200, json={"data": rows[:1], "has_more": True, "total": 60})]
    server.before = lambda request: answers.pop() if answers else None
    assert ids(await scanned(connect(page_size=40))) == made[::-1]
    assert [(q["limit"], q["offset"]) for _, _, q, _ in server.calls] == [("40", "0"), ("40", "1"), ("40", "41")]


async def test_a_creation_between_two_pages_makes_the_scan_repeat(connect, server):
    fill(server, 60)

    def created(request: httpx.Request) -> None:
        if len(server.calls) == 2:
            fill(server, 1)

    server.before = created
    pages = await scanned(connect(page_size=40))
    assert len(server.calls) == 4
    assert pages[-1].complete
    assert set(ids(pages)) == {row["id"] for row in server.tables[OPPORTUNITY]}


async def test_a_deletion_between_two_pages_skips_a_row_and_makes_the_scan_repeat(connect, server):
    made = fill(server, 60)

    def deleted(request: httpx.Request) -> None:
        if len(server.calls) == 2:
            server.tables[OPPORTUNITY].pop(0)

    server.before = deleted
    pages = await scanned(connect(page_size=40))
    assert pages[-1].complete
    assert made[19] in ids(pages)
    assert len(server.calls) == 4


async def test_a_deletion_and_a_creation_that_leave_the_total_alone_are_noticed_by_the_ids(connect, server):
    fill(server, 60)

    def both(request: httpx.Request) -> None:
        if len(server.calls) == 2:
            server.tables[OPPORTUNITY].pop(50)
            fill(server, 1)

    server.before = both
    pages = await scanned(connect(page_size=40))
    assert len(server.calls) == 4
    assert pages[-1].complete


async def test_after_four_restless_scans_the_union_is_given_as_incomplete(connect, server):
    made = fill(server, 60)

    def restless(request: httpx.Request) -> None:
        if request.url.params["offset"] != "0":
            fill(server, 1)

    server.before = restless
    pages = await scanned(connect(page_size=40))
    assert len(server.calls) == 8
    assert (pages[-1].complete, pages[-1].cursor) == (False, "")
    assert set(made) <= set(ids(pages))


@pytest.mark.parametrize("total", [64, 2, None, "about 60", True])
async def test_a_total_that_is_an_estimate_or_none_is_made_up_for_by_two_equal_sweeps(connect, server, total):
    fill(server, 60)
    server.listed = {"total": total}
    pages = await scanned(connect(page_size=40))
    assert pages[-1].complete
    assert len(server.calls) == 4


async def test_two_sweeps_that_differ_are_not_believed_without_a_total(connect, server):
    fill(server, 60)
    server.listed = {"total": None}

    def restless(request: httpx.Request) -> None:
        if request.url.params["offset"] != "0":
            fill(server, 1)

    server.before = restless
    pages = await scanned(connect(page_size=40))
    assert (len(server.calls), pages[-1].complete) == (8, False)


@pytest.mark.parametrize("total", [0, None])
async def test_null_in_place_of_an_empty_list_is_an_empty_list(crm, server, total):
    server.before = lambda request: httpx.Response(200, json={"data": None, "has_more": False, "total": total})
    pages = await scanned(crm)
    assert ids(pages) == []
    assert pages[-1].complete


async def test_a_row_without_an_id_hides_nothing_but_leaves_the_list_incomplete(crm, server):
    made = fill(server, 3)
    listed = [*server.tables[OPPORTUNITY], {"title": "no id"}, None, {"id": ["list"]}, {"id": ""}]
    server.before = lambda request: httpx.Response(200, json={"data": listed, "has_more": False, "total": 7})
    pages = await scanned(crm)
    assert sorted(ids(pages)) == sorted(made)
    assert (len(server.calls), pages[-1].complete) == (1, False)


async def test_a_list_without_end_ends_and_names_itself(crm, server, monkeypatch):
    monkeypatch.setattr(rows, "MOST_PAGES", 5)
    server.before = lambda request: httpx.Response(
        200, json={"data": [{"id": str(len(server.calls))}], "has_more": True, "total": None}
    )
    with pytest.raises(Unavailable, match="/api/crm/opportunity does not end: 5 pages were read"):
        await scanned(crm)
    assert len(server.calls) == 5


async def test_a_server_that_ignores_the_offset_does_not_hold_the_scan_for_ever(crm, server):
    fill(server, 3)
    rows = server.tables[OPPORTUNITY]
    server.before = lambda request: httpx.Response(200, json={"data": rows, "has_more": True, "total": 9})
    pages = await scanned(crm)
    assert not pages[-1].complete
    assert len(server.calls) == 8


async def test_one_plain_list_without_a_total_is_taken_for_all_there_is(crm, server):
    fill(server, 3)
    rows = server.tables[OPPORTUNITY]
    server.before = lambda request: httpx.Response(200, json=rows)
    assert (await scanned(crm))[-1].complete
    server.before = lambda request: httpx.Response(200, json={"data": rows})
    assert (await scanned(crm))[-1].complete
    assert len(server.calls) == 2


@pytest.mark.parametrize("body", [{"data": None, "total": 3}, {"error": "x"}, {"data": [1]}, "text", None])
async def test_an_answer_that_is_no_list_is_a_passing_failure(crm, server, body):
    server.before = lambda request: httpx.Response(200, json=body)
    with pytest.raises(Unavailable):
        await scanned(crm)


@pytest.mark.parametrize("cursor", [None, ""])
async def test_records_of_other_companies_are_listed_and_told_apart_by_their_company(crm, server, cursor):
    inside = fill(server, 1)[0]
    outside = server.add(OPPORTUNITY, company="Other", contact_email="b@example.com")["id"]
    scope = Scope(company="Example Corp")
    rows = {row.id: row.record for page in await scanned(crm, scope, cursor) for row in page.rows}
    assert {record_id: crm.in_scope(row, scope) for record_id, row in rows.items()} == {inside: True, outside: False}
    assert crm.in_scope(rows[outside], ALL)


async def test_a_stamp_is_the_update_time_without_its_stray_spaces(crm, server):
    server.add(OPPORTUNITY, contact_email="a@example.com", updated_at="2024-01-15T09: 30: 00Z")
    (row,) = (await scanned(crm))[0].rows
    assert row.stamp.token == "2024-01-15T09:30:00Z"
    assert row.stamp.at.isoformat() == "2024-01-15T09:30:00+00:00"
    assert not row.stamp.own


@pytest.mark.parametrize("skew", [0.0, 600.0, -600.0])
async def test_a_row_is_hot_while_its_stamp_is_now_by_the_servers_clock(crm, server, skew):
    server.skew = skew
    await scanned(crm)
    server.add(OPPORTUNITY, contact_email="a@example.com", updated_at=spaced(server.now()))
    server.add(OPPORTUNITY, contact_email="a@example.com", updated_at=spaced(server.now() - timedelta(seconds=10)))
    server.add(OPPORTUNITY, contact_email="a@example.com", updated_at=None)
    assert [row.hot for row in (await scanned(crm))[0].rows] == [False, False, True]


async def test_an_opportunity_without_contact_email_takes_its_partys_from_one_read_of_the_parties(crm, server):
    lead = server.add("crm/lead", email_id="Ana@Example.com", lead_name="Ana", company_name="Ana SL")
    for _ in range(3):
        server.add(OPPORTUNITY, opportunity_from="Lead", party_name=lead["id"], company="Example Corp")
    rows = [row for page in await scanned(crm) for row in page.rows]
    facts = crm.facts(rows[0].record)
    assert (facts.email, facts.customer_name, facts.company_name) == ("ana@example.com", "Ana", "Ana SL")
    assert (facts.party.kind, facts.party.id) == ("Lead", lead["id"])
    assert server.paths().count("/api/crm/lead") == 1


async def test_an_opportunity_whose_party_is_nowhere_is_listed_without_email(crm, server):
    server.add(OPPORTUNITY, opportunity_from="Lead", party_name="gone")
    server.add(OPPORTUNITY, opportunity_from="Partner", party_name="x")
    assert [crm.facts(row.record).email for page in await scanned(crm) for row in page.rows] == [None, None]
    assert server.paths().count("/api/crm/lead") == 1


async def test_parties_that_the_token_may_not_read_do_not_stop_a_scan(crm, server):
    server.add(OPPORTUNITY, opportunity_from="Customer", party_name="c1")
    server.before = lambda request: httpx.Response(403) if "customer" in request.url.path else None
    (row,) = (await scanned(crm))[0].rows
    assert crm.facts(row.record).email is None


async def test_the_offset_of_the_servers_clock_is_known_after_the_first_answer(crm, server):
    assert crm.clock_offset() is None
    server.skew = 600.0
    await scanned(crm)
    assert crm.clock_offset() == pytest.approx(600, abs=1.5)
    assert server.clock.now() - NOW < timedelta(seconds=5)


class Moving:
    """A list, newest first, to which records come and from which they go between two answers.

    `delays`: how many turns of the loop each answer takes.
    """

    path, system = "/list", "crm"

    def __init__(self, count: int, events: list[tuple[int, list[float]]], delays: list[int]) -> None:
        self.rows, self.new = [str(number) for number in range(count)], count
        self.events, self.delays = events, delays
        self.throughout = set(self.rows)

    async def page(self, query, *, priority) -> Listing:
        for _ in range(self.delays.pop() if self.delays else 0):
            await asyncio.sleep(0)
        offset, limit = int(query["offset"]), int(query["limit"])
        if offset and self.events:
            self.change(*self.events.pop())
        shown = [{"id": one} for one in self.rows[offset : offset + limit]]
        return Listing(shown, offset + limit < len(self.rows), len(self.rows))

    def change(self, come: int, go: list[float]) -> None:
        for place in go:
            if self.rows:
                self.throughout.discard(self.rows.pop(int(place * len(self.rows))))
        self.rows = [str(self.new + number) for number in range(come)] + self.rows
        self.new += come


@given(
    count=st.integers(0, 60),
    limit=st.integers(5, 12),
    events=st.lists(st.tuples(st.integers(0, 4), st.lists(st.floats(0, 0.999), max_size=4)), max_size=12),
    delays=st.lists(st.integers(0, 6), max_size=40),
    ahead=st.integers(1, 8),
)
@settings(max_examples=300, deadline=None)
async def test_whatever_comes_or_goes_meanwhile_a_complete_sweep_has_all_that_stayed(
    count, limit, events, delays, ahead
):
    clock = SystemClock()
    moving, sweeper = Moving(count, events, delays), Sweeper(clock, PageSize("crm", limit, None, clock))
    sweeper.ahead = ahead
    stretches = [stretch async for stretch in sweeper.sweep(moving)]
    seen = {row["id"] for stretch in stretches for row in stretch.rows}
    assert moving.throughout <= seen or not stretches[-1].complete
