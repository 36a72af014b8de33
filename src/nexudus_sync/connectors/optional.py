"""What a connector may offer besides the protocol that all of them implement: the engine asks with `isinstance`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from nexudus_sync.connectors.base import Audited, Check, Priority, Record, Scope, Sent


@runtime_checkable
class KeepsTrail(Protocol):
    """What a connector offers besides, when its system tells who changed what."""

    async def trail(self, since: datetime) -> list[Audited] | None:
        """The changes of opportunities since a moment of the server's clock, oldest first.

        None when it may not be read.
        """
        ...


@runtime_checkable
class KeepsHistories(Protocol):
    """What a connector offers besides, when its system tells who changed what only of records that are named."""

    async def histories(self, sent: Sequence[Sent]) -> list[Audited] | None:
        """The changes of the records that we wrote to, oldest first; a record that is gone has none.

        `sent` are the writes in question, and tell ours from others' where the system does not name an author. None
        when it may not be read.
        """
        ...


@runtime_checkable
class FollowsRenames(Protocol):
    """What a connector offers besides, when a person can give a record another id."""

    async def renamed(self, record_id: str, identity: str, priority: Priority = Priority.LIVE) -> list[str]:
        """The ids under which the record with that identity may stand now; none when it was not given another.

        More than one where records can share an identity: the engine knows which of them are others.
        """
        ...


@runtime_checkable
class RemembersMisses(Protocol):
    """What a connector offers besides, when it keeps lists of names, or does not ask at once for what was refused."""

    def ask_afresh(self) -> None:
        """Ask again when it is next needed: something is retried, perhaps because a person corrected it."""
        ...


@runtime_checkable
class ReadsAhead(Protocol):
    """What a connector offers besides, when it can ask for the pages of a list before it is their turn."""

    def read_ahead(self, pages: int) -> None:
        """Ask for up to N pages of a list at the same time: `[run] readers` of the configuration."""
        ...


@runtime_checkable
class ReviewsRules(Protocol):
    """What a connector offers besides, when its `refusals` judge by what people can change at any time."""

    async def review(self, before: Record | None, after: Record, scope: Scope) -> bool:
        """Look again at what `refusals` judge this change by. Has it changed, so that they have to judge again?"""
        ...


@runtime_checkable
class ChecksScopes(Protocol):
    """What a connector offers besides, when it can tell that what a scope names is not there."""

    async def wrong_scope(self, scope: Scope, *, first: bool) -> list[Check]:
        """A failure for each key of the connection that names what the system lacks; they stop the verbs that write.

        `first`: nothing is linked yet, so that the scope has not proven itself.
        """
        ...


Watcher = Callable[[str, float], None]
"""Told of each call that was answered: its kind ("read", "write" or "login"), and how many seconds it took."""


@runtime_checkable
class ShowsCalls(Protocol):
    """What a connector offers besides, when it can be watched at its calls."""

    def watch(self, watcher: Watcher) -> None:
        """Tell this watcher of every call from now on. It must be quick, and raise nothing."""
        ...

    def budget_left(self) -> Mapping[str, tuple[int, int]]:
        """How many calls are left of each limit, and the limit, by the limit's name in the configuration."""
        ...


@runtime_checkable
class DatesValues(Protocol):
    """What a connector offers besides, when its system tells when each value of a record was set."""

    async def changed_at(
        self, record_ids: Collection[str], keys: frozenset[str]
    ) -> Mapping[str, Mapping[str, datetime]]:
        """When these top-level keys of records were last set, by id and key and by the server's clock.

        As far as that is known; a record that is gone is left out.
        """
        ...


@runtime_checkable
class AsksForKeys(Protocol):
    """What a connector offers besides, when its system shows only the keys that are asked for."""

    def want(self, keys: frozenset[str]) -> None:
        """The record's top-level keys that a mapping names; told before `start`, once for each connection."""
        ...
