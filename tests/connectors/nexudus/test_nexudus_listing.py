import asyncio
from datetime import timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nexudus_server import NOW, Server, answer, card, params

from nexudus_sync.clock import SystemClock
from nexudus_sync.connectors import rows
from nexudus_sync.connectors.base import Priority, Scope
from nexudus_sync.connectors.nexudus import listing
from nexudus_sync.connectors.nexudus.api import Listing
from nexudus_sync.errors import RoleMissing, Unavailable

MANY = "/crm/crmopportunities"
LONDON = Scope(business_id=1001)


async def scanned(connector, scope=LONDON, cursor=None):
    return [page async for page in connector.scan(scope, cursor, Priority.LIVE)]


def ids(pages):
    return [int(row.id) for page in pages for row in page.rows]


def pages_of(server: Server, *states, **changes):
    """Answer successive list calls from successive states of the table."""
    left = [sorted(state) for state in states]

    def respond(request: httpx.Request) -> httpx.Response:
        state = left.pop(0) if len(left) > 1 else left[0]
        return server.listed(request, [card(number) for number in state], **changes)

    server.on("GET", MANY, respond)


async def test_a_calm_scan_reads_each_page_once_and_ends_with_the_cursor(connector, server: Server):
    server.largest = 2
    server.cards = {number: card(number) for number in range(1, 6)}
    pages = await scanned(connector)
    assert ids(pages) == [1, 2, 3, 4, 5]
    assert [page.total for page in pages] == [5, 5, 5]
    assert [page.cursor is not None for page in pages] == [False, False, True]
    assert [page.complete for page in pages] == [False, False, True]
    asked = [params(request) for request in server.calls("GET", "crmopportunities")]
    assert [query["page"] for query in asked] == ["1", "2", "3"]
    assert {query["size"] for query in asked} == {"1000"}
    assert {(query["orderBy"], query["dir"]) for query in asked} == {("Id", "1")}


async def test_an_empty_scope_is_one_empty_page(connector, server: Server):
    (page,) = await scanned(connector)
    assert (page.rows, page.total, page.complete) == ([], 0, True)


async def test_descending_rows_are_as_good_as_ascending_ones(connector, server: Server):
    server.largest = 2
    rows = [card(number) for number in (5, 4, 3, 2, 1)]
    server.on("GET", MANY, lambda request: server.listed(request, rows))
    pages = await scanned(connector)
    assert ids(pages) == [5, 4, 3, 2, 1]


async def test_rows_out_of_order_are_read_again(connector, server: Server):
    mixed = [card(number) for number in (3, 1, 2)]
    calm = [card(number) for number in (1, 2, 3)]
    server.on("GET", MANY, lambda r: server.listed(r, mixed), lambda r: server.listed(r, calm))
    pages = await scanned(connector)
    assert ids(pages) == [3, 1, 2, 1, 2, 3]
    assert [page.cursor is not None for page in pages] == [False, True]


async def test_pages_that_do_not_follow_on_each_other_are_read_again(connector, server: Server):
    server.largest = 2
    rows = [card(number) for number in (3, 4, 1, 2)]
    server.on("GET", MANY, lambda request: server.listed(request, rows))
    with pytest.raises(Unavailable, match="not in order"):
        await scanned(connector)


async def test_rows_that_never_hold_still_are_a_passing_failure_after_four_readings(connector, server: Server):
    mixed = [card(number) for number in (3, 1, 2)]
    server.on("GET", MANY, lambda request: server.listed(request, mixed))
    with pytest.raises(Unavailable, match="kept changing while it was read"):
        await scanned(connector)
    assert len(server.calls("GET", "crmopportunities")) == 4


async def test_an_insertion_while_reading_only_repeats_rows(connector, server: Server):
    server.largest = 2
    pages_of(server, [2, 3, 4, 5], [1, 2, 3, 4, 5])
    pages = await scanned(connector)
    assert ids(pages) == [2, 3, 3, 4, 5]
    assert pages[-1].complete


async def test_a_deletion_while_reading_shows_in_the_total_and_all_is_read_again(connector, server: Server):
    server.largest = 2
    pages_of(server, [1, 2, 3, 4, 5], [2, 3, 4, 5], [2, 3, 4, 5])
    pages = await scanned(connector)
    assert ids(pages) == [1, 2, 4, 5, 2, 3, 4, 5]
    assert [page.complete for page in pages] == [False, False, False, True]


