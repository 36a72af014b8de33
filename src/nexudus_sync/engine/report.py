"""What a cycle did, counted so that everything listed is accounted for."""

from collections import Counter
from dataclasses import dataclass, field

from nexudus_sync.engine.circuit import Circuit

BRAKED = 3
"""The exit code of a cycle that a brake stopped."""


@dataclass(slots=True)
class Report:
    """The outcome of one cycle of one connection.

    `listed` counts rows by side, `marked` the links whose record had to be read there; `writes` counts journal steps by
    "side kind"; `pairs` were matched; `created` were created, by the side they now exist on too; `closed`, `deleted`,
    `moved` count links, and `gone` are those of which a record turned out to be gone; `errors` are one-line texts of
    what failed on the way and `unknown` of writes whose outcome has to be found out.
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
