"""Workers on one store: they share a fleet that changes, and one tenant's trouble is nobody else's."""

import asyncio
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from worker_house import QUICK, Cycles, House, Tenant, running, until

from nexudus_sync import turns
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import Options
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import StoreLocked, Unavailable
from nexudus_sync.store import Store, cluster
from nexudus_sync.store.tables import ConnectionState, LeaseRow
from nexudus_sync.worker import queue
from nexudus_sync.worker.due import Kind
from nexudus_sync.worker.worker import Pace

pytestmark = pytest.mark.usefixtures("house")


def fast(tenant: Tenant) -> Tenant:
    """A tenant that is polled every second, as often as a configuration can say."""
    tenant.write(tenant.text.replace('poll = "5s"', 'poll = "1s"'))
    return tenant


def titles(tenant: Tenant) -> list[tuple[str, str]]:
    """What both sides call the pairs that said the same from the start."""
    world = tenant.world
    return [
        (world.nexudus.record(card)["Name"], world.overplane.record(deal)["title"]) for card, deal in world.seeded.equal
    ]


async def test_two_workers_carry_a_fleets_records_over(house: House) -> None:
    tenants = [fast(house.add(name, nexudus=4, crm=4, shared=4)) for name in ("acme", "beta", "gamma")]
    one, other = house.worker(), house.worker()
    with running(one, other) as tasks:
        await until(lambda: sum(row.backfilled_at is not None for row in house.rows(ConnectionState)) == 3)
        for tenant in tenants:
            card, _ = tenant.world.seeded.equal[0]
            tenant.world.nexudus.edit(card, tenant.world.people[0].email, Name=f"Edited by {tenant.name}")
        await until(lambda: all(titles(one)[0][1] == f"Edited by {one.name}" for one in tenants))
    await asyncio.gather(*tasks)
    assert all(here == there for tenant in tenants for here, there in titles(tenant))
    assert house.jobs() == []
    assert [row.until for row in house.rows(LeaseRow)] == [None] * 3


async def test_no_two_workers_are_at_one_crm_at_once(house: House, cycles: Cycles) -> None:
    """`Cycles` sees to it that they are not; each cycle gives the others every chance."""
    for name in ("acme", "beta"):
        tenant = fast(house.add(name))
        two = tenant.text.partition("[[connection]]")[2].replace('"london"', '"madrid"')
        tenant.write(f"{tenant.text}\n[[connection]]{_elsewhere(two, tenant.world.seeded.places.madrid)}")
    names = [f"{tenant}/{place}" for tenant in ("acme", "beta") for place in ("london", "madrid")]
    cycles.plays = dict.fromkeys(names, _yields)
    with running(*(house.worker() for _ in range(3))) as tasks:
        await until(lambda: all(cycles.count(name) >= 3 for name in names))
    await asyncio.gather(*tasks)


def _elsewhere(table: str, place: Any) -> str:
    """The same connection of another location."""
    other = {
        "scope": f"scope = {{ business_id = {place.business_id} }}",
        "company": f'company = "{place.company}"',
    }
    return "\n".join(other.get(line.partition(" ")[0], line) for line in table.splitlines())


async def _yields(connection: Connection, options: Options) -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_tenant_that_is_added_is_worked_for_and_one_that_is_removed_no_longer(
    house: House, cycles: Cycles
) -> None:
    fast(house.add("acme"))
    with running(house.worker()) as tasks:
        await until(lambda: cycles.count("acme/london") >= 1)
        fast(house.add("beta"))
        await until(lambda: cycles.count("beta/london") >= 2)
        house.remove("acme")
        with capture_logs() as logs:
            await until(lambda: any(line["event"] == "worker.renewed" for line in logs))
        before = cycles.count("acme/london")
        await until(lambda: cycles.count("beta/london") >= 5)
        assert cycles.count("acme/london") <= before + 1  # one may have been under way
    await asyncio.gather(*tasks)


