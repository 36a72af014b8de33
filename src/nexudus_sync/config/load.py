"""config.toml and the environment → validated settings. Makes no request and writes nothing."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from nexudus_sync.config import secrets as secret_file
from nexudus_sync.config.problems import refuse, refuse_literal_secrets, refuse_loose
from nexudus_sync.config.settings import (
    HUB,
    ConnectionSettings,
    CrmSettings,
    LogSettings,
    NotifySettings,
    RunSettings,
    Section,
    Settings,
    StoreSettings,
    WebSettings,
)
from nexudus_sync.config.toml import Location, is_reference, place, read, references, substitute
from nexudus_sync.connectors import registry
from nexudus_sync.connectors.network import Network, certificates
from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.errors import ConfigError
from nexudus_sync.texts import nearest

Model = TypeVar("Model", bound=BaseModel)

Find = Callable[..., registry.Described]
"""`registry.describe`, or a test's replacement for it."""


class Systems(Section):
    """The tables about systems, and how they are run; those described by connectors are validated one by one."""

    nexudus: dict[str, Any]
    crm: dict[str, dict[str, Any]] = Field(min_length=1)
    connection: list[ConnectionSettings] = Field(min_length=1)
    run: RunSettings = RunSettings()
    notify: NotifySettings = NotifySettings()


class Shared(Section):
    """The tables that a whole installation has once."""

    store: StoreSettings = StoreSettings()
    log: LogSettings = LogSettings()
    web: WebSettings = WebSettings()


class _File(Systems, Shared):
    """The whole file of an installation that is no fleet."""


_DATABASES = ("sqlite", "postgresql")
_FILE = "sqlite:///"
"""How the address of a file begins: whatever follows is its path."""
STAND_IN = "A" * 16
"""Stands in for an environment variable that nobody will read: text that any secret's format accepts, base32 too."""


_SECRET_TABLES = (HUB, "crm", "notify", "web")
"""The tables with secrets, which not every command needs."""
_FLEETS = ("fleet", "secrets_command")


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    find: Find = registry.describe,
    secrets: bool = True,
    needed: Collection[str] = (),
) -> Settings:
    """Read and check a configuration.

    Values that `environ` lacks are taken from `secrets.env` beside the file, if there is one. `find` returns what has
    the `Settings` of the connector named by `connector = …`, and raises ConfigError for an unknown one. `secrets` False
    is for work that does not talk to a system: the variables named in the tables with secrets need not be set, and get
    a useless value, except in the `needed` ones. Raises ConfigError (one line: file, key, what is wrong, what would be
    right) for anything that the file alone shows.
    """
    raw = read(path)
    refuse_foreign(raw, path, _FLEETS, "is for a fleet's file, which has [fleet] and no connections of its own")
    filled = fill(raw, secret_file.complete(environ, path), path, secrets=secrets, needed=needed)
    file = validate(_File, filled, raw, path, ())
    refuse_literals(raw, path)
    check_store(raw, filled, file.store, path)
    for index, user in enumerate(file.web.users):
        if user.tenants is not None:
            where = place(path, ("web", "users", index, "tenants"))
            raise ConfigError(where, "there are no tenants without [fleet]", "leave it out")
    kept = {"store_url": file.store.url, "store": file.store, "log": file.log, "web": file.web}
    return assembled(file, raw, filled, path, find, secrets=secrets, **kept)


def assembled(
    file: Systems,
    raw: Mapping[str, Any],
    filled: Mapping[str, Any],
    path: Path,
    find: Find,
    *,
    secrets: bool,
    **kept: Any,
) -> Settings:
    """The settings that a file's tables make; `kept` are those that they do not come from. Raises ConfigError."""
    base = path.absolute().parent
    nexudus = rooted(_system(NexudusSettings, raw["nexudus"], filled["nexudus"], path, (HUB,)), base)
    crms = {name: _crm(name, raw["crm"][name], table, path, find) for name, table in file.crm.items()}
    crms = {name: replace(crm, settings=rooted(crm.settings, base)) for name, crm in crms.items()}
    if secrets:
        _check_way(nexudus, place(path, (HUB,)))
        for name, crm in crms.items():
            _check_way(crm.settings, place(path, ("crm", name)))
    _check_connections(file.connection, list(crms), path)
    return Settings(
        path=path,
        nexudus=nexudus,
        crms=crms,
        connections=tuple(
            connection.model_copy(update={"mapping": rooted(connection.mapping, base)})
            for connection in file.connection
        ),
        run=rooted(file.run, base),
        notify=file.notify,
        **kept,
    )


def fill(
    raw: Mapping[str, Any], environ: Mapping[str, str], path: Path, *, secrets: bool, needed: Collection[str]
) -> dict[str, Any]:
    """The file's tables with all variables replaced; without `secrets` they need not be set. Raises ConfigError."""
    found: dict[str, Any] = substitute(raw, environ if secrets else _with_stand_ins(raw, environ, needed), path)
    return found


