"""What Nexudus keeps besides opportunities: boards, stages, users, locations. Read once, and again on a miss.

What a stage does decides what is safe, and people change it: boards are read again by every sweep besides, and a stage
before a card enters it.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from nexudus_sync import addresses
from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Record, Scope
from nexudus_sync.connectors.nexudus import zones
from nexudus_sync.connectors.nexudus.api import NexudusApi
from nexudus_sync.connectors.nexudus.records import text
from nexudus_sync.errors import NotFound, RoleMissing

AGAIN = 60.0
"""Seconds before the same miss is looked up again."""
FRESH = 60.0
"""Seconds for which what was read of a stage is taken as current."""

_FLAGS = ("DeleteAccount", "DeactivateAccount", "ActivateAccount", "CannedResponseId", "TaskListId")
_ZONE_KEYS = ("SimpleTimeZoneNameIana", "SimpleTimeZoneName", "SimpleTimeZone", "TimeZoneName", "TimeZone")


@dataclass(frozen=True, slots=True)
class Stage:
    """A `CrmBoardColumn`. `acts` says in words what entering it does besides (messages, tasks, activation).

    `status` is the one that a card has once it entered: 2 won, 3 lost; None where it keeps its own.
    """

    id: int
    board_id: int
    name: str
    position: int
    deletes: bool
    deactivates: bool
    acts: tuple[str, ...]
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """A `CrmBoard` of the location `business_id`; `currency` is that location's code, None where no stage said it."""

    id: int
    name: str
    business_id: int
    archived: bool
    currency: str | None
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """Names behind ids. A miss of `raw` is reported to `missed`, so that the list is read again before the next record.

    `known` are all names that can be read, by id; `writable` those that may be written, in the system's order.
    """

    known: Mapping[int, str]
    writable: tuple[tuple[int, str], ...]
    missed: Callable[[str], None]

    def name(self, raw: object) -> str | None:
        """The name of an id; None when it is unknown."""
        return self.known.get(raw) if isinstance(raw, int) else None

    def raw(self, name: str) -> object | None:
        """The id of a name, ignoring case; of two ids with one name the first."""
        wanted = name.strip().casefold()
        found = next((value for value, known in self.writable if known.strip().casefold() == wanted), None)
        if found is None:
            self.missed(wanted)
        return found

    def names(self) -> tuple[str, ...]:
        """All names that can be written."""
        return tuple(name for _, name in self.writable)


