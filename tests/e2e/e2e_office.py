"""A whole installation: the sandbox called in process, a store on disk, and a clock that is turned by hand."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from e2e_desks import BEN as BEN
from e2e_desks import DESKS
from sqlmodel import SQLModel, select

import stores
from nexudus_sandbox.double import Double, Entry
from nexudus_sandbox.world import Sandbox
from nexudus_sync import codec
from nexudus_sync.config import load
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.engine.startup.assemble import Engine, assemble
from nexudus_sync.mapping import Side, Sync
from nexudus_sync.store.tables import Brake, Conflict, Decision, Failure, Link, Spent

START = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
LATENCY = 0.01
"""Seconds that each request takes."""
POLL = 30.0
"""Seconds between two cycles: more than any stamp stays "now"."""
ANA = "ana@example.com"
CARDS = "/api/crm/crmopportunities"
OPEN = ("Open", "Quotation", "Replied")

T = TypeVar("T", bound=SQLModel)


class HandClock:
    """Goes on by what each request takes and by what somebody sleeps."""

    def __init__(self) -> None:
        self._at = START
        self._wakes: list[datetime] = []

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._at.timestamp()

    async def sleep(self, seconds: float) -> None:
        until = self._at + timedelta(seconds=max(0.0, seconds))
        self._wakes.append(until)
        try:
            while self._at < until:
                # All that can go on goes on first.
                for _ in range(10):
                    await asyncio.sleep(0)
                self.turn((min(self._wakes) - self._at).total_seconds())
        finally:
            self._wakes.remove(until)

    def turn(self, seconds: float) -> None:
        self._at += timedelta(seconds=max(0.0, seconds))


class Office:
    """One sandbox and one configuration. Each `process` is a new process on the same store.

    `desk` is what is particular to its CRM; `free` are pairs of records that say the same from the start and are open.
    """

    def __init__(
        self,
        folder: Path,
        crm_name: str = "overplane",
        *,
        nexudus: int = 12,
        crm: int = 10,
        shared: int = 5,
        seed: int = 7,
        **settings: str,
    ) -> None:
        self.folder, self.clock = folder, HandClock()
        self.store = stores.open_in(folder)
        self.world = Sandbox(self.clock.now, crm_name=crm_name, nexudus=nexudus, crm=crm, shared=shared, seed=seed)
        self.desk = DESKS[crm_name](self.world.crm)
        for double in (self.cards, self.deals):
            double.watchers.append(lambda *_: self.clock.turn(LATENCY))
        self.config = self.world.config_toml()
        self.free = [pair for pair in self.world.seeded.equal if self.deals.record(pair[1])["status"] in OPEN]
        if self.desk.mapping:
            (folder / "desk.toml").write_text(self.desk.mapping, encoding="utf-8")
            self.put("mapping", '{ crm = "desk.toml" }')
        for key, value in settings.items():
            self.put(key, value)

    @property
    def cards(self) -> Any:
        """The Nexudus double."""
        return self.world.nexudus

    @property
    def deals(self) -> Any:
        """The CRM's double."""
        return self.desk.deals

    def put(self, key: str, value: str) -> None:
        """Set a key of the connection, in TOML's spelling."""
        kept = [line for line in self.config.splitlines() if not line.startswith(f"{key} = ")]
        self.config = "\n".join([*kept, f"{key} = {value}", ""])

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Engine]:
        """A process that has read the configuration and logged in."""
        path = self.folder / "config.toml"
        path.write_text(self.config)
        engine = assemble(
            load(path, self.world.environment()),
            clock=self.clock,
            rng=random.Random(1),
            store=self.store,
            transports=self.world.transports(self.clock),
        )
        try:
            await engine.start()
            yield engine
        finally:
            self.store.after_commit = None
            # A closed store connects again when it is asked again, as the next process would.
            await engine.aclose()

    async def sync(self, connection: str = "london", **options: Any) -> Report:
        """`sync`: a process that runs one cycle, a poll after the last one."""
        async with self.process() as engine:
            return await self.cycle(engine, connection, **options)

    async def cycle(self, engine: Engine, connection: str = "london", **options: Any) -> Report:
        """One cycle of a process that runs on, a poll after the last one."""
        self.clock.turn(POLL)
        (each,) = engine.connection(connection)
        return await run_cycle(each, Options(**options))

    async def quiet(self, connection: str = "london", most: int = 4) -> None:
        """Run cycles until one has nothing to write."""
        for _ in range(most):
            if not (await self.sync(connection)).written:
                return
        raise AssertionError("the sides come to no rest")

    def rows(self, table: type[T], **values: Any) -> list[T]:
        """The store's rows with these values, oldest first."""
        with self.store.read() as session:
            return list(session.exec(select(table).filter_by(**values)))

    def keep(self, *rows: SQLModel) -> None:
        """Put rows into the store, or back into it."""
        with self.store.session() as session:
            for row in rows:
                session.merge(row)

    def decide(self, kind: str, **args: Any) -> None:
        """Ask for something as the command line does."""
        self.keep(Decision(connection="london", kind=kind, args=args, asked_at=self.clock.now()))

    def resolve(self, conflict: Conflict, take: str) -> None:
        """Resolve a conflict as the command line does."""
        conflict.state, conflict.take = "resolved", take
        self.keep(conflict)

    def release(self, name: str) -> None:
        """Release a brake as the command line does."""
        (brake,) = self.rows(Brake, name=name, state="set")
        brake.state, brake.released_at = "released", self.clock.now()
        self.keep(brake)

    def new_card(self, title: str, email: str | None, **values: Any) -> int:
        """A person adds a card in London, for a customer of its own."""
        place, directory = self.world.seeded.places.london, self.cards.directory
        customer = directory.add_coworker(email, f"Person of {title}", place.business_id)
        stage = values.pop("stage", "New lead")
        values = {"CrmBoardColumnId": directory.stage_named(place.board_id, stage), "Position": 1, **values}
        return int(self.cards.create(ANA, Name=title, CoworkerId=customer, **values))

    def new_deal(self, title: str, email: str | None, **values: Any) -> str:
        """A person adds an opportunity of London's company, with a lead of its own."""
        party = values.pop("party_name", None) or self.desk.lead(f"Person of {title}", email)
        return self.desk.create(title, party, email, **values)

    def links(self, **values: Any) -> dict[str, str]:
        """Nexudus id → CRM id of the links with these values."""
        return {link.nexudus_id: link.crm_id for link in self.rows(Link, **values)}

    def waiting(self, table: type[Conflict] | type[Failure]) -> set[tuple[str, str, str, str]]:
        """What waits for somebody: (kind, or "conflict"; field; Nexudus id; CRM id)."""
        rows: list[Any] = list(self.rows(table, state="open"))
        return {
            (row.kind if isinstance(row, Failure) else "conflict", row.field, row.nexudus_id, row.crm_id)
            for row in rows
        }

    def failures_of(self, pair: tuple[object, object]) -> set[tuple[str, str]]:
        """Kind and field of what is open about a pair."""
        found = self.rows(Failure, nexudus_id=str(pair[0]), crm_id=pair[1], state="open")
        return {(failure.kind, failure.field) for failure in found}

    def stage_of(self, card: int) -> str:
        """The name of a card's stage."""
        return str(self.cards.record(card)["CrmBoardColumnName"])

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def double(self, side: Side) -> Double:
        """The double of a side."""
        return self.cards if side is Side.NEXUDUS else self.deals  # type: ignore[no-any-return]

    async def disagreements(self) -> list[tuple[str, str, str]]:
        """What two linked sides say differently and nothing shows: (Nexudus id, CRM id, field)."""
        waiting = {(one, field) for _, field, one, _ in self.waiting(Conflict) | self.waiting(Failure)}
        found = []
        async with self.process() as engine:
            (connection,) = engine.connections
            for one, deal in self.links(state="active").items():
                records = {Side.NEXUDUS: self.cards.record(int(one)), Side.CRM: self.desk.as_read(deal)}
                contexts = {side: await connection.context(side, record) for side, record in records.items()}
                for field in connection.mapping.fields:
                    said = [field.get(side, records[side], contexts[side]) for side in Side]
                    if field.sync is Sync.TWO_WAY and not field.same(*said) and (one, field.name) not in waiting:
                        found.append((one, deal, field.name))
        return found