def refuse_foreign(raw: Mapping[str, Any], path: Path, keys: Collection[str], where: str) -> None:
    """Refuse tables that belong into another file, with where that is."""
    found = next((key for key in keys if key in raw), None)
    if found is not None:
        raise ConfigError(place(path, (found,)), where)


def check_store(raw: Mapping[str, Any], filled: Mapping[str, Any], store: StoreSettings, path: Path) -> None:
    """Refuse an address of no known database, and a password written into it."""
    _check_url(raw.get("store", {}), filled.get("store", {}), "url", path, ("store",), "STORE_PASSWORD")
    _check_database(store.url, path)


def _with_stand_ins(raw: Mapping[str, Any], environ: Mapping[str, str], needed: Collection[str]) -> dict[str, str]:
    """The environment with a stand-in for each variable that is not set and that only tables with secrets name."""
    named = references([raw.get(table) for table in _SECRET_TABLES if table not in needed])
    named -= references([raw.get(table) for table in needed])
    return {**environ, **{name: STAND_IN for name in named if not environ.get(name)}}


def refuse_literals(raw: Mapping[str, Any], path: Path) -> None:
    """Refuse a secret written into one of the tables that are not a system's."""
    for key, model in (("notify", NotifySettings), ("web", WebSettings)):
        refuse_literal_secrets(raw.get(key, {}), model, path, (key,))


def validate(model: type[Model], table: Any, raw: Any, path: Path, location: Location) -> Model:
    """The table as a model. `raw` is what the file says: only values from the environment may be text throughout.

    Raises ConfigError.
    """
    try:
        found = model.model_validate(table)
    except ValidationError as error:
        raise refuse(error, model, path, location, raw) from None
    try:
        # JSON has lists and paths as TOML does, so only a value of the wrong type in the file is refused
        model.model_validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        problem = refuse_loose(error, model, path, location, raw)
        if problem is not None:
            raise problem from None
    return found


def rooted(section: Model, base: Path) -> Model:
    """The section with all its paths made absolute, those in tables and lists included."""
    found = {name: _absolute(value, base) for name, value in section}
    changed = {name: value for name, value in found.items() if value != getattr(section, name)}
    return section.model_copy(update=changed) if changed else section


def _absolute(value: Any, base: Path) -> Any:
    if isinstance(value, Path):
        return base / value  # an absolute path is unchanged by joining
    if isinstance(value, BaseModel):
        return rooted(value, base)
    if isinstance(value, dict):
        return {key: _absolute(inner, base) for key, inner in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_absolute(inner, base) for inner in value)
    return value


def _check_url(
    raw: Mapping[str, Any], filled: Mapping[str, Any], key: str, path: Path, location: Location, variable: str
) -> None:
    """Refuse a password written in the file, and one whose characters would end it early in the address."""
    where = place(path, (*location, key))
    _refuse_password(raw.get(key), where, variable)
    given, became = _split(raw.get(key)), _split(filled.get(key))
    if given is None or not is_reference(given[0]):
        return
    moved = became is None or (became[1] != given[1] and not references(given[1]))
    if moved or "@" in str(became):
        names = ", ".join(sorted(references(given[0])))
        problem = f"the environment variable {names} contains a character that ends a password in an address"
        raise ConfigError(where, problem, "percent-encode it: / as %2F, @ as %40")


