import pytest
from nexudus_server import Server, card

from nexudus_sync.connectors.base import Scope

LONDON = Scope(business_id=1001)


@pytest.fixture
async def ready(connector):
    await connector.context(card(7), LONDON)
    return connector


def kinds(found):
    return [(hold.kind, hold.key, hold.whole, hold.counts_as_seen) for hold in found]


def move(connector, target, *, live=True, scope=LONDON):
    return connector.refusals(card(7), card(7, CrmBoardColumnId=target), scope, live=live)


def create(connector, target, *, live=True, scope=LONDON):
    return connector.refusals(None, {"CrmBoardColumnId": target} if target else {}, scope, live=live)


async def test_an_ordinary_move_is_free(ready):
    assert move(ready, 12) == []
    assert move(ready, 12, live=False) == []


async def test_a_card_that_stays_in_an_acting_stage_is_free(ready):
    standing = card(7, CrmBoardColumnId=14)
    assert ready.refusals(standing, {**standing, "Name": "x"}, LONDON, live=True) == []


async def test_a_stage_that_cannot_be_cleared_is_not_entered(ready):
    assert move(ready, None) == []


@pytest.mark.parametrize(("target", "kind"), [(14, "stage-deletes-customer"), (15, "stage-deactivates-customer")])
@pytest.mark.parametrize("live", [True, False])
async def test_a_stage_that_ends_the_customer_is_refused_live_and_in_a_backfill(ready, target, kind, live):
    assert kinds(move(ready, target, live=live)) == [(kind, "CrmBoardColumnId", False, False)]
    assert kinds(create(ready, target, live=live)) == [(kind, "", True, False)]


async def test_the_reason_says_how_to_allow_it(ready):
    (refusal,) = move(ready, 14)
    assert 'add "Purge" to allow_stages' in refusal.reason


async def test_allow_stages_names_make_a_stage_free(ready):
    scope = Scope(business_id=1001, allow_stages=frozenset({" purge", "SUSPEND", "Welcome mail"}))
    for target in (13, 14, 15):
        assert move(ready, target, live=False, scope=scope) == []
        assert create(ready, target, live=False, scope=scope) == []


async def test_a_stage_that_messages_is_entered_live_but_not_by_a_backfill(ready):
    assert move(ready, 13) == []
    assert create(ready, 13) == []
    expected = [("stage-acts", "CrmBoardColumnId", False, True)]
    assert kinds(move(ready, 13, live=False)) == expected
    assert kinds(create(ready, 13, live=False)) == expected


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ({"TaskListId": 4}, "creates tasks"),
        ({"ActivateAccount": True}, "activates the customer's account"),
        ({"CannedResponseId": 4}, "sends the customer a message"),
    ],
)
async def test_tasks_messages_and_activation_are_acts(connector, server: Server, flag, words):
    server.lists["crmboardcolumns"][0].update(flag)
    await connector.context(card(7), LONDON)
    (refusal,) = move(connector, 12, live=False)
    assert words in refusal.reason


async def test_a_first_stage_that_acts_refuses_the_create_as_a_whole(connector, server: Server):
    server.lists["crmboardcolumns"][1]["CannedResponseId"] = 5
    await connector.context(card(7), LONDON)
    assert kinds(create(connector, None, live=False)) == [("stage-acts", "", True, True)]
    assert create(connector, 11, live=True) == []


async def test_a_create_without_a_stage_or_a_home_is_no_matter_of_safety(ready):
    assert create(ready, None) == []
    assert create(ready, 11) == []
    assert create(ready, None, scope=Scope(business_id=4711)) == []


async def test_a_stage_nobody_knows_is_not_entered(ready):
    assert kinds(move(ready, 999)) == [("stage-unknown", "CrmBoardColumnId", False, False)]
