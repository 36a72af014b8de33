"""For the verbs that only look: the settings and the store's rows, without loading what talks to a system."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nexudus_sync import config
from nexudus_sync.cli.frame import Root
from nexudus_sync.config import Settings
from nexudus_sync.config.settings import SEPARATOR, tenant_of
from nexudus_sync.config.toml import is_fleet
from nexudus_sync.errors import ConfigError
from nexudus_sync.store.ask import Ask, reading

_SHOWN = 20
"""So many tenants are named in an error."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The settings, and questions to the store in one reading transaction."""

    settings: Settings
    ask: Ask

    def names(self, connection: str | None = None) -> list[str]:
        """The names of all configured connections, or the one asked for. Raises ConfigError for an unknown name."""
        return [one.name for one in self.settings.named(connection)]


def read_settings(root: Root, *, secrets: bool, needed: Collection[str] = (), connection: str | None = "") -> Settings:
    """Read the configuration: of a fleet that of the tenant that is meant, or of all of them. Raises ConfigError.

    `secrets` False: no secret has to be in the environment but those of the `needed` tables. `connection` is for work
    at the systems, which is done for one tenant: the one that `--tenant` or this `--connection` names.
    """
    if is_fleet(root.config):
        from nexudus_sync.config.fleet import Fleet

        fleet = Fleet.load(root.config, os.environ, secrets=secrets, needed=needed)
        tenant = root.tenant or _tenant_in(connection)
        if tenant is None and connection != "":
            raise no_tenant(root.config, fleet.tenants())
        settings: Settings = fleet.whole() if tenant is None else fleet.settings(tenant)
    else:
        settings = config.load(root.config, os.environ, secrets=secrets, needed=needed)
        if root.tenant is not None:
            raise ConfigError("--tenant", f"{root.config} is of one installation, without [fleet]", "leave it out")
    root.secrets = settings.secrets()
    return settings


def no_tenant(path: Path, known: Sequence[str]) -> ConfigError:
    """The error for work that needs one tenant where none was named."""
    names = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN:,} more" if len(known) > _SHOWN else "")
    return ConfigError("--tenant", f"is missing, and {path} is a fleet's file", f"tenants: {names or 'none yet'}")


def _tenant_in(connection: str | None) -> str | None:
    """The tenant in a connection's whole name."""
    return tenant_of(connection) if connection and SEPARATOR in connection else None


@contextmanager
def open_reading(root: Root) -> Iterator[Reading]:
    """The settings and the store, to look at. Raises ConfigError, StoreError."""
    settings = read_settings(root, secrets=False)
    with ExitStack() as stack:
        try:
            ask = stack.enter_context(reading(settings.store_url, settings.base_dir))
        except ConfigError as error:
            raise ConfigError(f"{settings.path}: {error.where}", error.problem, error.remedy) from error
        yield Reading(settings, ask)