def _split(url: object) -> tuple[str | None, str] | None:
    """The password of an address, and the rest after it; None for text that is not an address."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
        found = parts.password, f"{parts.netloc.rpartition('@')[2]}{parts.path}?{parts.query}#{parts.fragment}"
    except ValueError:
        return None
    return found


def _refuse_password(url: object, where: str, variable: str) -> None:
    try:
        password = urlsplit(url).password if isinstance(url, str) else None
    except ValueError:
        return  # reported elsewhere as not an address
    if password is not None and not is_reference(password):
        remedy = f"write ${{{variable}}} instead and set that environment variable"
        raise ConfigError(where, "a password must not be in the file", remedy)


def _check_database(url: str, path: Path) -> None:
    """Refuse a URL without a known kind of database; a missing driver shows when the database is opened."""
    if url.startswith(_FILE):
        return  # nearly all are, and SQLAlchemy takes a third of the time that a command needs to start
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    where = place(path, ("store", "url"))
    try:
        make_url(url).get_dialect()
        if make_url(url).get_backend_name() not in _DATABASES:
            raise NoSuchModuleError
    except NoSuchModuleError:
        kind = urlsplit(url).scheme
        raise ConfigError(where, f"unknown kind of database '{kind}'", nearest(kind, _DATABASES)) from None
    except (ArgumentError, ValueError):
        raise ConfigError(where, "is not a database URL", 'write one like "sqlite:///state.db"') from None


def _system(model: type[Model], raw: Any, filled: Any, path: Path, location: Location) -> Model:
    refuse_literal_secrets(raw, model, path, location)
    _check_url(raw, filled, "proxy", path, location, "PROXY_PASSWORD")
    settings = validate(model, filled, raw, path, location)
    url = getattr(settings, "base_url", None)
    if url is not None and STAND_IN not in str(url):
        check_base_url(str(url), place(path, (*location, "base_url")))
    return settings


def check_base_url(url: str, where: str) -> None:
    """Refuse text that is not an address, and an address that a password must not be sent to. Raises ConfigError."""
    scheme, host, user = _parts(url)
    if host is not None and (not url.isprintable() or " " in url):
        raise ConfigError(where, "contains a space or an invisible character", "remove it")
    if host is None or scheme not in {"http", "https"}:
        raise ConfigError(where, "is not a web address", 'write one like "https://example.com/api"')
    if "?" in url or "#" in url:
        raise ConfigError(where, "has a part after ? or #, which calls would not carry", "end it with the path")
    if user is not None:
        raise ConfigError(where, "contains a user name or password", "give them in their own keys")
    if scheme == "http" and not _is_near(host):
        raise ConfigError(where, f"would send the password to {host} unencrypted", "write https://")


def _parts(url: str) -> tuple[str, str | None, str | None]:
    """The scheme, host and user name of an address; host None where it cannot be called."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        return "", None, None
    return parts.scheme, host, parts.username


def _check_way(settings: BaseModel, where: str) -> None:
    """Refuse unreadable certificates, and a proxy that would see a password."""
    if not isinstance(settings, Network):
        return
    if settings.ca_file is not None:
        certificates(settings.ca_file, f"{where}.ca_file")
    host = urlsplit(settings.proxy or "").hostname
    plain = urlsplit(str(getattr(settings, "base_url", ""))).scheme == "http"
    if host is not None and plain and not _is_near(host):
        raise ConfigError(f"{where}.proxy", f"would send the password to {host} unencrypted", "write base_url https://")


_LOCAL_NAMES = ("localhost", "local", "internal", "lan", "home.arpa", "test")
"""Endings of names that no public name server knows."""


def _is_near(host: str) -> bool:
    """Is the host this machine or in a private network, so that no stranger sees the traffic?"""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(tuple(f".{name}" for name in _LOCAL_NAMES))
    return address.is_loopback or (address.is_private and not address.is_unspecified)


def _crm(name: str, raw: Mapping[str, Any], filled: Mapping[str, Any], path: Path, find: Find) -> CrmSettings:
    location: Location = ("crm", name)
    if name == HUB or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        # the name starts every external key, and tells the CRM from Nexudus wherever a system is named
        remedy = "use letters, digits, - and _, and any name but nexudus"
        raise ConfigError(place(path, location), "is not a valid name for a CRM", remedy)
    where = place(path, (*location, "connector"))
    connector = filled.get("connector")
    if not isinstance(connector, str):
        raise ConfigError(where, "must name the connector", 'for example connector = "overplane"')
    model = find(connector, where=where).Settings
    own = {key: value for key, value in filled.items() if key != "connector"}
    return CrmSettings(name, connector, _system(model, raw, own, path, location))


def _check_connections(connections: list[ConnectionSettings], crms: list[str], path: Path) -> None:
    for index, connection in enumerate(connections):
        if connection.crm not in crms:
            problem = f"there is no [crm.{connection.crm}]"
            raise ConfigError(place(path, ("connection", index, "crm")), problem, nearest(connection.crm, crms))
        for earlier in connections[:index]:
            _check_pair(earlier, connection, path, index)


def _check_pair(earlier: ConnectionSettings, later: ConnectionSettings, path: Path, index: int) -> None:
    """Refuse two connections that would interfere; that a board lies within a location only `check` can see."""

    def clash(key: str, problem: str, remedy: str) -> ConfigError:
        return ConfigError(place(path, ("connection", index, *key.split("."))), problem, remedy)

    if earlier.name == later.name:
        raise clash("name", f"'{later.name}' is the name of two connections", "give each its own name")
    for key in ("business_id", "board_id"):
        wanted = getattr(later.cards, key)
        if wanted is not None and wanted == getattr(earlier.cards, key):
            problem = f"{wanted} already belongs to connection '{earlier.name}'"
            raise clash(f"scope.{key}", problem, "give each connection its own scope")
    if earlier.crm == later.crm and (
        earlier.part is None or later.part is None or earlier.part.casefold() == later.part.casefold()
    ):
        key, what = ("pipeline", "pipelines") if later.pipeline is not None else ("company", "companies")
        problem = f"connection '{earlier.name}' uses the same CRM with overlapping {what}"
        raise clash(key, problem, f"give each of the two its own {key}")
