from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from nexudus_server import LOGIN, NOW, Server, answer, card, params

from nexudus_sync.connectors.base import Scope
from nexudus_sync.store import Store
from nexudus_sync.store.tables import Fact, Link

MANY = "/crm/crmopportunities"
LONDON = Scope(business_id=1001, allow_stages=frozenset({"Welcome mail", "Purge", "Suspend"}))


async def looked(connector, scope=LONDON):
    return await connector.check(scope)


def levels(found, subject):
    return [(line.level, line.exit_code) for line in found if line.subject == subject]


def detail(found, subject):
    return " | ".join(line.told for line in found if line.subject == subject)


async def test_a_sound_login_and_scope_have_no_failure_and_nothing_is_written(connector, server: Server):
    server.cards[7] = card(7)
    found = await looked(connector)
    assert {line.level for line in found} == {"ok"}
    assert {request.method for request in server.requests if not request.url.path.endswith("/token")} == {"GET"}
    assert "Europe/London (as the location says)" in detail(found, "time zone")
    assert "Sales, stage New lead" in detail(found, "create_board")
    assert "CrmOpportunity-Create" in detail(found, "roles")


async def test_a_wrong_password_is_the_only_finding(connector, server: Server):
    server.on("POST", "/token", answer({"error": "invalid_grant"}, 400))
    (line,) = await looked(connector)
    assert (line.subject, line.level, line.exit_code) == ("login", "fail", 2)


@pytest.mark.parametrize(
    "body", ["", "<html>Unauthorized</html>", {"message": "no such endpoint"}, {"error": {"type": "x"}}]
)
async def test_a_login_that_is_refused_in_no_words_of_a_login_may_be_at_the_wrong_address(
    connector, server: Server, body: object
):
    server.on("POST", "/token", answer(body, 401))
    (line,) = await looked(connector)
    assert (line.level, line.exit_code) == ("fail", 2)
    assert "(401, no reason given): check base_url; if it is right, check the password" in line.detail


async def test_a_page_that_is_no_login_asks_for_the_address(connector, server: Server):
    server.on("POST", "/token", answer("<html>not here</html>", 404))
    (line,) = await looked(connector)
    assert line.detail == "the login answered 404 without a token; check base_url"


async def test_a_server_that_cannot_be_reached_is_the_only_finding(connector, server: Server):
    server.on("POST", "/token", answer("", 500))
    (line,) = await looked(connector)
    assert (line.subject, line.level, line.exit_code) == ("login", "fail", 1)


async def test_an_ignored_filter_is_a_failure(connector, server: Server):
    server.on("GET", MANY, lambda request: server.listed(request, [card(7)]))
    server.cards[7] = card(7)
    found = await looked(connector)
    assert levels(found, "filters") == [("fail", 1)]
    far = params(server.calls("GET", "crmopportunities")[0])["from_CrmOpportunity_UpdatedOn"]
    assert far.startswith("2036-")


@pytest.mark.parametrize("lacks", ["lists", "single reads"])
async def test_whether_cards_can_be_told_apart_that_bore_one_id_is_said(lacks, connector, server: Server):
    whole, row = card(7), card(7)
    del (row if lacks == "lists" else whole)["UniqueId"]
    server.cards[7] = whole
    server.on("GET", MANY, lambda request: server.listed(request, [row]))
    found = await looked(connector)
    assert levels(found, "identity") == [("warn", 1)]
    assert detail(found, "identity").startswith(f"{lacks} carry no UniqueId")


async def test_a_missing_role_is_named(connector, server: Server):
    server.cards[7] = card(7)
    server.on("GET", f"{MANY}/7", answer("", 401))
    found = await looked(connector)
    assert ("fail", 1) in levels(found, "roles")
    assert "CrmOpportunity-Read" in detail(found, "roles")


async def test_a_record_that_vanishes_meanwhile_is_a_warning(connector, server: Server):
    server.cards[7] = card(7)
    server.on("GET", f"{MANY}/7", answer('"Not found"', 404))
    assert levels(await looked(connector), "roles") == [("warn", 1)]


async def test_an_empty_scope_has_nothing_to_read(connector):
    assert "none to read" in detail(await looked(connector), "roles")


@pytest.mark.parametrize("scope", [Scope(business_id=4711), Scope(board_id=4711)])
async def test_a_scope_that_does_not_exist_is_a_mistake_in_the_configuration(connector, scope):
    found = await looked(connector, scope)
    assert levels(found, "scope") == [("fail", 2)]
    assert "4711" in detail(found, "scope")


async def test_several_live_boards_need_create_board(connector, server: Server):
    server.lists["crmboards"][1]["Archived"] = False
    found = await looked(connector)
    assert levels(found, "create_board") == [("fail", 2)]
    assert "1 (Sales), 2 (Old sales)" in detail(found, "create_board")


