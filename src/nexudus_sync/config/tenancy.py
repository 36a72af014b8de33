"""A tenant's file of a fleet → its settings: what it may hold, where its secrets come from, and its qualified names."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from nexudus_sync.config import secrets as secret_file
from nexudus_sync.config.command import run
from nexudus_sync.config.load import Find, Shared, Systems, assembled, fill, refuse_foreign, refuse_literals, validate
from nexudus_sync.config.settings import RunSettings, Section, Settings, qualified
from nexudus_sync.config.toml import place, read, references
from nexudus_sync.errors import ConfigError

FILE = "config.toml"
"""The file that makes a folder a tenant's."""
VALID = re.compile(r"[A-Za-z0-9_-]+")
"""What a tenant may be called."""
Command = tuple[Annotated[str, Field(min_length=1)], ...]
"""A program and its arguments."""

_OF_THE_FLEET = ("store", "log", "web", "fleet")


class TenantFile(Systems):
    """What a tenant's config.toml may hold."""

    secrets_command: Command = ()


@dataclass(frozen=True, slots=True)
class Tenancy:
    """What a fleet gives to each tenant: its store, what is shared, and where secrets come from.

    `path` is the fleet's file, `environ` its environment with its own `secrets.env`. `store_url` is absolute. `command`
    prints a tenant's secrets where its own file names none; `{tenant}` in it stands for the tenant's name.
    """

    path: Path
    environ: Mapping[str, str]
    shared: Shared
    run: RunSettings
    store_url: str
    command: Command = ()


def load_tenant(
    tenancy: Tenancy, tenant: str, path: Path, find: Find, *, secrets: bool, needed: Collection[str]
) -> Settings:
    """Read and check a tenant's file. Raises ConfigError, as `load` does."""
    if not VALID.fullmatch(tenant):
        remedy = "rename the folder: letters, digits, - and _; or begin its name with a dot to leave it out"
        raise ConfigError(str(path.parent), f"{tenant!r} is not a valid name for a tenant", remedy)
    raw = read(path)
    refuse_foreign(raw, path, _OF_THE_FLEET, f"belongs in the fleet's own file, {tenancy.path}; remove it here")
    environ = _environment(tenancy, tenant, raw, path, secrets=secrets, needed=needed)
    filled = fill(raw, environ, path, secrets=secrets, needed=needed)
    file = validate(TenantFile, filled, raw, path, ())
    refuse_literals(raw, path)
    shared = tenancy.shared
    kept = {"store_url": tenancy.store_url, "store": shared.store, "log": shared.log, "web": shared.web}
    return _qualified(assembled(file, raw, filled, path, find, secrets=secrets, **kept), tenancy.run, tenant)


def _environment(
    tenancy: Tenancy, tenant: str, raw: Mapping[str, Any], path: Path, *, secrets: bool, needed: Collection[str]
) -> Mapping[str, str]:
    """The variables of a tenant's file: its own secrets go before what the whole fleet has.

    A variable that happens to be set where the program starts would otherwise be every tenant's password.
    """
    own = {name: value for name, value in secret_file.read(secret_file.file_of(path)).items() if value}
    lacks = references([raw.get(table) for table in needed]) - own.keys()
    if secrets or lacks:
        own = {**{name: value for name, value in _printed(tenancy, tenant, raw, path).items() if value}, **own}
    return {**tenancy.environ, **own}


def _printed(tenancy: Tenancy, tenant: str, raw: Mapping[str, Any], path: Path) -> dict[str, str]:
    """What the secrets command prints: the tenant's own command, else the fleet's."""
    where, command = place(tenancy.path, ("fleet", "secrets_command")), tenancy.command
    if "secrets_command" in raw:  # checked here and not with the file, which cannot be filled in before
        where = place(path, ("secrets_command",))
        table = {"secrets_command": raw["secrets_command"]}
        command = validate(_Commanded, table, table, path, ()).secrets_command
    return run([part.replace("{tenant}", tenant) for part in command], path.absolute().parent, where) if command else {}


class _Commanded(Section):
    secrets_command: Command = ()


def _qualified(found: Settings, shared: RunSettings, tenant: str) -> Settings:
    """The settings with every name as the whole fleet knows it."""
    own = {key: getattr(found.run, key) for key in found.run.model_fields_set}
    return replace(
        found,
        tenant=tenant,
        run=shared.model_copy(update=own),
        crms={qualified(tenant, name): replace(crm, name=qualified(tenant, name)) for name, crm in found.crms.items()},
        connections=tuple(
            one.model_copy(update={"name": qualified(tenant, one.name), "crm": qualified(tenant, one.crm)})
            for one in found.connections
        ),
    )
