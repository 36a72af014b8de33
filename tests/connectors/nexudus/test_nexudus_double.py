"""The connector against the sandbox's Nexudus, which refuses what the real one refuses."""

import random
from decimal import Decimal

import pytest
from nexudus_server import LOGIN, FakeClock

from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync.connectors.nexudus import NexudusConnector, NexudusSettings


@pytest.mark.parametrize("status", [None, 0])
async def test_a_card_without_a_status_is_written_as_in_progress(clock: FakeClock, status: int | None) -> None:
    double = NexudusDouble(clock.now)
    double.add_account(LOGIN, "pa55word")
    office = double.directory.add_business("London", currency="GBP", time_zone="Europe/London")
    stage = double.directory.add_stage(double.directory.add_board(office, "Sales"), "New lead")
    customer = double.directory.add_coworker("zoe@example.com", "Zoë Ünal", office)
    values = {"CrmBoardColumnId": stage, "CoworkerId": customer, "Name": "Desk", "Status": status, "Notes": "kept"}
    card_id = str(double.create("anna@example.com", **values))
    settings = NexudusSettings(base_url="https://nexudus.example/api", username=LOGIN, password="pa55word")
    transport = DoubleTransport(double, clock=clock)
    connector = NexudusConnector("nexudus", settings, clock=clock, rng=random.Random(1), transport=transport)

    await connector.reserve()
    before = await connector.fetch(card_id)
    assert before["Status"] == status
    (step,) = connector.update_steps(before, before | {"Value": Decimal(250)})
    written = await connector.perform(step, before)
    after = await connector.fetch(card_id)
    await connector.aclose()

    assert written.record["Status"] == after["Status"] == 1
    changed = {key for key in after if after[key] != before[key]}
    assert {"Value", "Status"} <= changed <= {"Value", "Status", "UpdatedOn", "UpdatedBy", "CrmUpdatedOn", "IsNew"}
