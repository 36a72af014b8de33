"""What the page of a fleet costs at the server: 200 tenants, each with 500 pairs and 1,000 history entries.

    python benchmarks/pages_fleet.py [TENANTS] [TIMES] [--pictures FOLDER]

Prints, for each address, the median and the worst time of TIMES answers (20) in milliseconds, and the size. With
--pictures, a Chromium (see screenshots.py) also takes pictures of some of them.
"""

import os
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from nexudus_sync import logs
from nexudus_sync.store import running
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Failure, History, Link
from nexudus_sync.web import serve

PAIRS, ITEMS, ENTRIES = 500, 20, 1000
PLACES = ("harbour", "mill", "station", "bridge", "garden", "tower", "market", "dock", "forge", "yard", "wharf", "quay")
ADDRESSES = (
    "/",
    "/overview/state",
    "/?q=harbour",
    "/?show=trouble",
    "/?page=4",
    "/?tenant=harbour-001",
    "/inbox",
    "/inbox?q=suite+19",
    "/inbox?tenant=harbour-001",
    "/inbox?tenant=harbour-001&q=suite+19",
    "/records?q=suite+499",
    "/history",
    "/history?tenant=harbour-001",
    "/history?q=suite+499",
    "/history?tenant=harbour-001&q=suite+499",
    "/brakes",
    "/mapping?tenant=harbour-001",
    "/metrics",
    "/readyz",
)


def names(count: int) -> list[str]:
    return [f"{PLACES[number % len(PLACES)]}-{number // len(PLACES) + 1:03}" for number in range(count)]


def fill(office: Any, tenants: list[str]) -> None:
    now = datetime.now(UTC)
    for number, tenant in enumerate(tenants):
        own = {"connection": f"{tenant}/london"}
        ids = [{"nexudus_id": str(one), "crm_id": f"opportunity_{one}"} for one in range(1, PAIRS + 1)]
        links = [
            {
                **own, **pair, "crm": f"{tenant}/overplane", "title": f"Team suite {place}", "customer": f"Of {tenant}",
                "created_at": now, "nexudus_snapshot": {"Name": "x" * 200}, "crm_snapshot": {"title": "x" * 200},
            }
            for place, pair in enumerate(ids)
        ]  # fmt: skip
        open_items = ITEMS if number % 4 == 0 else 0
        conflicts = [
            {**own, **ids[one], "field": "opportunity_amount", "nexudus": "1", "crm": "2", "opened_at": now}
            for one in range(open_items // 2)
        ]
        failures = [
            {
                **own,
                **ids[-one - 1],
                "kind": "refused",
                "field": "title",
                "reason": "too long",
                "first_at": now,
                "last_at": now,
            }
            for one in range(open_items // 2)
        ]
        history = [
            {**own, **ids[one % PAIRS], "at": now - timedelta(minutes=ENTRIES - one), "old": "Tour booked",
             "new": "Proposal sent", "field": "sales_stage", "from_side": "nexudus"}
            for one in range(ENTRIES)
        ]  # fmt: skip
        with office.store.session() as session:
            for table, rows in ((Link, links), (Conflict, conflicts), (Failure, failures), (History, history)):
                if rows:
                    session.execute(insert(table), rows)
            state = ConnectionState(
                name=f"{tenant}/london", crm=f"{tenant}/overplane", last_success=now, backfilled_at=now
            )
            state.paused_at, state.paused_by = (now, "Maria") if number % 50 == 7 else (None, "")
            if number % 67 == 3:
                state.backfilled_at = state.last_success = None
            session.add(state)
            if number % 40 == 1:
                evidence = "212 of 500 linked opportunities are missing in the CRM"
                session.add(Brake(**own, name="mass-delete", evidence=evidence, set_at=now))
            if number % 60 == 9:
                running.failed(session, f"{tenant}/london", "Overplane cannot be reached", now - timedelta(hours=2))


def measure(person: Any, times: int) -> None:
    print(f"{'address':44} {'median':>8} {'worst':>8} {'KB':>7}")
    for address in ADDRESSES:
        spent, size = [], 0
        person.http.get(address)
        for _ in range(times):
            began = time.perf_counter()
            answer = person.http.get(address)
            spent.append((time.perf_counter() - began) * 1000)
            size = len(answer.content)
        print(f"{address:44} {statistics.median(spent):8.1f} {max(spent):8.1f} {size / 1024:7.1f}", flush=True)


def pictures(office: Any, folder: Path, password: str) -> None:
    from playwright.sync_api import sync_playwright

    from screenshots import CHROMIUM, FLAGS, LOOKS

    page_of = serve.start(office.desk.settings().web, lambda: office.app())
    assert page_of is not None
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for look, options in LOOKS.items():
            page = browser.new_context(**options, locale="en-GB").new_page()
            page.goto(f"{page_of.address}sign-in")
            page.get_by_label("Name").fill("Sofia")
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            for name, path in (
                ("fleet", ""),
                ("fleet-tenant", "?tenant=harbour-001"),
                ("fleet-inbox", "inbox?tenant=harbour-001"),
            ):
                page.goto(page_of.address + path)
                page.screenshot(path=folder / f"{name}-{look}.png", full_page=name != "fleet")
        browser.close()
    page_of.stop()


def main() -> None:
    asked = ArgumentParser()
    asked.add_argument("tenants", type=int, nargs="?", default=200)
    asked.add_argument("times", type=int, nargs="?", default=20)
    asked.add_argument("--pictures", type=Path)
    given = asked.parse_args()
    logs.configure("error")
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "web"))
    from fleet_people import PASSWORDS, USERS, FleetOffice

    pictures_to = given.pictures and given.pictures.absolute()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # so that no error on the page says where this machine keeps its files
        tenants = names(given.tenants)
        office = FleetOffice(Path(), *tenants, users=f"[web]\nport = 0\n{USERS}")
        office.add("broken-001", "[nexudus]\n")
        fill(office, tenants)
        office.beat()
        measure(office.signed_in("Sofia", PASSWORDS["SOFIA"]), given.times)
        if pictures_to is not None:
            pictures(office, pictures_to, PASSWORDS["SOFIA"])
        office.close()


main()
