"""The opportunities themselves and what the server does when one is created, changed, moved or deleted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.nexudus.directory import SYSTEM, Directory
from nexudus_sandbox.nexudus.enums import IN_PROGRESS, LOST, WON
from nexudus_sandbox.nexudus.listing import stamped
from nexudus_sandbox.nexudus.options import NexudusOptions
from nexudus_sandbox.nexudus.shape import WRITABLE
from nexudus_sandbox.nexudus.values import moment

FLAGS = ("Completed", "Reminded")
"""Fields that are never null."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something a stage did to the outside world when a card entered it."""

    at: datetime
    flag: str
    card_id: int
    stage_id: int
    coworker_id: int


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the cards need of the double around them."""

    now: Callable[[], datetime]
    later: Callable[[float, Callable[[], object]], None]
    unique_id: Callable[[], str]
    changed: Callable[[str, Row | None, Row | None], None]
    """Takes who did it, and the card before and after."""


@dataclass(slots=True)
class Cards:
    """All opportunities by id. `listed` is what a listing sees, which may lag behind `rows`."""

    directory: Directory
    options: NexudusOptions
    hooks: Hooks
    rows: dict[int, Row] = field(default_factory=dict)
    listed: dict[int, Row] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    next_id: int = 87_000_001
    _slots: dict[tuple[int, int], int] = field(default_factory=dict)
    """(stage, position) → card, so that a taken position is found at once."""

    def plant(self, values: Row, *, created: datetime, updated: datetime, by: str) -> int:
        """Put a card in place as if it had always been there: no effects, nothing logged."""
        card_id = self.next_id
        self.next_id += 1
        stamps = {**stamped(card_id, created, by), "UpdatedOn": moment(updated)}
        card = self._blank() | values | stamps | {"UniqueId": self.hooks.unique_id()}
        self.rows[card_id] = self.listed[card_id] = card
        self._slots.setdefault((card["CrmBoardColumnId"], card["Position"]), card_id)
        return card_id

    def create(self, values: Row, by: str) -> Row:
        """Create a card and let its stage act."""
        card_id = self.next_id
        self.next_id += 1
        now = self.hooks.now()
        card = self._blank() | values | stamped(card_id, now, by) | {"UniqueId": self.hooks.unique_id()}
        card = self._enter(card, moment(now))
        self._commit(None, card, by)
        return card

    def change(self, card_id: int, values: Row, by: str) -> Row:
        """Give a card new values (only those named), move its stamp and let a new stage act."""
        before, now = self.rows[card_id], moment(self.hooks.now())
        after = {**before, **values, "UpdatedOn": now, "UpdatedBy": by}
        if after["CrmBoardColumnId"] != before["CrmBoardColumnId"]:
            after = self._enter(after, now)
        if after["Status"] != before["Status"]:
            after |= self._status_dates(after["Status"], now)
        self._commit(before, after, by)
        return after

    def delete(self, card_id: int, by: str) -> None:
        """Delete a card for good. Raises KeyError when there is none."""
        before = self.rows.pop(card_id)
        self._leave(before)
        self.hooks.changed(by, before, None)
        self._publish(card_id, None)

    def delete_customer(self, coworker_id: int, by: str) -> None:
        """Delete a customer and, unless switched off, its cards."""
        self.directory.remove("coworkers", coworker_id)
        if self.options.deletes_cascade:
            for card in [card for card in self.rows.values() if card["CoworkerId"] == coworker_id]:
                self.delete(card["Id"], by)

    def count_in(self, business_id: int) -> int:
        """How many cards a location holds."""
        stages = {stage for stage in self.directory.stages if self.directory.business_of(stage) == business_id}
        return sum(card["CrmBoardColumnId"] in stages for card in self.rows.values())

    def _blank(self) -> Row:
        blank: Row = dict.fromkeys((*WRITABLE, *self.options.undocumented))
        return blank | dict.fromkeys(FLAGS, False) | {"CrmUpdatedOn": None, "IsNew": False, "LocalizationDetails": None}

    def _enter(self, card: Row, now: str) -> Row:
        """The card as its new stage leaves it."""
        stage = self.directory.stages[card["CrmBoardColumnId"]]
        card = {**card, "CrmUpdatedOn": now}
        for flag, status in (("WinOpportunity", WON), ("LoseOpportunity", LOST)):
            if stage[flag]:
                return card | {"Status": status, "Completed": True} | self._status_dates(status, now)
        return card

    @staticmethod
    def _status_dates(status: Any, now: str) -> Row:
        return {
            "WonOn": now if status == WON else None,
            "LostOn": now if status == LOST else None,
            "CrmUpdatedOn": now,
        }

    def _commit(self, before: Row | None, after: Row, by: str) -> None:
        card_id = after["Id"]
        self.rows[card_id] = after
        self.hooks.changed(by, before, after)
        place = (after["CrmBoardColumnId"], after["Position"])
        if before is None or place != (before["CrmBoardColumnId"], before["Position"]):
            if before is not None:
                self._leave(before)
            self._settle_in(after)
        self._publish(card_id, after)
        if before is None or before["CrmBoardColumnId"] != after["CrmBoardColumnId"]:
            self._act(after)

    def _leave(self, card: Row) -> None:
        place = (card["CrmBoardColumnId"], card["Position"])
        if self._slots.get(place) == card["Id"]:
            del self._slots[place]

    def _settle_in(self, card: Row) -> None:
        """Take the position; whoever holds it moves one down, and so on to the first gap."""
        stage, position = card["CrmBoardColumnId"], card["Position"]
        mover, now = card["Id"], moment(self.hooks.now())
        while True:
            evicted = self._slots.get((stage, position))
            self._slots[stage, position] = mover
            if evicted is None or not self.options.renumber:
                return
            position, mover = position + 1, evicted
            moved = {**self.rows[mover], "Position": position, "UpdatedOn": now, "UpdatedBy": SYSTEM}
            self.rows[mover] = moved
            self._publish(mover, moved)

    def _publish(self, card_id: int, card: Row | None) -> None:
        def show() -> None:
            if card is None:
                self.listed.pop(card_id, None)
            else:
                self.listed[card_id] = card

        if self.options.late_visible > 0:
            self.hooks.later(self.options.late_visible, show)
        else:
            show()

    def _act(self, card: Row) -> None:
        """What the stage does beyond the card."""
        stage, coworker_id = self.directory.stages[card["CrmBoardColumnId"]], card["CoworkerId"]
        for flag in ("CannedResponseId", "TaskListId", "ActivateAccount", "DeactivateAccount", "DeleteAccount"):
            if stage[flag]:
                self.acts.append(Act(self.hooks.now(), flag, card["Id"], stage["Id"], coworker_id))
        if stage["ActivateAccount"] or stage["DeactivateAccount"]:
            self.directory.amend("coworkers", coworker_id, Active=bool(stage["ActivateAccount"]))
        if stage["DeleteAccount"]:
            self.delete_customer(coworker_id, SYSTEM)


def default_status(values: Row) -> Row:
    """A person's card is in progress and on top of its stage unless told otherwise."""
    return {"Status": IN_PROGRESS, "Position": 1} | values