async def test_a_deletion_hidden_by_earlier_insertions_still_shows_in_the_total(connector, server: Server):
    server.largest = 2
    grown, shrunk = [2, 3, 4, 5, 6, 7, 9, 10], [3, 4, 5, 6, 7, 9, 10]
    pages_of(server, [2, 3, 4, 5, 6, 7], grown, shrunk)
    pages = await scanned(connector)
    assert ids(pages) == [2, 3, 4, 5, 7, 9, *shrunk]


async def test_fewer_rows_than_the_total_says_are_believed_when_a_second_reading_shows_them_too(connector, server):
    pages_of(server, [1, 2], TotalItems=3)
    pages = await scanned(connector)
    assert ids(pages) == [1, 2, 1, 2]
    assert pages[-1].complete


async def test_fewer_rows_than_the_total_says_are_no_whole_listing_while_they_differ(connector, server: Server):
    listings = [[1, 2], [1, 3], [1, 4], [1, 5]]
    server.on("GET", MANY, lambda request: answer({"Records": list(map(card, listings.pop(0))), "TotalItems": 3}))
    with pytest.raises(Unavailable, match="2 of 3 were listed"):
        await scanned(connector)


async def test_pages_without_a_total_are_read_until_two_readings_agree(connector, server: Server):
    server.largest = 2
    server.cards = {number: card(number) for number in range(1, 6)}
    server.on("GET", MANY, lambda request: without_total(server, request))
    pages = await scanned(connector)
    assert ids(pages) == [1, 2, 3, 4, 5] * 2
    assert pages[-1].complete


def without_total(server: Server, request: httpx.Request) -> httpx.Response:
    body = server.listed(request, server.select(request)).json()
    return answer({key: value for key, value in body.items() if key != "TotalItems"})


async def test_a_row_without_an_id_hides_nothing_but_leaves_the_list_incomplete(connector, server: Server):
    listed = [card(1), {"Name": "no id"}, None, card(2), card(2) | {"Id": [2]}, card(3) | {"Id": True}]
    server.on("GET", MANY, answer({"Records": listed, "TotalItems": 6}))
    (page,) = await scanned(connector)
    assert (ids([page]), page.complete) == ([1, 2], False)
    assert page.cursor


async def test_null_in_place_of_an_empty_list_is_an_empty_list(connector, server: Server):
    server.on("GET", MANY, answer({"Records": None, "TotalItems": 0}))
    (page,) = await scanned(connector)
    assert (page.rows, page.complete) == ([], True)


@pytest.mark.parametrize("total", [None, 3])
async def test_a_list_without_end_ends_and_names_itself(connector, server: Server, monkeypatch, total):
    monkeypatch.setattr(rows, "MOST_PAGES", 5)

    def respond(request: httpx.Request) -> httpx.Response:
        return answer({"Records": [card(len(server.requests))], "HasNextPage": True, "TotalItems": total})

    server.on("GET", MANY, respond)
    with pytest.raises(Unavailable, match="the list of opportunities does not end: 5 pages were read"):
        await scanned(connector)


async def test_a_total_that_is_too_low_does_no_harm(connector, server: Server):
    pages_of(server, [1, 2], TotalItems=0)
    assert ids(await scanned(connector)) == [1, 2]


async def test_a_page_that_comes_again_for_ever_is_noticed(connector, server: Server):
    server.on("GET", MANY, lambda request: answer({"Records": [card(1), card(2)], "HasNextPage": True}))
    with pytest.raises(Unavailable, match="repeats"):
        await scanned(connector)


def deep_pages_refused(server: Server, deepest: int):
    def respond(request: httpx.Request) -> httpx.Response:
        if int(params(request)["page"]) > deepest:
            return answer("<html>Forbidden</html>", 403)
        return server.listed(request, server.select(request))

    server.on("GET", MANY, respond)


