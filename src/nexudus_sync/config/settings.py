"""The contents of a valid config.toml, as frozen models for the rest of the program."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.errors import ConfigError
from nexudus_sync.texts import nearest

if TYPE_CHECKING:
    from nexudus_sync.connectors.base import Scope

HUB = "nexudus"
"""The name of Nexudus among the systems."""
SEPARATOR = "/"
"""Stands between a tenant and the name of one of its connections or systems."""
_FEW = 20
"""So many names are listed in an error; of more, the nearest one."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=366)
_SHORTEST = 8
"""Characters that a password of the page has at least."""


def duration(value: object) -> timedelta:
    """Read "30s", "5m", "24h" or "7d". Raises ValueError for anything else, for 0, and above 366 days."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"([0-9]{1,9})\s*([smhd])", value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{value!r} is not a duration; write "30s", "5m", "24h" or "7d"')
    span = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if not timedelta(0) < span <= _LONGEST:
        raise ValueError(f'{value!r} must be longer than "0s" and at most "{_LONGEST.days}d"')
    return span


def _zone(name: str) -> str:
    """Refuse anything but an IANA time zone: Windows names and misspellings would shift every day by hours."""
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean '{near[0]}'?" if near else 'write one like "Europe/London"'
        raise ValueError(f"{name!r} is not an IANA time zone; {hint}") from None


def _one_line(text: str) -> str:
    if text != text.strip() or not text.isprintable() or not text:
        raise ValueError("must be one line of text, not empty and without surrounding spaces")
    return text


def _database(url: str) -> str:
    if urlsplit(url).scheme == "" or "://" not in url:
        raise ValueError('must be a database URL, like "sqlite:///state.db"')
    return url


def _no_boolean(value: object) -> object:
    # true would pass for the number 1 and point a connection at somebody else's location
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


def _address(text: str) -> str:
    """Refuse a name: what it stands for may change, and with it who can reach the page."""
    try:
        return str(ip_address(text)) if text != "localhost" else text
    except ValueError:
        raise ValueError('must be an IP address of this machine; write "127.0.0.1"') from None


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text):
        raise ValueError('must be a name alone, without a port or a path; write one like "sync.example.com"')
    return text.casefold()


Duration = Annotated[timedelta, BeforeValidator(duration)]
"""A length of time above zero."""
Text = Annotated[str, AfterValidator(_one_line)]
"""One line of text, such as a name."""
RecordId = Annotated[int, BeforeValidator(_no_boolean), Field(gt=0)]
"""An id of Nexudus."""
TimeZone = Annotated[str, AfterValidator(_zone)]
"""The name of an IANA time zone."""


class Section(BaseModel):
    """A table of config.toml: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CardScope(Section):
    """The Nexudus cards that take part: those of a location or those of a board."""

    business_id: RecordId | None = None
    board_id: RecordId | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "CardScope":
        if (self.business_id is None) == (self.board_id is None):
            both = "has both business_id and board_id" if self.business_id else "needs business_id or board_id"
            raise ValueError(f"{both}; give exactly one of them")
        return self


class MappingFiles(Section):
    """The two mapping files of a connection, absolute; None means the shipped file."""

    nexudus: Path | None = None
    crm: Path | None = None


class ConnectionSettings(Section):
    """One `[[connection]]`: a scope of Nexudus ⇄ one CRM.

    `company` or `pipeline` is the part of the CRM that takes part, in the CRM's own word; None: all of it.
    """

    name: Text
    crm: Text
    cards: CardScope = Field(alias="scope")
    company: Text | None = None
    pipeline: Text | None = None
    new_company: bool = False
    mapping: MappingFiles = MappingFiles()
    poll: Duration = timedelta(minutes=1)
    reconcile: Duration = timedelta(hours=24)
    deletes: Literal["ignore", "propagate"] = "ignore"
    time_zone: TimeZone | None = None
    create_board: RecordId | None = None
    create_parties: bool = True
    party: Literal["Lead", "Customer", "Prospect"] = "Lead"
    allow_stages: frozenset[Text] = frozenset()
    first_match: Literal["manual", "nexudus", "crm", "newest"] = "manual"

    @model_validator(mode="after")
    def _one_board(self) -> "ConnectionSettings":
        if self.create_board is not None and self.cards.board_id is not None:
            raise ValueError("create_board has no effect with scope.board_id, where new cards go anyway; leave it out")
        return self

    @model_validator(mode="after")
    def _one_part(self) -> "ConnectionSettings":
        if self.company is not None and self.pipeline is not None:
            raise ValueError("has both company and pipeline; give the one that the CRM has")
        return self

    @property
    def part(self) -> str | None:
        """The part of the CRM that takes part; None: all of it."""
        return self.pipeline if self.company is None else self.company

    def scope(self) -> "Scope":
        """The scope in the connectors' terms."""
        from nexudus_sync.connectors.base import Scope

        return Scope(
            business_id=self.cards.business_id,
            board_id=self.cards.board_id,
            company=self.part,
            new_company=self.new_company,
            time_zone=None if self.time_zone is None else ZoneInfo(self.time_zone),
            create_board=self.create_board,
            party=self.party,
            allow_stages=self.allow_stages,
        )


