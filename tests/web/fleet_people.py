"""A fleet with something of everything in each tenant, all under the same ids, and people who sign in to its page."""

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel, select
from starlette.exceptions import StarletteDeprecationWarning
from starlette.types import ASGIApp

from nexudus_sandbox.world import Sandbox
from nexudus_sync.clock import SystemClock
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.page import FleetDesk, served
from nexudus_sync.signals import http as monitoring
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.store import Store, facts, running
from nexudus_sync.store.first_run import KEPT_AS
from nexudus_sync.store.running import Beat
from nexudus_sync.store.tables import (
    Brake,
    Conflict,
    ConnectionState,
    Decision,
    Failure,
    History,
    Journal,
    Link,
    Unlinked,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", StarletteDeprecationWarning)  # it prefers a successor of httpx
    from starlette.testclient import TestClient

NOW = datetime.now(UTC)
WORLD = Sandbox(nexudus=1, crm=1, shared=1)
FLEET = """
[store]
url = "sqlite:///state.db"
[fleet]
folder = "tenants"
"""
USERS = """
[[web.users]]
name = "Sofia"
password = "${SOFIA}"
[[web.users]]
name = "Acme's Ann"
password = "${ANN}"
tenants = ["acme", "not yet there"]
"""
PASSWORDS = {"SOFIA": "sees everything", "ANN": "sees acme only"}
CARD, DEAL, ALONE = "87000009", "opportunity_1", "87000010"


class FleetOffice:
    """The files, the store and the page of a fleet."""

    def __init__(self, folder: Path, *tenants: str, users: str = USERS) -> None:
        self.folder, self.path = folder, folder / "fleet.toml"
        self.path.write_text(FLEET + users)
        self.store = Store.open("sqlite:///state.db", base_dir=folder)
        for name in tenants:
            self.add(name)
        self.clock = SystemClock()
        environ = {**WORLD.environment(), **PASSWORDS}
        self.fleet = Fleet.load(self.path, environ, secrets=False, needed=("web",))
        self.desk = FleetDesk(self.fleet, self.store, self.clock)
        self.beat()

    def add(self, name: str, text: str = "") -> None:
        """Add a tenant's files."""
        folder = self.folder / "tenants" / name
        folder.mkdir(parents=True)
        plain = re.sub(r"\[store\]\n.*\n", "", WORLD.config_toml())
        (folder / "config.toml").write_text(text or plain.replace("nexudus.test", f"{name}.nexudus.test"))

    def beat(self) -> None:
        """A worker gives a sign of life, with what it knows of the budgets."""
        budget = {f"{name}/nexudus": {"per_hour": (900, 1000)} for name in self.fleet.tenants()}
        with self.store.session() as session:
            running.beat(session, Beat(datetime.now(UTC), NOW - timedelta(hours=1), 1, "elsewhere", budget=budget), "w")

    def keep(self, *rows: SQLModel) -> None:
        """Put rows into the store."""
        with self.store.session() as session:
            session.add_all(rows)

    def rows(self, table: type[Any], tenant: str) -> list[Any]:
        """A tenant's rows."""
        with self.store.read() as session:
            found = list(session.exec(select(table)))
        return [one for one in found if one.connection == f"{tenant}/london"]

    def fill(self, tenant: str) -> None:
        """Something of everything; whatever is said of a tenant says its name, in some case."""
        own: dict[str, Any] = {"connection": f"{tenant}/london"}
        pair, said = {"nexudus_id": CARD, "crm_id": DEAL}, f"Secret of {tenant}"
        state = {"last_success": NOW, "backfilled_at": NOW - timedelta(days=9)}
        self.keep(
            ConnectionState(name=f"{tenant}/london", crm=f"{tenant}/overplane", **state),
            Link(
                crm=f"{tenant}/overplane",
                **own,
                **pair,
                title=said,
                customer=f"Ann of {tenant}",
                created_at=NOW,
                nexudus_changed_by=f"maria@{tenant}.example",
                nexudus_snapshot={"Name": said},
                crm_snapshot={"title": said},
            ),
            Unlinked(**own, side="nexudus", record_id=ALONE, title=f"Alone at {tenant}", email=f"one@{tenant}.example"),
            Conflict(**own, **pair, field="title", nexudus=said, crm=f"Other of {tenant}", opened_at=NOW, link_id=1),
            Conflict(
                **own, nexudus_id=ALONE, field="record", kind="match", nexudus=said, crm=[f"{said} (x1)"], opened_at=NOW
            ),
            Conflict(
                **own,
                **pair,
                field="status",
                nexudus=said,
                crm=said,
                opened_at=NOW,
                state="resolved",
                take="crm",
                decided_by=f"Tom of {tenant}",
                decided_at=NOW,
            ),
            Failure(
                **own,
                **pair,
                kind="refused",
                field="lead_source",
                reason=f"{said} is refused",
                first_at=NOW,
                last_at=NOW,
            ),
            Failure(
                **own,
                **pair,
                kind="refused",
                field="city",
                reason=f"{said} again",
                first_at=NOW,
                last_at=NOW,
                state="dismissed",
            ),
            History(**own, **pair, field="title", old=f"Old of {tenant}", new=said, from_side="crm", at=NOW),
            Journal(
                **own,
                **pair,
                side="crm",
                kind="opportunity.update",
                planned_at=NOW,
                state="confirmed",
                fields={"title": {"sent": said}},
            ),
            Decision(
                **own, kind="link", args={"nexudus_id": CARD, "crm_id": DEAL}, asked_at=NOW, asked_by=f"Tom of {tenant}"
            ),
            Brake(**own, name="mass-delete", evidence=f"{said}: 9 are missing", links=[1], set_at=NOW),
        )
        with self.store.session() as session:
            facts.keep(session, KEPT_AS, {f"{tenant}/london": _report(tenant)})
            running.failed(session, f"{tenant}/london", f"{said} cannot be reached", NOW - timedelta(hours=1))

    def app(self, *, page: bool = True) -> ASGIApp:
        """What is served; without the page, what a worker serves."""
        settings = self.desk.settings()
        metrics = Metrics(settings, self.store, self.clock)
        return served(
            settings,
            self.desk if page else None,
            monitoring.routes(self.desk.settings, self.store, self.clock, metrics),
        )

    def client(self, *, page: bool = True) -> TestClient:
        """A browser that nobody has signed in with."""
        return TestClient(self.app(page=page), base_url="http://127.0.0.1:8780")

    def signed_in(self, name: str, password: str) -> "FleetPerson":
        """Somebody in front of the page."""
        http = self.client()
        form = {"token": _token(http.get("/sign-in").text), "name": name, "password": password}
        shown = http.post("/sign-in", data=form)
        assert shown.status_code == 200, shown.text
        return FleetPerson(http, _token(shown.text))

    def close(self) -> None:
        """Close the store."""
        self.store.close()


@dataclass
class FleetPerson:
    """Somebody who has signed in."""

    http: TestClient
    token: str

    def see(self, path: str) -> str:
        """The page at that address."""
        shown = self.http.get(path)
        assert shown.status_code == 200, shown.text
        return str(shown.text)

    def do(self, path: str, **fields: Any) -> str:
        """Send a form; the page that it leads to."""
        return str(self.http.post(path, data={"token": self.token, **fields}).text)


def _token(html: str) -> str:
    found = re.search(r'name="token" value="([^"]+)"', html)
    assert found is not None
    return found[1]


def _report(tenant: str) -> dict[str, Any]:
    """The report of a first run, as `backfill` keeps it."""
    systems = {"nexudus": f"{tenant}/nexudus", "crm": f"{tenant}/overplane"}
    numbers = dict.fromkeys(systems.values(), 1)
    announced = {
        "pairs": 1,
        "to_compare": 1,
        "creates": numbers,
        "customers_at_most": 1,
        "left_alone": {},
        "calls": numbers,
    }
    return {
        "connection": f"{tenant}/london",
        "started_at": NOW.isoformat(),
        "done_at": NOW.isoformat(),
        "by": f"Tom of {tenant}",
        "finished": True,
        "systems": systems,
        "announced": announced,
        "created": numbers,
        "pairs": 1,
        "customers_created": numbers,
        "customers": [{"system": f"{tenant}/nexudus", "email": f"new@{tenant}.example"}],
        "records": [{"what": f"linked: copied from {tenant}/nexudus", "nexudus": 1, "crm": 1}],
        "links": 1,
        "conflicts": 1,
        "failures": 1,
        "failures_by_kind": {},
    }
