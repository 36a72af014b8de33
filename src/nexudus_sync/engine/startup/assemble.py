"""From settings to something that runs: the store, one connector per login, and the configured connections."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx

from nexudus_sync.clock import Clock
from nexudus_sync.config import ConnectionSettings, Settings
from nexudus_sync.config.settings import HUB as HUB
from nexudus_sync.config.toml import place
from nexudus_sync.connectors import registry
from nexudus_sync.connectors.base import Connector, Traits
from nexudus_sync.connectors.nexudus import NexudusConnector
from nexudus_sync.connectors.optional import AsksForKeys, ReadsAhead
from nexudus_sync.engine.connection import Connection, End, Rules
from nexudus_sync.errors import ConfigError
from nexudus_sync.mapping import Context, Side, load_file, pair, parse, shipped_names
from nexudus_sync.mapping import Mapping as FieldMapping
from nexudus_sync.mapping.compound import Compound
from nexudus_sync.mapping.shipped import shipped
from nexudus_sync.store import Store

Transports = Mapping[str, httpx.AsyncBaseTransport]
"""By system name ("nexudus", a CRM's configured name; of a tenant "acme/nexudus"): what replaces the network.

For tests and simulations.
"""


@dataclass(slots=True)
class Engine:
    """A configuration at work. `connectors` are by system name; close it when done."""

    settings: Settings
    store: Store
    clock: Clock
    connectors: dict[str, Connector]
    connections: list[Connection] = field(default_factory=list)

    async def start(self) -> None:
        """Log in everywhere. Raises AuthenticationFailed, RoleMissing, Unavailable."""
        for connector in self.connectors.values():
            await connector.start()

    async def aclose(self) -> None:
        """Close every connector and the store."""
        for connector in self.connectors.values():
            await connector.aclose()
        self.store.close()

    def connection(self, name: str | None) -> list[Connection]:
        """The connection of that name, or all. Raises ConfigError for a name that is not configured."""
        names = {one.name for one in self.settings.named(name)}
        return [connection for connection in self.connections if connection.name in names]


def load_mapping(settings: Settings, connection: ConnectionSettings) -> FieldMapping:
    """A connection's two mapping files; a file that is not named is the shipped one. Raises MappingError."""
    nexudus = connection.mapping.nexudus
    hub = (shipped(HUB), f"{HUB}.toml") if nexudus is None else load_file(nexudus)
    return pair(parse(*hub, Side.NEXUDUS), parse(*_crm_file(settings, connection), Side.CRM))


def plain_contexts(settings: Settings, connection: ConnectionSettings) -> dict[Side, Context]:
    """Contexts that read most of a connection's records without asking a system: they know no names behind ids."""
    zone, kind = connection.scope().time_zone, registry.find(settings.crms[connection.crm].connector)
    traits = getattr(kind, "traits", None)
    return {
        Side.NEXUDUS: Context(zone),
        Side.CRM: Context(zone, escaped=isinstance(traits, Traits) and traits.escapes_text),
    }


def kind_of(name: str) -> registry.ConnectorType:
    """The class behind a system's name: Nexudus's, or a connector's. Raises ConfigError."""
    return NexudusConnector if name == HUB else registry.find(name)


def mapping_of(connector: str, *, where: str = "connector") -> str | None:
    """The text of the mapping that comes with a connector, its package's own or a shipped one; None without one."""
    own = registry.own_mapping(connector, where=where)
    return shipped(connector) if own is None and connector in shipped_names() else own


def compound_of(connector: str) -> Compound | None:
    """What a connector tells of fields that are one value in its system; None if it has none, or is not installed."""
    found = getattr(registry.find(connector), "compound", None) if connector in registry.names() else None
    return cast("Compound | None", found)


def _crm_file(settings: Settings, connection: ConnectionSettings) -> tuple[str, str]:
    """The text of the CRM's mapping file and the name that errors give it."""
    path, connector = connection.mapping.crm, settings.crms[connection.crm].connector
    name, where = f"{connector}.toml", f"{settings.path}: connection {connection.name}: mapping"
    if path is not None and (path.exists() or path.name != name):
        return load_file(path)
    text = mapping_of(connector, where=where)
    if text is None and path is None:
        remedy = f'write one (docs/connectors.md tells how) and name it: mapping = {{ crm = "mappings/{name}" }}'
        raise ConfigError(where, f'is missing, and none comes with the connector "{connector}"', remedy)
    return (text, name) if text is not None else load_file(path or Path(name))


def open_store(settings: Settings) -> Store:
    """The store that the settings name. Raises ConfigError, with file and key, and StoreError."""
    try:
        return Store.open(settings.store_url, base_dir=settings.base_dir)
    except ConfigError as error:
        raise ConfigError(f"{settings.path}: {error.where}", error.problem, error.remedy) from error


def assemble(
    settings: Settings,
    *,
    clock: Clock,
    rng: random.Random,
    store: Store | None = None,
    transports: Transports | None = None,
) -> Engine:
    """Make everything that a configuration names; nothing is requested yet.

    `store` is opened from the settings when None. Raises ConfigError, MappingError, StoreError.
    """
    mappings = {connection.name: load_mapping(settings, connection) for connection in settings.connections}
    opened = store or open_store(settings)
    replaced = transports or {}
    hub = settings.hub
    connectors: dict[str, Connector] = {
        hub: NexudusConnector(hub, settings.nexudus, clock=clock, rng=rng, store=opened, transport=replaced.get(hub))
    }
    for name in sorted({connection.crm for connection in settings.connections}):
        crm = settings.crms[name]
        kind = registry.find(crm.connector, where=f"{settings.path}: crm.{name}.connector")
        connectors[name] = kind(name, crm.settings, clock=clock, rng=rng, store=opened, transport=replaced.get(name))
    for connector in connectors.values():
        if isinstance(connector, ReadsAhead):
            connector.read_ahead(settings.run.readers)
    engine = Engine(settings, opened, clock, connectors)
    engine.connections = [_connection(engine, one, mappings[one.name]) for one in settings.connections]
    for connection in engine.connections:
        _tell_keys(connection)
    _introduce(engine.connections)
    return engine


def _connection(engine: Engine, connection: ConnectionSettings, mapping: FieldMapping) -> Connection:
    scope = connection.scope()
    ends = {
        Side.NEXUDUS: End(Side.NEXUDUS, engine.connectors[engine.settings.hub], scope),
        Side.CRM: End(Side.CRM, engine.connectors[connection.crm], scope),
    }
    rules = Rules(
        deletes=connection.deletes,
        create_parties=connection.create_parties,
        first_match=connection.first_match,
        absence_wait=engine.settings.run.absence_wait.total_seconds(),
        poll=connection.poll,
        readers=engine.settings.run.readers,
    )
    where = place(engine.settings.path, ("connection", engine.settings.connections.index(connection)))
    return Connection(connection.name, connection.crm, mapping, ends, engine.store, engine.clock, rules, where=where)


def _tell_keys(connection: Connection) -> None:
    """Tell each system that has to be asked for them which keys the mapping names."""
    for side in Side:
        connector = connection.connector(side)
        if isinstance(connector, AsksForKeys):
            connector.want(frozenset(path.root for path in connection.mapping.paths(side)))


def _introduce(connections: Iterable[Connection]) -> None:
    """Tell each connection about the others to its CRM: a card that leaves one scope may enter another."""
    known = list(connections)
    for connection in known:
        connection.siblings = [other for other in known if other.crm == connection.crm and other is not connection]
