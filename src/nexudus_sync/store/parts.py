"""Ids in parts: a statement takes only so many of them."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
AT_ONCE = 500
"""What one statement is given."""


def in_parts(named: Iterable[T]) -> Iterator[list[T]]:
    """These, in their order, in lists of at most `AT_ONCE`."""
    left = list(named)
    return (left[start : start + AT_ONCE] for start in range(0, len(left), AT_ONCE))