class Misses:
    """Which misses are worth another read of a list: each key at most once in `AGAIN` seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tried: dict[object, float] = {}
        self._waiting: set[object] = set()

    def report(self, key: object) -> None:
        """Something was looked for and not found; None means that it may exist now, whatever it was."""
        tried = None if key is None else self._tried.get(key)
        if tried is None or self._clock.monotonic() - tried >= AGAIN:
            self._waiting.add(key)

    def take(self) -> bool:
        """Is another read due? What was waiting counts as tried from now on."""
        due = bool(self._waiting)
        for key in self._waiting:
            self._tried[key] = self._clock.monotonic()
        self._waiting.clear()
        return due


class Directory:
    """Boards with their stages, users and locations, as last read. Who asks beside a reading waits for it."""

    def __init__(self, api: NexudusApi, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._boards: dict[int, Board] | None = None
        self._read_at = 0.0
        self._due = False
        self._stages: dict[int, Stage] = {}
        self._looked_at: dict[int, float] = {}
        self._stage_names: dict[int, str] = {}
        self._users: dict[int, str] | None = None
        self._locations: dict[int, Record] = {}
        self._zones: dict[int, ZoneInfo | None] = {}
        self._missing_stages = Misses(clock)
        self._missing_users = Misses(clock)
        self._reading = {what: asyncio.Lock() for what in ("names", "location", "zone")}

    async def refresh(self, stage_id: object = None, user_id: object = None) -> None:
        """Read what was not read yet, and again what the given ids, or names looked for since, were not found in."""
        async with self._reading["names"]:
            await self._refresh(stage_id, user_id)

    async def _refresh(self, stage_id: object, user_id: object) -> None:
        if isinstance(stage_id, int) and self._boards is not None and self.stage(stage_id) is None:
            self._missing_stages.report(stage_id)
        if self._missing_stages.take() or self._due or self._boards is None:
            await self._read_boards()
        if isinstance(user_id, int) and self._users is not None and user_id not in self._users:
            self._missing_users.report(user_id)
        if self._missing_users.take() or self._users is None:
            self._users = await self._read_users()

    def renew(self) -> None:
        """Have the boards read again before the next record, unless they just were."""
        self._due = self._clock.monotonic() - self._read_at >= FRESH

    def ask_afresh(self) -> None:
        """Read stages and users again when they are needed next."""
        self._missing_stages.report(None)
        self._missing_users.report(None)

    async def look_again(self, stage_id: object) -> bool:
        """Read a known stage again unless that was within the minute. Is it another one than it was?

        Then all boards are read again: somebody is at work on them.
        """
        async with self._reading["names"]:
            known, at = self.stage(stage_id), self._clock.monotonic()
            if known is None or at - self._looked_at[known.id] < FRESH:
                return False
            try:
                now = _stage(await self._api.stage(known.id))
            except NotFound:
                now = None
            except RoleMissing:  # what may be listed may not always be read
                await self._read_boards()
                return self.stage(known.id) != known
            if now != known:
                await self._read_boards()
                self._put(known.id, now)
            self._looked_at[known.id] = at
        return now != known

    def boards(self) -> tuple[Board, ...]:
        """All boards, none before the first `refresh`."""
        return tuple((self._boards or {}).values())

    def board(self, board_id: object) -> Board | None:
        """The board with that id."""
        return (self._boards or {}).get(board_id) if isinstance(board_id, int) else None

    def stage(self, stage_id: object) -> Stage | None:
        """The stage with that id, of whichever board."""
        return self._stages.get(stage_id) if isinstance(stage_id, int) else None

    def board_of(self, record: Record) -> Board | None:
        """The board an opportunity stands on."""
        stage = self.stage(record.get("CrmBoardColumnId"))
        return self.board(stage.board_id if stage else record.get("CrmBoardColumnCrmBoardId"))

    def home(self, scope: Scope) -> Board | None:
        """The board that a new opportunity of the scope goes to; None when it is undecided."""
        if scope.board_id is not None:
            return self.board(scope.board_id)
        live = [board for board in self.boards() if board.business_id == scope.business_id and not board.archived]
        if len(live) == 1:
            return live[0]
        return next((board for board in live if board.id == scope.create_board), None)

    def business_of(self, scope: Scope) -> int | None:
        """The location a scope lies in."""
        if scope.business_id is not None:
            return scope.business_id
        board = self.board(scope.board_id)
        return board.business_id if board else None

    def stage_names(self, board: Board | None) -> Names:
        """Stages by name: any can be read, those of `board` can be written."""
        own = tuple((stage.id, stage.name) for stage in board.stages) if board else ()
        missed = self._missing_stages.report
        return Names(self._stage_names, own, lambda name: missed((board.id if board else None, name)))

    def user_names(self) -> Names:
        """Users by e-mail, lower case."""
        users = self._users or {}
        return Names(users, tuple(users.items()), self._missing_users.report)

    async def location(self, business_id: int) -> Record:
        """One location's record, read once. Raises RoleMissing, NotFound, Unavailable."""
        async with self._reading["location"]:
            if business_id not in self._locations:
                self._locations[business_id] = await self._api.location(business_id)
        return self._locations[business_id]

    async def time_zone(self, business_id: int) -> ZoneInfo | None:
        """The zone that a location's record says, None when it says none that is known.

        Raises RoleMissing, NotFound, Unavailable: an unreadable zone must not count as None: the days would differ.
        """
        async with self._reading["zone"]:
            if business_id not in self._zones:
                self._zones[business_id] = await self._read_zone(await self.location(business_id))
        return self._zones[business_id]

    async def _read_boards(self) -> None:
        at = self._clock.monotonic()
        rows = await self._api.boards()
        stages = await self._complete(await self._api.stages())
        self._keep(_board(row, [stage for stage in stages if stage.get("CrmBoardId") == row["Id"]]) for row in rows)
        self._looked_at = dict.fromkeys(self._stages, at)
        self._read_at, self._due = at, False

    def _put(self, stage_id: int, now: Stage | None) -> None:
        """Have a stage as it was read by itself, None: not at all. A listing may be behind."""
        others = [stage for stage in self._stages.values() if stage.id != stage_id]
        stages = others if now is None else [*others, now]
        self._keep([replace(board, stages=_ordered(stages, board.id)) for board in self.boards()])

    def _keep(self, boards: Iterable[Board]) -> None:
        self._boards = {board.id: board for board in boards}
        self._stages = {stage.id: stage for board in self._boards.values() for stage in board.stages}
        self._stage_names = {stage.id: stage.name for stage in self._stages.values()}

    async def _complete(self, rows: Iterable[Record]) -> list[Record]:
        """A listing may leave out fields; a stage without its flags is read by itself: they decide what is safe."""
        return [row if all(flag in row for flag in _FLAGS) else await self._api.stage(row["Id"]) for row in rows]

    async def _read_users(self) -> dict[int, str]:
        # A user's record holds tokens and password hashes: only the id and the e-mail are kept.
        users = [row for row in await self._api.users() if row.get("Email")]
        users.sort(key=lambda row: row.get("Active") is False)
        return {row["Id"]: addresses.key(str(row["Email"])) for row in users}

    async def _read_zone(self, location: Record) -> ZoneInfo | None:
        for key in _ZONE_KEYS:
            value = location.get(key)
            label = (value.get("NameIana") or value.get("Name")) if isinstance(value, dict) else value
            if zone := zones.find(label):
                return zone
        zone_id = location.get("SimpleTimeZoneId")
        if not zone_id:
            return None
        return next((zones.find(row.get("Name")) for row in await self._api.time_zones() if row["Id"] == zone_id), None)


