"""A fleet: one file with what is shared, and a folder with one subfolder a tenant. Read afresh as the files change."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Self

from pydantic import SecretStr

from nexudus_sync.config import secrets as secret_file
from nexudus_sync.config.load import (
    STAND_IN,
    Find,
    Shared,
    check_store,
    fill,
    refuse_foreign,
    refuse_literals,
    rooted,
    validate,
)
from nexudus_sync.config.settings import HUB, NotifySettings, RunSettings, Section, Settings
from nexudus_sync.config.tenancy import FILE, Command, Tenancy, load_tenant
from nexudus_sync.config.toml import is_fleet as is_fleet
from nexudus_sync.config.toml import place, read
from nexudus_sync.config.whole import Whole, connections, crms
from nexudus_sync.connectors import registry
from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.errors import ConfigError
from nexudus_sync.texts import nearest

_OF_TENANTS = (HUB, "crm", "connection", "secrets_command")
_SQLITE = "sqlite:///"

Stamp = tuple[tuple[int, int, int], ...]
"""Of each of a tenant's files: when it was written, its size and its number on the disk."""
Claim = tuple[str, str, object]
"""What one tenant alone may have: the address of its Nexudus, `business_id` or `board_id`, and the id."""


class FleetSettings(Section):
    """`[fleet]`: the folder with the tenants, and the program that prints the secrets of each (`{tenant}` in it)."""

    folder: Path
    secrets_command: Command = ()


class FleetFile(Shared):
    """The fleet's own file."""

    fleet: FleetSettings
    run: RunSettings = RunSettings()
    notify: NotifySettings = NotifySettings()


@dataclass(frozen=True, slots=True)
class _Known:
    """A tenant's settings, or what is wrong with them, as its files were."""

    stamp: Stamp
    settings: Settings | None
    problem: ConfigError | None
    claims: tuple[Claim, ...]

    @property
    def passing(self) -> bool:
        """May the problem be over although no file has changed? A program printed no secrets."""
        return self.problem is not None and "secrets_command" in self.problem.where


