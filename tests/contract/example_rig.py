"""The rig of the example connector. Its system needs no double: it is a file."""

import errno
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contract_kit import ANA, KAI, Rig
from example_connector import File, JsonFileConnector, JsonFileSettings

from nexudus_sync import codec
from nexudus_sync.connectors.base import Record, Scope

EMPTY: Record = {"opportunities": [], "contacts": [], "users": [ANA]}


class BadDisk(File):
    """A file on a disk on which things go wrong. `plan` is (kind, calls left); `hits` counts what went wrong."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.plan: list[list[Any]] = []
        self.calls: Counter[str] = Counter()
        self.hits = 0
        self.listening: list[Callable[[int], object]] = []

    def read(self) -> str:
        if self._strikes("locked"):
            raise PermissionError(errno.EACCES, "somebody else has it open")
        text = super().read()
        self.calls["read"] += 1
        for action in self.listening:
            action(self.calls["read"])
        if self._strikes("empty"):
            return ""
        return text[: len(text) // 2] if self._strikes("cut off") else text

    def prepare(self, text: str) -> None:
        if self._strikes("full"):
            raise OSError(errno.ENOSPC, "no space left")
        super().prepare(text)

    def replace(self) -> None:
        self.calls["write"] += 1
        if self._strikes("not replaced"):
            raise OSError(errno.EIO, "the share does not answer")
        super().replace()
        if self._strikes("replaced"):
            raise OSError(errno.EIO, "the share does not answer")

    def _strikes(self, kind: str) -> bool:
        for one in self.plan:
            if one[0] == kind and one[1] > 0:
                one[1] -= 1
                self.hits += 1
                return True
        return False


class JsonFileRig(Rig):
    """A file in a folder of its own."""

    title, unknown, bad_value = "name", {"my_own_field": {"deep": [1, None, "ü"]}}, {"state": "nonsense"}
    own_scope, other_scope = Scope(company="Example Corp"), Scope(company="Example Iberia")
    keeps_author, nobody = True, "nobody"
    counts_in_lists, comes_in_pages, has_login, has_rights = False, False, False, False
    offsets = (0.0,)
    trouble = ("locked", "empty", "cut off")
    lost_answers = ("replaced",)
    never_done = ("not replaced",)
    never_left = ("full",)

    def make(self, offset: float, secret: str) -> None:
        path = self.folder / "crm.json"
        kai = {"id": "kai", "email": KAI, "name": "Kai Lund", "organisation": None}
        path.write_text(codec.dumps({**EMPTY, "contacts": [kai]}), encoding="utf-8")
        settings = JsonFileSettings(path=path)
        self.people = People(path, self.clock)
        self.connector = connector = JsonFileConnector("jsonfile", settings, clock=self.clock, rng=self.rng)
        connector.file = self.disk = BadDisk(path)

    def add(self, title: str, email: str = KAI, *, elsewhere: bool = False) -> str:
        company = self.other_scope.company if elsewhere else self.own_scope.company
        return self.people.add(name=title, email=email, company=company, currency="GBP")

    def edit(self, record_id: str, **changes: Any) -> None:
        self.people.edit(record_id, **changes)

    def remove(self, record_id: str) -> None:
        self.people.keep(lambda records: [one for one in records if one["id"] != record_id])

    def hire(self, email: str) -> None:
        self.people.hire(email)

    def stored(self) -> dict[str, Record]:
        return self.people.records()

    def moved(self) -> tuple[str, ...]:
        return ("updated_at", "updated_by")

    def strike(self, kind: str, calls: str = "", *, times: int = 1) -> None:
        self.disk.plan.append([kind, times])

    def heal(self) -> None:
        self.disk.plan.clear()

    def struck(self) -> int:
        return self.disk.hits

    def while_listing(self, action: Callable[[int], object]) -> None:
        before = self.disk.calls["read"]
        self.disk.listening.append(lambda reads: action(reads - before))

    def writes(self) -> int:
        return self.disk.calls["write"]

    def user_lists(self) -> int | None:
        return None

    def last_change_is_ours(self) -> bool:
        latest = max(self.stored().values(), key=lambda record: record["updated_at"])
        return bool(latest["updated_by"] == "nexudus-sync")


class People:
    """The program in which people work on the file."""

    def __init__(self, path: Path, clock: Any) -> None:
        self.path, self.clock = path, clock

    def add(self, **values: Any) -> str:
        """A new opportunity; its id."""
        now = self._now()
        record_id = f"hand-{len(self.records()) + 1}-{now}"
        record = {"id": record_id, "created_at": now, "updated_at": now, "updated_by": ANA, **values}
        self.keep(lambda records: [*records, record])
        return record_id

    def edit(self, record_id: str, **changes: Any) -> None:
        """Change keys of an opportunity."""
        changes |= {"updated_at": self._now(), "updated_by": ANA}
        self.keep(lambda records: [one | (changes if one["id"] == record_id else {}) for one in records])

    def hire(self, email: str) -> None:
        """A user more."""
        content = self._content()
        self._save({**content, "users": [*content["users"], email]})

    def records(self) -> dict[str, Record]:
        """All opportunities by id."""
        return {record["id"]: record for record in self._content()["opportunities"]}

    def contacts(self) -> list[Record]:
        """Everybody the opportunities are with."""
        found: list[Record] = self._content()["contacts"]
        return found

    def keep(self, change: Callable[[list[Record]], list[Record]]) -> None:
        """Write the opportunities as `change` makes them."""
        content = self._content()
        self._save({**content, "opportunities": change(content["opportunities"])})

    def _now(self) -> str:
        return str(self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"))

    def _content(self) -> Any:
        return codec.loads(self.path.read_text(encoding="utf-8"))

    def _save(self, content: Record) -> None:
        self.path.write_text(codec.dumps(content), encoding="utf-8")
