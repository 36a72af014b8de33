from zoneinfo import ZoneInfo

import pytest
from nexudus_server import Server, answer, card, stage

from nexudus_sync.connectors.base import Scope
from nexudus_sync.errors import RoleMissing, Unavailable

LONDON = Scope(business_id=1001)


async def test_stages_are_read_by_id_anywhere_and_written_by_name_on_the_records_board(connector):
    context = await connector.context(card(7), LONDON)
    stages = context.directories["stage"]
    assert stages.name(31) == "New lead"
    assert stages.raw("new LEAD ") == 11
    assert stages.raw("Ancient") is None
    assert stages.names() == ("New lead", "Tour booked", "Welcome mail", "Purge", "Suspend")
    elsewhere = await connector.context(card(7, CrmBoardColumnId=31), LONDON)
    assert elsewhere.directories["stage"].raw("New lead") == 31


async def test_users_are_known_by_e_mail_and_nothing_else_of_them_is_kept(connector):
    context = await connector.context(card(7), LONDON)
    users = context.directories["user"]
    assert users.name(71) == "anna@example.com"
    assert users.raw("ANNA@example.com") == 71
    assert users.names() == ("anna@example.com", "old@example.com")
    assert "secret" not in repr(connector._directory.__dict__)


async def test_directories_are_read_once_a_process(connector, server: Server):
    for _ in range(3):
        await connector.context(card(7), LONDON)
    paths = [request.url.path.rsplit("/", 1)[-1] for request in server.requests]
    assert sorted(paths) == ["1001", "crmboardcolumns", "crmboards", "simpletimezones", "token", "users"]


async def test_an_unknown_stage_is_looked_up_again_but_not_again_and_again(connector, server: Server, clock):
    await connector.context(card(7), LONDON)
    strange = card(7, CrmBoardColumnId=99)
    await connector.context(strange, LONDON)
    await connector.context(strange, LONDON)
    assert len(server.calls("GET", "crmboardcolumns")) == 2
    server.lists["crmboardcolumns"].append(stage(99, 1, "Brand new", 9))
    await clock.sleep(61)
    context = await connector.context(strange, LONDON)
    assert context.directories["stage"].name(99) == "Brand new"


async def test_an_unknown_user_is_looked_up_again(connector, server: Server):
    await connector.context(card(7), LONDON)
    server.lists["users"].append({"Id": 88, "Email": "new@example.com"})
    context = await connector.context(card(7, ResponsibleId=88), LONDON)
    assert context.directories["user"].name(88) == "new@example.com"


async def test_a_name_that_was_missed_is_looked_up_before_the_next_record(connector, server: Server):
    context = await connector.context(card(7), LONDON)
    assert context.directories["user"].raw("new@example.com") is None
    assert context.directories["stage"].raw("Negotiation") is None
    server.lists["users"].append({"Id": 88, "Email": "new@example.com"})
    server.lists["crmboardcolumns"].append(stage(98, 1, "Negotiation", 9))
    again = await connector.context(card(7), LONDON)
    assert again.directories["user"].raw("new@example.com") == 88
    assert again.directories["stage"].raw("Negotiation") == 98


async def test_a_draft_is_seen_on_the_board_it_would_be_created_on(connector):
    context = await connector.context({}, LONDON)
    assert context.directories["stage"].raw("Tour booked") == 12
    assert context.time_zone == ZoneInfo("Europe/London")
    assert context.digits == 2


async def test_without_a_board_nothing_can_be_written_as_a_stage(connector):
    context = await connector.context({}, Scope(business_id=4711, time_zone=ZoneInfo("Asia/Tokyo")))
    assert context.directories["stage"].names() == ()
    assert context.directories["stage"].raw("New lead") is None


@pytest.mark.parametrize(
    ("scope", "board"),
    [
        (Scope(board_id=2), 2),
        (Scope(business_id=1001), 1),
        (Scope(business_id=1001, create_board=3), 1),
        (Scope(business_id=4711), None),
    ],
)
async def test_the_home_of_new_cards_is_the_only_live_board(connector, scope, board):
    await connector._directory.refresh()
    home = connector._directory.home(scope)
    assert (home.id if home else None) == board


