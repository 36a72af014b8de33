"""Both doubles with data, in process or on real sockets, and the configuration that connects them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from nexudus_sandbox.crms import CRMS
from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.faults import Faults
from nexudus_sandbox.hubspot import HubSpotDouble
from nexudus_sandbox.nexudus import NEXUDUS_WINDOWS, NexudusDouble, NexudusOptions
from nexudus_sandbox.overplane import OverplaneDouble
from nexudus_sandbox.people import PASSWORD as PASSWORD
from nexudus_sandbox.people import Person
from nexudus_sandbox.seed import Seeded, seed
from nexudus_sandbox.seed.places import SYNC_USER
from nexudus_sandbox.server import serve
from nexudus_sandbox.transport import DoubleTransport
from nexudus_sync.clock import Clock

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

{crm_table}
[[connection]]
name = "london"
crm = "{crm}"
scope = {{ business_id = {business_id} }}
{part} = "{company}"
{mapping}poll = "5s"
reconcile = "24h"
deletes = "ignore"
"""


class Sandbox:
    """Both doubles with data, called in process: `transports` carries requests to them without a socket.

    `crm_name` says which CRM it has ("overplane", "erpnext" or "hubspot"). `nexudus`, and the one of that name, are the
    doubles (people's edits go there), `nexudus_faults` and `crm_faults` what goes wrong on the way to them, `seeded`
    says what stands where. `nexudus_url` and `crm_url` are their addresses, without a path. `counts` are `seed`'s:
    nexudus, crm, shared, seed.
    """

    def __init__(
        self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), *, crm_name: str = "overplane", **counts: int
    ) -> None:
        windows = [replace(window, calls=window.calls * SPEED) for window in NEXUDUS_WINDOWS]
        self._creations = NexudusOptions().customer_creations_per_day * SPEED
        options = NexudusOptions(customer_creations_per_day=self._creations)
        self.nexudus = NexudusDouble(clock, seed=1, options=options, windows=windows)
        self.crm_name, self.crm = crm_name, CRMS[crm_name](clock)
        self.seeded: Seeded = seed(self.nexudus, self.crm.double, **counts)
        for email in (SYNC_USER, *(person.email for person in self.people)):
            self.nexudus.add_account(email, PASSWORD)
        self.nexudus_faults, self.crm_faults = Faults(), Faults()
        self.nexudus_url, self.crm_url = "http://nexudus.test", f"http://{crm_name}.test"

    def transports(self, clock: Clock) -> dict[str, httpx.AsyncBaseTransport]:
        """What carries an engine's requests to each system, by its name, in place of the network."""
        return {
            "nexudus": DoubleTransport(self.nexudus, self.nexudus_faults, clock=clock),
            self.crm_name: DoubleTransport(self.crm.double, self.crm_faults, clock=clock),
        }

    @property
    def people(self) -> tuple[Person, ...]:
        """The two salespeople who can log in to both systems."""
        return self.crm.people

    @property
    def overplane(self) -> OverplaneDouble:
        """The CRM, where it is Overplane."""
        assert isinstance(self.crm.double, OverplaneDouble)
        return self.crm.double

    @property
    def erpnext(self) -> ERPNextDouble:
        """The CRM, where it is ERPNext."""
        assert isinstance(self.crm.double, ERPNextDouble)
        return self.crm.double

    @property
    def hubspot(self) -> HubSpotDouble:
        """The CRM, where it is HubSpot."""
        assert isinstance(self.crm.double, HubSpotDouble)
        return self.crm.double

    def config_toml(self, *, own_mapping: bool = False) -> str:
        """A complete configuration for London; its limits stay a tenth below what the sandbox grants.

        `own_mapping`: it names mapping files beside it, which a person can edit.
        """
        files = f'{{ nexudus = "mappings/nexudus.toml", crm = "mappings/{self.crm_name}.toml" }}'
        london = self.seeded.places.london
        second, minute, hour, day, writes_minute, writes_day = (
            window.calls * SPEED * 9 // 10 for window in NEXUDUS_WINDOWS
        )
        return _CONFIG.format(
            nexudus=self.nexudus_url,
            crm=self.crm_name,
            crm_table=self.crm.table.format(url=self.crm_url),
            per_second=second,
            per_minute=minute,
            per_hour=hour,
            per_day=day,
            writes_per_minute=writes_minute,
            writes_per_day=writes_day,
            creations=self._creations,
            business_id=london.business_id,
            company=london.company,
            mapping=f"mapping = {files}\n" if own_mapping else "",
            part=self.crm.part,
        )

    def environment(self) -> dict[str, str]:
        """The environment variables that the configuration names."""
        return {"NEXUDUS_USERNAME": SYNC_USER, "NEXUDUS_PASSWORD": PASSWORD, **self.crm.environment}


class World(Sandbox):
    """A sandbox on real sockets. A context manager; `close` stops the servers.

    Nexudus listens on `port` and the CRM on the one above, or where it is free (0). The rest is `Sandbox`'s.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        crm_name: str = "overplane",
        port: int = 0,
        **counts: int,
    ) -> None:
        super().__init__(clock, crm_name=crm_name, **counts)
        self._servers = (
            serve(self.nexudus, self.nexudus_faults, port),
            serve(self.crm.double, self.crm_faults, port and port + 1),
        )
        self.nexudus_url, self.crm_url = (server.url for server in self._servers)

    def close(self) -> None:
        """Stop both servers; a second call does nothing."""
        for server in self._servers:
            server.close()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