class Counted:
    """The requests that both sides answered since this was made."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._from = {side: len(office.double(side).log) for side in Side}

    def entries(self, side: Side) -> list[Entry]:
        """The requests one side answered, the login left out."""
        log = self._office.double(side).log[self._from[side] :]
        return [entry for entry in log if entry.path != "/api/token"]

    def calls(self, side: Side) -> Counter[str]:
        """How often which "METHOD path" was asked, ids replaced by {id}."""
        return Counter(f"{entry.method} {_template(entry.path)}" for entry in self.entries(side))

    def writes(self) -> list[str]:
        """Every request that could have changed something."""
        found = [entry for side in Side for entry in self.entries(side)]
        return [f"{entry.method} {entry.path}" for entry in found if not _reads(entry)]


def _reads(entry: Entry) -> bool:
    """Is it a GET, or one of the searches and batches that HubSpot takes by POST?"""
    return entry.method == "GET" or entry.path.endswith(("/search", "/batch/read"))


def _template(path: str) -> str:
    parent, _, last = path.rpartition("/")
    return f"{parent}/{{id}}" if any(sign.isdigit() for sign in last) else path


def dump(office: Office) -> dict[Side, dict[str, str]]:
    """Every record of both sides, byte for byte, child rows included."""
    rows = {
        Side.NEXUDUS: dict(office.cards.records()),
        Side.CRM: {key: office.desk.content(key) for key in office.deals.records()},
    }
    return {side: {str(key): codec.dumps(row) for key, row in of.items()} for side, of in rows.items()}


def store_dump(office: Office) -> dict[str, list[str]]:
    """Everything the store holds but the budget's ledger, which counts reads too."""
    tables = [table for table in SQLModel.metadata.sorted_tables if table.name != Spent.__tablename__]
    with office.store.read() as session:
        return {table.name: [repr(row) for row in session.connection().execute(table.select())] for table in tables}


def without(record: dict[str, Any], *keys: str) -> str:
    """A record byte for byte, but for these keys."""
    return codec.dumps({key: value for key, value in record.items() if key not in keys})
