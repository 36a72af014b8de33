"""Writes `store_<revision>.sql` beside itself: a store of the present schema with one row in every table.

Run it once for each release that adds a revision, and check the file in; older files stay as they are.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlmodel import SQLModel

from nexudus_sync.store import Store, schema, tables

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = date(2026, 3, 2).isoformat()
PAIR = {"connection": "london", "nexudus_id": "7001", "crm_id": "b3c1"}


def rows() -> list[SQLModel]:
    """One row a table, with money, moments, blanks and text beyond ASCII in them."""
    return [
        tables.ConnectionState(name="london", crm="overplane", nexudus_cursor="2026-03-02", create_since=DAY, cycles=3),
        tables.Link(
            **PAIR,
            crm="overplane",
            nexudus_snapshot={"Name": "Café – desk", "Value": Decimal("1200.50"), "DueDate": None},
            crm_snapshot={"title": "Café – desk", "opportunity_amount": Decimal("1200.50")},
            nexudus_stamp="2026-03-02T11:00:00Z|anna",
            created_at=NOON,
        ),
        tables.Unlinked(connection="london", side="crm", record_id="c9", email="ann@example.com", created_at=NOON),
        tables.Journal(**PAIR, side="crm", kind="update", fields={"title": "Desk"}, planned_at=NOON),
        tables.Conflict(**PAIR, field="opportunity_amount", nexudus=Decimal("10.10"), crm=Decimal(12), opened_at=NOON),
        tables.Failure(
            **PAIR, kind="unmapped", field="sales_stage", reason="no stage Tour", first_at=NOON, last_at=NOON
        ),
        tables.History(**PAIR, at=NOON, field="title", old="Desk", new="Café – desk", from_side="nexudus"),
        tables.Decision(connection="london", kind="link", args={"nexudus": "7002", "crm": "c9"}, asked_at=NOON),
        tables.Brake(connection="london", name="mass-delete", evidence="40 of 100 links", set_at=NOON),
        tables.Spent(lane="nexudus", length=60, start=1772452800, calls=12, writes=3),
        tables.Fact(system="overplane", key="page_size", value=100),
        tables.LeaseRow(key="overplane", holder="worker 1", epoch=7, until=NOON, deadline=30.0),
    ]


def main() -> None:
    """Write the dump."""
    with TemporaryDirectory() as folder:
        with closing(Store.open("sqlite:///state.db", base_dir=Path(folder))) as store, store.session() as session:
            session.add_all(rows())
        with closing(sqlite3.connect(Path(folder) / "state.db")) as connection:
            dump = "\n".join(connection.iterdump())
    (Path(__file__).parent / f"store_{schema.HEAD}.sql").write_text(f"{dump}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
