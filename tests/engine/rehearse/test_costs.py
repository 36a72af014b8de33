"""How long a run takes, by the limits and by the systems' pace."""

from datetime import timedelta
from typing import Any

import pytest

from nexudus_sync.connectors.budget import Limits
from nexudus_sync.engine.rehearse.costs import Calls, Pace, between, pace
from nexudus_sync.mapping import Side


class Measured:
    """A connector that was used before."""

    def __init__(self, *took: float) -> None:
        self._took = list(took)

    def latencies(self) -> list[float]:
        return self._took


@pytest.mark.parametrize(
    ("connector", "found"),
    [
        (object(), Pace()),
        (Measured(), Pace()),
        (Measured(0.2), Pace(0.2, 0.2)),
        (Measured(*[0.1] * 10, *[0.3] * 8, 2.0, 9.0), Pace(0.1, 2.0)),
    ],
)
def test_the_first_answers_tell_the_pace(connector: Any, found: Pace) -> None:
    assert pace(connector) == found


def test_a_slow_server_makes_it_long_whatever_the_limits_allow() -> None:
    calls = {Side.NEXUDUS: Calls(10, 0), Side.CRM: Calls(2400, 600)}
    limits = {Side.NEXUDUS: None, Side.CRM: Limits(per_minute=6000)}
    least, most = between(calls, limits, {Side.NEXUDUS: Pace(), Side.CRM: Pace(0.1, 0.2)})
    assert least == timedelta(seconds=1800 / 2 * 0.1 + 60)
    assert most == timedelta(seconds=1800 * 0.2 + 3000 * 0.2)


def test_the_limits_make_it_long_whatever_the_servers_can_do() -> None:
    calls = {side: Calls(1200, 10) for side in Side}
    limits = {Side.NEXUDUS: Limits(per_minute=120), Side.CRM: None}
    quick = {side: Pace(0.001, 0.002) for side in Side}
    assert between(calls, limits, quick) == (timedelta(minutes=10), timedelta(minutes=10))


def test_at_best_all_calls_of_an_hour_can_be_used_and_at_worst_the_share_of_a_backfill() -> None:
    calls = {side: Calls(4000, 10) for side in Side}
    limits = {Side.NEXUDUS: Limits(per_hour=5000), Side.CRM: None}
    quick = {side: Pace(0.001, 0.002) for side in Side}
    assert between(calls, limits, quick) == (timedelta(seconds=4.01), timedelta(hours=1))


def test_the_two_systems_wait_for_each_other() -> None:
    calls = {side: Calls(100, 100) for side in Side}
    least, most = between(calls, dict.fromkeys(Side), {side: Pace(1.0, 1.0) for side in Side})
    assert (least, most) == (timedelta(seconds=200), timedelta(seconds=1000))