async def test_of_several_live_boards_create_board_chooses(connector, server: Server):
    server.lists["crmboards"][1]["Archived"] = False
    await connector._directory.refresh()
    home = connector._directory.home
    assert home(Scope(business_id=1001)) is None
    assert home(Scope(business_id=1001, create_board=2)).id == 2
    assert home(Scope(business_id=1001, create_board=3)) is None


async def test_a_stage_listed_without_its_flags_is_read_whole(connector, server: Server):
    listed = [dict(row) for row in server.lists["crmboardcolumns"]]
    for row in listed:
        del row["DeleteAccount"]
    server.on("GET", "/crm/crmboardcolumns", lambda request: server.listed(request, listed))
    await connector._directory.refresh()
    assert connector._directory.stage(14).deletes
    assert len(server.requests) > len(listed)


@pytest.mark.parametrize(
    ("location", "zone"),
    [
        ({"SimpleTimeZoneNameIana": "Europe/Madrid"}, "Europe/Madrid"),
        ({"SimpleTimeZoneName": "Romance Standard Time"}, "Europe/Paris"),
        ({"SimpleTimeZone": {"Name": "Tokyo Standard Time"}}, "Asia/Tokyo"),
        ({"SimpleTimeZone": {"NameIana": "Asia/Tokyo"}}, "Asia/Tokyo"),
        ({"SimpleTimeZoneId": 2023}, "Europe/London"),
        ({"SimpleTimeZoneId": 9999}, None),
        ({"SimpleTimeZoneName": "Local time"}, None),
        ({}, None),
    ],
)
async def test_the_zone_is_what_the_locations_record_says(connector, server: Server, location, zone):
    server.lists["businesses"][0] = {"Id": 1001, **location}
    context = await connector.context(card(7), LONDON)
    assert (context.time_zone.key if context.time_zone else None) == zone


async def test_without_the_zone_of_its_own_location_no_card_is_read(connector, server: Server):
    server.on("GET", "/sys/businesses/1001", answer("", 403))
    for _ in range(2):
        with pytest.raises(RoleMissing, match="Business-Read"):
            await connector.context(card(7), LONDON)


async def test_another_location_that_may_not_be_read_has_no_zone(connector):
    assert (await connector.context(card(7, CrmBoardColumnId=31), LONDON)).time_zone is None


async def test_a_configured_zone_needs_no_location(connector, server: Server):
    scope = Scope(business_id=1001, time_zone=ZoneInfo("Asia/Tokyo"))
    assert (await connector.context(card(7), scope)).time_zone == ZoneInfo("Asia/Tokyo")
    assert not server.calls("GET", "/businesses/1001")


async def test_digits_are_those_of_the_records_currency(connector):
    record = card(7, CrmBoardColumnCrmBoardBusinessCurrencyCode="JPY")
    assert (await connector.context(record, LONDON)).digits == 0


async def test_a_currency_no_stage_says_is_the_locations(connector, server: Server):
    for row in server.lists["crmboardcolumns"]:
        del row["CrmBoardBusinessCurrencyCode"]
    server.lists["businesses"][0]["CurrencyCode"] = "KWD"
    assert (await connector.context({}, LONDON)).digits == 3
    server.on("GET", "/sys/businesses/.*", answer("", 403))
    madrid = Scope(business_id=1002, time_zone=ZoneInfo("Europe/Madrid"))
    assert (await connector.context({}, madrid)).digits == 2


async def test_scope_is_told_by_the_record_else_by_its_stage(connector):
    await connector.context({}, LONDON)
    poor = {"CrmBoardColumnId": 12}
    assert connector.in_scope(poor, LONDON)
    assert connector.in_scope(poor, Scope(board_id=1))
    assert not connector.in_scope(poor, Scope(board_id=2))
    assert not connector.in_scope({}, LONDON)
    assert connector.in_scope(card(7), Scope(board_id=1))
    assert not connector.in_scope(card(7), Scope(business_id=1002))


# -- a stage that a card is about to enter -----------------------------------------------------------------------------


def looks(server: Server) -> list[str]:
    """What was read of boards: "crmboards" for all of them, or the id of a stage."""
    paths = [request.url.path for request in server.requests]
    return [path.rpartition("/")[2] for path in paths if path.endswith("/crmboards") or "/crmboardcolumns/" in path]


