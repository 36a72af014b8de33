"""Both doubles with data, on real sockets, and the configuration that connects them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from nexudus_sync.sandbox.faults import Faults
from nexudus_sync.sandbox.nexudus import NEXUDUS_WINDOWS, NexudusDouble, NexudusOptions
from nexudus_sync.sandbox.overplane import OverplaneDouble, OverplaneOptions
from nexudus_sync.sandbox.seed import Seeded, seed
from nexudus_sync.sandbox.seed.places import SYNC_USER
from nexudus_sync.sandbox.server import serve

PASSWORD = "sandbox-password"  # noqa: S105  opens nothing but the sandbox
TOKEN = "sk_test_sandbox"  # noqa: S105  opens nothing but the sandbox
SPEED = 50
"""How many times the documented request budget the sandbox grants, so that an hour's backfill takes a minute."""

_CONFIG = """\
[store]
url = "sqlite:///state.db"

[nexudus]
base_url = "{nexudus}/api"
username = "${{NEXUDUS_USERNAME}}"
password = "${{NEXUDUS_PASSWORD}}"

[nexudus.limits]
per_second = {per_second}
per_minute = {per_minute}
per_hour = {per_hour}
per_day = {per_day}
writes_per_minute = {writes_per_minute}
writes_per_day = {writes_per_day}
customer_creations_per_day = {creations}

[crm.overplane]
connector = "overplane"
base_url = "{overplane}"
token = "${{OVERPLANE_TOKEN}}"

[[connection]]
name = "london"
crm = "overplane"
scope = {{ business_id = {business_id} }}
company = "{company}"
poll = "5s"
reconcile = "24h"
deletes = "ignore"
"""


class World:
    """A running sandbox. A context manager; `close` stops the servers.

    `nexudus` and `overplane` are the doubles (people's edits go there), `nexudus_faults` and `overplane_faults` what
    goes wrong on the way to them, `seeded` says what stands where. Nexudus listens on `port` and Overplane on the one
    above, or where it is free (0). `counts` are `seed`'s: nexudus, crm, shared, seed.
    """

    def __init__(
        self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), *, port: int = 0, **counts: int
    ) -> None:
        windows = [replace(window, calls=window.calls * SPEED) for window in NEXUDUS_WINDOWS]
        self._creations = NexudusOptions().customer_creations_per_day * SPEED
        options = NexudusOptions(customer_creations_per_day=self._creations)
        self.nexudus = NexudusDouble(clock, seed=1, options=options, windows=windows)
        self.overplane = OverplaneDouble(clock, seed=2, options=OverplaneOptions())
        self.seeded: Seeded = seed(self.nexudus, self.overplane, **counts)
        self.nexudus.add_account(SYNC_USER, PASSWORD)
        self.overplane.tokens[TOKEN] = SYNC_USER
        self.nexudus_faults, self.overplane_faults = Faults(), Faults()
        self._servers = (
            serve(self.nexudus, self.nexudus_faults, port),
            serve(self.overplane, self.overplane_faults, port and port + 1),
        )

    @property
    def nexudus_url(self) -> str:
        """Where Nexudus listens, without a path."""
        return self._servers[0].url

    @property
    def overplane_url(self) -> str:
        """Where Overplane listens."""
        return self._servers[1].url

    def config_toml(self) -> str:
        """A complete configuration for London; its limits stay a tenth below what the sandbox grants."""
        london = self.seeded.places.london
        second, minute, hour, day, writes_minute, writes_day = (
            window.calls * SPEED * 9 // 10 for window in NEXUDUS_WINDOWS
        )
        return _CONFIG.format(
            nexudus=self.nexudus_url,
            overplane=self.overplane_url,
            per_second=second,
            per_minute=minute,
            per_hour=hour,
            per_day=day,
            writes_per_minute=writes_minute,
            writes_per_day=writes_day,
            creations=self._creations,
            business_id=london.business_id,
            company=london.company,
        )

    @staticmethod
    def environment() -> dict[str, str]:
        """The environment variables that the configuration names."""
        return {"NEXUDUS_USERNAME": SYNC_USER, "NEXUDUS_PASSWORD": PASSWORD, "OVERPLANE_TOKEN": TOKEN}

    def close(self) -> None:
        """Stop both servers; a second call does nothing."""
        for server in self._servers:
            server.close()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
