"""Where the pages are silent or disagree, the double can behave either way."""

from dataclasses import dataclass
from typing import Literal

from nexudus_sandbox.throttle import Window

NEXUDUS_WINDOWS = (
    Window(10, 1),
    Window(120, 60),
    Window(5_000, 3_600),
    Window(200_000, 86_400),
    Window(60, 60, writes=True),
    Window(2_500, 86_400, writes=True),
)
"""The documented request budget."""


@dataclass(slots=True)
class NexudusOptions:
    """How this Nexudus behaves; may be changed while it runs."""

    opportunity_limit: int = 5_000
    """Opportunities a location may hold; a create past it is answered with 400."""
    customer_creations_per_day: int = 50
    """Further ones are answered "Access Denied"."""
    renumber: bool = True
    """A card that takes another's position moves its neighbours, stamped by "[System]"."""
    late_visible: float = 0.0
    """Seconds until a listing shows what a read by id shows at once."""
    keeps_system_id: bool = True
    """`SystemId` can be set; else it is silently dropped."""
    partial_rows: Literal["absent", "null"] = "absent"
    """What a listing does with the fields it does not populate."""
    zero_one_direction: bool = False
    """`dir` is 0 and 1 instead of 1 and -1 (the copies of the pages disagree)."""
    missing_id_status: Literal[404, 500] = 404
    """What a read of an id that does not exist answers."""
    deepest_page: int = 57
    """Deeper pages are answered 403."""
    first_stage_only: bool = True
    """A create straight into a later stage answers 500."""
    opportunity_type_required: bool = False
    """A create without `OpportunityTypeId` answers 500, as one account reports."""
    deletes_cascade: bool = True
    """A customer's deletion takes its opportunities along."""
    undocumented: tuple[str, ...] = ("Score",)
    """Writable fields of an opportunity that no page prints."""
    keeps: tuple[str, ...] = ()
    """What a write makes of an opportunity's name (`lossy.MAKES`), in this order."""
