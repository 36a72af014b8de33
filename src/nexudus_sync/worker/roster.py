"""Which connections there are, as the configuration says at the moment: a fleet's change while workers run."""

from collections.abc import Callable

from nexudus_sync.config import ConnectionSettings, Settings
from nexudus_sync.store import cluster


class Roster:
    """The connections of a configuration or of a fleet. `read` reads it again; it may take a while for a large one."""

    def __init__(self, read: Callable[[], Settings]) -> None:
        self._read = read
        self.settings = read()
        self._by_name = {one.name: one for one in self.settings.connections}

    def renew(self) -> Settings:
        """Read it again, for `take`; may be called in another thread. Raises ConfigError."""
        return self._read()

    def take(self, settings: Settings) -> None:
        """Go on with these settings."""
        self.settings = settings
        self._by_name = {one.name: one for one in settings.connections}

    def find(self, name: str) -> ConnectionSettings | None:
        """The connection of that name; None for one that is not there any more, or whose tenant is broken."""
        return self._by_name.get(name)

    def of(self, connection: str) -> Settings:
        """The settings that the connection belongs to: its tenant's, in a fleet."""
        return self.settings.of(connection)

    def systems(self, one: ConnectionSettings) -> tuple[str, str, str]:
        """What a cycle of the connection needs: Nexudus, the CRM, and itself, for what no system is to blame for."""
        return self.of(one.name).hub, one.crm, cluster.itself(one.name)
