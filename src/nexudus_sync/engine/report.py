"""What a cycle did, and when a system counts as down."""

from collections import Counter
from dataclasses import dataclass, field

from nexudus_sync.errors import OutcomeUnknown, SyncError, Unavailable

IN_A_ROW = 10
"""At most this many records in a row may fail because a system does not answer; more would be hammering."""
BRAKED = 3
"""The exit code of a cycle that a brake stopped."""


class Circuit:
    """Counts, per system, the records that failed in a row because it did not answer."""

    def __init__(self) -> None:
        self._failed: Counter[str] = Counter()

    def worked(self) -> None:
        """A record went well."""
        self._failed.clear()

    def failed(self, error: SyncError) -> None:
        """A record failed. Raises the error itself if there is no point in going on with others."""
        if not isinstance(error, Unavailable | OutcomeUnknown):
            return
        self._failed[error.system] += 1
        wants_rest = isinstance(error, Unavailable) and error.wait > 0
        if wants_rest or self._failed[error.system] >= IN_A_ROW:
            raise error


@dataclass(slots=True)
class Report:
    """The outcome of one cycle of one connection.

    `listed` counts rows by side, `marked` the links whose record had to be read there, `writes` journal steps by "side
    kind", `pairs` new matches, `created` copies by the side they were made on; `closed`, `deleted` and `moved` count
    links, and `gone` holds those with a record that turned out to be gone. `errors` are one-line texts of what failed,
    `unknown` of writes whose outcome has to be found out. `paused`: a person paused the connection, and nothing was
    done.
    """

    connection: str
    listed: Counter[str] = field(default_factory=Counter)
    marked: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    created: Counter[str] = field(default_factory=Counter)
    pairs: int = 0
    settled: int = 0
    closed: int = 0
    deleted: int = 0
    moved: int = 0
    gone: set[int] = field(default_factory=set)
    brake: str | None = None
    paused: bool = False
    finished: bool = True
    errors: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    exit_code: int = 0
    circuit: Circuit = field(default_factory=Circuit, repr=False)

    def stop(self, brake: str) -> None:
        """A brake stopped the cycle: nothing more is written."""
        self.brake, self.exit_code, self.finished = brake, BRAKED, False

    @property
    def written(self) -> int:
        """How many write calls were confirmed."""
        return sum(self.writes.values())
