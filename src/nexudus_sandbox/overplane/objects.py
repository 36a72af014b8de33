"""The objects themselves: stored rows, stamps, defaults, child rows and their order."""

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from nexudus_sandbox import lossy
from nexudus_sandbox.double import Row
from nexudus_sandbox.overplane.options import OverplaneOptions
from nexudus_sandbox.overplane.shape import LOST_REASON_DETAIL, NUMBER, OPPORTUNITY, SHAPES, TEXT, WHOLE, Shape
from nexudus_sync import codec

_ALPHABET = string.ascii_lowercase + string.digits
READ_ONLY = frozenset({"id", "created_at", "updated_at"})


class RefusalError(ValueError):
    """The server will not take this; `param` is the field concerned, "" for none."""

    def __init__(self, message: str, param: str = "") -> None:
        self.message, self.param = message, param
        super().__init__(message)


@dataclass(slots=True)
class Objects:
    """All objects of all kinds; `changed` is told who did it, the kind, and the row before and after."""

    options: OverplaneOptions
    rng: random.Random
    now: Callable[[], datetime]
    changed: Callable[[str, str, Row | None, Row | None], None]
    rows: dict[str, dict[str, Row]] = field(default_factory=lambda: {kind: {} for kind in SHAPES})
    _children: dict[str, dict[str, list[str]]] = field(default_factory=lambda: {kind: {} for kind in SHAPES})
    """Kind → parent id → ids of its child rows."""
    _json: dict[str, tuple[Row, str]] = field(default_factory=dict)

    def add(self, kind: str, values: Row, by: str) -> Row:
        """Create an object. Raises RefusalError."""
        row = self.plant(kind, values, created=self.now(), updated=self.now())
        self.changed(by, kind, None, row)
        self._moved(SHAPES[kind], row)
        return row

    def plant(self, kind: str, values: Row, *, created: datetime, updated: datetime) -> Row:
        """Put an object in place as if it had always been there: nothing logged. Raises RefusalError."""
        shape = SHAPES[kind]
        self._check(kind, values, shape.required)
        row_id = f"{shape.prefix}_{''.join(self.rng.choices(_ALPHABET, k=12))}"
        blank = dict.fromkeys(shape.fields) | dict(shape.defaults)
        given = self._kept(kind, {key: value for key, value in values.items() if key not in READ_ONLY})
        row = {"id": row_id, "created_at": self.stamp(created), "updated_at": self.stamp(updated), **blank, **given}
        if shape.parent:
            self._adopt(kind, shape, row)
        self.rows[kind][row_id] = row
        return row

    def change(self, kind: str, row_id: str, values: Row, by: str) -> Row:
        """Set the values passed and leave the others. Raises KeyError for an unknown id, RefusalError."""
        before = self.rows[kind][row_id]
        shape = SHAPES[kind]
        self._check(kind, values, tuple(name for name in shape.required if name in values))
        fixed = READ_ONLY | ({"opportunity_id"} if shape.parent else set())
        given = self._kept(kind, {key: value for key, value in values.items() if key not in fixed})
        after = {**before, **given, "updated_at": self.stamp(self.now())}
        self.rows[kind][row_id] = after
        self.changed(by, kind, before, after)
        self._moved(shape, after)
        return after

    def remove(self, kind: str, row_id: str, by: str) -> None:
        """Delete an object and its child rows. Raises KeyError for an unknown id."""
        before = self.rows[kind].pop(row_id)
        self._json.pop(row_id, None)
        shape = SHAPES[kind]
        if shape.parent:
            self._children[kind][before["opportunity_id"]].remove(row_id)
            self._moved(shape, before)
        for child_kind, child_shape in SHAPES.items():
            if child_shape.parent == kind:
                for child_id in self._children[child_kind].pop(row_id, []):
                    self._json.pop(child_id, None)
                    del self.rows[child_kind][child_id]
        self.changed(by, kind, before, None)

    def children(self, kind: str, parent_id: str) -> list[Row]:
        """An object's child rows of a kind, in their order."""
        rows = [self.rows[kind][row_id] for row_id in self._children[kind].get(parent_id, ())]
        return sorted(rows, key=lambda row: row["idx"] or 0)

    def reorder(self, kind: str, row_ids: list[str], by: str) -> list[Row]:
        """Give child rows the order of `row_ids`, from 1. Raises KeyError for an unknown id."""
        rows = [self.rows[kind][row_id] for row_id in row_ids]
        return [self.change(kind, row["id"], {"idx": place}, by) for place, row in enumerate(rows, 1)]

    def text(self, row: Row) -> str:
        """A row's JSON, remembered until it changes."""
        known = self._json.get(row["id"])
        if known is None or known[0] is not row:
            known = self._json[row["id"]] = (row, codec.dumps(row))
        return known[1]

    def stamp(self, at: datetime) -> str:
        """A moment as the page prints it, stray spaces included."""
        form = "%Y-%m-%dT%H: %M: %SZ" if self.options.stray_spaces else "%Y-%m-%dT%H:%M:%SZ"
        return at.astimezone(UTC).strftime(form)

    def _kept(self, kind: str, values: Row) -> Row:
        return lossy.kept(values, ("title",), self.options.keeps) if kind == OPPORTUNITY else values

    def _adopt(self, kind: str, shape: Shape, row: Row) -> None:
        siblings = self._children[kind].setdefault(row["opportunity_id"], [])
        if row["opportunity_id"] not in self.rows[shape.parent]:
            raise RefusalError("opportunity_id names no opportunity", "opportunity_id")
        if row["idx"] is None:
            row["idx"] = 1 + max((self.rows[kind][sibling]["idx"] or 0 for sibling in siblings), default=0)
        siblings.append(row["id"])

    def _moved(self, shape: Shape, child: Row) -> None:
        if shape.parent and self.options.children_move_parent:
            parents = self.rows[shape.parent]
            parent = parents[child["opportunity_id"]]
            parents[parent["id"]] = {**parent, "updated_at": self.stamp(self.now())}

    def _check(self, kind: str, values: Row, required: tuple[str, ...]) -> None:
        for name in required:
            if values.get(name) in (None, ""):
                raise RefusalError(f"{name} is required", name)
        for name, value in values.items():
            self._check_field(kind, name, value)
        if kind == LOST_REASON_DETAIL and self.options.refuse_unknown_lost_reasons and "lost_reason" in values:
            known = {row["lost_reason"] for row in self.rows["opportunity-lost-reason"].values()}
            if values["lost_reason"] not in known:
                raise RefusalError("lost_reason is not on the list of lost reasons", "lost_reason")

    def _check_field(self, kind: str, name: str, value: Any) -> None:
        declared = SHAPES[kind].fields.get(name)
        if declared is None:
            if self.options.refuse_unknown_fields and name not in READ_ONLY:
                raise RefusalError(f"{name} is not a field of {kind}", name)
        elif value is not None and not _is(declared, value):
            raise RefusalError(f"{name} must be a {declared}", name)


def _is(declared: str, value: Any) -> bool:
    if isinstance(value, bool):
        return False
    accepted: dict[str, Any] = {TEXT: str, NUMBER: int | Decimal, WHOLE: int}
    return isinstance(value, accepted[declared])