class Fleet:
    """The tenants of one installation. Used by several threads. Made by `Fleet.load`.

    The fleet's own file is read once; tenants' files as often as they change. `folder` is the tenants', spelled as the
    file is.
    """

    def __init__(
        self, tenancy: Tenancy, file: FleetFile, find: Find, *, secrets: bool, needed: Collection[str]
    ) -> None:
        self.path = tenancy.path
        self.folder = self.path.parent / file.fleet.folder
        self.store_url = tenancy.store_url
        self._tenancy, self._file, self._find = tenancy, file, find
        self._secrets, self._needed = secrets, needed
        self._known: dict[str, _Known] = {}
        self._plain: dict[str, _Known] = {}
        """The same without secrets, of tenants that were read only because another one was asked for."""
        self._clashes: dict[str, ConfigError] = {}
        self._lock = RLock()

    @classmethod
    def load(
        cls,
        path: Path,
        environ: Mapping[str, str] | None = None,
        *,
        find: Find = registry.describe,
        secrets: bool = True,
        needed: Collection[str] = (),
    ) -> Self:
        """Read the fleet's own file, no tenant's yet; the arguments are those of `config.load`.

        `environ` None is the process's. Raises ConfigError.
        """
        raw = read(path)
        environ = secret_file.complete(os.environ if environ is None else environ, path)
        folder = raw["fleet"].get("folder", "tenants") if isinstance(raw.get("fleet"), dict) else "tenants"
        where = f"belongs in a tenant's own file, such as {folder}/NAME/{FILE}"
        refuse_foreign(raw, path, _OF_TENANTS, where)
        filled = fill(raw, environ, path, secrets=secrets, needed=needed)
        file = validate(FleetFile, filled, raw, path, ())
        refuse_literals(raw, path)
        check_store(raw, filled, file.store, path)
        base = path.absolute().parent
        run, command = rooted(file.run, base), file.fleet.secrets_command
        tenancy = Tenancy(path, environ, file, run, _absolute(file.store.url, base), command)
        fleet = cls(tenancy, file, find, secrets=secrets, needed=needed)
        fleet.tenants()
        return fleet

    def tenants(self) -> tuple[str, ...]:
        """The names of all tenants there are now, in order. Raises ConfigError for a folder that cannot be read."""
        try:
            found = [one.name for one in self.folder.iterdir() if not one.name.startswith(".")]
        except OSError as error:
            problem = "no such folder" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
            remedy = f"make {self.folder}, with a folder for each tenant in it"
            raise ConfigError(place(self.path, ("fleet", "folder")), problem, remedy) from None
        return tuple(sorted(name for name in found if self.file_of(name).exists()))

    def settings(self, tenant: str) -> Settings:
        """A tenant's settings as its files are now. Raises ConfigError: that tenant's, or for one that there is not."""
        with self._lock:
            known = self._look(tenant)
            earlier = [] if known.settings is None else [one for one in self.tenants() if one < tenant]
            return self._sound(known, {claim: one for one in earlier for claim in self._claimed(one)})

    def stamp(self, tenant: str) -> Stamp:
        """What differs when one of a tenant's files has changed; empty for one that is gone."""
        with self._lock:
            known = self._known.get(tenant)
        return _stamp(_files(self.file_of(tenant), None if known is None else known.settings))

    def problems(self) -> dict[str, ConfigError]:
        """What is wrong with each tenant whose configuration cannot be used."""
        return dict(self.whole().broken)

    def forget(self, tenant: str) -> None:
        """Read a tenant's files and ask for its secrets again the next time, whether or not a file changes."""
        with self._lock:
            self._known.pop(tenant, None)
            self._plain.pop(tenant, None)

    def whole(self, tenants: Collection[str] | None = None) -> Whole:
        """All tenants as one, or these alone; a broken one is told with what is wrong."""
        parts, broken, owners = dict[str, Settings](), dict[str, ConfigError](), dict[Claim, str]()
        for tenant in self.tenants():
            try:
                with self._lock:
                    known = self._look(tenant)
                    found = self._sound(known, owners)
                owners |= dict.fromkeys(known.claims, tenant)
                if tenants is None or tenant in tenants:
                    parts[tenant] = found
            except ConfigError as error:
                if tenants is None or tenant in tenants:
                    broken[tenant] = error
        shared = self._tenancy.shared
        return Whole(
            path=self.path,
            store_url=self.store_url,
            nexudus=NexudusSettings.model_construct(username="", password=SecretStr("")),
            crms=crms(parts),
            connections=connections(parts),
            log=shared.log,
            run=self._tenancy.run,
            store=shared.store,
            web=shared.web,
            notify=self._file.notify,
            parts=parts,
            _broken=broken,
            limits=None if tenants is None else frozenset(tenants),
        )

    def file_of(self, tenant: str) -> Path:
        """The file that a tenant has, or would have."""
        return self.folder / tenant / FILE

    def _look(self, tenant: str) -> _Known:
        """What is known of a tenant, read again where a file has changed."""
        found = self._known[tenant] = self._read(tenant, self._known.get(tenant), secrets=self._secrets)
        return found

    def _claimed(self, tenant: str) -> tuple[Claim, ...]:
        """What another tenant claims; nobody's secrets are asked for to know that."""
        if not self._secrets:
            return self._look(tenant).claims
        found = self._plain[tenant] = self._read(tenant, self._plain.get(tenant), secrets=False)
        return found.claims

    def _read(self, tenant: str, known: _Known | None, *, secrets: bool) -> _Known:
        path = self.file_of(tenant)
        if known is not None and not known.passing and known.stamp == _stamp(_files(path, known.settings)):
            return known
        if not path.exists():
            self.forget(tenant)
            there = self.tenants()
            raise ConfigError("--tenant", f"there is no tenant {tenant!r}", nearest(tenant, there) if there else "")
        before, settings, problem = _stamp(_files(path, None)), None, None
        needed = self._needed if secrets is self._secrets else ()
        try:
            settings = load_tenant(self._tenancy, tenant, path, self._find, secrets=secrets, needed=needed)
        except ConfigError as error:
            # one that is still the same stays the same object, so that who compares sees no change
            is_known = known is not None and str(known.problem) == str(error)
            problem = known.problem if known is not None and is_known else error
        # what was read is at least as old as the first of these, so that a file saved meanwhile is read again
        stamp = before + _stamp(_files(path, settings))[len(before) :]
        return _Known(stamp, settings, problem, () if settings is None else _claims(settings))

    def _sound(self, known: _Known, owners: Mapping[Claim, str]) -> Settings:
        """The settings. Raises ConfigError for what is wrong, and for what another tenant has whose name comes first.

        A folder that was copied, with another name for the tenant alone, would copy every record a second time.
        """
        if known.settings is None:
            raise known.problem or ConfigError("--tenant", "cannot be read")
        taken = [claim for claim in known.claims if claim in owners]
        if taken:
            claim = min(taken, key=str)
            where = place(known.settings.path, ("connection", known.claims.index(claim), "scope", claim[1]))
            problem = f"{claim[2]} already belongs to tenant {owners[claim]}"
            clash = ConfigError(where, problem, "give each location or board to one tenant")
            raise self._clashes.setdefault(str(clash), clash)
        return known.settings


def _claims(settings: Settings) -> tuple[Claim, ...]:
    """What each of a tenant's connections claims, in their order."""
    address = str(settings.nexudus.base_url).rstrip("/").casefold()
    if STAND_IN.casefold() in address:  # nobody knows whose it is
        return ()
    return tuple(
        (address, "board_id", one.board_id) if one.business_id is None else (address, "business_id", one.business_id)
        for one in (each.cards for each in settings.connections)
    )


def _files(path: Path, settings: Settings | None) -> list[Path]:
    """A tenant's files; the mappings that its configuration names are known once that was read."""
    found = [path, secret_file.file_of(path)]
    for one in () if settings is None else settings.connections:
        found += [file for file in (one.mapping.nexudus, one.mapping.crm) if file is not None]
    return list(dict.fromkeys(found))


def _stamp(files: list[Path]) -> Stamp:
    return tuple(map(_version, files)) if files and files[0].exists() else ()


def _version(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _absolute(url: str, base: Path) -> str:
    """The store's address, with a relative path counted from the fleet's file."""
    name = url.removeprefix(_SQLITE)
    if name == url or name in ("", ":memory:"):
        return url
    return _SQLITE + str(base / name)
