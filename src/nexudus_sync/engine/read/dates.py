"""When the values of CRM records were set, where the CRM tells that: asked for many records at once.

Only a pair of which both sides were changed where the newest wins needs to know. The other pairs of the cycle of which
both sides have moved may be next, so the call that one of them needs asks for them too.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nexudus_sync.connectors.base import Stamp
from nexudus_sync.connectors.optional import DatesValues
from nexudus_sync.engine.connection import Connection
from nexudus_sync.mapping import OnConflict, Side
from nexudus_sync.store import links
from nexudus_sync.store.tables import Link

TOGETHER = 50
"""Records asked about at a time."""
_CLOCKS = timedelta(seconds=5)
"""How far the CRM's clock and ours, less the measured offset, may be apart."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a call told: when these keys were set, by link and key. `at` is when it was made; all by our clock."""

    at: datetime
    keys: frozenset[str]
    of: dict[int, dict[str, datetime]] = field(default_factory=dict)


class Dates:
    """What the CRM told in a cycle."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._told = connection, list[Told]()

    async def of(
        self, link: Link, stamp: Stamp | None, keys: frozenset[str], others: Collection[int]
    ) -> dict[str, datetime]:
        """When these keys of a link's CRM record were last set, by our clock, as far as the CRM tells.

        `stamp` is the one with which the record was read; `others` are links that may be asked about next. Raises the
        `ConnectorError` tree.
        """
        connector = self._connection.connector(Side.CRM)
        if not isinstance(connector, DatesValues):
            return {}
        known, number = self._known(link.id or 0, stamp, keys), link.id or 0
        if known is None:
            known = (await self._ask(connector, link, keys, others)).of.get(number, {})
        return {key: at for key, at in known.items() if key in keys}

    def _known(self, link_id: int, stamp: Stamp | None, keys: frozenset[str]) -> dict[str, datetime] | None:
        """What an earlier call told, unless the record may have been changed since."""
        moved = None if stamp is None else self._connection.our_time(Side.CRM, stamp.at)
        for told in reversed(self._told):
            if link_id in told.of and keys <= told.keys:
                return told.of[link_id] if moved is not None and moved < told.at - _CLOCKS else None
        return None

    async def _ask(self, connector: DatesValues, link: Link, keys: frozenset[str], others: Collection[int]) -> Told:
        connection, together = self._connection, self._together(link.id or 0, others)
        fields = (one for one in connection.mapping.fields if one.on_conflict is OnConflict.NEWEST)
        wanted = keys.union(one.crm.path.root for one in fields) if together else keys
        told = Told(connection.clock.now(), wanted)
        found = await connector.changed_at([link.crm_id, *together.values()], wanted)
        for link_id, crm_id in {**together, link.id or 0: link.crm_id}.items():
            ours = {key: connection.our_time(Side.CRM, at) for key, at in found.get(crm_id, {}).items()}
            told.of[link_id] = {key: at for key, at in ours.items() if at is not None}
        self._told.append(told)
        return told

    def _together(self, link_id: int, others: Collection[int]) -> dict[int, str]:
        """The CRM ids of the other links to ask about, by link; first those that are settled next."""
        known = set[int]().union(*(told.of for told in self._told))
        left = sorted(set(others) - known - {link_id}, key=lambda one: (one < link_id, one))
        with self._connection.store.read() as session:
            return links.crm_ids(session, left[: TOGETHER - 1])
