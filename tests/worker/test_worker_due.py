"""What is due, and when: evenly spread, once in each interval, and for each kind of job only what there is to do."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from nexudus_sync.config import ConnectionSettings
from nexudus_sync.store.cluster import Rest
from nexudus_sync.store.tables import ConnectionState
from nexudus_sync.worker.due import Kind, candidates, has_come, kinds, phase, resting, sweep_is_due

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def connection(name: str = "acme/london", **keys: object) -> ConnectionSettings:
    given = {"poll": MINUTE, "reconcile": DAY, "scope": {"business_id": 1}, **keys}
    return ConnectionSettings(name=name, crm="acme/erp", **given)  # type: ignore[arg-type]


def state(**values: object) -> ConnectionState:
    return ConnectionState(name="acme/london", crm="acme/erp", **{"backfilled_at": NOW - 9 * DAY, **values})


def test_each_connection_comes_up_exactly_once_in_each_interval_however_irregular_the_ticks_are() -> None:
    names = [f"t{number}/london" for number in range(200)]
    ticks = [NOW]
    while ticks[-1] < NOW + 10 * MINUTE:
        ticks.append(min(ticks[-1] + timedelta(seconds=1 + len(ticks) % 7 / 3), NOW + 10 * MINUTE))
    come = [name for since, at in pairwise(ticks) for name in names if has_come(name, MINUTE, since, at)]
    assert Counter(come) == dict.fromkeys(names, 10)


def test_after_an_outage_a_connection_comes_up_once_and_not_for_every_minute_of_it() -> None:
    found = list(candidates([connection()], NOW - timedelta(hours=5), NOW))
    assert [one.name for one in found] == ["acme/london"]


def test_polls_are_spread_over_their_interval() -> None:
    tenths = [int(phase(f"tenant-{number}/london") * 10) for number in range(1000)]
    assert all(70 <= tenths.count(tenth) <= 130 for tenth in range(10))


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (None, (Kind.BACKFILL,)),
        (state(backfilled_at=None), (Kind.BACKFILL,)),
        (state(backfilled_at=None, paused_at=NOW), ()),
        (state(paused_at=NOW), ()),
        (state(last_reconcile=NOW - timedelta(hours=20)), (Kind.POLL,)),
        (state(last_reconcile=NOW - DAY), (Kind.POLL, Kind.RECONCILE)),
        (state(last_reconcile=NOW - 5 * DAY), (Kind.POLL, Kind.RECONCILE)),
        (state(), (Kind.POLL, Kind.RECONCILE)),
        (state(last_reconcile=NOW + 400 * DAY), (Kind.POLL,)),
    ],
    ids=["new", "begun", "new, paused", "paused", "poll", "sweep", "sweep owed", "no sweep yet", "clock was ahead"],
)
def test_what_there_is_to_do(known: ConnectionState | None, wanted: tuple[Kind, ...]) -> None:
    assert kinds(connection(), known, NOW) == wanted


def test_sweeps_of_connections_that_were_added_together_are_spread_over_a_tenth_of_their_interval() -> None:
    added = state(backfilled_at=NOW, last_reconcile=None)
    names = [f"t{number}/london" for number in range(300)]
    hours = [[sweep_is_due(connection(one), added, NOW + hour * DAY / 24) for hour in range(25)] for one in names]
    assert {due.index(True) for due in hours} == {22, 23, 24}


def test_a_rest_is_over_at_its_moment() -> None:
    rests = {"acme/erp": Rest(2, NOW + timedelta(seconds=10))}
    assert resting(rests, ("acme/nexudus", "acme/erp"), NOW)
    assert not resting(rests, ("acme/nexudus", "acme/erp"), NOW + timedelta(seconds=10))
    assert not resting(rests, ("beta/nexudus", "beta/erp"), NOW)
