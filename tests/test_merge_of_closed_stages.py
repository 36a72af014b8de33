"""A value that the other side need not know, such as a closed deal's stage, rests if there is no word for it there."""

from dataclasses import replace
from typing import Any

import pytest

from nexudus_sync.mapping import Context, Side, Table
from nexudus_sync.merge import Policy, merge_field
from pairs import AGREED, CONFLICT, NEW, NOTHING, SENT, Told, field_of, to_crm, to_nexudus, told, views

STAGES = ('path = "N"\ntype = "stage"\nrequired = true', 'path = "c"')
BOARD = Context(directories={"stage": Table(((1, "New"), (2, "Talks"), (3, "Won")))})
Two = tuple[Any, Any]


class Pipeline(Table):
    """Stages "w" and "l" are of closed deals; only the label of the first is a column as well."""

    def sets_aside(self, raw: object) -> bool:
        return raw in ("w", "l")


PIPELINE = Context(directories={"c": Pipeline((("n", "New"), ("t", "Talks"), ("w", "Won"), ("l", "Closed lost")))})


def decided(then: Two, now: Two) -> Told:
    field = field_of(STAGES, 'on_conflict = "manual"')
    made = views(field, then, now)
    sides = {side: replace(made[side], context=BOARD if side is Side.NEXUDUS else PIPELINE) for side in Side}
    return told(merge_field(field, sides[Side.NEXUDUS], sides[Side.CRM], Policy()))


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ((1, "n"), (1, "l"), NOTHING),  # was closed there: the column stays
        ((1, "n"), (2, "l"), to_crm()),  # was closed there, and the card was moved
        ((1, "l"), (2, "l"), to_crm()),
        ((1, "l"), (1, "t"), to_nexudus()),  # was reopened there
        ((1, "n"), (1, "n"), NOTHING),
        ((SENT, "l"), (1, "l"), to_crm()),
        ((NEW, NEW), (1, "l"), NOTHING),  # was paired when it was closed already: there is nothing to compare
        ((1, NEW), (2, "l"), NOTHING),
        ((NEW, "n"), (2, "l"), NOTHING),
        ((1, "n"), (1, "w"), to_nexudus()),  # has a column of its own
        ((1, "n"), (3, "w"), AGREED),
        ((1, "n"), (2, "w"), CONFLICT),
    ],
)
def test_a_closed_stage_says_nothing_unless_there_is_a_column_for_it(then: Two, now: Two, expected: Told) -> None:
    assert decided(then, now) == expected
