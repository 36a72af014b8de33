"""A pair as a whole, by what became of its two records (`plan_pair`).

Nexudus   | CRM  | deletes = "ignore" | deletes = "propagate"
----------+------+--------------------+--------------------------------------------------------
here      | here | merge the fields   | merge the fields
gone      | gone | CLOSE              | CLOSE
gone      | here | CLOSE              | DELETE the CRM's, or ASK if it was edited since
here      | gone | CLOSE              | DELETE Nexudus's, or ASK if it was edited since
elsewhere | any  | MOVE (to the connection whose scope holds the card, or to sleep)
"""

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from enum import Enum

from nexudus_sync.mapping import Side


class Presence(Enum):
    """Where one record of a link is now."""

    HERE = "here"
    GONE = "gone"
    ELSEWHERE = "elsewhere"


class PairAction(Enum):
    """What a cycle does with a link as a whole."""

    MERGE = "merge"
    CLOSE = "close"
    DELETE = "delete"
    ASK = "ask"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class PairPlan:
    """`side` is the record a DELETE deletes, or the edited one an ASK is about."""

    action: PairAction
    side: Side | None = None
    reason: str = ""


def plan_pair(presence: MappingABC[Side, Presence], edited: MappingABC[Side, bool], deletes: str) -> PairPlan:
    """What to do with a link; see the table at the top. `edited`: the side changed since both agreed."""
    if presence[Side.NEXUDUS] is Presence.ELSEWHERE:  # was moved to another board or location: nothing was deleted
        return PairPlan(PairAction.MOVE, reason="the card left this connection's scope")
    gone = [side for side in Side if presence[side] is Presence.GONE]
    if not gone:
        return PairPlan(PairAction.MERGE)
    if len(gone) == 2:
        return PairPlan(PairAction.CLOSE, reason="deleted on both sides")
    left = gone[0].other
    if deletes == "ignore":  # was deleted on one side, and deletions do not travel: the other record lives on alone
        return PairPlan(PairAction.CLOSE, reason=f"deleted in {left.other.word}; kept in {left.word}")
    if edited[left]:  # was deleted on one side but edited on the other: somebody still needs it
        return PairPlan(PairAction.ASK, left, f"deleted in {left.other.word} and edited in {left.word}")
    return PairPlan(PairAction.DELETE, left, f"deleted in {left.other.word}")
