"""Where the page is silent, the double can behave either way."""

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class OverplaneOptions:
    """How this Overplane behaves; may be changed while it runs."""

    max_limit: int = 100
    """The largest `limit` honoured."""
    over_limit: Literal["clamp", "refuse"] = "clamp"
    """What a larger one gets: fewer rows, or 400."""
    refuse_unknown_fields: bool = False
    """A field that no page prints is refused; else it is kept."""
    refuse_unknown_lost_reasons: bool = False
    """A lost reason that is not on the master list is refused."""
    children_move_parent: bool = False
    """A change of a child row moves its opportunity's `updated_at`."""
    stray_spaces: bool = True
    """Timestamps hold the spaces the page prints them with."""
    created_status: Literal[200, 201] = 201
    """What a create is answered with."""
    keeps: tuple[str, ...] = ()
    """What is made of an opportunity's title when it is stored (`lossy.MAKES`), in this order."""