async def test_only_archived_boards_are_no_home(connector, server: Server):
    server.lists["crmboards"][0]["Archived"] = True
    assert "all are archived" in detail(await looked(connector), "create_board")


async def test_a_board_without_stages_is_no_home(connector, server: Server):
    server.lists["crmboards"].append({"Id": 5, "Name": "Empty", "BusinessId": 1005})
    found = await looked(connector, Scope(board_id=5, time_zone=ZoneInfo("Europe/London")))
    assert levels(found, "create_board") == [("fail", 1)]
    assert "(configured)" in detail(found, "time zone")


async def test_an_allowed_stage_must_exist(connector):
    found = await looked(connector, Scope(business_id=1001, allow_stages=frozenset({"Purge", "Prge"})))
    assert levels(found, "allow_stages") == [("fail", 2)]
    assert '"Prge"' in detail(found, "allow_stages")


async def test_stages_that_act_are_warned_of(connector):
    found = await looked(connector, Scope(business_id=1001))
    told = detail(found, "stages")
    assert levels(found, "stages") == [("warn", 1)] * 3
    assert '"Welcome mail" sends the customer a message' in told
    assert '"Purge" deletes' in told
    assert '"Suspend" deactivates' in told


async def test_a_zone_nobody_says_must_be_configured(connector, server: Server):
    server.lists["businesses"][0]["SimpleTimeZoneId"] = None
    found = await looked(connector)
    assert levels(found, "time zone") == [("fail", 2)]
    assert "set time_zone" in detail(found, "time zone")


async def test_a_configured_zone_that_is_not_the_locations_is_warned_of_with_both(connector):
    found = await looked(connector, replace(LONDON, time_zone=ZoneInfo("Europe/Madrid")))
    assert levels(found, "time zone") == [("warn", 1)]
    assert "time_zone says Europe/Madrid, Nexudus says Europe/London for location 1001" in detail(found, "time zone")


@pytest.mark.parametrize("name", ["Europe/London", "Europe/Belfast"])
async def test_a_zone_of_another_name_that_tells_the_same_time_is_well(connector, name: str):
    found = await looked(connector, replace(LONDON, time_zone=ZoneInfo(name)))
    assert levels(found, "time zone") == [("ok", 1)]


async def test_a_configured_zone_stands_where_nexudus_does_not_answer(connector, server: Server):
    server.on("GET", "/sys/businesses/1001", answer("", 500))
    found = await looked(connector, replace(LONDON, time_zone=ZoneInfo("Europe/London")))
    assert levels(found, "time zone") == [("ok", 1)]


@pytest.mark.parametrize(("total", "level"), [(4499, "ok"), (4500, "warn"), (5000, "warn")])
async def test_a_location_nearly_full_is_warned_of(connector, server: Server, total, level):
    server.on("GET", MANY, lambda request: server.listed(request, [], TotalItems=total))
    found = await looked(connector)
    assert levels(found, "capacity") == [(level, 1)]


async def test_a_shared_login_shows_in_cards_the_store_does_not_know(make, server: Server):
    server.cards[7] = card(7, UpdatedBy=LOGIN)
    found = await looked(make())
    assert levels(found, "shared login") == [("warn", 1)]


async def test_own_writes_to_linked_cards_are_no_sign_of_sharing(make, server: Server):
    server.cards[7] = card(7, UpdatedBy=LOGIN)
    store = Store.open("sqlite://")
    with store.session() as session:
        session.add(Link(crm="overplane", connection="london", nexudus_id="7", crm_id="OPP-1", created_at=NOW))
    connector = make(store)
    found = await looked(connector)
    assert levels(found, "shared login") == [("ok", 1)]
    await connector.aclose()
    store.close()


@pytest.mark.parametrize(("skew", "level"), [(0, "ok"), (-100, "ok"), (600, "warn")])
async def test_a_clock_far_off_is_warned_of(connector, server: Server, skew, level):
    server.skew = skew
    assert levels(await looked(connector), "clock") == [(level, 1)]


async def test_a_server_without_a_clock_is_warned_of(connector, server: Server):
    server.on("POST", "/token", answer({"access_token": "t"}, Date="never"))
    for entity in ("crm", "sys", "spaces"):
        server.on("GET", f"/{entity}/.*", answer({"Records": [], "TotalItems": 0}, Date="never"))
    assert levels(await looked(connector), "clock") == [("warn", 1)]


@pytest.mark.parametrize(("sticks", "level"), [(None, "ok"), (True, "ok"), (False, "warn")])
async def test_what_is_known_of_the_external_key_is_told(make, sticks, level):
    store = Store.open("sqlite://")
    if sticks is not None:
        with store.session() as session:
            session.add(Fact(system="nexudus", key="system_id_sticks", value=sticks))
    connector = make(store)
    assert levels(await looked(connector), "external key") == [(level, 1)]
    await connector.aclose()
    store.close()
