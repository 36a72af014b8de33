"""How a running sandbox is told what to do: an address on loopback that asks for a key, and a file that says both."""

import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from nexudus_sandbox.double import Double
from nexudus_sandbox.server import Served
from nexudus_sandbox.triggers import KINDS, Triggers, Wanted
from nexudus_sandbox.wire import Request, Response, json_response
from nexudus_sandbox.world import Sandbox
from nexudus_sync import codec

NAME = "sandbox.json"
_PATH = "/trigger/"


@dataclass(frozen=True, slots=True)
class Where:
    """Where a running sandbox is told what to do, and the key that proves who asks may do so."""

    url: str
    key: str


class Control(Double):
    """Answers `POST /trigger/KIND` with what was done and what to try next. `key` is asked for as a bearer token."""

    def __init__(self, sandbox: Sandbox, key: str) -> None:
        super().__init__(sandbox.nexudus.clock)
        self._triggers, self._key = Triggers(sandbox), key

    def answer(self, request: Request) -> tuple[str, Response]:
        """One order. A browser cannot give one: it does not know the key."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            return "", json_response(401, {"message": "the key is wrong"})
        kind = request.path.removeprefix(_PATH)
        if request.method != "POST" or kind not in KINDS:
            return "", json_response(404, {"message": "there is no such trigger"})
        try:
            told = self._triggers.pull(kind, Wanted(**request.object()))
        except (TypeError, ValueError) as error:
            return "", json_response(400, {"message": str(error)})
        return "", json_response(200, asdict(told))


@contextmanager
def controlled(sandbox: Sandbox, *files: Path) -> Iterator[Where]:
    """Listen for orders, and say where in these files (readable by their owner only) as long as that is so."""
    key = secrets.token_urlsafe(24)
    with Served(Control(sandbox, key)) as served:
        where = Where(served.url, key)
        for file in files:
            _write(file, where)
        try:
            yield where
        finally:
            for file in files:
                if read(file) == where:  # of a later sandbox it stays
                    file.unlink()


def own_file() -> Path:
    """The file of this user's latest sandbox."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "nexudus-sync" / NAME


def read(file: Path) -> Where | None:
    """What a file says; None without one, or where it says nothing that makes sense."""
    try:
        found = codec.loads(file.read_text(encoding="utf-8"))
        return Where(str(found["url"]), str(found["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, where: Where) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    number = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as opened:
        opened.write(codec.dumps(asdict(where)))
