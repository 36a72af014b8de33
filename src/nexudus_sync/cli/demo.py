"""`demo`: a backfill and a day's work on made-up data, with the code that runs on real data."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from nexudus_sandbox.world import World
from nexudus_sync import config
from nexudus_sync.cli.backfill import Wanted, backfill_one
from nexudus_sync.cli.conflicts import decide, print_conflicts
from nexudus_sync.cli.desk import open_engine, run, start_log
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.history import print_history
from nexudus_sync.cli.output import print_table, say
from nexudus_sync.cli.sandbox import exports
from nexudus_sync.cli.sync import print_report
from nexudus_sync.config import Settings
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import run_cycle
from nexudus_sync.engine.report import Report
from nexudus_sync.errors import ConfigError
from nexudus_sync.store import history
from nexudus_sync.store.conflicts import open_about_card
from nexudus_sync.store.tables import Conflict

_MARIA, _TOM = "maria.nunez@example.com", "tom.oreilly@example.com"


def demo(root: Root, keep: Path | None, crm: str) -> int:
    """Run the demo. Returns the exit code. Raises ConfigError when the folder to keep exists already."""
    with _folder(keep) as folder, World(crm_name=crm, nexudus=120, crm=80, shared=32) as world:
        (folder / "config.toml").write_text(world.config_toml(), encoding="utf-8")
        (folder / "env.sh").write_text(exports(world), encoding="utf-8")
        settings = config.load(folder / "config.toml", world.environment())
        root.secrets = settings.secrets()
        start_log(root, settings)
        code = run(_play(settings, world))
        if keep is not None:
            look = f"nexudus-sync --config {folder / 'config.toml'}"
            say(f"Explore it with `{look} status`, `… history`, `… conflicts list` or `… explain RECORD`.")
    return code


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="nexudus-sync-demo-") as made:
            yield Path(made)
        return
    if keep.exists():
        raise ConfigError(str(keep), "already exists", "name a new folder")
    keep.mkdir(parents=True)
    yield keep


async def _play(settings: Settings, world: World) -> int:
    async with open_engine(settings) as engine:
        with engine.store.lock():
            await engine.start()
            return await _acts(engine.connections[0], settings, world)


async def _acts(connection: Connection, settings: Settings, world: World) -> int:
    _step("1. A backfill: match what exists on both sides, copy the rest")
    code = await backfill_one(connection, settings, Wanted(yes=True))
    _step("2. People work on both sides")
    edits = _edit(world)
    print_table(("who", "where", "opportunity", "what"), [(e.who, e.where, e.title, e.what) for e in edits])
    _step("3. A sync: each edit is carried over, field by field")
    await _sync(connection)
    _step("4. Both sides changed the same amount: nothing is overwritten, a person decides")
    conflict = _conflict(connection, edits[-1].title_of)
    if conflict is None or conflict.id is None:
        say("The conflict did not appear.")
        return 1
    print_conflicts([conflict])
    say(f"$ nexudus-sync conflicts resolve {conflict.id} --take crm")
    decide(connection.store, conflict.id, "crm")
    await _sync(connection)
    _step("5. Nothing has changed since: a last sync writes nothing")
    last = await _cycle(connection)
    print_report(connection, last)
    say()
    calls = f"{len(world.nexudus.log):,} calls to Nexudus and {len(world.crm.double.log):,} to {world.crm.title}"
    say(f"All of this took {calls}, including those for the estimate and the checks.")
    say("For your own data: nexudus-sync init")
    return code or int(last.written > 0)


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit somebody made. `title_of` is the Nexudus id of the opportunity."""

    who: str
    where: str
    title: str
    what: str
    title_of: str


def _edit(world: World) -> list[Edit]:
    """Make the edits of the day, each on a pair of its own whose sides were equal."""
    nexudus, crm = world.nexudus, world.crm.at_work
    free = [
        (card, row)
        for card, row in world.seeded.equal
        if nexudus.record(card)["Status"] == 1 and crm.record(row)["opportunity_amount"]
    ]
    titles = [str(nexudus.record(card)["Name"]) for card, _ in free]
    cards, rows = [card for card, _ in free], [row for _, row in free]
    nexudus.edit(cards[0], _MARIA, Name=f"{titles[0]} (two years)")
    stage = "Negotiation" if crm.record(rows[1])["sales_stage"] != "Negotiation" else "Proposal sent"
    nexudus.move(cards[1], stage, _TOM)
    crm.edit(rows[2], _TOM, opportunity_amount=Decimal("18500.00"))
    crm.edit(rows[3], _MARIA, status="Lost", sales_stage="Lost")
    crm.set_lost_reasons(rows[3], ["Price"], _MARIA)
    nexudus.edit(cards[4], _MARIA, Value=Decimal("9000.00"))
    crm.edit(rows[4], _TOM, opportunity_amount=Decimal("9900.00"))
    told = (
        ("María", "Nexudus", 0, "adds “(two years)” to the title"),
        ("Tom", "Nexudus", 1, f"drags the card to {stage}"),
        ("Tom", world.crm.title, 2, "sets the amount to 18500.00"),
        ("María", world.crm.title, 3, "marks it lost: Price"),
        ("María", "Nexudus", 4, "sets the amount to 9000.00"),
        ("Tom", world.crm.title, 4, "sets the same amount to 9900.00"),
    )
    return [Edit(who, where, titles[number], what, str(cards[number])) for who, where, number, what in told]


async def _sync(connection: Connection) -> None:
    """Run one cycle and print the values it overwrote."""
    say("$ nexudus-sync sync")
    with connection.store.read() as session:
        before = history.newest_id(session)
    print_report(connection, await _cycle(connection))
    with connection.store.read() as session:
        found = history.newest(session, [connection.name], None, 100)
    print_history([one for one in found if (one.id or 0) > before])


async def _cycle(connection: Connection) -> Report:
    return await run_cycle(connection)


def _conflict(connection: Connection, card: str) -> Conflict | None:
    with connection.store.read() as session:
        return open_about_card(session, card)


def _step(text: str) -> None:
    say()
    say(text, style="bold")
