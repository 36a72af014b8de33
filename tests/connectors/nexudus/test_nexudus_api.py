import pytest
from nexudus_server import Server, answer, card, done, params, refused, sent

from nexudus_sync.connectors.nexudus.api import NexudusApi
from nexudus_sync.errors import NotFound, OutcomeUnknown, Refused, Unavailable

MANY = "/crm/crmopportunities"


@pytest.fixture
def api(connector) -> NexudusApi:
    return connector._api


async def test_a_listing_is_asked_with_its_paging_and_checked_filters(api, server: Server):
    server.cards = {1: card(1), 2: card(2)}
    page = await api.opportunities({"CrmOpportunity_CrmBoardColumn_CrmBoard_Id": 1}, page=1, size=1, direction=-1)
    assert params(server.requests[-1]) == {
        "CrmOpportunity_CrmBoardColumn_CrmBoard_Id": "1",
        "page": "1",
        "size": "1",
        "orderBy": "Id",
        "dir": "-1",
    }
    assert (page.total, page.has_next, [row["Id"] for row in page.rows]) == (2, True, [1])


async def test_a_misspelt_filter_never_reaches_the_server(api, server: Server):
    with pytest.raises(ValueError, match="is not a filter"):
        await api.opportunities({"CrmOpportunity_Nmae": "x"})
    assert server.requests == []


async def test_several_ids_go_in_brackets(api, server: Server):
    server.cards = {number: card(number) for number in range(1, 40)}
    page = await api.opportunities_by_ids(list(range(1, 31)))
    assert len(page.rows) == 30
    assert params(server.requests[-1])["CrmOpportunity_Id"].startswith("[1,2,3,")


@pytest.mark.parametrize(
    ("body", "has_next"),
    [
        ({"HasNextPage": True}, True),
        ({"HasNextPage": False, "TotalPages": 9}, False),
        ({"HasNextPage": None, "TotalPages": 2}, True),
        ({"HasNextPage": None, "TotalPages": 1}, False),
        ({"HasNextPage": None, "TotalPages": None}, False),
    ],
)
async def test_the_next_page_is_told_by_the_answer_not_by_the_size_asked_for(api, server: Server, body, has_next):
    server.on("GET", MANY, lambda request: server.listed(request, [card(1)], **body))
    assert (await api.opportunities({})).has_next is has_next


@pytest.mark.parametrize("total", [0, None])
async def test_null_for_an_empty_list_is_an_empty_list(api, server: Server, total: int | None):
    server.on("GET", MANY, answer({"Records": None, "TotalItems": total}))
    assert (await api.opportunities({})).rows == []


@pytest.mark.parametrize("body", [[], {"Records": None}, {"Records": [{"Name": "no id"}]}, "text"])
async def test_a_listing_of_another_shape_is_a_passing_failure(api, server: Server, body):
    server.on("GET", MANY, answer(body) if not isinstance(body, str) else answer('"text"'))
    with pytest.raises(Unavailable):
        await api.opportunities({})


async def test_a_total_that_is_not_said_is_none(api, server: Server):
    server.on("GET", MANY, answer({"Records": []}))
    assert (await api.opportunities({})).total is None


async def test_one_record_is_whole_and_not_wrapped(api, server: Server):
    server.cards[7] = card(7)
    assert await api.opportunity(7) == card(7)


async def test_not_found_is_told_from_404_and_from_its_text(api, server: Server):
    with pytest.raises(NotFound):
        await api.opportunity(8)
    server.on("GET", f"{MANY}/9", answer('"Not found"'))
    with pytest.raises(NotFound):
        await api.opportunity(9)


async def test_an_answer_that_is_no_record_is_a_passing_failure(api, server: Server):
    server.on("GET", f"{MANY}/9", answer({"Message": "hm"}))
    with pytest.raises(Unavailable):
        await api.opportunity(9)
    server.on("GET", "/sys/businesses/9", answer([]))
    with pytest.raises(Unavailable):
        await api.location(9)


async def test_create_update_and_delete_use_their_methods(api, server: Server):
    server.on("POST", MANY, done(9))
    server.on("PUT", MANY, done(9))
    server.on("DELETE", f"{MANY}/9", done())
    assert (await api.create_opportunity({"CoworkerId": 1})).id == 9
    assert (await api.update_opportunity({"Id": 9})).updated_by == "sync@example.com"
    assert (await api.delete_opportunity(9)).id is None
    assert [(request.method, request.url.path) for request in server.requests[1:]] == [
        ("POST", f"/api{MANY}"),
        ("PUT", f"/api{MANY}"),
        ("DELETE", f"/api{MANY}/9"),
    ]


async def test_commands_are_run_by_post_and_a_failure_in_a_200_is_raised(api, server: Server):
    server.on("GET", f"{MANY}/commands", answer([{"Key": "DO", "Name": "Do it"}]))
    assert [command["Key"] for command in await api.commands()] == ["DO"]
    server.on("POST", f"{MANY}/runcommand", done(), refused("could not", status=200))
    await api.run_command("DO", [1, 2], [{"Name": "a", "Type": "b", "Value": 3}])
    assert sent(server.requests[-1]) == {
        "Key": "DO",
        "Ids": [1, 2],
        "Parameters": [{"Name": "a", "Type": "b", "Value": 3}],
    }
    with pytest.raises(Refused, match="could not"):
        await api.run_command("DO", [1])


async def test_the_three_enums_are_asked_for_by_name(api, server: Server):
    server.on("GET", "/utils/enums", answer([{"Id": 1, "Name": "Web"}, "stray"]))
    for listed in (await api.lead_sources(), await api.loss_reasons(), await api.statuses()):
        assert listed == [{"Id": 1, "Name": "Web"}]
    assert [params(request)["name"] for request in server.calls("GET", "/enums")] == [
        "eCrmOpportunitySource",
        "eCrmOpportunityLossReason",
        "eCrmOpportunityStatus",
    ]


async def test_the_other_lists_are_read_page_by_page(api, server: Server):
    server.largest = 2
    assert len(await api.boards()) == 3
    assert len(await api.stages()) == 7
    assert len(await api.users()) == 2
    assert len(await api.locations()) == 1
    assert len(await api.time_zones()) == 1
    assert (await api.stage(14))["DeleteAccount"] is True
    assert await api.opportunity_types() == [{"Id": 5, "Name": "Desk"}]
    assert await api.histories({"CrmOpportunityHistory_CrmOpportunity": 7}) == []
    assert await api.audit_entries({"AuditTrailEntry_EntityId": 7}) == []
    assert await api.customers({"Coworker_Email": "a@example.com"}) == []


async def test_a_list_that_repeats_itself_for_ever_is_left(api, server: Server):
    rows = [{"Id": 1, "Name": "Sales"}]
    server.on("GET", "/crm/crmboards", lambda request: answer({"Records": rows, "HasNextPage": True}))
    assert await api.boards() == rows
    assert len(server.calls("GET", "crmboards")) == 2


async def test_a_customer_created_without_a_readable_answer_may_exist(api, server: Server):
    server.on("POST", "/spaces/coworkers", answer("[]"))
    with pytest.raises(OutcomeUnknown):
        await api.create_customer({"Email": "a@example.com"})
