"""`demo`: a conflict and a day's work on made-up data, with the code that runs on real data."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from nexudus_sandbox.control import NAME, controlled, own_file
from nexudus_sandbox.world import World
from nexudus_sync import config
from nexudus_sync.cli import first_run
from nexudus_sync.cli.backfill import system_names
from nexudus_sync.cli.desk import open_engine, run, start_log
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.lists import print_conflicts, print_history
from nexudus_sync.cli.output import say
from nexudus_sync.cli.sandbox import introduce, lay_out, until_stopped
from nexudus_sync.cli.summary import summary_of
from nexudus_sync.cli.sync import print_report
from nexudus_sync.config import Settings, WebSettings
from nexudus_sync.deciding.conflicts import take
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.cycle import run_cycle
from nexudus_sync.engine.rehearse.estimate import estimate
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Side
from nexudus_sync.store import history
from nexudus_sync.store.ask import over
from nexudus_sync.store.conflicts import open_about_card
from nexudus_sync.store.tables import Conflict


def demo(root: Root, keep: Path | None, crm: str) -> int:
    """Run the demo. Returns the exit code. Raises ConfigError when the folder to keep exists already.

    With `keep` the sandbox goes on, with all files in that folder, until Ctrl-C or SIGTERM.
    """
    with _folder(keep) as folder, World(crm_name=crm, nexudus=120, crm=80, shared=32) as world:
        lay_out(world, folder)
        settings = config.load(folder / "config.toml", world.environment())
        root.secrets = settings.secrets()
        start_log(root, settings)
        code = run(_play(settings, world))
        if keep is not None and not code:
            with until_stopped() as stop, controlled(world, own_file(), keep / NAME):
                _show_around(world, keep, settings.web)
                stop.wait()
            say("The sandbox has stopped.")
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


def _show_around(world: World, folder: Path, web: WebSettings) -> None:
    """Say how to look at what the demo left running."""
    say()
    say(f"Both systems keep running until Ctrl-C. In another terminal, after `cd {folder}`:", style="bold")
    for command, why in (
        ("nexudus-sync run", "keeps both sides in step, and serves the page"),
        ("nexudus-sync status", "shows what is linked and what waits"),
        ("nexudus-sync conflicts list", "shows what waits for a decision"),
        ("nexudus-sync sandbox trigger conflict", "makes something happen; --help lists the others"),
    ):
        say(f"  {command:<38} {why}")
    introduce(world)
    page, name = f"http://{web.address}:{web.port}/", world.people[0].name
    say(f"While `run` runs, its page is at {page}; sign in as {name}, with the same password.", style="bold")


async def _play(settings: Settings, world: World) -> int:
    async with open_engine(settings) as engine:
        with engine.store.lock():
            await engine.start()
            return await _acts(engine.settings, engine.connections[0], world)


async def _acts(settings: Settings, connection: Connection, world: World) -> int:
    say(
        f"Made-up data: 120 opportunities in Nexudus and 80 in {world.crm.title}. The first run pairs and copies them …"
    )
    began, coming = connection.clock.now(), await estimate(connection)
    first = await run_cycle(connection)
    summary = summary_of(connection.store, connection.name, system_names(connection))
    first_run.keep(connection, first_run.report_of(connection, coming, first, summary, began=began, by="demo"))
    card, title = _edit(world)
    _step("1. A conflict: two people change the same amount. Nothing is overwritten, a person decides")
    say(f"María sets “{title}” to 9000.00 in Nexudus, Tom to 9900.00 in {world.crm.title}.")
    with connection.store.read() as session:
        before = history.newest_id(session)
    await _sync(connection)
    with connection.store.read() as session:
        found = history.newest(session, [connection.name], None, 100)
    conflict = _conflict(connection, card)
    if conflict is None or conflict.id is None:
        say("The conflict did not appear.")
        return 1
    with connection.store.read() as session:
        print_conflicts([conflict], over(session))
    say(f"$ nexudus-sync conflicts resolve {conflict.id} --take crm")
    with connection.store.session() as session:
        take(session, settings, conflict.id, Side.CRM, by="demo", now=connection.clock.now())
    await _sync(connection)
    _step("2. Everything else that they changed was carried over, field by field")
    say("María adds to a title and marks a deal lost; Tom drags a card to another stage and sets an amount.")
    with connection.store.read() as session:
        print_history([one for one in found if (one.id or 0) > before], {}, over(session))
    _step("3. The first run, before that: what is on both sides was paired, the rest copied")
    print_report(connection, first)
    _step("4. Nothing has changed since: a last sync writes nothing")
    last = await run_cycle(connection)
    print_report(connection, last)
    say("For your own data: nexudus-sync init")
    return first.exit_code or int(last.written > 0)


def _edit(world: World) -> tuple[int, str]:
    """Make the edits of the day, each on a pair of its own whose sides were equal.

    Returns the card that both people edited, and its title.
    """
    nexudus, crm = world.nexudus, world.crm.at_work
    maria, tom = (person.email for person in world.people)
    free = [
        (card, row)
        for card, row in world.seeded.equal
        if nexudus.record(card)["Status"] == 1 and crm.record(row)["opportunity_amount"]
    ]
    cards, rows = [card for card, _ in free], [row for _, row in free]
    nexudus.edit(cards[0], maria, Name=f"{nexudus.record(cards[0])['Name']} (two years)")
    stage = "Negotiation" if crm.record(rows[1])["sales_stage"] != "Negotiation" else "Proposal sent"
    nexudus.move(cards[1], stage, tom)
    crm.edit(rows[2], tom, opportunity_amount=Decimal("18500.00"))
    crm.edit(rows[3], maria, status="Lost", sales_stage="Lost")
    crm.set_lost_reasons(rows[3], ["Price"], maria)
    nexudus.edit(cards[4], maria, Value=Decimal("9000.00"))
    crm.edit(rows[4], tom, opportunity_amount=Decimal("9900.00"))
    return cards[4], str(nexudus.record(cards[4])["Name"])


async def _sync(connection: Connection) -> None:
    """Run one cycle, and print the command and its line."""
    say("$ nexudus-sync sync")
    print_report(connection, await run_cycle(connection))


def _conflict(connection: Connection, card: int) -> Conflict | None:
    with connection.store.read() as session:
        return open_about_card(session, str(card))


def _step(text: str) -> None:
    say()
    say(text, style="bold")