async def test_a_tenants_broken_file_stops_that_tenant_alone_and_is_told_once(house: House, cycles: Cycles) -> None:
    acme, _ = fast(house.add("acme")), fast(house.add("beta"))
    sound = acme.text
    with capture_logs() as logs, running(house.worker()) as tasks:
        await until(lambda: cycles.count("acme/london") >= 1)
        acme.write(sound.replace('crm = "overplane"', 'crm = "nowhere"'))
        await until(lambda: _events(logs, "configuration.broken") != [])
        before, others = cycles.count("acme/london"), cycles.count("beta/london")
        await until(lambda: cycles.count("beta/london") >= others + 3)
        assert cycles.count("acme/london") <= before + 1
        acme.write(sound)
        await until(lambda: cycles.count("acme/london") >= before + 2)
    await asyncio.gather(*tasks)
    (broken,) = _events(logs, "configuration.broken")
    assert broken["tenant"] == "acme"
    assert "nowhere" in broken["error"]
    assert [line["tenant"] for line in _events(logs, "configuration.mended")] == ["acme"]


async def test_a_changed_file_is_what_the_next_cycle_goes_by(house: House, cycles: Cycles) -> None:
    acme, rules = fast(house.add("acme")), list[str]()

    async def play(connection: Connection, options: Options) -> None:
        rules.append(connection.rules.deletes)

    cycles.plays["acme/london"] = play
    with running(house.worker()) as tasks:
        await until(lambda: rules == ["ignore"] * len(rules) and len(rules) > 0)
        acme.write(acme.text.replace('deletes = "ignore"', 'deletes = "propagate"'))
        await until(lambda: rules[-1] == "propagate")
    await asyncio.gather(*tasks)


async def test_a_long_first_run_delays_nobody(house: House, cycles: Cycles) -> None:
    """Each worker has one slot for first runs; two of them take turns by slices, and polls go on beside them."""
    for name in ("big", "large", "acme"):
        fast(house.add(name))
    had_a_turn = list[str]()

    async def endless(connection: Connection, options: Options) -> Report:
        had_a_turn.append(connection.name)
        while not options.stopping():
            await asyncio.sleep(0)
        return Report(connection.name, finished=False)

    cycles.plays |= {"big/london": endless, "large/london": endless}
    pace = Pace(**{**_fields(QUICK), "slice": 0.05})
    slots = {Kind.POLL: 1, Kind.RECONCILE: 1, Kind.CATCH_UP: 1, Kind.BACKFILL: 1}
    with running(house.worker(pace, slots)) as tasks:
        await until(lambda: cycles.count("acme/london") >= 4 and {*had_a_turn[-2:]} == {"big/london", "large/london"})
    await asyncio.gather(*tasks)


def _fields(pace: Pace) -> dict[str, Any]:
    return {name: getattr(pace, name) for name in Pace.__dataclass_fields__}


async def test_a_poll_that_found_very_much_goes_on_behind_the_polls_of_others(house: House, cycles: Cycles) -> None:
    fast(house.add("acme"))
    shared = list[Kind]()

    async def much(connection: Connection, options: Options) -> Report:
        while not options.stopping():
            await asyncio.sleep(0)
        return Report(connection.name, finished=False)

    pace = Pace(**{**_fields(QUICK), "slice": 0.02})
    worker = house.worker(pace)
    work = worker.shift.work

    async def noted(job: Any) -> None:
        shared.append(job.kind)
        if job.kind is not Kind.BACKFILL:
            cycles.plays["acme/london"] = much
        await work(job)

    worker.queue._work = noted
    with running(worker) as tasks:
        await until(lambda: shared.count(Kind.CATCH_UP) >= 2 and shared.count(Kind.POLL) >= 2)
    await asyncio.gather(*tasks)


