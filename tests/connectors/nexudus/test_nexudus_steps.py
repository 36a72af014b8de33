import pytest
from nexudus_server import card

from nexudus_sync import codec
from nexudus_sync.connectors.base import Draft, Party, Scope
from nexudus_sync.errors import Refused

LONDON = Scope(business_id=1001)
ZOE = Party("zoe@example.com", "Zoë Ünal", kind="Coworker", id="501")


@pytest.fixture
async def ready(connector):
    await connector.context(card(7), LONDON)
    return connector


def draft(party=ZOE, scope=LONDON, **record):
    return Draft(record, party, scope, key="overplane:OPP-1", currency="GBP")


async def test_a_card_is_created_in_the_first_stage_as_in_progress(ready):
    record = {"Name": "Desk", "CrmBoardColumnId": 12, "Status": 1, "Value": 5, "DueDate": "2026-04-01T11:00:00Z"}
    step = ready.create_step(draft(**record))
    assert step.payload["body"] == {
        "Name": "Desk",
        "Value": 5,
        "DueDate": "2026-04-01T11:00:00Z",
        "CrmBoardColumnId": 11,
        "CoworkerId": 501,
        "Status": 1,
        "Position": 1,
        "SystemId": "overplane:OPP-1",
    }
    assert step.keys == {"Name", "Value", "DueDate", "Status"}
    assert step.verify
    assert codec.loads(codec.dumps(step.payload)) == step.payload


async def test_a_lost_card_is_lost_by_the_move_not_by_the_create(ready):
    step = ready.create_step(draft(Status=3, LossReason=4, Completed=True, LostOn="x", CrmBoardColumnId=11))
    assert step.payload["body"]["Status"] == 1
    assert not {"LossReason", "Completed", "LostOn"} & step.payload["body"].keys()
    assert step.keys == {"CrmBoardColumnId"}


async def test_a_card_needs_a_customer(ready):
    with pytest.raises(Refused, match="customer") as error:
        ready.create_step(draft(party=Party("a@example.com", "A")))
    assert error.value.keys == {"CoworkerId"}


@pytest.mark.parametrize("scope", [Scope(business_id=4711), Scope(board_id=99)])
async def test_a_card_needs_a_board(ready, scope):
    with pytest.raises(Refused, match="create_board"):
        ready.create_step(draft(scope=scope))


async def test_nothing_changed_is_no_step(ready):
    assert ready.update_steps(card(7), card(7)) == []


async def test_an_update_is_one_step_with_what_differs(ready):
    before = card(7)
    (step,) = ready.update_steps(before, {**before, "Name": "New", "UtmMedium": "mail"})
    assert step.keys == {"Name", "UtmMedium"}
    assert step.record_id == "7"
    assert not step.verify
    assert step.payload["changes"] == {"Name": "New", "UtmMedium": "mail"}
    assert codec.loads(codec.dumps(step.payload)) == step.payload


@pytest.mark.parametrize(("status", "completed"), [(1, False), (2, True), (3, True)])
async def test_a_status_is_written_with_completed_and_read_back(ready, status, completed):
    before = card(7, Status=0)
    (step,) = ready.update_steps(before, {**before, "Status": status})
    assert step.payload["changes"] == {"Status": status, "Completed": completed}
    assert step.keys == {"Status"}
    assert step.verify


async def test_a_completed_that_was_asked_for_is_kept(ready):
    before = card(7)
    (step,) = ready.update_steps(before, {**before, "Status": 2, "Completed": None})
    assert step.payload["changes"] == {"Status": 2, "Completed": None}


async def test_without_a_change_of_status_completed_is_left_alone(ready):
    before = card(7, Status=2, Completed=False)
    (step,) = ready.update_steps(before, {**before, "Name": "x"})
    assert step.payload["changes"] == {"Name": "x"}


async def test_a_move_is_read_back(ready):
    before = card(7)
    (step,) = ready.update_steps(before, {**before, "CrmBoardColumnId": 12})
    assert step.verify


async def test_a_customer_needs_an_e_mail_and_a_location(ready):
    with pytest.raises(Refused, match="e-mail"):
        ready.party_step(Party("", "A"), LONDON)
    with pytest.raises(Refused, match="board 99"):
        ready.party_step(Party("a@example.com", "A"), Scope(board_id=99))


@pytest.mark.parametrize(
    ("party", "name"),
    [
        (Party("a@example.com", "A", "A Ltd"), "A"),
        (Party("a@example.com", "", "A Ltd"), "A Ltd"),
        (Party("a@example.com", ""), "a@example.com"),
    ],
)
async def test_a_customer_always_gets_a_name(ready, party, name):
    step = ready.party_step(party, Scope(board_id=1))
    assert step.payload["body"]["FullName"] == name
    assert step.payload["business_id"] == 1001
