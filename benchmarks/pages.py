"""What each page costs at the server with 10,000 conflicts, 20,000 pairs and 100,000 history entries.

    python benchmarks/pages.py [TIMES]

Prints, for each address, the median and the worst time of TIMES answers (20) in milliseconds, and the size.
"""

import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from nexudus_sync import logs
from nexudus_sync.page import application
from nexudus_sync.store.tables import Conflict, Failure, History, Link
from page_office import NAME, PASSWORD, Office

PAIRS, CONFLICTS, FAILURES, ENTRIES = 20_000, 10_000, 1_000, 100_000
ADDRESSES = (
    "/",
    "/overview/state",
    "/inbox",
    "/inbox?page=100",
    "/inbox?open=c5000",
    "/inbox?q=müller",
    "/inbox?q=nothing+like+this",
    "/inbox?kind=field&field=opportunity_amount&age=day",
    "/inbox/preview?answer=nexudus&all=yes",
    "/record?connection=london&nexudus=5000",
    "/records?q=suite+19",
    "/history",
    "/history?before=50000",
    "/history?q=müller",
    "/history?q=nothing+like+this",
    "/history?record=5000",
    "/history?field=sales_stage&since=week",
    "/plan",
    "/brakes",
    "/mapping",
)


def fill(office: Office) -> None:
    now = office.clock.now()
    snapshot = {f"field_{number}": f"value {number} of a snapshot" for number in range(30)}
    links = [
        {
            "crm": "overplane", "connection": "london", "nexudus_id": str(number), "crm_id": f"opportunity_{number}",
            "title": f"Team suite {number}", "customer": "Müller Foods" if number % 500 == 0 else f"Customer {number}",
            "created_at": now - timedelta(days=90), "nexudus_snapshot": snapshot, "crm_snapshot": snapshot,
            "nexudus_identity": f"n{number}", "crm_identity": f"c{number}",
        }
        for number in range(1, PAIRS + 1)
    ]  # fmt: skip
    ids = [{"nexudus_id": str(number), "crm_id": f"opportunity_{number}"} for number in range(1, PAIRS + 1)]
    conflicts = [
        {
            "connection": "london", "field": "opportunity_amount", "base": "100.00", "nexudus": f"{number}.00",
            "crm": f"{number}.50", "opened_at": now - timedelta(minutes=number), **ids[number],
        }
        for number in range(CONFLICTS)
    ]  # fmt: skip
    failures = [
        {
            "connection": "london", "kind": "refused", "field": "title", "reason": "the CRM: too long; shorten it",
            "first_at": now - timedelta(minutes=number), "last_at": now, **ids[-number - 1],
        }
        for number in range(FAILURES)
    ]  # fmt: skip
    history = [
        {
            "at": now - timedelta(minutes=ENTRIES - number), "connection": "london", "old": "Tour booked",
            "new": "Proposal sent", "field": "sales_stage" if number % 3 else "title",
            "from_side": "nexudus" if number % 2 else "crm", **ids[number % PAIRS],
        }
        for number in range(ENTRIES)
    ]  # fmt: skip
    with office.engine.store.session() as session:
        for table, rows in ((Link, links), (Conflict, conflicts), (Failure, failures), (History, history)):
            session.execute(insert(table), rows)


def main() -> None:
    logs.configure("error")
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "web"))
    from web_people import TestClient, token_of

    with tempfile.TemporaryDirectory() as folder:
        office = Office(Path(folder))
        office.cycle()
        fill(office)
        browser = TestClient(application(office.engine, (), office), base_url="http://127.0.0.1")
        form = {"token": token_of(browser.get("/sign-in").text), "name": NAME, "password": PASSWORD}
        browser.post("/sign-in", data=form)
        print(f"{'address':<58}{'median':>8}{'worst':>8}{'KiB':>7}")
        for address in ADDRESSES:
            took, size = [], 0
            for _ in range(times + 1):
                began = time.perf_counter()
                size = len(browser.get(address).content)
                took.append(1000 * (time.perf_counter() - began))
            print(f"{address:<58}{statistics.median(took[1:]):8.1f}{max(took[1:]):8.1f}{size / 1024:7.1f}")
        office.close()


if __name__ == "__main__":
    main()
