"""Connectors by name: each is announced as an entry point, so that a new CRM needs no change here.

The group is `nexudus_sync.connectors`; the entry's name is what `connector = "…"` says in the configuration. Beside
what `ConnectorType` asks for, the class may have an attribute `mapping`: the text of the mapping file that comes along.
"""

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

from pydantic import BaseModel

from nexudus_sync.errors import ConfigError

if TYPE_CHECKING:
    import random

    import httpx

    from nexudus_sync.clock import Clock
    from nexudus_sync.connectors.base import Connector
    from nexudus_sync.store.database import Store

GROUP = "nexudus_sync.connectors"
OWN = {name: f"{GROUP}.{name}" for name in ("erpnext", "hubspot", "overplane")}
"""The packages of the connectors that come with the program, by name."""


class Described(Protocol):
    """A connector's class, or its package: what has the model of its part of the configuration."""

    @property
    def Settings(self) -> type[BaseModel]:  # noqa: N802 (the attribute is a class)
        """The model of its table in the configuration; unknown keys are errors."""
        ...


class ConnectorType(Described, Protocol):
    """The class of a connector: how to make one, and the model of its part of the configuration."""

    def __call__(
        self,
        name: str,
        settings: Any,
        *,
        clock: "Clock",
        rng: "random.Random",
        store: "Store | None" = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> "Connector":
        """Make one. `settings` is an instance of `Settings`; `store` keeps the request budget across restarts."""
        ...


def names() -> tuple[str, ...]:
    """The names of all installed connectors, sorted."""
    return tuple(sorted(entry_points(group=GROUP).names))


def find(name: str, *, where: str = "connector") -> ConnectorType:
    """The connector class of that name.

    `where` is the file and key that name it. Raises ConfigError for a name nobody announced and for an entry that does
    not load.
    """
    return _load(_entry(name, where), where)


def describe(name: str, *, where: str = "connector") -> Described:
    """What has the `Settings` of that connector, its package if that has them: then the connector is not loaded.

    Raises ConfigError as `find` does.
    """
    module = OWN.get(name)  # the list of what is installed takes longer to read than all the rest of the configuration
    if module is None:
        entry = _entry(name, where)
        module = entry.module
    try:
        package = import_module(module)
    except ImportError:
        return find(name, where=where)  # which tells what is wrong
    return cast("Described", package) if _has_settings(package) else find(name, where=where)


def _entry(name: str, where: str) -> EntryPoint:
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        known = ", ".join(f'"{known}"' for known in names()) or "none installed"
        raise ConfigError(where, f'no connector is named "{name}"', f"known connectors: {known}")
    return found[0]


def own_mapping(name: str, *, where: str = "connector") -> str | None:
    """The text of the mapping file in the connector's package; None when it has none.

    Raises ConfigError as `find` does, and for a `mapping` that is not text.
    """
    text = getattr(find(name, where=where), "mapping", None)
    if text is not None and not isinstance(text, str):
        raise ConfigError(where, f'the mapping of "{name}" is not text', "reinstall its package")
    return text


def _load(entry: EntryPoint, where: str) -> ConnectorType:
    try:
        loaded = entry.load()
    except (ImportError, AttributeError) as error:
        problem = f'connector "{entry.name}" cannot be loaded ({error})'
        raise ConfigError(where, problem, "reinstall its package") from error
    if not _has_settings(loaded):
        raise ConfigError(where, f'"{entry.value}" is not a connector: it has no Settings', "name another connector")
    return cast("ConnectorType", loaded)


def _has_settings(found: object) -> bool:
    return isinstance(getattr(found, "Settings", None), type)
