"""The checker sees: bugs planted on purpose, each a mistake one could make, and each caught by a short story."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sim_stories as stories
from sim_stories import Story, play
from sim_world import LONDON
from sqlmodel import Session

from nexudus_sync import merge
from nexudus_sync.connectors import answers
from nexudus_sync.connectors.nexudus import connector as nexudus_connector
from nexudus_sync.connectors.nexudus import records
from nexudus_sync.connectors.nexudus.api import NexudusApi
from nexudus_sync.engine import audit
from nexudus_sync.engine.agenda import Cycle
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.match import late_copies
from nexudus_sync.engine.pairs import apply, decide, gone, memory, settle
from nexudus_sync.engine.pairs.pair import Pair
from nexudus_sync.engine.pull import compare
from nexudus_sync.engine.pull import pull as both_sides
from nexudus_sync.engine.read import fetch, renderings
from nexudus_sync.engine.read import record as sights
from nexudus_sync.engine.read.sight import Sight
from nexudus_sync.engine.recover import attempts
from nexudus_sync.engine.write import confirm
from nexudus_sync.errors import Refused, RoleMissing
from nexudus_sync.mapping import Context, OnConflict, Side
from nexudus_sync.plan import Hold, Presence, fields
from nexudus_sync.store.open_items import OpenItems
from nexudus_sync.store.tables import History, Journal, Link

Patch = pytest.MonkeyPatch
POLL = timedelta(minutes=1)


def no_echo_check(patch: Patch) -> None:
    """The written side's snapshot stays as it was, so our own write looks like somebody's change."""
    original = apply.confirm_update

    def confirm(session: Session, connection: Connection, row: Journal, link: Link, *rest: Any) -> None:
        before = dict(link.half(Side(row.side)).snapshot)
        original(session, connection, row, link, *rest)
        link.half(Side(row.side)).snapshot = before

    patch.setattr(apply, "confirm_update", confirm)


def cursor_past_unread_rows(patch: Patch) -> None:
    """The cursor is set to where the next poll begins, with nothing to spare."""
    patch.setattr(records, "next_cursor", lambda cursor, started, lag: (started + POLL).isoformat())
    original = records.since_filter
    patch.setattr(records, "since_filter", lambda cursor, overlap: original(cursor, 0.0))


def verifying_read_swallows_an_edit(patch: Patch) -> None:
    """What the read after a write shows is taken for what was agreed."""

    def absorb(connection: Connection, link: Link, side: Side, seen: Sight, delivered: object) -> bool:
        link.half(side).snapshot = connection.mapping.snapshot(side, seen.record)
        return False

    patch.setattr(apply, "bounced", absorb)


def one_snapshot_for_both_sides(patch: Patch) -> None:
    """What Nexudus said at the last agreement is taken for what both said."""
    original = merge.merge_field

    def merged(field: Any, nexudus: Any, crm: Any, policy: Any) -> Any:
        place, there = field.nexudus.path.text, field.crm.path.text
        if nexudus.snapshot.get(place) == merge.UNSENT:
            crm = replace(crm, snapshot={**crm.snapshot, there: merge.UNSENT})
        return original(field, nexudus, crm, policy)

    patch.setattr(merge, "merge_field", merged)


def snapshot_of_everything(patch: Patch) -> None:
    """After a write the whole of both records is taken for agreed, open questions included."""
    original = apply.finish

    def finish(session: Session, connection: Connection, link: Link, seen: Mapping[Side, Sight], *rest: Any) -> None:
        for side, sight in seen.items():
            link.half(side).snapshot = connection.mapping.snapshot(side, sight.record)
        original(session, connection, link, seen, *rest)

    patch.setattr(apply, "finish", finish)


def stale_row(patch: Patch) -> None:
    """What the listing showed is written over without another look, however old it is."""
    patch.setattr(sights, "is_fresh", lambda connection, side, seen, touched: side is Side.CRM)


def marks_cleared_early(patch: Patch) -> None:
    """A record counts as settled when its writes are planned, not when they are done."""
    original = settle._remember_one

    def keep(cycle: Cycle, session: Session, pair: Pair, items: OpenItems) -> None:
        original(cycle, session, pair, items)
        memory.finish(session, cycle.connection, pair.link, pair.sights, pair.reread, cycle.seen)

    patch.setattr(settle, "_remember_one", keep)


def blind_retry_of_a_create(patch: Patch) -> None:
    """A create whose answer was lost is simply done again."""

    async def found(*_: object) -> bool:
        return False

    patch.setattr(attempts, "found_create", found)
    patch.setattr(attempts, "LOOKS", 0)


def one_look_is_enough(patch: Patch) -> None:
    """Recovery believes the first look that finds nothing."""
    original = attempts._resolve

    async def resolve(connection: Connection, report: Any, row: Journal) -> None:
        patch.setattr(connection, "rules", replace(connection.rules, absence_wait=0.0))
        row.looks = attempts.LOOKS
        await original(connection, report, row)

    patch.setattr(attempts, "_resolve", resolve)


def late_copy_copied_back(patch: Patch) -> None:
    """A create that landed after it was given up is taken for somebody's new record."""
    patch.setattr(late_copies.LostCreates, "late_copy", lambda creates, row: None)


