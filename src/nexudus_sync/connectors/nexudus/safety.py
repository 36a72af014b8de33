"""Stages act on the customer when a card enters them; that a move by the API triggers this is assumed.

Page "Create CrmBoardColumn": `DeleteAccount`, `DeactivateAccount`, `ActivateAccount`, `CannedResponseId`, `TaskListId`.
"""

from dataclasses import replace

from nexudus_sync.connectors.base import Hold, Record, Scope
from nexudus_sync.connectors.nexudus.directory import Directory, Stage

STAGE, STATUS = "CrmBoardColumnId", "Status"
_CLOSED = {2: "won", 3: "lost"}


def entered(directory: Directory, before: Record | None, after: Record, scope: Scope) -> list[object]:
    """The ids of the stages that a card enters by a change from `before` (None: a create) to `after`, in turn."""
    target = after.get(STAGE)
    if before is not None:
        return [] if target in (None, before.get(STAGE)) else [target]
    home = directory.home(scope)
    first = [home.stages[0].id] if home and home.stages else []
    return [*first, *([] if target in (None, *first) else [target])]


def refusals(directory: Directory, before: Record | None, after: Record, scope: Scope, *, live: bool) -> list[Hold]:
    """The stage changes that must not be written, from `before` (None: a create) to `after`."""
    if before is None:
        return _of_create(directory, after, scope, live=live)
    stages = entered(directory, before, after, scope)
    found = [one for stage in stages for one in _entering(directory, stage, scope, live=live, create=False)]
    return found or [one for stage in stages for one in _contradicting(directory, stage, after)]


def _of_create(directory: Directory, after: Record, scope: Scope, *, live: bool) -> list[Hold]:
    """A new card enters the board's first stage, and from there the one it is meant for."""
    home = directory.home(scope)
    first = home.stages[0].id if home and home.stages else None
    target = after.get(STAGE)
    start = [] if first is None else _entering(directory, first, scope, live=live, create=True)
    if start:
        return [replace(hold, key="") for hold in start]
    if target is None or target == first:
        return []
    return _entering(directory, target, scope, live=live, create=True)


def _entering(directory: Directory, stage_id: object, scope: Scope, *, live: bool, create: bool) -> list[Hold]:
    stage = directory.stage(stage_id)
    if stage is None:
        return [Hold("stage-unknown", f"stage {stage_id} is unknown, and so is what it does", key=STAGE)]
    if _allowed(stage, scope):
        return []
    hint = f'; to allow it, add "{stage.name}" to allow_stages'
    if stage.deletes:
        reason = f'the stage "{stage.name}" permanently deletes the customer{hint}'
        return [Hold("stage-deletes-customer", reason, key="" if create else STAGE)]
    if stage.deactivates:
        reason = f'the stage "{stage.name}" deactivates the customer\'s account{hint}'
        return [Hold("stage-deactivates-customer", reason, key="" if create else STAGE)]
    if stage.acts and not live:
        reason = f'the stage "{stage.name}" {" and ".join(stage.acts)}, which a backfill must not trigger{hint}'
        return [Hold("stage-acts", reason, key=STAGE, counts_as_seen=True)]
    return []


def _contradicting(directory: Directory, stage_id: object, after: Record) -> list[Hold]:
    """A won card must not be lost by a column, nor a lost one won: a person may be about to decide which it is."""
    stage, status = directory.stage(stage_id), after.get(STATUS)
    if stage is None or stage.status is None or status not in _CLOSED or status == stage.status:
        return []
    word, own = _CLOSED[stage.status], _CLOSED[status]
    reason = f'a card in the stage "{stage.name}" is {word}, and this one is {own}; it follows once it is {word} too'
    return [Hold("stage-contradicts", reason, key=STAGE)]


def _allowed(stage: Stage, scope: Scope) -> bool:
    return stage.name.strip().casefold() in {name.strip().casefold() for name in scope.allow_stages}
