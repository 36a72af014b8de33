"""All tenants of a fleet as one: what lists, signals and the page are made from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from nexudus_sync.config.settings import ConnectionSettings, CrmSettings, Settings, tenant_of
from nexudus_sync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Whole(Settings):
    """The settings of several tenants at once, to look at and to decide by; nothing is assembled from them.

    `parts` are each tenant's own; `broken` those whose configuration cannot be used; `limits` None: all there are, and
    those that were removed. `nexudus` is nobody's.
    """

    parts: Mapping[str, Settings] = field(default_factory=dict)
    _broken: Mapping[str, ConfigError] = field(default_factory=dict)
    limits: frozenset[str] | None = None

    @property
    def in_fleet(self) -> bool:
        """It is."""
        return True

    @property
    def broken(self) -> Mapping[str, ConfigError]:
        """The tenants whose configuration cannot be used, with what is wrong in it."""
        return self._broken

    def sees(self, connection: str) -> bool:
        """Is it a connection of one of these tenants, or of one that was removed from the fleet?"""
        return self.limits is None or tenant_of(connection) in self.limits

    def owner(self, connection: str) -> str:
        """The tenant that a connection is of."""
        return tenant_of(connection)

    def of(self, connection: str) -> Settings:
        """The settings of the connection's tenant; these for a connection of none."""
        return self.parts.get(tenant_of(connection), self)

    def named(self, name: str | None) -> tuple[ConnectionSettings, ...]:
        """The connection of that name, or all of them.

        Raises ConfigError for a name that is not configured, and what is wrong with its tenant where that is broken.
        """
        if name is not None and tenant_of(name) in self._broken:
            raise self._broken[tenant_of(name)]
        return super(Whole, self).named(name)  # named, for a class with slots is made twice, and `super` knows one

    def secrets(self) -> frozenset[str]:
        """All secrets in all these configurations, for the log to mask."""
        return frozenset(chain(super(Whole, self).secrets(), *(one.secrets() for one in self.parts.values())))

    def only(self, tenants: Collection[str]) -> "Whole":
        """The same of these tenants alone."""
        parts = {name: one for name, one in self.parts.items() if name in tenants}
        broken = {name: error for name, error in self._broken.items() if name in tenants}
        return replace(
            self,
            crms=crms(parts),
            connections=connections(parts),
            parts=parts,
            _broken=broken,
            limits=frozenset(tenants),
        )


def crms(parts: Mapping[str, Settings]) -> dict[str, CrmSettings]:
    """The CRMs of these tenants, by their qualified names."""
    return {name: crm for one in parts.values() for name, crm in one.crms.items()}


def connections(parts: Mapping[str, Settings]) -> tuple[ConnectionSettings, ...]:
    """The connections of these tenants."""
    return tuple(chain.from_iterable(one.connections for one in parts.values()))
