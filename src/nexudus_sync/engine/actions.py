"""What a cycle does, as plain objects: what `plan` shows, and what a saved plan allows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nexudus_sync import codec
from nexudus_sync.errors import NotPlanned

CREATE, PARTY = "create", "create-party"
VERBS = {
    "opportunity.create": CREATE,
    "opportunity.update": "update",
    "opportunity.delete": "delete",
    "party.create": PARTY,
}
"""The name of an action by the kind of its write."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a cycle does: "link", "create", "create-party", "update" or "delete".

    `system` is the one that is written to ("" for "link"); `fields` is {canonical field: {"old", "new"}}; an id is ""
    where there is none yet.
    """

    connection: str
    action: str
    system: str
    nexudus_id: str
    crm_id: str
    fields: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What it is about, whatever the values are."""
        return self.connection, self.action, self.system, self.nexudus_id, self.crm_id

    @property
    def same(self) -> tuple[tuple[str, ...], str]:
        """Equal for two actions that do the same."""
        said = {name: {"old": one["old"], "new": one["new"]} for name, one in self.fields.items()}
        return self.key, codec.dumps(said, sort_keys=True)


class Allowed:
    """The actions of a saved plan. A cycle that has one does nothing else, and notes what it left out."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self.actions = {action.same: action for action in actions}
        self.taken_up: set[tuple[tuple[str, ...], str]] = set()
        self.skipped: dict[tuple[str, ...], Action] = {}
        """What the cycle would have done and the plan does not have, by what it is about."""
        self._copies: list[Action] = []

    def permits(self, action: Action) -> bool:
        """Is it in the plan, or a part of what is? Notes the answer."""
        if action.same in self.actions:
            self.taken_up.add(action.same)
            if action.action == CREATE:
                self._copies.append(action)
                self.taken_up |= {same for same, one in self.actions.items() if one.key == _customer_of(action)}
            return True
        if self._delivers_a_copy(action):
            return True
        self.skipped[action.key] = action
        return False

    def _delivers_a_copy(self, action: Action) -> bool:
        """Does it deliver to a record that was just created what the create could not carry (a later stage, say)?

        By fields: the source has just been found to have the planned values, and each side has its own words for them.
        """
        return action.action == "update" and any(
            copy.system == action.system
            and (copy.nexudus_id or action.nexudus_id, copy.crm_id or action.crm_id)
            == (action.nexudus_id, action.crm_id)
            and action.fields.keys() <= copy.fields.keys()
            for copy in self._copies
        )

    def left(self) -> list[Action]:
        """What the plan has and the cycle found no reason to do."""
        return [action for same, action in self.actions.items() if same not in self.taken_up]


def _customer_of(copy: Action) -> tuple[str, ...]:
    """What the action is about that creates the customer of a copy: it is done with the copy, or not needed."""
    return copy.connection, PARTY, copy.system, copy.nexudus_id, copy.crm_id


def refuse_unplanned(allowed: Allowed | None, action: Action) -> None:
    """Raise NotPlanned for what a saved plan does not have; `allowed` None: there is no such plan."""
    if allowed is not None and not allowed.permits(action):
        raise NotPlanned(f"{action.connection}: the plan has no such {action.action}")
