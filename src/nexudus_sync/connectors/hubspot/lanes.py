"""The request budget: calls of the app within ten seconds, searches of the account within a second, associations.

What HubSpot says is left counts more than what was configured: others use the account too.
"""

from collections.abc import Mapping
from contextlib import suppress

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.base import Priority
from nexudus_sync.connectors.budget import Budget, budget_for, lane_of
from nexudus_sync.connectors.hubspot.settings import HubSpotSettings
from nexudus_sync.store.database import Store

SEARCH, ASSOCIATIONS = "/search", "/deals/contacts/batch/read"
"""The endings of the paths that HubSpot counts by themselves."""
_MAX, _LEFT = "x-hubspot-ratelimit-max", "x-hubspot-ratelimit-remaining"
_DAY_LEFT = "x-hubspot-ratelimit-daily-remaining"
_FEW = 10
"""In hundredths of a window: what is left over of it for others, and for people."""
_BREATH, _WINDOW = 2.0, 10.0
"""Seconds to pause when few calls are left of the window, and when none is."""


class Both:
    """The budget of calls that count in two: in one of their own and, for all that is known, in the usual one too."""

    def __init__(self, own: Budget, usual: Budget) -> None:
        self._own, self._usual = own, usual

    async def acquire(self, *, write: bool, creation: bool, priority: Priority, reserved: bool = False) -> None:
        """Wait until both have room."""
        for budget in (self._own, self._usual):
            await budget.acquire(write=write, creation=creation, priority=priority, reserved=reserved)

    async def reserve(self, *, priority: Priority) -> None:
        """Keep a place in the usual one: such calls only read."""
        await self._usual.reserve(priority=priority)

    def pause(self, seconds: float) -> None:
        """Hold back the calls of both: which of the two is full, a refusal does not tell."""
        self._own.pause(seconds)
        self._usual.pause(seconds)

    def observe(self, latency: float) -> None:
        """Record how many seconds a call took."""
        self._own.observe(latency)
        self._usual.observe(latency)

    def left(self) -> Mapping[str, tuple[int, int]]:
        """How many of its own calls are left."""
        return self._own.left()

    def close(self) -> None:
        """Give back its own; the usual one is closed by itself."""
        self._own.close()


class Lanes:
    """The budgets of one service key. `left_today` is what the account has left of its day, as the last answer told."""

    def __init__(self, name: str, settings: HubSpotSettings, clock: Clock, store: Store | None) -> None:
        token = settings.token.get_secret_value()
        lane = lane_of(settings.base_url, token, settings.limits)
        self.usual = budget_for(settings.limits, clock, store, lane, name)
        self.associations = budget_for(settings.association_limits, clock, store, f"{lane}/associations", name)
        # Of the whole account, which several keys may belong to.
        searcher = token if settings.portal_id is None else f"portal {settings.portal_id}"
        searches = lane_of(settings.base_url, searcher, settings.search_limits)
        self.searches = budget_for(settings.search_limits, clock, store, f"{searches}{SEARCH}", name)
        self.left_today: int | None = None

    @property
    def special(self) -> dict[str, Budget]:
        """The budgets of calls that are counted by themselves, by the ending of their path."""
        return {SEARCH: self.searches, ASSOCIATIONS: Both(self.associations, self.usual)}

    def left(self) -> dict[str, tuple[int, int]]:
        """How many calls are left of each limit, and the limit, by its name, with `search.` or `associations.` before
        those of such calls."""
        lanes = (("search.", self.searches), ("associations.", self.associations))
        own = {f"{prefix}{name}": pair for prefix, lane in lanes for name, pair in lane.left().items()}
        return {**self.usual.left(), **own}

    def heed(self, path: str, headers: Mapping[str, str]) -> None:
        """Take in what an answer says is left."""
        told = {name.lower(): value for name, value in headers.items()}
        with suppress(ValueError, KeyError):
            self.left_today = int(told[_DAY_LEFT])
        with suppress(ValueError, KeyError):
            left = int(told[_LEFT])
            if left * 100 < int(told[_MAX]) * _FEW:
                lane = self.associations if path.endswith(ASSOCIATIONS) else self.usual
                lane.pause(_BREATH if left > 1 else _WINDOW)
