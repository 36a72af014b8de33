"""A link's halves: the columns that exist once for each side."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from sqlalchemy.orm.attributes import set_attribute

from nexudus_sync.mapping.sides import Side

if TYPE_CHECKING:
    from nexudus_sync.store.tables import Link


T = TypeVar("T")


class Column(Generic[T]):
    """A column of the link whose name begins with the side's."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, half: "Half", owner: type["Half"]) -> T:
        return cast("T", getattr(half.link, f"{half.side.value}_{self._name}"))

    def __set__(self, half: "Half", value: T) -> None:
        # Past the model's own way, which costs three times as much: two dozen of these are set for each pair.
        set_attribute(half.link, f"{half.side.value}_{self._name}", value)


class Half:
    """What a link knows of its record on one side: a view, whose changes are the link's.

    `id` and `identity` name the record ("": unknown); `stamp`, `stamped_at` and `noted_at` are its newest known state,
    `changed_at` is when somebody else last changed it, `changed_by` who ("": unknown), `digest` the fingerprint of its
    listed row. `must_read` is the mark: it has to be read again. `snapshot` is what it said when both last agreed.
    """

    __slots__ = ("link", "side")
    id = Column[str]("id")
    identity = Column[str]("identity")
    stamp = Column[str]("stamp")
    stamped_at = Column[datetime | None]("stamped_at")
    noted_at = Column[datetime | None]("noted_at")
    changed_at = Column[datetime | None]("changed_at")
    changed_by = Column[str]("changed_by")
    digest = Column[str]("digest")
    must_read = Column[bool]("recheck")
    snapshot = Column[dict[str, Any]]("snapshot")

    def __init__(self, link: "Link", side: Side) -> None:
        self.link, self.side = link, side

    def note(self, token: str, at: datetime | None, now: datetime) -> None:
        """Note the newest known state, by its stamp; `now` is kept as the time if the stamp is a new one."""
        if token != self.stamp:
            self.noted_at = now
        self.stamp, self.stamped_at = token, at