def _board(row: Record, stages: list[Record]) -> Board:
    return Board(
        id=row["Id"],
        name=str(row.get("Name") or row["Id"]),
        business_id=_whole(row.get("BusinessId")),
        archived=bool(row.get("Archived")),
        currency=next((code for stage in stages if (code := text(stage, "CrmBoardBusinessCurrencyCode"))), None),
        stages=_ordered([_stage(stage) for stage in stages], row["Id"]),
    )


def _whole(value: object) -> int:
    """The number; 0 for anything else, which no board or location has as its id."""
    return value if type(value) is int else 0


def _ordered(stages: Iterable[Stage], board_id: int) -> tuple[Stage, ...]:
    own = (stage for stage in stages if stage.board_id == board_id)
    return tuple(sorted(own, key=lambda stage: (stage.position, stage.id)))


def _stage(row: Record) -> Stage:
    acts = (
        ("sends the customer a message", row.get("CannedResponseId")),
        ("creates tasks", row.get("TaskListId")),
        ("activates the customer's account", row.get("ActivateAccount")),
    )
    return Stage(
        id=row["Id"],
        board_id=_whole(row.get("CrmBoardId")),
        name=str(row.get("Name") or row["Id"]),
        position=_whole(row.get("Position")),
        deletes=bool(row.get("DeleteAccount")),
        deactivates=bool(row.get("DeactivateAccount")),
        acts=tuple(text for text, flag in acts if flag),
        status=2 if row.get("WinOpportunity") else 3 if row.get("LoseOpportunity") else None,
    )
