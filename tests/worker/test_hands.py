"""What the page beside workers asks them for."""

from datetime import timedelta

import pytest
from worker_house import House

from nexudus_sync.clock import SystemClock
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.errors import SyncError
from nexudus_sync.worker import queue_schema
from nexudus_sync.worker.due import Kind, has_come
from nexudus_sync.worker.hands import QueueHands


def hands_of(house: House) -> QueueHands:
    house.add("acme")
    queue_schema.prepare(house.store)
    return QueueHands(fleet_of(house).whole, house.store, SystemClock())


def fleet_of(house: House) -> Fleet:
    return Fleet.load(house.path, {})


def test_a_poll_that_is_asked_for_is_in_the_queue_once(house: House) -> None:
    hands = hands_of(house)
    assert hands.soon("acme/london")
    assert hands.soon("acme/london")
    assert [(job["queue_name"], job["queueing_lock"]) for job in house.jobs()] == [(Kind.POLL, "acme/london poll")]
    assert not hands.soon("beta/london")


def test_the_next_poll_is_when_the_tick_puts_it_there(house: House) -> None:
    hands, now = hands_of(house), SystemClock().now()
    at = hands.next_cycle("acme/london")
    (one,) = fleet_of(house).whole().connections
    assert at is not None
    assert timedelta(0) < at - now <= one.poll + timedelta(seconds=1)
    assert has_come(one.name, one.poll, at - timedelta(seconds=1), at + timedelta(milliseconds=1))
    assert hands.next_cycle("beta/london") is None


def test_a_plan_is_made_on_the_command_line(house: House) -> None:
    with pytest.raises(SyncError, match="`nexudus-sync plan --connection acme/london`"):
        hands_of(house).plan("acme/london")