async def test_where_deep_pages_are_refused_reading_goes_on_by_creation(connector, server: Server):
    server.largest = 2
    created = {number: (NOW - timedelta(hours=100 - number)).strftime("%Y-%m-%dT%H:%M:%SZ") for number in range(1, 10)}
    server.cards = {number: card(number, CreatedOn=at) for number, at in created.items()}
    deep_pages_refused(server, 2)
    pages = await scanned(connector)
    assert set(ids(pages)) == set(range(1, 10))
    assert pages[-1].complete
    windows = [params(request).get("from_CrmOpportunity_CreatedOn") for request in server.calls("GET", "opportunities")]
    assert windows[3] == created[4][:16]


async def test_descending_deep_pages_go_on_downwards(connector, server: Server):
    server.largest = 2
    created = {number: f"2026-01-01T0{number}:00:00Z" for number in range(1, 6)}

    def respond(request: httpx.Request) -> httpx.Response:
        query = params(request)
        if int(query["page"]) > 1:
            return answer("", 403)
        upper = query.get("to_CrmOpportunity_CreatedOn", "9")
        rows = [card(number, CreatedOn=at) for number, at in reversed(created.items()) if at[:16] <= upper]
        return server.listed(request, rows)

    server.on("GET", MANY, respond)
    assert sorted(set(ids(await scanned(connector)))) == [1, 2, 3, 4, 5]


async def test_a_refused_first_page_is_a_missing_role(connector, server: Server):
    deep_pages_refused(server, 0)
    with pytest.raises(RoleMissing, match="CrmOpportunity-List"):
        await scanned(connector)


async def test_deep_pages_of_one_minute_cannot_be_read(connector, server: Server):
    server.largest = 2
    same = "2026-01-01T00:00:00Z"
    server.cards = {number: card(number, CreatedOn=same) for number in range(1, 8)}
    deep_pages_refused(server, 1)
    with pytest.raises((RoleMissing, Unavailable)):
        await scanned(connector)


async def test_deep_pages_without_creation_dates_cannot_be_read(connector, server: Server):
    server.largest = 2
    server.cards = {number: card(number, CreatedOn="") for number in range(1, 8)}
    deep_pages_refused(server, 1)
    with pytest.raises(RoleMissing):
        await scanned(connector)


async def test_a_poll_asks_for_changes_since_the_cursor_less_the_overlap(connector, server: Server):
    server.cards = {1: card(1), 2: card(2, UpdatedOn="2026-03-02T11:50:00Z")}
    await connector.start()
    (page,) = await scanned(connector, cursor="2026-03-02T11:54:30+00:00")
    assert ids([page]) == [2]
    asked = params(server.requests[-1])
    assert asked["from_CrmOpportunity_UpdatedOn"] == "2026-03-02T11:49"
    assert not [name for name in asked if "Business" in name or name.startswith("to_")]
    assert not page.complete


async def test_the_cursor_is_by_the_servers_clock(connector, server: Server):
    server.skew = -600
    await connector.start()
    (page,) = await scanned(connector)
    assert page.cursor is not None
    assert page.cursor.startswith("2026-03-02T11:49:00")


async def test_a_board_scope_is_filtered_by_board(connector, server: Server):
    server.cards = {1: card(1), 2: card(2, CrmBoardColumnCrmBoardId=2)}
    (page,) = await scanned(connector, Scope(board_id=2))
    assert ids([page]) == [2]


async def test_rows_of_other_scopes_are_left_out_where_the_filter_was_ignored(connector, server: Server):
    rows = [card(1), card(2, CrmBoardColumnCrmBoardBusinessId=1002)]
    server.on("GET", MANY, lambda request: server.listed(request, rows))
    (page,) = await scanned(connector)
    assert ids([page]) == [1]
    assert page.complete


async def test_rows_still_now_by_the_servers_clock_are_hot(connector, server: Server):
    server.skew = 3600
    server.cards = {1: card(1, UpdatedOn="2026-03-02T13:00:00Z"), 2: card(2, UpdatedOn="2026-03-02T12:00:00Z")}
    await connector.start()
    (page,) = await scanned(connector)
    assert [row.hot for row in page.rows] == [True, False]


