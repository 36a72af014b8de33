"""What `check` tries in Nexudus: login, roles, filters, clocks, and the names in the scope. Nothing is written."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from nexudus_sync.connectors.base import Check, Record, Scope
from nexudus_sync.connectors.failed import failed
from nexudus_sync.connectors.nexudus import records, scopes
from nexudus_sync.connectors.nexudus.api import NexudusApi
from nexudus_sync.connectors.nexudus.directory import Board, Directory
from nexudus_sync.connectors.nexudus.external_key import ExternalKey
from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.connectors.nexudus.writes import LOCATION_LIMIT
from nexudus_sync.connectors.offset import against_ours
from nexudus_sync.errors import ConnectorError, NotFound, RoleMissing
from nexudus_sync.store import Store, links

_FAR = timedelta(days=3650)
_RECENT = timedelta(days=7)
_OFFSET = 120.0
_NEARLY = 0.9


@dataclass(frozen=True, slots=True)
class Subject:
    """The parts of a connector that are checked. `start` logs in; `server_now`, `offset` tell the server's time."""

    settings: NexudusSettings
    api: NexudusApi
    directory: Directory
    key: ExternalKey
    store: Store | None
    start: Callable[[], Awaitable[None]]
    server_now: Callable[[], datetime]
    offset: Callable[[], float | None]


async def lines(subject: Subject, scope: Scope) -> AsyncIterator[Check]:
    """Every finding in turn; a wrong login ends the list, since nothing else can be checked."""
    try:
        await subject.start()
    except ConnectorError as error:
        yield failed("login", error)
        return
    yield Check("login", "ok", f"logged in as {subject.settings.username}")
    looks = (
        ("filters", _filters),
        ("roles", _roles),
        ("boards and stages", _stages),
        ("time zone", _time_zone),
        ("capacity", _capacity),
        ("shared login", _shared_login),
    )
    for name, look in looks:
        try:
            async for line in look(subject, scope):
                yield line
        except ConnectorError as error:
            yield failed(name, error)
    yield _clock(subject)
    yield _external_key(subject)


async def _filters(subject: Subject, scope: Scope) -> AsyncIterator[Check]:
    """The server ignores filters it does not know: a filter that must select nothing shows whether it is obeyed."""
    where = {"from_CrmOpportunity_UpdatedOn": subject.server_now() + _FAR}
    page = await subject.api.opportunities(where, size=1)
    if page.total or page.rows:
        detail = f"a filter for changes in ten years lists {page.total} opportunities; changes cannot be found that way"
        yield Check("filters", "fail", detail, remedy="ask Nexudus's support; nothing is synced until it obeys")
    else:
        yield Check("filters", "ok", "the server obeys the filter for changes")


async def _roles(subject: Subject, scope: Scope) -> AsyncIterator[Check]:
    page = await subject.api.opportunities(records.scope_filter(scope), size=1)
    if page.rows:
        try:
            record = await subject.api.opportunity(page.rows[0]["Id"])
        except NotFound:
            yield Check("roles", "warn", "the record that was to be read was deleted meanwhile; run check again")
            return
        yield Check("roles", "ok", "opportunities can be listed and read")
        yield _identity(page.rows[0], record)
    else:
        yield Check("roles", "ok", "opportunities can be listed; the scope has none to read")
    needed = "CrmOpportunity-Create, -Edit and -Delete and Coworker-Create"
    yield Check(
        "roles", "ok", f"{needed} cannot be tried without writing: make sure that {subject.settings.username} has them"
    )


def _identity(row: Record, record: Record) -> Check:
    """Whether two cards that had the same id in turn can be told apart."""
    lacks = [where for where, card in (("lists", row), ("single reads", record)) if not records.facts(card).identity]
    if lacks:
        detail = f"{' and '.join(lacks)} carry no UniqueId: an id reused after a restore goes unnoticed there"
        return Check("identity", "warn", detail)
    return Check("identity", "ok", "cards carry a UniqueId: a new card that reuses an old id is recognised")


async def _stages(subject: Subject, scope: Scope) -> AsyncIterator[Check]:
    await subject.directory.refresh()
    boards = scopes.boards_of(subject.directory, scope)
    if not boards:
        yield scopes.nowhere(scope)
        return
    yield Check("scope", "ok", ", ".join(f"{board.name} ({len(board.stages)} stages)" for board in boards))
    yield scopes.home(subject.directory, scope, boards)
    for line in (*scopes.unknown_stages(boards, scope), *_acting(boards, scope)):
        yield line


