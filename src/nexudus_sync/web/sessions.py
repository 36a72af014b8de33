"""Who is signed in: sessions in memory, and a sign-in that slows down for whoever guesses."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from threading import Lock

from nexudus_sync.clock import Clock

LIFETIME = timedelta(hours=12)
"""How long a sign-in lasts; a restart of the program ends it as well."""
KEPT = 1000
"""Sessions that are kept at a time: of more, the one that was used longest ago goes."""
FREE_TRIES = 3
LONGEST_WAIT = 60.0
"""Wrong passwords that cost nothing, and the most seconds that the next try has to wait after more of them."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may decide: the name that is kept with each decision, and the password.

    In a fleet, `tenants` are those that they see and decide about, None for all.
    """

    name: str
    password: str = field(repr=False)
    tenants: frozenset[str] | None = None


@dataclass(slots=True)
class Session:
    """A browser's session. `user` is "" until somebody signs in; `until` is in monotonic seconds.

    `token` has to come with every change. `notices` are shown once, by the next page.
    """

    key: str
    token: str
    until: float
    user: str = ""
    notices: list["Notice"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Notice:
    """What came of a change. `undo` is the address that takes it back, or goes on all the same; "" where nothing does.

    `word` stands on the button for that.
    """

    text: str
    title: str = ""
    undo: str = ""
    word: str = "Take it back"
    back: str = "/inbox"
    failed: bool = False


class Sessions:
    """The sessions of one page. Used by several threads."""

    def __init__(self, users: Iterable[User], clock: Clock) -> None:
        known = list(users)
        self._digests = {user.name: _digest(user.password) for user in known}
        self._tenants = {user.name: user.tenants for user in known}
        self._clock = clock
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._failed: dict[str, tuple[int, float]] = {}
        self._lock = Lock()

    def sees(self, name: str) -> frozenset[str] | None:
        """The tenants that somebody who signed in sees, None for all; an unknown name sees none."""
        return self._tenants.get(name, frozenset())

    def find(self, key: str | None) -> Session | None:
        """The session of that key, None where there is none or it has ended."""
        with self._lock:
            found = self._known.get(key or "")
            if found is None or found.until < self._clock.monotonic():
                self._known.pop(key or "", None)
                return None
            self._known.move_to_end(found.key)
            return found

    def start(self, user: str = "") -> Session:
        """A new session, for a browser that shows the sign-in or for somebody who has just signed in."""
        until = self._clock.monotonic() + LIFETIME.total_seconds()
        made = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), until, user)
        with self._lock:
            self._known[made.key] = made
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return made

    def end(self, session: Session) -> None:
        """Forget a session."""
        with self._lock:
            self._known.pop(session.key, None)

    def wait(self, name: str) -> int:
        """Seconds until another password may be tried for that name; 0: at once."""
        with self._lock:
            _, until = self._failed.get(self._slot(name), (0, 0.0))
        return max(0, ceil(until - self._clock.monotonic()))

    def check(self, name: str, password: str) -> bool:
        """Is it that user's password? Each wrong one after the first few doubles the wait for the next try.

        An unknown name takes as long as a known one, and tells nothing else either.
        """
        expected = self._digests.get(name, _digest(secrets.token_urlsafe()))
        right = secrets.compare_digest(_digest(password), expected) and name in self._digests
        with self._lock:
            slot = self._slot(name)
            if right:
                self._failed.pop(slot, None)
            else:
                count = self._failed.get(slot, (0, 0.0))[0] + 1
                rest = min(LONGEST_WAIT, 2.0 ** min(count - FREE_TRIES, 10)) if count > FREE_TRIES else 0.0
                self._failed[slot] = (count, self._clock.monotonic() + rest)
        return right

    def _slot(self, name: str) -> str:
        """All unknown names count as one, so that inventing names neither fills the memory nor goes faster."""
        return name if name in self._digests else ""


def _digest(password: str) -> bytes:
    return hashlib.sha256(password.encode(errors="replace")).digest()
