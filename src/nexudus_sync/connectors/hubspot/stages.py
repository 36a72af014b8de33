"""Status and stage are one value in HubSpot; this tells one from the other, and makes one of both. Pure.

The stage's metadata gives the status. A status that is written chooses the pipeline's own stage for it; where a stage
is written as well, it wins if its status is the one that is wanted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nexudus_sync.mapping.values import fold

OPEN, WON, LOST = "open", "won", "lost"
_LOCKED = frozenset({"READ_ONLY", "INTERNAL_ONLY"})


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a pipeline. `locked`: HubSpot lets only some write it, or nobody."""

    id: str
    label: str
    status: str = OPEN
    locked: bool = False

    def answers_to(self, name: str) -> bool:
        """Is that its label or its id?"""
        return self.id == name or fold(self.label) == fold(name)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline with its stages in order. `won` and `lost` are the stages of those statuses, None where there is none.

    `doubt` says why there is none although there are several.
    """

    id: str
    label: str
    stages: tuple[Stage, ...] = ()
    won: Stage | None = None
    lost: Stage | None = None
    doubt: Mapping[str, str] | None = None

    def stage(self, stage_id: object) -> Stage | None:
        """The stage with that id."""
        return next((one for one in self.stages if one.id == stage_id), None)

    def status(self, stage_id: object) -> str:
        """The status of a stage; one that is not known counts as open."""
        found = self.stage(stage_id)
        return OPEN if found is None else found.status

    def own(self, status: str) -> Stage | None:
        """The stage that a status chooses: for "open" the first open one."""
        if status == OPEN:
            return next((one for one in self.stages if one.status == OPEN), None)
        return self.won if status == WON else self.lost

    def chosen(self, status: str | None, stage_id: object) -> Stage | None:
        """The stage to write where both are wanted: the stage itself if its status is, else the status's own."""
        wanted = self.stage(stage_id) if stage_id else None
        if wanted is not None and status in (None, wanted.status):
            return wanted
        return self.own(status or OPEN)

    def lacks(self, status: str) -> str:
        """Why no stage can be chosen for a status."""
        told = (self.doubt or {}).get(status)
        return (
            told or f'pipeline "{self.label}" has no {status} stage; add one in HubSpot, or move the deal by its stage'
        )


def status_of(metadata: Mapping[str, Any]) -> str:
    """The status that a stage's metadata says, all of it text."""
    if str(metadata.get("isClosed", "")).lower() != "true":
        return OPEN
    try:
        return LOST if float(metadata.get("probability") or 0) == 0 else WON
    except ValueError:
        return LOST


def pipeline(raw: Mapping[str, Any], won: str | None, lost: str | None) -> Pipeline:
    """A pipeline as the API shows it; `won` and `lost` name stages, by label or id, where there are several."""
    rows = sorted((one for one in raw.get("stages") or () if not one.get("archived")), key=_order)
    stages = tuple(
        Stage(str(one["id"]), str(one["label"]), status_of(one.get("metadata") or {}), _is_locked(one)) for one in rows
    )
    label, doubt = str(raw["label"]), dict[str, str]()
    found = {}
    for status, named in ((WON, won), (LOST, lost)):
        found[status] = _the_one(label, status, [one for one in stages if one.status == status], named, doubt)
    return Pipeline(str(raw["id"]), label, stages, found[WON], found[LOST], doubt)


def _the_one(label: str, status: str, stages: list[Stage], named: str | None, doubt: dict[str, str]) -> Stage | None:
    if named is not None:
        chosen = [one for one in stages if one.answers_to(named)]
        stages = chosen or stages
    if len(stages) > 1:
        labels = ", ".join(f'"{one.label}"' for one in stages)
        doubt[status] = f'pipeline "{label}" has several {status} stages ({labels}); name one of them in {status}_stage'
        return None
    return stages[0] if stages else None


def named(pipelines: Iterable[Pipeline], wanted: str) -> Pipeline | None:
    """The pipeline of that label or id."""
    known = list(pipelines)
    by_id = next((one for one in known if one.id == wanted), None)
    return by_id or next((one for one in known if fold(one.label) == fold(wanted)), None)


def _order(row: Mapping[str, Any]) -> int:
    order = row.get("displayOrder")
    return order if isinstance(order, int) else 0


def _is_locked(row: Mapping[str, Any]) -> bool:
    return str(row.get("writePermissions") or "") in _LOCKED