def delete_on_one_absence(patch: Patch) -> None:
    """A record that one listing lacks is taken for deleted."""
    absent: dict[Side, set[int]] = {side: set() for side in Side}
    listed, look = both_sides.list_side, sights.look

    async def pull(connection: Connection, side: Side, **options: Any) -> Any:
        seen = await listed(connection, side, **options)
        absent[side] = seen.absent
        return seen

    async def believe(connection: Connection, side: Side, link: Link, row: Any, **options: Any) -> Sight:
        if link.id in absent[side]:
            return Sight({}, Context(), read_at=connection.clock.monotonic(), presence=Presence.GONE)
        return await look(connection, side, link, row, **options)

    patch.setattr(both_sides, "list_side", pull)
    patch.setattr(sights, "look", believe)


def move_taken_for_a_delete(patch: Patch) -> None:
    """A card that left the scope is taken for deleted."""
    original = gone.plan_pair

    def planned(presence: Any, edited: Any, deletes: str) -> Any:
        gone_now = {side: Presence.HERE if one is Presence.HERE else Presence.GONE for side, one in presence.items()}
        return original(gone_now, edited, deletes)

    patch.setattr(gone, "plan_pair", planned)


def resurrected(patch: Patch) -> None:
    """A link that ends is forgotten, so the record that is left looks new."""
    original = confirm.close_and_count

    def close(session: Session, connection: Connection, report: Any, link: Link, reason: str) -> None:
        original(session, connection, report, link, reason)
        session.delete(session.merge(link))

    patch.setattr(gone, "close_and_count", close)


def put_without_the_rest(patch: Patch) -> None:
    """A card is written with the mapped fields alone, and Nexudus clears the others."""
    original = NexudusApi.update_opportunity

    async def update(self: NexudusApi, body: dict[str, Any]) -> Any:
        return await original(self, {key: one for key, one in body.items() if key not in {"Notes", "UtmTerm"}})

    patch.setattr(NexudusApi, "update_opportunity", update)


def resolved_with_old_values(patch: Patch) -> None:
    """A decision is carried out though a side moved on since it was shown."""

    def resolved(seen: merge.Outcome, policy: merge.Policy) -> Side | None:
        choice = policy.resolutions.get(seen.field.name)
        return None if choice is None else choice.take

    patch.setattr(merge, "_resolved", resolved)


def nobody_is_asked(patch: Patch) -> None:
    """Where a person should decide, the newest wins."""
    original = merge._winner
    patch.setattr(merge, "_winner", lambda field, rule, views: original(field, OnConflict.NEWEST, views))


def loser_not_kept(patch: Patch) -> None:
    """What was written over is not kept."""
    original = confirm.history_entry

    def forgotten(*args: Any, **values: Any) -> History:
        return original(*args, **{**values, "old": None, "new": None, "lost": None})

    patch.setattr(confirm, "history_entry", forgotten)


def unmapped_passed_over(patch: Patch) -> None:
    """A value that the other side has no word for is left out without a word."""
    patch.setattr(fields, "unsaid", lambda field, reason: Hold("", "", field.name, counts_as_seen=True))


def budget_of_one_process(patch: Patch) -> None:
    """Each process keeps to the budget and knows nothing of the others."""
    patch.setattr(nexudus_connector, "Ledger", lambda store: None)


def one_failure_stops_all(patch: Patch) -> None:
    """The first record that fails ends the settling of the others, which count as done."""
    original = settle.apply

    async def stop(cycle: Cycle, pair: Pair) -> None:
        if not cycle.report.errors:
            await original(cycle, pair)
            return
        with cycle.connection.store.session() as session:
            memory.finish(session, cycle.connection, pair.link, pair.sights, (), cycle.seen)

    patch.setattr(settle, "apply", stop)


def day_of_the_old_zone(patch: Patch) -> None:
    """A card that moves to another zone is taken to say what it said in the old one."""
    patch.setattr(decide, "follow_zone", lambda *_: None)


