"""A configured folder with a store, the commands run on it, and rows for the store."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlmodel import SQLModel, select
from typer.testing import CliRunner

from nexudus_sandbox.world import Sandbox, World
from nexudus_sync import codec
from nexudus_sync.cli import desk
from nexudus_sync.cli.app import app
from nexudus_sync.clock import SystemClock
from nexudus_sync.engine.startup.assemble import assemble
from nexudus_sync.store import Store
from nexudus_sync.store.tables import Conflict, Failure, Link

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CONFIG = """\
[nexudus]
username = "${NEXUDUS_USERNAME}"
password = "${NEXUDUS_PASSWORD}"
totp_secret = "${NEXUDUS_TOTP}"
[crm.overplane]
connector = "overplane"
base_url = "${OVERPLANE_URL}"
token = "${OVERPLANE_TOKEN}"
[[connection]]
name = "london"
crm = "overplane"
scope = { business_id = 1001 }
company = "Example Corp"
"""
NO_PAGE = "[web]\noff = true\n\n"
"""For configurations that `run` works with: tests beside each other would want the same port."""
SECOND = """
[[connection]]
name = "madrid"
crm = "overplane"
scope = { business_id = 1002 }
company = "Example Iberia"
time_zone = "Europe/Madrid"
"""


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return codec.loads(self.out)


@dataclass
class House:
    """A configuration in a folder, its store, and the commands run on them."""

    folder: Path
    environment: dict[str, str]
    sandbox: Sandbox | None = None
    """What answers in place of the network, if anything does."""

    @classmethod
    def of(cls, folder: Path, sandbox: Sandbox) -> "House":
        """A house that is connected to a sandbox called in process, or to one on sockets."""
        return cls(folder, sandbox.environment(), None if isinstance(sandbox, World) else sandbox)

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def write(self, text: str) -> None:
        self.config.write_text(text, encoding="utf-8")

    def run(self, *args: str, answers: str | None = None, before: tuple[str, ...] = ()) -> Ended:
        words = ["--config", str(self.config), *before, *args]
        with self._connected():
            ended = CliRunner().invoke(app, words, input=answers, env=self.environment)
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def _connected(self) -> AbstractContextManager[object]:
        if self.sandbox is None:
            return nullcontext()
        transports = self.sandbox.transports(SystemClock())
        return patch.object(desk, "assemble", partial(assemble, transports=transports))

    def keep(self, *rows: SQLModel) -> None:
        store = Store.open("sqlite:///state.db", base_dir=self.folder)
        with store.session() as session:
            session.add_all(rows)
        store.close()

    def rows(self, table: type[SQLModel]) -> list[Any]:
        store = Store.open("sqlite:///state.db", base_dir=self.folder)
        try:
            with store.read() as session:
                return list(session.exec(select(table)))
        finally:
            store.close()


def link(number: int = 1, **values: Any) -> Link:
    """A link of the london connection."""
    given = {"nexudus_id": f"{100 + number}", "crm_id": f"opp_{number}", "crm": "overplane", "connection": "london"}
    return Link(**(given | {"created_at": AT} | values))


def conflict(**values: object) -> Conflict:
    given = {"connection": "london", "nexudus_id": "101", "crm_id": "opp_1", "field": "title", "opened_at": AT}
    return Conflict(**(given | {"base": "a", "nexudus": "b", "crm": "c", "link_id": 1} | values))


def failure(**values: object) -> Failure:
    given = {"connection": "london", "kind": "unmapped", "field": "sales_stage", "reason": "no such stage"}
    times = {"first_at": AT, "last_at": AT, "next_attempt": AT + timedelta(hours=1)}
    return Failure(**(given | times | {"nexudus_id": "101", "crm_id": "opp_1"} | values))