async def test_a_system_that_failed_rests_for_every_worker(
    house: House, cycles: Cycles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failures are counted in the store: a second one, of whichever worker, rests twice as long."""
    monkeypatch.setattr(turns, "FIRST_REST", timedelta(milliseconds=20))
    fast(house.add("acme"))

    async def fails(connection: Connection, options: Options) -> None:
        raise Unavailable("acme/overplane", "down")

    cycles.plays["acme/london"] = fails
    with capture_logs() as logs, running(house.worker(), house.worker()) as tasks:
        await until(lambda: len(_events(logs, "cycle.failed")) >= 3)
    await asyncio.gather(*tasks)
    with house.store.read() as session:
        found = cluster.rests(session)
    assert found.keys() == {"acme/overplane"}
    assert found["acme/overplane"].times == len(_events(logs, "cycle.failed"))


async def test_what_a_lost_worker_had_taken_is_taken_up_again(house: House, cycles: Cycles) -> None:
    """As the server has it after kill -9: the job is under way, and its worker has given no sign for long."""
    house.add("acme")
    lost = house.worker()
    await house.ready(lost)
    lost.ticker.tick()
    house.sql("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
    house.sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT max(id) FROM procrastinate_workers)")
    await lost.queue.close()
    with capture_logs() as logs, running(house.worker()) as tasks:
        await until(lambda: cycles.count("acme/london") >= 1)
    await asyncio.gather(*tasks)
    assert [line["kind"] for line in _events(logs, "job.taken_up_again")] == ["backfill"]


async def test_while_another_has_the_lease_nothing_is_asked_of_the_systems(house: House, cycles: Cycles) -> None:
    acme = fast(house.add("acme"))
    worker = house.worker()
    lease = house.lease("acme/overplane")
    asked = list[Any]()
    again = worker.shift.again

    async def noted(job: Any, after: Any) -> None:
        await again(job, after)
        asked.append(after.total_seconds())

    worker.shift.again = noted
    with running(worker) as tasks:
        await until(lambda: asked != [])
        assert (acme.calls, cycles.asked) == (0, [])
        lease.end(in_flight=False)
        # It would be tried when the lease was to end. Beside the loop: the worker may hold the row, and has to let go.
        await asyncio.to_thread(house.sql, "UPDATE procrastinate_jobs SET scheduled_at = NULL")
        await until(lambda: cycles.count("acme/london") >= 1)
    await asyncio.gather(*tasks)
    assert 30 < asked[0] <= 61


async def test_a_worker_that_is_told_to_stop_gives_back_what_it_had_begun(house: House, cycles: Cycles) -> None:
    house.add("acme")
    worker = house.worker()

    async def long(connection: Connection, options: Options) -> Report:
        worker.stop()
        while not options.stopping():
            await asyncio.sleep(0)
        return Report(connection.name, finished=False)

    cycles.plays["acme/london"] = long
    with running(worker) as tasks:
        await until(lambda: tasks[0].done())
    assert [(job["queue_name"], job["status"]) for job in house.jobs()] == [("backfill", "todo")]
    assert [row.until for row in house.rows(LeaseRow)] == [None]
    assert house.sql("SELECT count(*) FROM procrastinate_workers") == [(0,)]


async def test_a_cycle_that_does_not_end_is_cut_off_and_given_back(
    house: House, cycles: Cycles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "GRACE", 0.05)
    house.add("acme")
    worker = house.worker()

    async def endless(connection: Connection, options: Options) -> None:
        worker.stop()
        await asyncio.Event().wait()

    cycles.plays["acme/london"] = endless
    with running(worker) as tasks:
        await until(lambda: tasks[0].done())
    assert [(job["queue_name"], job["status"]) for job in house.jobs()] == [("backfill", "todo")]


async def test_a_worker_goes_on_when_the_database_was_away(house: House, cycles: Cycles) -> None:
    fast(house.add("acme"))
    with capture_logs() as logs, running(house.worker()) as tasks:
        for _ in range(3):
            before = cycles.count("acme/london")
            await until(lambda: cycles.count("acme/london") > before)  # noqa: B023
            house.cut_connections()
        before = cycles.count("acme/london")
        await until(lambda: cycles.count("acme/london") >= before + 2)
    await asyncio.gather(*tasks)
    assert _events(logs, "worker.failed") == []
    assert len(_events(logs, "store.away")) == len(_events(logs, "store.back"))


async def test_beside_a_run_that_has_the_store_for_itself_a_worker_does_not_start(house: House) -> None:
    worker = house.worker()
    with house.store.lock(), pytest.raises(StoreLocked, match="wait for it or stop it"):
        await asyncio.wait_for(worker.run(), 10)


async def test_a_worker_whose_lock_went_to_a_run_meanwhile_says_so_once(
    house: House, cycles: Cycles, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("acme")
    lock, asked = Store.lock, 0

    def taken(store: Store, *, shared: bool = False) -> AbstractContextManager[None]:
        nonlocal asked
        asked += 1
        if 1 < asked < 20:
            raise StoreLocked("another nexudus-sync is working on it")
        return lock(store, shared=shared)

    monkeypatch.setattr(Store, "lock", taken)
    with capture_logs() as logs, running(house.worker()) as tasks:
        await until(lambda: cycles.count("acme/london") > 0 and bool(_events(logs, "store.back")))
    await asyncio.gather(*tasks)
    assert [line["error"] for line in _events(logs, "store.away")] == ["another nexudus-sync is working on it"]
    assert len(_events(logs, "store.back")) == 1


def _events(logs: list[Any], name: str) -> list[Any]:
    return [line for line in logs if line["event"] == name]
