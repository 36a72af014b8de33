"""Which of several records bear one title: the very same one, else one that a system may have made of it."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from nexudus_sync.mapping.renderings import alike
from nexudus_sync.mapping.values import fold


class Titled(Protocol):
    """Anything with a title."""

    @property
    def title(self) -> str | None:
        """The title; None for a blank."""
        ...


T = TypeVar("T", bound=Titled)


def twins(record: Titled, others: Iterable[T]) -> list[T]:
    """Those of the very same title."""
    title = _title(record)
    return [other for other in others if title and _title(other) == title]


def without_twins(candidates: Iterable[T], others: Iterable[Titled]) -> list[T]:
    """Those that share their title with none of the others."""
    titles = {_title(other) for other in others} - {""}
    return [candidate for candidate in candidates if _title(candidate) not in titles]


def renderings(record: Titled, others: Iterable[T]) -> list[T]:
    """Those whose title may be what a system keeps of this one's, or the other way round."""
    return [other for other in others if record.title and other.title and alike(record.title, other.title)]


def _title(record: Titled) -> str:
    return fold(record.title or "")