class Shifting:
    """A table of ids to which, between two answers, some come or from which some go.

    `delays`: how many turns of the loop each answer takes.
    """

    def __init__(self, table, size, events, delays=()) -> None:
        self.table, self.size, self.events, self.delays = set(table), size, events, list(delays)
        self.throughout = set(table)
        self.answered: list[int] = []

    async def opportunities(self, where, *, page, size, priority):
        for _ in range(self.delays.pop() if self.delays else 0):
            await asyncio.sleep(0)
        if page > 1 and self.events:
            grows, change = self.events.pop()
            self.table = self.table | change if grows else self.table - change
            self.throughout &= self.table
        self.answered.append(page)
        rows = sorted(self.table)
        shown = rows[(page - 1) * self.size : page * self.size]
        return Listing([card(number) for number in shown], len(rows), bool(shown) and page * self.size < len(rows))


TABLES = st.lists(st.integers(1, 40), unique=True, max_size=25)
EVENTS = st.lists(st.tuples(st.booleans(), st.sets(st.integers(1, 40), max_size=3)), max_size=8)


async def read_all_that_stayed(shifting: Shifting, ahead: int) -> None:
    """Read the table; whatever came or went meanwhile, a reading that ends has all that was there throughout."""
    reader = listing.Reader(shifting, "nexudus", SystemClock(), ahead)
    seen: set[int] = set()
    finished = False
    try:
        async for batch in listing.read(reader, {}):
            seen |= {row["Id"] for row in batch.rows}
            finished = batch.last
    except Unavailable:
        assert not finished
    else:
        assert finished
        assert shifting.throughout <= seen


@given(table=TABLES, size=st.integers(1, 6), events=EVENTS)
@settings(max_examples=150, deadline=None)
async def test_whatever_comes_or_goes_meanwhile_a_finished_reading_has_all_that_stayed(table, size, events):
    await read_all_that_stayed(Shifting(table, size, events), ahead=1)


@given(
    table=TABLES,
    size=st.integers(1, 6),
    events=EVENTS,
    delays=st.lists(st.integers(0, 6), min_size=40, max_size=40),
    ahead=st.integers(2, 8),
)
@settings(max_examples=300, deadline=None)
async def test_the_same_holds_where_pages_are_asked_for_ahead(table, size, events, delays, ahead):
    await read_all_that_stayed(Shifting(table, size, events, delays), ahead)


async def test_pages_ahead_are_asked_for_once_the_first_one_told_how_many_there_are(connector, server: Server):
    server.largest = 2
    server.cards = {number: card(number) for number in range(1, 12)}
    connector.read_ahead(3)
    pages = await scanned(connector)
    assert ids(pages) == list(range(1, 12))
    assert pages[-1].complete
    asked = [params(request)["page"] for request in server.calls("GET", "crmopportunities")]
    assert asked[0] == "1"
    assert sorted(asked) == ["1", "2", "3", "4", "5", "6"]


async def test_a_total_that_changes_while_pages_are_asked_for_ahead_makes_all_be_read_page_by_page():
    # page 5 is answered first, after a card was added, and then page 2, after card 1 was deleted: it lacks card 3
    shifting = Shifting(range(1, 10), 2, [(False, {1}), (True, {20})], delays=[0, 4, 4, 3, 0])
    reader = listing.Reader(shifting, "nexudus", SystemClock(), ahead=4)
    batches = [batch async for batch in listing.read(reader, {})]
    assert shifting.answered == [1, 5, 2, 3, 4, 1, 2, 3, 4, 5]
    assert batches[-1].last
    assert {row["Id"] for batch in batches for row in batch.rows} >= {*range(2, 10), 20}


async def test_rows_that_descend_are_not_asked_for_ahead(connector, server: Server):
    server.largest = 2
    rows = [card(number) for number in (5, 4, 3, 2, 1)]
    connector.read_ahead(3)
    server.on("GET", MANY, lambda request: server.listed(request, rows))
    assert ids(await scanned(connector)) == [5, 4, 3, 2, 1]
    assert [params(request)["page"] for request in server.calls("GET", "crmopportunities")] == ["1", "2", "3"]


async def test_where_deep_pages_are_refused_reading_ahead_goes_on_by_creation(connector, server: Server):
    server.largest = 2
    created = {number: (NOW - timedelta(hours=100 - number)).strftime("%Y-%m-%dT%H:%M:%SZ") for number in range(1, 16)}
    server.cards = {number: card(number, CreatedOn=at) for number, at in created.items()}
    deep_pages_refused(server, 3)
    connector.read_ahead(4)
    pages = await scanned(connector)
    assert set(ids(pages)) == set(range(1, 16))
    assert pages[-1].complete
