"""A CRM that is one JSON file: the example of docs/connectors.md.

    {"opportunities": [{"id", "name", "state", "value", "currency", "close_on", "owner", "email", "customer", "company",
                        "nexudus_key", "created_at", "updated_at", "updated_by", …}],
     "contacts": [{"id", "email", "name", "organisation"}],
     "users": ["ana@example.com"]}

People's program writes it too. Moments are UTC to the second ("2026-03-02T08:00:00Z").
"""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from nexudus_sync import codec
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import (
    Check,
    Draft,
    Facts,
    Hold,
    Page,
    Party,
    Priority,
    Record,
    Row,
    Scope,
    Stamp,
    Step,
    Traits,
    Written,
)
from nexudus_sync.connectors.currency import digits
from nexudus_sync.errors import ConnectorError, NotFound, OutcomeUnknown, Refused, Unavailable
from nexudus_sync.mapping.context import Context, Table
from nexudus_sync.store.database import Store

STATES = (None, "", "open", "won", "lost")
OURS = frozenset({"id", "created_at", "updated_at", "updated_by"})  # kept by whoever writes the file, never mapped
TRIES = 4


class JsonFileSettings(BaseModel):
    """The table `[crm.NAME]`: where the file is, and under which name the sync writes into it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    user: str = "nexudus-sync"


class File:
    """The file, read whole and replaced whole by a version prepared beside it. All methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path, self._next = path, path.with_name(path.name + ".next")

    def read(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def prepare(self, text: str) -> None:
        self._next.write_text(text, encoding="utf-8")

    def replace(self) -> None:
        self._next.replace(self.path)


class JsonFileConnector:
    """One file."""

    Settings = JsonFileSettings
    mapping = Path(__file__).with_name("example_mapping.toml").read_text(encoding="utf-8")
    traits = Traits(lists_everything=True, rows_are_whole=True, names_author=True)

    def __init__(
        self,
        name: str,
        settings: JsonFileSettings,
        *,
        clock: Clock,
        rng: random.Random,
        store: Store | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name, self._user, self._clock, self._rng = name, settings.user, clock, rng
        self.file = File(settings.path)

    async def start(self) -> None:
        """Nobody has to log in."""

    async def aclose(self) -> None:
        """Nothing is open."""

    def clock_offset(self) -> float | None:
        """The file is stamped by this machine's clock."""
        return 0.0

    async def check(self, scope: Scope) -> list[Check]:
        try:
            found = [one for one in (await self._read())["opportunities"] if self.in_scope(one, scope)]
        except ConnectorError as error:
            return [Check("file", "fail", str(error))]
        return [Check("file", "ok", f"can be read, {len(found)} opportunities take part")]

    async def scan(self, scope: Scope, cursor: str | None, priority: Priority = Priority.LIVE) -> AsyncIterator[Page]:
        content, now = await self._read(), self._clock.now()
        yield Page([self._row(record, now) for record in content["opportunities"]], cursor="", complete=True)

    async def fetch(
        self, record_id: str, row: Row | None = None, priority: Priority = Priority.LIVE, *, children: bool = True
    ) -> Record:
        if row is not None:
            return row.record
        found: list[Record] = [one for one in (await self._read())["opportunities"] if one["id"] == record_id]
        if not found:
            raise NotFound(self.name, "no such opportunity", record_id)
        return found[0]

    async def absent(self, record_id: str, identity: str, priority: Priority = Priority.LIVE) -> bool:
        return all(record["id"] != record_id for record in (await self._read())["opportunities"])

    async def context(self, record: Record, scope: Scope) -> Context:
        users = Table(tuple((email, email) for email in (await self._read())["users"]))
        return Context(digits=digits(record.get("currency")), directories={"user": users})

    async def find_party(self, email: str, scope: Scope) -> Party | None:
        found = [one for one in (await self._read())["contacts"] if _same(one["email"], email)]
        return _party(found[0]) if found else None

    async def find_created(self, step: Step, since: datetime) -> list[Record]:
        content = await self._read()
        if step.kind == "party.create":
            return [{"id": one["id"]} for one in content["contacts"] if _same(one["email"], step.payload["email"])]
        return [one for one in content["opportunities"] if one.get("nexudus_key") == step.payload["nexudus_key"]]

    def stamp(self, record: Record) -> Stamp:
        at, by = record.get("updated_at"), record.get("updated_by")
        return Stamp(f"{at} {by}", _moment(at), own=by == self._user)

    def facts(self, record: Record) -> Facts:
        return Facts(
            id=record.get("id", ""),
            created_at=_moment(record.get("created_at")),
            email=(record.get("email") or "").strip().lower() or None,
            customer_name=record.get("customer"),
            company=record.get("company"),
            currency=record.get("currency"),
            external_key=record.get("nexudus_key"),
        )

    def in_scope(self, record: Record, scope: Scope) -> bool:
        return scope.company is None or record.get("company") == scope.company

    def digest_view(self, record: Record) -> Record:
        return {key: value for key, value in record.items() if key not in {"updated_at", "updated_by"}}

    def _row(self, record: Record, now: datetime) -> Row:
        stamp = self.stamp(record)
        still_now = stamp.at is not None and stamp.at > now - timedelta(seconds=2)
        return Row(record["id"], stamp, record, hot=still_now and not stamp.own)

    def refusals(self, before: Record | None, after: Record, scope: Scope, *, live: bool) -> list[Hold]:
        return []

    def party_step(self, party: Party, scope: Scope) -> Step:
        contact = {"email": party.email, "name": party.name, "organisation": party.company_name}
        return Step("party.create", contact)

    def create_step(self, draft: Draft) -> Step:
        party = {"email": draft.party.email, "customer": draft.party.name}
        house = {"company": draft.scope.company, "currency": draft.currency, "nexudus_key": draft.key}
        payload = {**party, **house, **draft.record}
        return Step("opportunity.create", payload, frozenset(payload))

    def update_steps(self, before: Record, after: Record) -> list[Step]:
        changed = {key: after.get(key) for key in {**before, **after} if before.get(key) != after.get(key)}
        changed = {key: value for key, value in changed.items() if key not in OURS}
        return [Step("opportunity.update", changed, frozenset(changed), before["id"])] if changed else []

    def delete_step(self, record_id: str) -> Step:
        return Step("opportunity.delete", {}, record_id=record_id)

    async def reserve(self, priority: Priority = Priority.LIVE) -> None:
        """A file has no limits."""

    async def perform(self, step: Step, record: Record | None = None) -> Written:
        content = await self._read()
        if step.kind == "party.create":
            contact = {"id": f"{self._rng.getrandbits(48):012x}", **step.payload}
            self._write({**content, "contacts": [*content["contacts"], contact]})
            return Written(contact["id"], contact, party=_party(contact))
        rows = {one["id"]: one for one in content["opportunities"]}
        if step.kind == "opportunity.delete":
            if rows.pop(step.record_id, None):
                self._write({**content, "opportunities": list(rows.values())})
            return Written(step.record_id, {})
        written = self._written(step, rows)
        self._write({**content, "opportunities": list({**rows, written["id"]: written}.values())})
        return Written(written["id"], written, self.stamp(written), echoed=True)

    def _written(self, step: Step, rows: dict[str, Record]) -> Record:
        if step.kind == "opportunity.update" and step.record_id not in rows:
            raise NotFound(self.name, "no such opportunity", step.record_id)
        if step.payload.get("state") not in STATES:
            raise Refused(self.name, "a state is open, won or lost", step.record_id, frozenset({"state"}))
        known = rows.get(step.record_id) or {"id": f"{self._rng.getrandbits(48):012x}", "created_at": self._now()}
        return {**known, **step.payload, "updated_at": self._now(), "updated_by": self._user}

    def _now(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _read(self) -> Any:
        """Reads are tried again: somebody may just be writing."""
        tried = 0
        while True:
            try:
                return codec.loads(self.file.read())
            except (OSError, ValueError) as error:
                if (tried := tried + 1) == TRIES:
                    raise Unavailable(self.name, f"{self.file.path} cannot be read ({error})") from error
            await self._clock.sleep(0.5 * tried)

    def _write(self, content: Record) -> None:
        """Writes are not: only before the file is replaced is it certain that nothing happened."""
        try:
            self.file.prepare(codec.dumps(content))
        except OSError as error:
            raise Unavailable(self.name, f"{self.file.path} cannot be written ({error})") from error
        try:
            self.file.replace()
        except OSError as error:
            raise OutcomeUnknown(self.name, f"{self.file.path} was perhaps written ({error})") from error


def _party(contact: Record) -> Party:
    return Party(contact["email"].lower(), contact["name"], contact.get("organisation"), "Contact", contact["id"])


def _same(one: str, two: str) -> bool:
    return one.strip().lower() == two.strip().lower()


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
