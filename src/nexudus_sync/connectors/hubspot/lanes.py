"""The request budget: calls of the app within ten seconds, searches of the account within a second.

What HubSpot says is left counts more than what was configured: others use the account too.
"""

from collections.abc import Mapping
from contextlib import suppress

from nexudus_sync.clock import Clock
from nexudus_sync.connectors.budget import Budget, Limiter, Limits, Unlimited, lane_of
from nexudus_sync.connectors.hubspot.settings import HubSpotSettings
from nexudus_sync.store.database import Store
from nexudus_sync.store.ledger import Ledger

SEARCH = "/search"
_MAX, _LEFT = "x-hubspot-ratelimit-max", "x-hubspot-ratelimit-remaining"
_DAY_LEFT = "x-hubspot-ratelimit-daily-remaining"
_FEW = 10
"""In hundredths of a window: what is left over of it for others, and for people."""
_BREATH, _WINDOW = 2.0, 10.0
"""Seconds to pause when few calls are left of the window, and when none is."""


class Lanes:
    """The budgets of one service key. `left_today` is what the account has left of its day, as the last answer told."""

    def __init__(self, name: str, settings: HubSpotSettings, clock: Clock, store: Store | None) -> None:
        token = settings.token.get_secret_value()
        lane = lane_of(settings.base_url, token, settings.limits)
        self.usual = _budget(settings.limits, clock, store, lane, name)
        # Of the whole account, which several keys may belong to.
        searcher = token if settings.portal_id is None else f"portal {settings.portal_id}"
        searches = lane_of(settings.base_url, searcher, settings.search_limits)
        self.searches = _budget(settings.search_limits, clock, store, f"{searches}{SEARCH}", name)
        self.left_today: int | None = None

    @property
    def special(self) -> dict[str, Budget]:
        """The budgets of calls that are counted by themselves, by the ending of their path."""
        return {SEARCH: self.searches}

    def left(self) -> dict[str, tuple[int, int]]:
        """How many calls are left of each limit, and the limit, by its name; `search.` before those of searches."""
        own = {f"search.{name}": pair for name, pair in self.searches.left().items()}
        return {**self.usual.left(), **own}

    def heed(self, path: str, headers: Mapping[str, str]) -> None:
        """Take in what an answer says is left."""
        told = {name.lower(): value for name, value in headers.items()}
        with suppress(ValueError, KeyError):
            self.left_today = int(told[_DAY_LEFT])
        with suppress(ValueError, KeyError):
            left = int(told[_LEFT])
            if left * 100 < int(told[_MAX]) * _FEW:
                self.usual.pause(_BREATH if left > 1 else _WINDOW)


def _budget(limits: Limits, clock: Clock, store: Store | None, lane: str, name: str) -> Budget:
    if limits.are_none:
        return Unlimited(clock)
    ledger = None if store is None else Ledger(store)
    return Limiter(limits, clock=clock, ledger=ledger, lane=lane, system=name)
