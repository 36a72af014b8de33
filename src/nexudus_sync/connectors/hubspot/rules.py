"""What must not be written because of what a stage is; pure.

Nexudus has a status and a column, HubSpot one stage for both. So a column that a card of a closed deal is moved to has
no place there: it waits, unseen, until the deal is open again.
"""

from nexudus_sync.connectors.base import Hold, Record
from nexudus_sync.connectors.hubspot.records import STAGE, STATUS
from nexudus_sync.connectors.hubspot.stages import OPEN, Pipeline, Stage

NO_STAGE, LOCKED = "no-stage", "stage-locked"


def refusals(before: Record | None, after: Record, pipeline: Pipeline | None) -> list[Hold]:
    """What of a change must not be written."""
    if pipeline is None:
        return []
    known = before or {}
    status = after.get(STATUS) if before is None or after.get(STATUS) != known.get(STATUS) else None
    moved = after.get(STAGE) and after.get(STAGE) != known.get(STAGE)
    stage = pipeline.stage(after.get(STAGE)) if moved else None
    holds = _of_stage(before, stage, status, pipeline)
    if status is None or (stage is not None and not holds):
        return holds
    return holds + _of_status(before, str(status), pipeline)


def _of_stage(before: Record | None, stage: Stage | None, status: str | None, pipeline: Pipeline) -> list[Hold]:
    if stage is None:
        return []
    if stage.locked:
        return [_locked(stage, pipeline, STAGE)]
    against = status is not None and stage.status != status
    is_closed = before is not None and before.get(STATUS, OPEN) != OPEN
    if against or (status is None and is_closed):
        # the status says which stage it is; of a new deal the column counts as seen, else it travels once it can
        return [Hold("", "", key=STAGE, counts_as_seen=before is None)]
    return []


def _of_status(before: Record | None, status: str, pipeline: Pipeline) -> list[Hold]:
    own = pipeline.own(status)
    if own is None:
        return [Hold(NO_STAGE, pipeline.lacks(status), key=STATUS)]
    if own.locked and not (before is not None and status == OPEN):
        return [_locked(own, pipeline, STATUS)]
    return []


def _locked(stage: Stage, pipeline: Pipeline, key: str) -> Hold:
    told = f'the stage "{stage.label}" of pipeline "{pipeline.label}" is closed to programs'
    return Hold(LOCKED, f"{told}; change its permissions in HubSpot, or move the deal there by hand", key=key)
