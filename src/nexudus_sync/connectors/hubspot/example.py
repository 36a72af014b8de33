"""A pipeline to try the laws with: status and stage are one value, whatever the account's own pipeline is like."""

from nexudus_sync.connectors.base import Record
from nexudus_sync.connectors.hubspot import rules, steps
from nexudus_sync.connectors.hubspot.account import Stages
from nexudus_sync.connectors.hubspot.records import ID, PIPELINE, STAGE, STATUS
from nexudus_sync.connectors.hubspot.stages import LOST, OPEN, WON, Pipeline, Stage
from nexudus_sync.mapping.context import Context

_STAGES = (
    Stage("1", "First"),
    Stage("2", "Second"),
    Stage("3", "Closed to programs", locked=True),
    Stage("8", "Closed won", WON),
    Stage("9", "Closed lost", LOST),
)


class StageAndStatus:
    """The stage of a deal, and the status that it stands for. See `mapping.compound.Compound`."""

    keys = (STATUS, STAGE)

    def __init__(self) -> None:
        self._pipeline = Pipeline("p", "Example", _STAGES, won=_STAGES[3], lost=_STAGES[4])
        self.context = Context(directories={"stage": Stages(self._pipeline), STAGE: Stages(self._pipeline)})

    def states(self) -> list[Record]:
        """A deal in each stage."""
        deal: Record = {ID: "7", PIPELINE: "p", "dealname": "Desks"}
        return [{**deal, STAGE: one.id, STATUS: one.status} for one in _STAGES]

    def settled(self, before: Record, after: Record) -> Record:
        """The deal once the write is done; one that is reopened without a stage had been in the first one."""
        for hold in rules.refusals(before, after, self._pipeline):
            after = {**after, hold.key: before.get(hold.key)}
        written = steps.update(before, after, self._pipeline)
        stage = written[0].payload[steps.PROPERTIES].get(STAGE) if written else before[STAGE]
        return {**after, STAGE: stage, STATUS: self._pipeline.status(stage) if stage else OPEN}
