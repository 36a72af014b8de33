"""Deal pipelines and their stages."""

from dataclasses import dataclass, field
from typing import Any

from nexudus_sandbox.wire import Request

WRITABLE = "CRM_PERMISSIONS_ENFORCEMENT"


@dataclass(slots=True)
class Stage:
    """A stage. `probability` is 1 for won, 0 for lost; `closed` makes it either."""

    id: str
    label: str
    closed: bool = False
    probability: float = 0.5
    permissions: str = WRITABLE
    archived: bool = False

    def json(self, order: int) -> dict[str, Any]:
        """As the API shows it: all text."""
        metadata = {"isClosed": str(self.closed).lower(), "probability": f"{self.probability:.1f}"}
        made = "2024-01-01T00:00:00Z"
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": order,
            "metadata": metadata,
            "createdAt": made,
            "updatedAt": made,
            "archived": self.archived,
            "writePermissions": self.permissions,
        }


@dataclass(slots=True)
class Pipeline:
    """A pipeline with its stages, in their order."""

    id: str
    label: str
    stages: list[Stage] = field(default_factory=list)

    def stage(self, stage_id: str) -> Stage | None:
        """The stage with that id."""
        return next((one for one in self.stages if one.id == stage_id and not one.archived), None)

    def json(self, order: int) -> dict[str, Any]:
        """As the API shows it."""
        made = "2024-01-01T00:00:00Z"
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": order,
            "stages": [one.json(place) for place, one in enumerate(self.stages)],
            "createdAt": made,
            "updatedAt": made,
            "archived": False,
        }


class Pipelines:
    """The deal pipelines of an account; a new one has only the standard pipeline."""

    def __init__(self) -> None:
        names = "appointmentscheduled qualifiedtobuy presentationscheduled decisionmakerboughtin contractsent"
        labels = ("Appointment scheduled", "Qualified to buy", "Presentation scheduled", "Decision maker bought-in")
        usual = [Stage(name, label) for name, label in zip(names.split(), (*labels, "Contract sent"), strict=True)]
        won, lost = Stage("closedwon", "Closed won", True, 1.0), Stage("closedlost", "Closed lost", True, 0.0)
        self.all = [Pipeline("default", "Sales pipeline", [*usual, won, lost])]

    def add(self, label: str, stages: list[Stage], pipeline_id: str = "") -> Pipeline:
        """An administrator adds a pipeline."""
        made = Pipeline(pipeline_id or str(70_000_000 + len(self.all)), label, stages)
        self.all.append(made)
        return made

    def find(self, pipeline_id: str | None) -> Pipeline | None:
        """The pipeline with that id."""
        return next((one for one in self.all if one.id == pipeline_id), None)

    def stage(self, pipeline_id: str | None, stage_id: str | None) -> Stage | None:
        """A stage by the ids of both."""
        pipeline = self.find(pipeline_id)
        return pipeline.stage(stage_id) if pipeline and stage_id else None

    def listed(self, _request: Request) -> dict[str, Any]:
        """The answer to a request for all of them."""
        return {"results": [one.json(place) for place, one in enumerate(self.all)]}