def amend(server: Server, stage_id: int, **changes: object) -> None:
    rows = server.lists["crmboardcolumns"]
    rows[:] = [{**row, **changes} if row["Id"] == stage_id else row for row in rows]


async def enter(connector, *stages: int) -> list[bool]:
    return [await connector.review(card(7), card(7, CrmBoardColumnId=stage), LONDON) for stage in stages]


async def test_a_stage_is_read_again_once_a_minute(connector, server: Server, clock):
    await connector.context(card(7), LONDON)
    assert await enter(connector, 12, 12) == [False, False]
    assert looks(server) == ["crmboards"]
    await clock.sleep(61)
    assert await enter(connector, 12, 12, 13) == [False, False, False]
    assert looks(server) == ["crmboards", "12", "13"]
    await clock.sleep(61)
    assert await enter(connector, 12) == [False]
    assert looks(server)[3:] == ["12"]


async def test_a_card_that_enters_no_stage_has_none_read(connector, server: Server, clock):
    await connector.context(card(7), LONDON)
    await clock.sleep(61)
    assert not await connector.review(card(7), card(7, Name="x"), LONDON)
    assert await enter(connector, 999) == [False]
    assert looks(server) == ["crmboards"]


async def test_a_new_card_has_the_first_stage_read_and_the_one_it_is_meant_for(connector, server: Server, clock):
    await connector.context(card(7), LONDON)
    await clock.sleep(61)
    assert not await connector.review(None, {"CrmBoardColumnId": 13}, LONDON)
    assert not await connector.review(None, {"CrmBoardColumnId": 11}, LONDON)
    assert not await connector.review(None, {}, Scope(business_id=4711))
    assert looks(server) == ["crmboards", "11", "13"]


@pytest.mark.parametrize("listed", [True, False])
async def test_what_a_stage_does_now_is_judged_by_even_where_the_list_is_behind(
    connector, server: Server, clock, listed
):
    await connector.context(card(7), LONDON)
    await clock.sleep(61)
    behind = [dict(row) for row in server.lists["crmboardcolumns"]]
    amend(server, 12, DeleteAccount=True, Position=7)
    if not listed:
        server.on("GET", "/crm/crmboardcolumns", lambda request: server.listed(request, behind))
    assert await enter(connector, 12, 12) == [True, False]
    (refusal,) = connector.refusals(card(7), card(7, CrmBoardColumnId=12), LONDON, live=True)
    assert refusal.kind == "stage-deletes-customer"
    assert connector._directory.board(1).stages[-1].id == 12


async def test_a_stage_that_is_gone_is_not_known_any_more(connector, server: Server, clock):
    await connector.context(card(7), LONDON)
    await clock.sleep(61)
    server.lists["crmboardcolumns"] = [row for row in server.lists["crmboardcolumns"] if row["Id"] != 12]
    assert await enter(connector, 12) == [True]
    assert connector._directory.stage(12) is None


async def test_a_stage_that_may_only_be_listed_is_judged_by_the_list(connector, server: Server, clock):
    await connector.context(card(7), LONDON)
    server.on("GET", "/crm/crmboardcolumns/12", answer("", 401))
    await clock.sleep(61)
    assert await enter(connector, 12) == [False]
    amend(server, 12, DeleteAccount=True)
    await clock.sleep(61)
    assert await enter(connector, 12) == [True]


async def test_boards_that_cannot_be_read_again_leave_nothing_to_judge_by(connector, server: Server, clock):
    await connector.context(card(7), LONDON)
    await clock.sleep(61)
    amend(server, 12, DeleteAccount=True)
    server.on("GET", "/crm/crmboards", answer("", 503))
    for _ in range(2):
        with pytest.raises(Unavailable):
            await enter(connector, 12)


async def test_a_sweep_reads_the_boards_again_unless_they_just_were(connector, server: Server, clock):
    for pause, reads in ((0, 1), (30, 1), (61, 2)):
        await clock.sleep(pause)
        async for _ in connector.scan(LONDON, None):
            pass
        await connector.context(card(7), LONDON)
        assert looks(server) == ["crmboards"] * reads