class LogSettings(Section):
    """How the log is written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class RunSettings(Section):
    """How cycles are run.

    `health_file` (absolute) is touched after every successful cycle; `jitter` spreads the polls of several connections;
    `absence_wait` is the least time between a create without an answer and the second read that proves its absence;
    `readers` is how many records of a connection, and how many pages of a list, are read at the same time;
    `stale_after` is how old the last success of a connection may be, None for what its polls suggest.
    """

    health_file: Path | None = None
    jitter: Duration = timedelta(seconds=5)
    absence_wait: Duration = timedelta(seconds=10)
    readers: Annotated[int, BeforeValidator(_no_boolean), Field(ge=1, le=100)] = 10
    stale_after: Duration | None = None


class WebUser(Section):
    """Somebody who may decide on the page; of a fleet, about these tenants only (None: all of them)."""

    name: Text
    password: SecretStr = Field(min_length=_SHORTEST)
    tenants: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None


class WebSettings(Section):
    """Where `run` serves its page and its signals, and who may use it.

    `port` 0 is any free one, which the log then names. `hosts` are names beside this machine's own under which browsers
    reach the page, behind a proxy for example. Without `users` it only shows, and to this machine alone.
    """

    off: bool = False
    address: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    port: Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=65535)] = 8780
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()
    users: tuple[WebUser, ...] = ()

    @model_validator(mode="after")
    def _guarded(self) -> "WebSettings":
        near = self.address == "localhost" or ip_address(self.address).is_loopback
        open_to = "an address that other machines can reach" if not near else "a name that others may reach"
        if not self.off and not self.users and (not near or self.hosts):
            raise ValueError(f"{open_to} needs [[web.users]]: without them, everybody there could look")
        names = [one.name.casefold() for one in self.users]
        if len(set(names)) < len(names):
            raise ValueError("two of the users have the same name; give each its own")
        return self


class NotifySettings(Section):
    """Who is told when something is wrong or waits: addresses as Apprise writes them, which are secrets.

    `gather` is how long what newly waits is collected before it is told; `every` is the least time between two messages
    about the same matter.
    """

    urls: tuple[SecretStr, ...] = ()
    gather: Duration = timedelta(minutes=10)
    every: Duration = timedelta(hours=1)

    def addresses(self) -> list[str]:
        """The addresses themselves, only to be sent to."""
        return [url.get_secret_value() for url in self.urls]


class StoreSettings(Section):
    """Where the state is kept: a database URL; a relative SQLite path starts at the configuration file's folder.

    `keep_history` and `keep_journal`: days after which old values and writes that are done are deleted.
    """

    url: Annotated[str, AfterValidator(_database)] = "sqlite:///state.db"
    keep_history: Annotated[int, BeforeValidator(_no_boolean), Field(ge=30, le=36500)] = 400
    keep_journal: Annotated[int, BeforeValidator(_no_boolean), Field(ge=30, le=36500)] = 60


@dataclass(frozen=True, slots=True)
class CrmSettings:
    """One `[crm.NAME]`; `settings` is an instance of the connector's own model. A tenant's name is qualified."""

    name: str
    connector: str
    settings: BaseModel


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole valid configuration. `path` is the file as the user named it.

    `tenant` is whose it is in a fleet, "" outside of one. The names of a tenant's connections and systems are qualified
    ("acme/london"), so that in the store that all tenants share no two of them ever mean the same row.
    """

    path: Path
    store_url: str = field(repr=False)
    nexudus: NexudusSettings
    crms: Mapping[str, CrmSettings]
    connections: tuple[ConnectionSettings, ...]
    log: LogSettings
    run: RunSettings
    store: StoreSettings = field(default_factory=StoreSettings, repr=False)
    web: WebSettings = field(default_factory=WebSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    tenant: str = ""

    @property
    def hub(self) -> str:
        """The name under which Nexudus is known to the store and to people."""
        return qualified(self.tenant, HUB)

    @property
    def in_fleet(self) -> bool:
        """Is it of a fleet, and its connections of tenants?"""
        return bool(self.tenant)

    @property
    def broken(self) -> Mapping[str, ConfigError]:
        """The tenants whose configuration cannot be used, with what is wrong in it."""
        return {}

    def sees(self, connection: str) -> bool:
        """Is what the store keeps under that connection's name this configuration's, even if it is no longer there?"""
        return not self.tenant or tenant_of(connection) == self.tenant

    def owner(self, connection: str) -> str:
        """The tenant that a connection is of, "" outside of a fleet."""
        return tenant_of(connection) if self.tenant else ""

    def only(self, tenants: Collection[str]) -> "Settings":
        """The same of these tenants alone; outside of a fleet there are none to choose from."""
        return self if not self.tenant or self.tenant in tenants else replace(self, connections=())

    def of(self, connection: str) -> "Settings":
        """The settings that a connection belongs to: in a fleet, its tenant's."""
        del connection
        return self

    @property
    def base_dir(self) -> Path:
        """The folder that relative paths start from: that of a symbolic link itself, not of its target."""
        return self.path.absolute().parent

    def named(self, name: str | None) -> tuple[ConnectionSettings, ...]:
        """The connection of that name, or all of them. Raises ConfigError for a name that is not configured."""
        wanted = None if name is None else self.full_name(name)
        found = tuple(one for one in self.connections if wanted in (None, one.name))
        if not found and name is not None:
            raise no_connection(name, [one.name for one in self.connections])
        return found

    def full_name(self, name: str) -> str:
        """A connection's name as the store knows it; a tenant's may be given without the tenant."""
        return name if SEPARATOR in name else qualified(self.tenant, name)

    def urls(self, connection: str, nexudus_id: str, crm_id: str) -> tuple[str | None, str | None]:
        """Where a person opens the two records of a pair, Nexudus's first; None where nobody said."""
        own = self.of(connection)
        crm = next((own.crms[one.crm].settings for one in own.connections if one.name == connection), None)
        url_of = getattr(crm, "url_of", None)  # a connector that somebody else wrote may have none
        return own.nexudus.url_of(nexudus_id), url_of(crm_id) if callable(url_of) and crm_id else None

    def secrets(self) -> frozenset[str]:
        """All secrets in the configuration, for the log to mask."""
        store = unquote(urlsplit(self.store_url).password or "")
        systems = [self.nexudus, *(crm.settings for crm in self.crms.values())]
        proxies = [urlsplit(getattr(one, "proxy", None) or "").password or "" for one in systems]
        named = _secrets([*systems, self.notify, self.web])
        return frozenset({store, *proxies, *map(unquote, proxies), *named} - {""})


def qualified(tenant: str, name: str) -> str:
    """A name as all tenants of a fleet know it: "acme/london"; outside of a fleet it stays as it is."""
    return f"{tenant}{SEPARATOR}{name}" if tenant else name


def tenant_of(name: str) -> str:
    """The tenant in a qualified name, "" in any other one."""
    tenant, separator, _ = name.partition(SEPARATOR)
    return tenant if separator else ""


def no_connection(name: str, known: Sequence[str]) -> ConfigError:
    """The error for a connection that is not configured. Of many, the nearest is named and not all."""
    remedy = f"configured connections: {', '.join(known)}" if len(known) <= _FEW else nearest(name, known)
    return ConfigError("--connection", f"no connection is named {name!r}", remedy)


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        yield from _secrets(dict(value))
    elif isinstance(value, Mapping):
        yield from _secrets(list(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _secrets(inner)
