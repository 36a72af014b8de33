"""The report of a connection's first run: kept when `backfill` ends, and written out by `export`."""

import csv
import io
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from nexudus_sync import codec
from nexudus_sync.cli.files import write_private
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import print_table, say, spreadsheet, utc
from nexudus_sync.cli.reading import open_reading
from nexudus_sync.cli.summary import Summary
from nexudus_sync.cli.times import when
from nexudus_sync.deciding.records import no_such
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.rehearse.estimate import Estimate
from nexudus_sync.engine.report import Report
from nexudus_sync.mapping import Side
from nexudus_sync.store import facts, journal
from nexudus_sync.store.first_run import KEPT_AS, kept
from nexudus_sync.texts import in_json, plural

CUSTOMERS = 1000
"""At most this many new customers are named."""


def report_of(
    connection: Connection, coming: Estimate, report: Report, summary: Summary, *, began: datetime, by: str
) -> dict[str, Any]:
    """What a first run announced and did, as JSON: numbers, and the new customers' e-mail addresses."""
    names = {side: connection.connector(side).name for side in Side}
    now = connection.clock.now()
    with connection.store.read() as session:
        parties = journal.new_parties(session, connection.name, began)
    return {
        "connection": connection.name,
        "started_at": utc(began),
        "done_at": utc(now),
        "seconds": round((now - began).total_seconds()),
        "by": by,
        "finished": report.finished,
        "systems": {side.value: names[side] for side in Side},
        "listed": {names[side]: coming.listed[side] for side in Side},
        "elsewhere": {names[side]: max(0, coming.listed[side] - coming.inside[side]) for side in Side},
        "announced": {
            "pairs": coming.pairs,
            "to_compare": coming.compare,
            "creates": {names[side]: coming.creates.get(side, 0) for side in Side},
            "customers_at_most": coming.customers,
            "left_alone": dict(coming.left),
            "calls": {names[side]: coming.calls[side].calls for side in Side},
        },
        "writes": {names[side]: _written(report, side) for side in Side},
        "created": {names[side]: report.created[side.value] for side in Side},
        "pairs": report.pairs,
        "customers_created": Counter(names[Side(side)] for side, _ in parties),
        "customers": [{"system": names[Side(side)], "email": email} for side, email in parties[:CUSTOMERS]],
        "records": [{"what": what, "nexudus": in_nexudus, "crm": in_crm} for what, in_nexudus, in_crm in summary.lines],
        "links": summary.status.links,
        "conflicts": summary.status.conflicts,
        "failures": summary.status.failures_waiting,
        "failures_by_kind": summary.failures,
    }


def _written(report: Report, side: Side) -> int:
    return sum(count for what, count in report.writes.items() if what.split(" ")[0] == side.value)


def keep(connection: Connection, report: dict[str, Any]) -> None:
    """Keep the report, in place of an earlier one."""
    with connection.store.session() as session:
        facts.keep(session, KEPT_AS, {connection.name: report})


def export(root: Root, connection: str | None, out: Path | None, *, as_json: bool, as_csv: bool) -> None:
    """Write out the kept reports: for people, as JSON, or as CSV. Raises ConfigError when there is none."""
    with open_reading(root) as desk:
        found = [one for name in desk.names(connection) if (one := kept(desk.ask, name)) is not None]
    if not found:
        raise no_such("report", "of a first run", "`nexudus-sync backfill` makes one")
    if not (as_json or as_csv or out is not None):
        for one in found:
            _print(one)
        return
    text = _csv(found) if as_csv or (out is not None and out.suffix == ".csv") else in_json(codec.dumps(found)) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_private(out, text, "--out")
        say(f"Written to {out}.")


def _print(one: dict[str, Any]) -> None:
    by = f" by {one['by']}" if one["by"] else ""
    systems = one["systems"]
    began, ended = (when(datetime.fromisoformat(one[key])) for key in ("started_at", "done_at"))
    say(f"{one['connection']}: first run{by}, {began} to {ended}", style="bold")
    rows = [(row["what"], f"{row['nexudus']:,}", f"{row['crm']:,}") for row in one["records"]]
    names = tuple(systems.values())
    print_table(("records", *names), rows, right=names)
    waiting = [plural(one["conflicts"], "conflict"), plural(one["failures"], "failure")]
    say(f"{plural(one['links'], 'pair')} linked; {' and '.join(waiting)} waited at the end.")
    new = ", ".join(f"{count:,} in {system}" for system, count in one["customers_created"].items())
    say(f"Customers created: {new or 'none'} (at most {one['announced']['customers_at_most']:,} were announced).")
    if not one["finished"]:
        say("It was stopped before its end; `nexudus-sync backfill` continues.")


def _csv(found: list[dict[str, Any]]) -> str:
    """The table of each report: what became of the records of both sides."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("connection", "records", "nexudus", "crm"))
    for one in found:
        for row in one["records"]:
            rows.writerow([spreadsheet(cell) for cell in (one["connection"], row["what"], row["nexudus"], row["crm"])])
    return out.getvalue()
