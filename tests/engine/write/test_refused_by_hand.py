"""A refused value is not sent again automatically: it waits for a reconcile, an edit, or a `failures retry`."""

from pathlib import Path
from typing import Any

import pytest
from sim_people import ANA
from sim_stories import born_in_nexudus, new_card, rows
from sim_world import SimWorld

from nexudus_sync.connectors.base import Record, Step, Written
from nexudus_sync.engine.cycle import Options, run_cycle
from nexudus_sync.errors import Refused, Unavailable
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure


class Refusing:
    """A world whose CRM refuses each write of an opportunity that carries `key`; "" refuses the record as a whole."""

    def __init__(self, folder: Path, key: str) -> None:
        self.world, self.key, self.sent = SimWorld(3, folder, nexudus=0, crm=0, shared=0), key, 0
        self.error: Any = None
        self.card = 0

    def begin(self) -> None:
        """From now on."""
        connector: Any = self.world.connection.connector(Side.CRM)
        perform = connector.perform

        async def refused(step: Step, record: Record | None = None) -> Written:
            if not step.kind.startswith("opportunity.") or (self.key and self.key not in step.keys):
                return await perform(step, record)  # type: ignore[no-any-return]
            self.sent += 1
            raise self.error or Refused("overplane", "refused: not today", step.record_id or None, self._keys())

        connector.perform = refused

    def _keys(self) -> frozenset[str]:
        return frozenset({self.key} - {""})

    def sync(self, **options: Any) -> int:
        """A cycle some hours later; how often it sent what is refused."""
        before = self.sent
        self.world.clock.seconds += 8 * 3600
        self.world.clock.run(self._cycle(**options))
        return self.sent - before

    async def _cycle(self, **options: Any) -> None:
        await self.world.engine.start()
        await run_cycle(self.world.connection, Options(**options))

    def retry(self) -> None:
        """As `failures retry --all` does it."""
        with self.world.store.session() as session:
            for failure in rows(self.world, Failure, state="open"):
                failure.next_attempt = self.world.clock.now()
                session.merge(failure)


def edited(folder: Path, key: str) -> Refusing:
    """A pair of which Ana's new title is refused, by itself or with the whole record."""
    made = Refusing(folder, key)
    made.card, _ = born_in_nexudus(made.world)
    made.begin()
    made.world.nexudus.edit(made.card, ANA, Name="Refused")
    return made


def born(folder: Path, key: str) -> Refusing:
    """A card whose copy is refused as a whole."""
    made = Refusing(folder, "")
    made.begin()
    made.card = new_card(made.world, "anna")
    return made


STORIES = pytest.mark.parametrize(("story", "key"), [(edited, "title"), (edited, ""), (born, "")])


@STORIES
def test_it_is_sent_once_however_often_one_syncs_by_hand(tmp_path: Path, story: Any, key: str) -> None:
    made = story(tmp_path, key)
    assert [made.sync() > 0 for _ in range(4)] == [True, False, False, False]
    (failure,) = rows(made.world, Failure, state="open")
    assert (failure.kind, failure.attempts) == ("refused", 1)


@STORIES
def test_a_retry_sends_it_and_so_does_a_reconcile(tmp_path: Path, story: Any, key: str) -> None:
    made = story(tmp_path, key)
    made.sync()
    made.retry()
    assert [made.sync() > 0 for _ in range(2)] == [True, False]
    assert [made.sync(reconcile=True) > 0, made.sync() > 0] == [True, False]


@STORIES
def test_an_edit_of_the_record_sends_it(tmp_path: Path, story: Any, key: str) -> None:
    made = story(tmp_path, key)
    made.sync()
    made.world.clock.seconds += 60
    made.world.nexudus.edit(made.card, ANA, Name="Refused as well")
    assert [made.sync() > 0 for _ in range(2)] == [True, False]


def test_another_field_travels_without_the_refused_one(tmp_path: Path) -> None:
    made = edited(tmp_path, "title")
    made.sync()
    made.world.nexudus.edit(made.card, ANA, UtmSource="fair")
    assert made.sync() == 0
    assert "fair" in [deal.get("utm_source") for deal in made.world.crm.records().values()]


@STORIES
def test_a_passing_refusal_is_retried_at_once(tmp_path: Path, story: Any, key: str) -> None:
    made = story(tmp_path, key)
    made.error = Unavailable("overplane", "down")
    assert [made.sync() > 0 for _ in range(3)] == [True, True, True]


@STORIES
def test_the_daemon_does_not_send_it_again_by_itself_either(tmp_path: Path, story: Any, key: str) -> None:
    made = story(tmp_path, key)
    assert [made.sync(one_shot=False) > 0 for _ in range(3)] == [True, False, False]
    (failure,) = rows(made.world, Failure, state="open")
    assert failure.next_attempt is None
    assert made.sync(one_shot=False, reconcile=True) > 0
