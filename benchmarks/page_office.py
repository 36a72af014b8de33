"""An office whose page has something on it: pairs, conflicts, failures, a history, values made to do harm, a brake.

The systems are doubles, the cycles real. It is used by the screenshots, by the tests in a browser, and by hand:

    python benchmarks/page_office.py [PORT]
"""

import asyncio
import random
import sys
import tempfile
import threading
import time
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import col, select

from nexudus_sandbox.world import Sandbox
from nexudus_sync import config, logs
from nexudus_sync.clock import SystemClock
from nexudus_sync.config import WebSettings
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.rehearse.rehearse import rehearse
from nexudus_sync.engine.startup.assemble import Engine, assemble
from nexudus_sync.page import application
from nexudus_sync.signals.health import machine
from nexudus_sync.store import facts, running
from nexudus_sync.store.running import Beat
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Failure, History, Link
from nexudus_sync.web import serve
from nexudus_sync.web.desk import Foreseen, Step

MARIA, TOM = "maria.nunez@example.com", "tom.oreilly@example.com"
NAME, PASSWORD = "Sofia Brandt", "correct horse battery"
HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)>'
_USERS = f"""
[[web.users]]
name = "{NAME}"
password = "${{SOFIA_PASSWORD}}"
"""
T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, to which the office's cycles go."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Office:
    """The office. `address` is where its page is; close it when done."""

    def __init__(self, folder: Path, *, users: bool = True, port: int = 0) -> None:
        self.sandbox = Sandbox(nexudus=60, crm=40, shared=24, seed=7)
        text = self.sandbox.config_toml().replace('poll = "5s"', 'poll = "1m"')
        (folder / "config.toml").write_text(text + (_USERS if users else ""), encoding="utf-8")
        environment = {**self.sandbox.environment(), "SOFIA_PASSWORD": PASSWORD}
        settings = config.load(folder / "config.toml", environment)
        self.settings = replace(settings, web=settings.web.model_copy(update={"port": port}))
        self.clock, self._loop = SystemClock(), Loop()
        self.engine: Engine = self._loop.run(self._assembled())
        self.connection = self.engine.connections[0]
        self.page: serve.Page | None = None
        self.asked, self.still = 0, False  # how often a cycle was asked for, and whether none comes of it

    @property
    def web(self) -> WebSettings:
        return self.settings.web

    async def _assembled(self) -> Engine:
        transports = self.sandbox.transports(self.clock)
        engine = assemble(self.settings, clock=self.clock, rng=random.Random(1), transports=transports)
        await engine.start()
        return engine

    def cycle(self) -> None:
        self._loop.run(run_cycle(self.connection, Options()))
        self.beat()

    def beat(self) -> None:
        """A sign of life, as a run would give it."""
        budget = {"nexudus": {"per_hour": (1590, 5000), "per_day": (186_000, 200_000)}}
        sign = Beat(self.clock.now(), self.clock.now(), 1, f"{machine()} elsewhere", {}, self.clock.now(), budget)
        with self.engine.store.session() as session:
            running.beat(session, sign)

    def serve(self) -> str:
        self.page = serve.start(self.web, lambda: application(self.engine, (), self))
        assert self.page is not None
        return self.page.address.rstrip("/")

    def close(self) -> None:
        if self.page is not None:
            self.page.stop()
        self._loop.run(self.engine.aclose())
        self._loop.close()

    # what a run does for its page

    def soon(self, connection: str) -> bool:
        self.asked += 1
        if not self.still:
            self.cycle()
        return True

    def next_cycle(self, connection: str) -> datetime | None:
        return self.clock.now() + timedelta(seconds=41)

    def plan(self, connection: str) -> Foreseen:
        seen = self._loop.run(rehearse(self.connection, Options()))
        steps = tuple(Step(one.action, one.system, one.nexudus_id, one.crm_id, one.fields) for one in seen.actions)
        return Foreseen(steps, seen.status.conflicts, seen.status.failures_waiting, seen.report.brake)

    # what happens in it

    def fill(self) -> None:
        """A first run, a day's work on both sides, and what comes of it."""
        self.cycle()
        nexudus, crm = self.sandbox.nexudus, self.sandbox.crm.double
        free = [
            (card, row)
            for card, row in self.sandbox.seeded.equal
            if nexudus.record(card)["Status"] == 1 and crm.record(row)["opportunity_amount"]
        ]
        cards, rows = [card for card, _ in free], [row for _, row in free]
        nexudus.edit(cards[0], MARIA, Name=f"{nexudus.record(cards[0])['Name']} (two years)")
        crm.edit(rows[1], TOM, opportunity_amount=Decimal("18500.00"))
        nexudus.edit(cards[2], MARIA, Name=f"{HOSTILE} Office for 12")
        self.cycle()
        for number, (card, row) in enumerate(free[2:7]):
            nexudus.edit(card, MARIA, Value=Decimal(9000 + 100 * number))
            crm.edit(row, TOM, opportunity_amount=Decimal(9900 + 250 * number))
        self.cycle()
        self._failures([self._link(card) for card in cards[7:10]])
        self._past()
        self._report()
        # work that the plan shows
        nexudus.edit(cards[10], MARIA, Name=f"{nexudus.record(cards[10])['Name']}, second floor")
        crm.edit(rows[11], TOM, opportunity_amount=Decimal("7200.00"))

    def _link(self, card: int) -> Link:
        with self.engine.store.read() as session:
            return session.exec(select(Link).where(col(Link.nexudus_id) == str(card))).one()

    def _failures(self, links: list[Link]) -> None:
        now = self.clock.now()
        unmapped = (
            "the CRM has no stage 'Welcome mail' for sales_stage; add it there, or to overplane.toml: "
            'fields.sales_stage.values a line like "New lead" = ["New lead", "Welcome mail"]'
        )
        told = [("unmapped", "sales_stage", unmapped)] * 2
        told += [("refused", "title", "the CRM: title cannot be longer than 120 characters; shorten it in Nexudus")]
        with self.engine.store.session() as session:
            for number, (link, (kind, field, reason)) in enumerate(zip(links, told, strict=True)):
                at = now - timedelta(minutes=27 + 240 * number)
                ids = {"nexudus_id": link.nexudus_id, "crm_id": link.crm_id}
                session.add(
                    Failure(
                        connection="london",
                        kind=kind,
                        field=field,
                        reason=reason,
                        **ids,
                        attempts=2 + number,
                        first_at=at,
                        last_at=at + timedelta(minutes=7),
                    )
                )

    def _past(self) -> None:
        """Spread what was written over the last day."""
        now, rng = self.clock.now(), random.Random(3)
        with self.engine.store.session() as session:
            for number, one in enumerate(session.exec(select(Conflict).order_by(col(Conflict.id)))):
                one.opened_at = now - timedelta(minutes=18 + 95 * number)
                one.base = "10680.45" if one.base is None else one.base
            for one in session.exec(select(Link)):
                one.created_at = now - timedelta(days=20)
            for number, one in enumerate(session.exec(select(History))):
                one.at = now - timedelta(hours=30, minutes=number)
            links = session.exec(select(Link).where(col(Link.state) == "active").limit(24)).all()
            for number in range(60):
                link, at = links[number % len(links)], now - timedelta(minutes=1400 - 22 * number - rng.randrange(20))
                field, old, new = rng.choice(
                    [
                        ("opportunity_amount", "4200.00", "4450.00"),
                        ("sales_stage", "Tour booked", "Proposal sent"),
                        ("expected_closing", "2027-05-18", "2027-05-25"),
                        ("opportunity_owner", "tom.oreilly@example.com", "maria.nunez@example.com"),
                    ]
                )
                side = rng.choice(["nexudus", "crm"])
                ids = {"nexudus_id": link.nexudus_id, "crm_id": link.crm_id}
                session.add(History(at=at, connection="london", field=field, old=old, new=new, from_side=side, **ids))

    def _report(self) -> None:
        began = self.clock.now() - timedelta(hours=3)
        report = {
            "connection": "london",
            "started_at": f"{began:%Y-%m-%dT%H:%M:%SZ}",
            "done_at": f"{began + timedelta(minutes=8):%Y-%m-%dT%H:%M:%SZ}",
            "seconds": 480,
            "by": NAME,
            "finished": True,
            "systems": {"nexudus": "nexudus", "crm": "overplane"},
            "listed": {"nexudus": 60, "overplane": 40},
            "elsewhere": {"nexudus": 0, "overplane": 4},
            "announced": {
                "pairs": 24,
                "to_compare": 24,
                "creates": {"nexudus": 16, "overplane": 36},
                "customers_at_most": 12,
                "left_alone": {},
                "calls": {"nexudus": 180, "overplane": 160},
            },
            "writes": {"nexudus": 40, "overplane": 60},
            "created": {"nexudus": 16, "overplane": 35},
            "pairs": 24,
            "customers_created": {"nexudus": 9, "overplane": 2},
            "customers": [{"system": "nexudus", "email": "hola@garcia-nunez.example"}],
            "records": [
                {"what": "linked: found on both sides", "nexudus": 24, "crm": 24},
                {"what": "linked: copied from nexudus to overplane", "nexudus": 35, "crm": 35},
                {"what": "linked: copied from overplane to nexudus", "nexudus": 16, "crm": 16},
                {"what": "alone: failed, no-email", "nexudus": 1, "crm": 0},
            ],
            "links": 75,
            "conflicts": 4,
            "failures": 3,
            "failures_by_kind": {},
        }
        with self.engine.store.session() as session:
            facts.keep(session, "first run", {"london": report})
            state = session.get(ConnectionState, "london")
            assert state is not None
            state.backfilled_at = began
            session.add(state)

    def brake(self) -> None:
        """Many records are missing, all at once."""
        with self.engine.store.session() as session:
            numbers = [one.id for one in session.exec(select(Link).where(col(Link.state) == "active").limit(31))]
            evidence = "31 of 75 linked records are missing in the CRM, all at once"
            at = self.clock.now() - timedelta(minutes=22)
            session.add(
                Brake(connection="london", name="mass-delete", evidence=evidence, size=31, links=numbers, set_at=at)
            )


def main() -> None:
    logs.configure("error")
    with tempfile.TemporaryDirectory() as folder:
        office = Office(Path(folder), port=int(sys.argv[1]) if len(sys.argv) > 1 else 8790)
        try:
            office.fill()
            print(f"{office.serve()}  sign in as {NAME} with {PASSWORD!r}; Ctrl-C ends it")
            while True:
                office.beat()
                time.sleep(20)
        except KeyboardInterrupt:
            print()
        finally:
            office.close()


if __name__ == "__main__":
    main()
