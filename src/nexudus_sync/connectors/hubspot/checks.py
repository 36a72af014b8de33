"""What `check` says about a HubSpot account, without writing a record."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from datetime import date

from nexudus_sync.connectors.base import Check, Record, Scope
from nexudus_sync.connectors.hubspot.account import OWNERS, PROPERTIES, Account
from nexudus_sync.connectors.hubspot.api import DEALS, Api
from nexudus_sync.connectors.hubspot.key import LABEL, SCOPE, is_unique
from nexudus_sync.connectors.hubspot.lanes import Lanes
from nexudus_sync.connectors.hubspot.settings import HubSpotSettings
from nexudus_sync.connectors.hubspot.stages import LOST, WON, Pipeline
from nexudus_sync.connectors.offset import against_ours
from nexudus_sync.errors import ConnectorError, NotFound, Refused, RoleMissing

_NOWHERE = "0"
_ADD = "add it in HubSpot (Development, Keys, Service keys), and take the key's new token if it gets one"
_FEW_LEFT = 5_000
_TOLERANCE = 60.0


async def lines(
    api: Api,
    account: Account,
    lanes: Lanes,
    settings: HubSpotSettings,
    wanted: frozenset[str],
    scope: Scope,
    today: date,
) -> AsyncIterator[Check]:
    """Account, scopes, properties, the property for the key, pipeline and stages, owners, what is left of the day."""
    for line in _account(account, settings):
        yield line
    missing = [line async for line in scopes(api, known=True)]
    for line in missing or [Check("scopes", "ok", "deals and contacts can be read and written")]:
        yield line
    for line in _properties(await account.properties(), wanted, settings.nexudus_id):
        yield line
    for line in pipeline(account, settings, scope):
        yield line
    yield _owners(len((await account.owners(None)).names()))
    if lanes.left_today is not None:
        told = f"{lanes.left_today:,} calls are left today for the whole account"
        yield Check("calls", "warn" if lanes.left_today < _FEW_LEFT else "ok", told)
    if _age(settings.api_version, today) > 365:
        yield Check("version", "warn", f"api_version {settings.api_version} is older than a year; take a newer one")


def clock(offset: float | None) -> Check:
    """How far the server's clock is from ours, in seconds."""
    if offset is None:
        return Check("clock", "warn", "HubSpot does not send its time, so no conflict is decided by the newer change")
    return Check("clock", "ok" if abs(offset) <= _TOLERANCE else "warn", against_ours(offset))


def _account(account: Account, settings: HubSpotSettings) -> list[Check]:
    told = account.details
    zone, currency = account.zone.key, account.currency or "no currency"
    if not told:
        said = f"its details cannot be read; {zone} and {currency} are taken from the configuration"
        proof = f", and whether it is account {settings.portal_id} is not known" if settings.portal_id else ""
        return [Check("account", "warn", f"{said}{proof}", remedy=f"the scope oauth would tell: {_ADD}")]
    kind, number = str(told.get("accountType") or "STANDARD"), told["portalId"]
    said = f"account {number}, {kind.lower().replace('_', ' ')}, {zone}, {currency}"
    rows = [
        Check("account", "warn", f"{key} = {given} in the configuration, but the account has {own}, which counts")
        for key, given, own in (
            ("time_zone", settings.time_zone, told.get("timeZone")),
            ("currency", settings.currency, told.get("companyCurrency")),
        )
        if given and own and given != own
    ]
    if kind in ("SANDBOX", "DEVELOPER_TEST"):
        return [Check("account", "warn", f"{said}: a test account, its deals are nobody's"), *rows]
    advice = "" if settings.portal_id else f"; portal_id = {number} makes sure that it stays this one"
    return [Check("account", "ok", said + advice), *rows]


async def scopes(api: Api, *, known: bool) -> AsyncIterator[Check]:
    """A line for each right that is missing. Small calls tell: reads, and changes of a record that does not exist.

    `known`: the account's details were read, or need not be.
    """
    calls: list[tuple[str, Awaitable[object]]] = [] if known else [("oauth", api.account())]
    calls += [
        ("crm.objects.deals.read", api.try_read(DEALS)),
        ("crm.objects.contacts.read", api.try_read("contacts")),
        ("crm.objects.owners.read", api.try_setting(OWNERS, archived="false")),
        ("crm.schemas.deals.read", api.setting(PROPERTIES, "the deal properties")),
        ("crm.objects.deals.write", api.try_write(DEALS, _NOWHERE)),
        ("crm.objects.contacts.write", api.try_write("contacts", _NOWHERE)),
    ]
    for scope, call in calls:
        try:
            await call
        except RoleMissing as error:
            told = "the key lacks it" if scope in error.message else error.message
            remedy = f"{_ADD}; or give time_zone and currency in the configuration" if scope == "oauth" else _ADD
            yield Check("scopes", "fail", f"{scope}: {told}", remedy=remedy)
        except (NotFound, Refused):
            continue  # it may do that, only not to this record
        except ConnectorError as error:
            yield Check("scopes", "warn", f"{scope} could not be tried: {error.message}")


