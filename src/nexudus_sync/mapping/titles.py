"""Which of several records have the same title, or a system's rendering of it."""

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
    """The records with exactly this title."""
    title = _title(record)
    return [other for other in others if title and _title(other) == title]


def without_twins(candidates: Iterable[T], others: Iterable[Titled]) -> list[T]:
    """The candidates that share their title with none of the others."""
    titles = {_title(other) for other in others} - {""}
    return [candidate for candidate in candidates if _title(candidate) not in titles]


def renderings(record: Titled, others: Iterable[T]) -> list[T]:
    """The records whose title may be a rendering of this one's, or the other way round."""
    return [other for other in others if record.title and other.title and alike(record.title, other.title)]


def _title(record: Titled) -> str:
    return fold(record.title or "")
