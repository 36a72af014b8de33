"""What stands in the account's settings: its zone and currency, pipelines, owners and the definitions of properties.

All of it is read once a process, and again after a miss.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from zoneinfo import ZoneInfo

from nexudus_sync import addresses
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Record
from nexudus_sync.connectors.cached import Cached
from nexudus_sync.connectors.hubspot.api import Api
from nexudus_sync.connectors.hubspot.records import EDITOR, PIPELINE, text
from nexudus_sync.connectors.hubspot.settings import HubSpotSettings
from nexudus_sync.connectors.hubspot.stages import OPEN, Pipeline, Stage, named, pipeline
from nexudus_sync.errors import AuthenticationFailed, RoleMissing, storable
from nexudus_sync.mapping.values import fold

PIPELINES, PROPERTIES = "/crm/pipelines/{v}/deals", "/crm/properties/{v}/deals"
OWNERS = "/crm/owners/{v}"
UNKNOWN = (
    "the key may not read the account's details (scope oauth), so its time zone and currency are not known; give it "
    "that scope, or give time_zone and currency in the CRM's table of the configuration"
)


class Stages:
    """The stages of one pipeline, by label. Those of closed deals need no counterpart."""

    def __init__(self, of: Pipeline | None, missed: set[str] | None = None) -> None:
        self._of = of
        self.missed: set[str] = set() if missed is None else missed
        """Stages that were looked for in vain, whichever deal they were wanted for."""

    def name(self, raw: object) -> str | None:
        """The label of a stage."""
        found = self._of.stage(raw) if self._of else None
        if found is None and raw:
            self.missed.add(str(raw))
        return None if found is None else found.label

    def raw(self, name: str) -> object | None:
        """The id of the first stage with that label."""
        wanted = fold(name)
        found = next((one for one in self._stages if fold(one.label) == wanted), None)
        if found is None:
            self.missed.add(wanted)
        return None if found is None else found.id

    def names(self) -> tuple[str, ...]:
        """All labels, in the pipeline's order."""
        return tuple(one.label for one in self._stages)

    def sets_aside(self, raw: object) -> bool:
        """Is it the stage of a closed deal?"""
        return self._of is not None and self._of.status(raw) != OPEN

    @property
    def _stages(self) -> tuple[Stage, ...]:
        return self._of.stages if self._of else ()


class Owners:
    """Owners by e-mail: former ones can be read, but nothing is given to them."""

    def __init__(self, rows: Iterable[Record]) -> None:
        self.missed: set[str] = set()
        self._emails: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._users: dict[str, str] = {}
        for row in rows:
            email = addresses.key(str(row.get("email") or ""))
            if email:
                self._emails[str(row["id"])] = email
                users = (row.get(key) for key in ("userId", "userIdIncludingInactive"))
                self._users |= {str(number): email for number in users if number}
                if not row.get("archived"):
                    self._ids.setdefault(email, str(row["id"]))

    def name(self, raw: object) -> str | None:
        """The e-mail of an owner."""
        found = self._emails.get(str(raw))
        if found is None and raw:
            self.missed.add(str(raw))
        return found

    def user(self, number: str) -> str | None:
        """The e-mail of a user, who has another number than as an owner."""
        return self._users.get(number)

    def raw(self, name: str) -> object | None:
        """The owner's id of an e-mail."""
        found = self._ids.get(addresses.key(name))
        if found is None:
            self.missed.add(addresses.key(name))
        return found

    def names(self) -> tuple[str, ...]:
        """The e-mails of all that deals can be given to."""
        return tuple(self._ids)


class Options:
    """The options of a property that is a list: what is kept, and what people see."""

    def __init__(self, rows: Iterable[Mapping[str, object]], missed: set[str] | None = None) -> None:
        self.missed: set[str] = set() if missed is None else missed
        """Labels that were looked for in vain."""
        self._labels = {str(row["value"]): str(row.get("label") or row["value"]) for row in rows}

    def name(self, raw: object) -> str | None:
        """The label of a value; one that is no longer an option is its own."""
        return self._labels.get(str(raw)) or (str(raw) if raw else None)

    def raw(self, name: str) -> object | None:
        """The value of a label, or of the value itself."""
        wanted = fold(name)
        found = next((one for one, label in self._labels.items() if wanted in (fold(label), fold(one))), None)
        if found is None:
            self.missed.add(f"option {wanted}")
        return found

    def names(self) -> tuple[str, ...]:
        """All labels."""
        return tuple(self._labels.values())


