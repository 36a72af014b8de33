"""For the verbs that only look: the settings and the store's rows, without loading what talks to a system."""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from nexudus_sync import config
from nexudus_sync.cli.frame import Root
from nexudus_sync.config import Settings
from nexudus_sync.errors import ConfigError
from nexudus_sync.store.ask import Ask, reading


@dataclass(frozen=True, slots=True)
class Reading:
    """The settings, and questions to the store in one reading transaction."""

    settings: Settings
    ask: Ask

    def names(self, connection: str | None = None) -> list[str]:
        """The names of all configured connections, or the one asked for. Raises ConfigError for an unknown name."""
        return [one.name for one in self.settings.named(connection)]


def read_settings(root: Root, *, secrets: bool, needed: Collection[str] = ()) -> Settings:
    """Read the configuration. Raises ConfigError.

    `secrets` False: no secret has to be in the environment but those of the `needed` tables.
    """
    settings = config.load(root.config, os.environ, secrets=secrets, needed=needed)
    root.secrets = settings.secrets()
    return settings


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