def another_record_is_believed(patch: Patch) -> None:
    """Whatever is answered is taken for what was asked."""
    patch.setattr(answers, "same_id", lambda *_, **__: True)
    patch.setattr(fetch, "same_identity", lambda *_: True)


def older_row_is_news(patch: Patch) -> None:
    """What a list shows counts, also where it is behind what is known of the record."""
    patch.setattr(compare, "_is_doubtful", lambda *_: False)
    patch.setattr(sights, "refuse_old", lambda *_: None)


def rendering_travels_back(patch: Patch) -> None:
    """What a system made of a text that was written to it is somebody's edit."""
    patch.setattr(merge, "kept_differently", lambda *_: "")
    patch.setattr(renderings, "kept_differently", lambda *_: "")


def one_refusal_is_everybodys(patch: Patch) -> None:
    """A record that may not be written is taken for a role that the login lacks."""

    def raised(error: RoleMissing) -> Refused:
        raise error

    patch.setattr(RoleMissing, "of_record", raised)


def histories_not_read(patch: Patch) -> None:
    """What a write to a system without a lock replaced is never looked for."""
    original = audit.find_overwritten

    async def find(connection: Connection, side: Side) -> int:
        return await original(connection, side) if side is Side.NEXUDUS else 0

    patch.setattr(audit, "find_overwritten", find)


@dataclass(frozen=True)
class Case:
    """A bug, the story that shows it, and the promise that the checker sees broken; `system`: with which CRM."""

    plant: Callable[[Patch], None]
    story: Story
    broken: str
    deletes: str = "ignore"
    cities: tuple[str, ...] = LONDON
    system: str = "overplane"


CASES = (
    Case(no_echo_check, stories.second_thoughts, "4 echo"),
    Case(cursor_past_unread_rows, stories.edit_while_listing, "1 convergence"),
    Case(verifying_read_swallows_an_edit, stories.edit_after_our_write, "1 convergence"),
    Case(one_snapshot_for_both_sides, stories.lost_deal, "4 echo"),
    Case(snapshot_of_everything, stories.open_question, "1 convergence"),
    Case(stale_row, stories.edit_during_a_slow_read, "2 lost update"),
    Case(marks_cleared_early, stories.crashes_all_along, "1 convergence"),
    Case(blind_retry_of_a_create, stories.answer_lost, "3 duplicate"),
    Case(one_look_is_enough, stories.landed_late, "3 duplicate"),
    Case(late_copy_copied_back, stories.landed_too_late, "3 duplicate"),
    Case(delete_on_one_absence, stories.listed_late, "6 delete", "propagate"),
    Case(move_taken_for_a_delete, stories.moved_elsewhere, "6 delete", "propagate"),
    Case(resurrected, stories.deleted_card, "3 duplicate"),
    Case(put_without_the_rest, stories.notes_of_her_own, "5 clobber"),
    Case(resolved_with_old_values, stories.late_answer_to_a_question, "2 lost update"),
    Case(nobody_is_asked, stories.open_question, "2 lost update"),
    Case(loser_not_kept, stories.both_rename, "2 lost update"),
    Case(unmapped_passed_over, stories.unknown_stage, "1 convergence"),
    Case(budget_of_one_process, stories.many_restarts, "8 budget"),
    Case(one_failure_stops_all, stories.two_at_once, "1 convergence"),
    Case(another_record_is_believed, stories.answered_with_another, "1 convergence"),
    Case(older_row_is_news, stories.shown_as_it_was, "2 set back"),
    Case(rendering_travels_back, stories.kept_differently, "2 set back"),
    Case(one_refusal_is_everybodys, stories.one_is_locked, "1 convergence"),
    Case(histories_not_read, stories.edit_in_the_gap, "2 lost update", system="hubspot"),
    Case(day_of_the_old_zone, stories.late_in_london, "1 convergence", cities=("london", "madrid")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.plant.__name__)
def test_a_planted_bug_is_seen(case: Case, tmp_path: Path, monkeypatch: Patch) -> None:
    case.plant(monkeypatch)
    found = play(case.story, tmp_path, deletes=case.deletes, cities=case.cities, system=case.system)
    assert case.broken in {one.invariant for one in found}


@pytest.mark.parametrize("system", ["overplane", "erpnext"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.story.__name__)
def test_without_the_bug_the_story_breaks_no_promise(case: Case, system: str, tmp_path: Path) -> None:
    assert play(case.story, tmp_path, deletes=case.deletes, system=system, cities=case.cities) == []


def test_without_the_bug_an_edit_in_the_gap_is_shown(tmp_path: Path) -> None:
    assert play(stories.edit_in_the_gap, tmp_path, system="hubspot") == []