class Account:
    """The settings of one account. `settings` says which pipelines and stages are meant."""

    def __init__(self, api: Api, settings: HubSpotSettings, clock: Clock) -> None:
        self._api, self._settings = api, settings
        self._details: Record | None = None
        self._pipelines = Cached(self._read_pipelines, clock)
        self._owners = Cached(self._read_owners, clock)
        self._properties = Cached(self._read_properties, clock)
        self._missed: set[str] = set()
        self._unsaid: set[str] = set()

    async def start(self) -> None:
        """Read the account's details and pipelines, once. Raises AuthenticationFailed for a key of another account.

        A key that may not read the details will do where the configuration says what is needed of them.
        """
        if self._details is None:
            try:
                self._details = self._own(await self._api.account())
            except RoleMissing as error:
                if not (self._settings.time_zone and self._settings.currency):
                    raise RoleMissing(self._api.system, UNKNOWN, said=error.said) from error
                self._details = {}
        await self._pipelines.value()

    def _own(self, details: Record) -> Record:
        wanted = self._settings.portal_id
        if wanted is not None and str(details["portalId"]) != str(wanted):
            told = f"the key is one of account {details['portalId']}, not of {wanted}"
            raise AuthenticationFailed(
                self._api.system, f"{told}; put the right key in the environment, or correct portal_id"
            )
        return details

    @property
    def details(self) -> Record:
        """What the account says of itself; empty before `start`, and where the key may not read it."""
        return self._details or {}

    @property
    def zone(self) -> ZoneInfo:
        """The account's time zone."""
        with suppress(ValueError, KeyError, OSError):
            return ZoneInfo(str(self.details.get("timeZone") or self._settings.time_zone or "UTC"))
        return ZoneInfo(self._settings.time_zone or "UTC")

    @property
    def currency(self) -> str | None:
        """The account's own currency."""
        return str(self.details.get("companyCurrency") or self._settings.currency or "") or None

    @property
    def currencies(self) -> frozenset[str]:
        """All currencies that a deal can have."""
        more = self.details.get("additionalCurrencies") or ()
        return frozenset({*map(str, more), *([self.currency] if self.currency else [])})

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The deal pipelines, as read last."""
        return self._pipelines.known or ()

    @property
    def statuses(self) -> dict[tuple[str, str], str]:
        """(pipeline, stage) → status."""
        return {(one.id, stage.id): stage.status for one in self.pipelines for stage in one.stages}

    def pipeline_of(self, record: Record, part: str | None) -> Pipeline | None:
        """The pipeline of a deal; if it has none yet, the one that `part` (label or id) names, or the only one."""
        own = record.get(PIPELINE)
        if own:
            return next((one for one in self.pipelines if one.id == own), None)
        wanted = part or self._settings.pipeline
        if wanted is not None:
            return named(self.pipelines, wanted)
        return self.pipelines[0] if len(self.pipelines) == 1 else None

    async def fresh_pipelines(self) -> tuple[Pipeline, ...]:
        """The pipelines as of the last minute."""
        return await self._pipelines.recent()

    async def stages_of(self, record: Record, part: str | None) -> Stages:
        """The stages that the deal can have, read again where one was looked for in vain."""
        if record.get("dealstage"):
            Stages(self.pipeline_of(record, part), self._missed).name(record["dealstage"])
        misses = tuple(self._missed)
        self._missed.clear()  # which all that were handed out write to
        await (self._pipelines.despite(misses) if misses else self._pipelines.value())
        return Stages(self.pipeline_of(record, part), self._missed)

    async def owners(self, raw: object) -> Owners:
        """The owners, read again where one was looked for in vain."""
        known = await self._owners.value()
        if raw:
            known.name(raw)
        misses, known.missed = known.missed, set()
        return await self._owners.despite(misses) if misses else known

    def editor(self, record: Record) -> str:
        """Who edited a deal last, as it says itself: the user's e-mail, else number; "" before owners were read."""
        number, known = text(record, EDITOR), self._owners.known
        return "" if not number or known is None else storable(known.user(number) or f"user {number}")

    async def properties(self) -> dict[str, Record]:
        """The definitions of the deal properties, by name; empty where they may not be read.

        Read again where an option was looked for in vain.
        """
        misses = tuple(self._unsaid)
        self._unsaid.clear()
        return await (self._properties.despite(misses) if misses else self._properties.value())

    def options(self, definition: Record) -> Options:
        """The options of a property that is a list."""
        return Options(definition["options"], self._unsaid)

    def ask_afresh(self) -> None:
        """Read everything again when it is next needed; the details too, if the key might not read them."""
        self._details = self._details or None
        for kept in (self._pipelines, self._owners, self._properties):
            kept.ask_afresh()

    async def _read_pipelines(self) -> tuple[Pipeline, ...]:
        rows = await self._api.setting(PIPELINES, "the deal pipelines")
        won, lost = self._settings.won_stage, self._settings.lost_stage
        return tuple(pipeline(row, won, lost) for row in rows if not row.get("archived"))

    async def _read_owners(self) -> Owners:
        rows: list[Record] = []
        with suppress(RoleMissing):
            for archived in ("false", "true"):
                found = await self._api.setting(OWNERS, "the owners", limit="100", archived=archived)
                rows += [{**row, "archived": archived == "true"} for row in found]
        return Owners(rows)

    async def _read_properties(self) -> dict[str, Record]:
        with suppress(RoleMissing):
            return {str(row["name"]): row for row in await self._api.setting(PROPERTIES, "the deal properties")}
        return {}