def _properties(known: dict[str, Record], wanted: Iterable[str], key: str) -> list[Check]:
    if not known:
        told = "their definitions cannot be read"
        return [Check("properties", "warn", told, remedy="give the key the scope crm.schemas.deals.read")]
    found = []
    for name in sorted(wanted):
        definition = known.get(name)
        if definition is None:
            problem = f'deals have no property "{name}", which the mapping names'
            remedy = 'create it in HubSpot, or set sync = "off" for it in the mapping'
            found.append(Check("properties", "fail", problem, exit_code=2, remedy=remedy))
        elif (definition.get("modificationMetadata") or {}).get("readOnlyValue") or definition.get("calculated"):
            remedy = 'set sync = "from-crm" for it in the mapping, or name another path'
            found.append(Check("properties", "warn", f'HubSpot computes "{name}" itself', remedy=remedy))
    return [*(found or [Check("properties", "ok", "all that the mapping names exist")]), _key(known, key)]


def _key(known: dict[str, Record], key: str) -> Check:
    """The property that a lost create is found again by."""
    if not key:
        told = "nexudus_id is empty: after a lost answer only the search tells what was made"
        return Check("external key", "warn", told, remedy="name a deal property with unique values in it")
    definition = known.get(key)
    made = f'a deal property "{LABEL}" with the internal name {key}, single-line text, "Require unique values"'
    if definition is None:
        told = f'deals have no property "{key}": after a lost answer only the search tells what was made'
        remedy = f"add {made}; or let `check --create-property` do it, if the key has the scope {SCOPE}"
        return Check("external key", "warn", told, remedy=remedy)
    if not is_unique(definition):
        told = f"{key} does not demand unique values, which cannot be switched on later"
        remedy = f"add {made.replace(key, f'{key}_2')}, and name it in nexudus_id"
        return Check("external key", "warn", told, remedy=remedy)
    return Check("external key", "ok", f"{key} is unique: no deal can be created twice")


def pipeline(account: Account, settings: HubSpotSettings, scope: Scope) -> list[Check]:
    """The pipeline of a scope, and which of its stages a closed card's deal goes to."""
    labels = ", ".join(f'"{one.label}"' for one in account.pipelines) or "none"
    wanted = scope.company or settings.pipeline
    found = account.pipeline_of({}, scope.company)
    if found is None:
        told = f'there is no pipeline "{wanted}"' if wanted else "no pipeline is named, and there are several"
        remedy = f"name one of {labels} as pipeline of the connection; by its id, a rename does not matter"
        return [Check("pipeline", "fail", told, exit_code=2, remedy=remedy)]
    told = "" if scope.company else "; deals of all pipelines take part, for the connection names none"
    rows = [Check("pipeline", "ok", f'"{found.label}" with {len(found.stages)} stages{told}')]
    chosen = {WON: settings.won_stage, LOST: settings.lost_stage}
    return rows + [_closing(found, status, named) for status, named in chosen.items()] + _locked(found)


def _closing(pipeline: Pipeline, status: str, named: str | None) -> Check:
    """`named`: the stage that the configuration names for this status."""
    own, key = pipeline.own(status), f"{status}_stage"
    fitting = [one for one in pipeline.stages if one.status == status]
    if named is not None and fitting and not any(one.answers_to(named) for one in fitting):
        labels = ", ".join(f'"{one.label}"' for one in fitting)
        told = f'{key} = "{named}" is no {status} stage of pipeline "{pipeline.label}"'
        return Check("stages", "warn", told, remedy=f"correct {key}; there is {labels}")
    if own is None:
        return Check("stages", "warn", pipeline.lacks(status))
    return Check("stages", "ok", f'a card that is {status} moves its deal to "{own.label}"')


def _locked(pipeline: Pipeline) -> list[Check]:
    locked = ", ".join(f'"{one.label}"' for one in pipeline.stages if one.locked)
    return [Check("stages", "warn", f"closed to programs: {locked}; a deal cannot be moved there")] if locked else []


def _owners(count: int) -> Check:
    if count:
        return Check("owners", "ok", f"{count} by e-mail")
    return Check("owners", "warn", "none can be read; responsible people wait as failures (crm.objects.owners.read)")


def _age(version: str, today: date) -> int:
    """Days since a version of the API came out."""
    year, month = (int(part) for part in version.split("-"))
    return (today - date(year, month, 1)).days