def _acting(boards: list[Board], scope: Scope) -> list[Check]:
    allowed = {name.strip().casefold() for name in scope.allow_stages}
    found = []
    for stage in (stage for board in boards for stage in board.stages):
        if stage.name.strip().casefold() in allowed:
            continue
        if stage.deletes or stage.deactivates:
            does = "deletes the customer" if stage.deletes else "deactivates the customer's account"
            found.append(Check("stages", "warn", f'"{stage.name}" {does}: the sync moves no card there'))
        elif stage.acts:
            does = " and ".join(stage.acts)
            found.append(Check("stages", "warn", f'"{stage.name}" {does}: live moves enter it, a backfill does not'))
    return found


async def _time_zone(subject: Subject, scope: Scope) -> AsyncIterator[Check]:
    business_id = subject.directory.business_of(scope)
    if business_id is None:
        return  # the board that the scope names is not there, which is told already
    told: ZoneInfo | None = None
    try:
        told = await subject.directory.time_zone(business_id)
    except ConnectorError as error:
        if scope.time_zone is None and not isinstance(error, RoleMissing | NotFound):
            raise
    zone = scope.time_zone or told
    if scope.time_zone is not None and told is not None and _disagree(scope.time_zone, told, subject.server_now()):
        detail = f"time_zone says {scope.time_zone.key}, Nexudus says {told.key} for location {business_id}"
        yield Check("time zone", "warn", f"{detail}; one of the two is wrong; due dates follow the former")
    elif zone is None:
        yield scopes.no_zone(business_id)
    else:
        yield Check("time zone", "ok", f"{zone.key} ({'configured' if scope.time_zone else 'as the location says'})")


def _disagree(one: ZoneInfo, other: ZoneInfo, now: datetime) -> bool:
    """Do the clocks of the two zones differ on some day of the year? Some zones have several names."""
    days = [now + timedelta(days=days) for days in range(366)]
    return any(day.astimezone(one).utcoffset() != day.astimezone(other).utcoffset() for day in days)


async def _capacity(subject: Subject, scope: Scope) -> AsyncIterator[Check]:
    business_id = subject.directory.business_of(scope)
    if business_id is None:
        return
    page = await subject.api.opportunities(records.scope_filter(Scope(business_id=business_id)), size=1)
    total = page.total or 0
    full = total >= LOCATION_LIMIT * _NEARLY
    detail = (
        f"{total} of {LOCATION_LIMIT} opportunities{'; creates fail at the limit: remove old ones' if full else ''}"
    )
    yield Check("capacity", "warn" if full else "ok", detail)


async def _shared_login(subject: Subject, scope: Scope) -> AsyncIterator[Check]:
    """`UpdatedBy` marks the sync's own writes: a person who works under the same login would go unnoticed."""
    where = {**records.scope_filter(scope), "from_CrmOpportunity_UpdatedOn": subject.server_now() - _RECENT}
    page = await subject.api.opportunities(where, size=100, order_by="UpdatedOn", direction=-1)
    login = subject.settings.username
    known = _linked(subject.store)
    strange = [
        row["Id"] for row in page.rows if records.is_login(row.get("UpdatedBy"), login) and str(row["Id"]) not in known
    ]
    if strange:
        detail = (
            f"{login} changed {len(strange)} cards unknown to the sync (e.g. {strange[0]}); give the sync its own login"
        )
        yield Check("shared login", "warn", detail)
    else:
        yield Check("shared login", "ok", "there is no sign of anyone else using it")


def _linked(store: Store | None) -> set[str]:
    if store is None:
        return set()
    with store.read() as session:
        return links.cards(session)


def _clock(subject: Subject) -> Check:
    offset = subject.offset()
    if offset is None:
        return Check("clock", "warn", "the server does not send its time")
    far = abs(offset) > _OFFSET
    return Check("clock", "warn" if far else "ok", against_ours(offset))


def _external_key(subject: Subject) -> Check:
    sticks = subject.key.sticks()
    if sticks is None:
        return Check("external key", "ok", "the first create shows whether SystemId keeps it")
    if sticks:
        return Check("external key", "ok", "SystemId keeps it")
    return Check(
        "external key", "warn", "SystemId does not keep it: a create whose answer is lost is found by its content"
    )
