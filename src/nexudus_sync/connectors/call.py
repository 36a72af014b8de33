"""One call of a system, before it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nexudus_sync import codec
from nexudus_sync.connectors.base import Priority
from nexudus_sync.errors import Refused


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked, and how it may be handled."""

    method: str
    path: str
    params: Mapping[str, str] | None
    priority: Priority
    body: Mapping[str, Any] = field(default_factory=dict)
    """How the body is passed to httpx; empty for none."""
    headers: Mapping[str, str] = field(default_factory=dict)
    creation: bool = False
    record: str | None = None
    """The record, where the path does not name it."""
    about: str | None = None
    """What tells its record from others, where the path does not: the record itself, or a hash of the body."""
    repeatable: bool = True
    """Doing it twice is harmless (reads, logging in)."""
    reads: bool = False
    """It changes nothing, although its method is not GET: a search whose question is in the body."""

    rests_on_read: bool = False
    """It replaces or deletes what was read a moment ago, so it must not be sent much later."""

    @property
    def is_write(self) -> bool:
        """Does it count as a write?"""
        return self.method != "GET" and not self.reads

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def as_json(content: Any, system: str) -> dict[str, Any]:
    """What a call of a system needs to send a body.

    Raises Refused for a value that JSON cannot express, so that it cannot be sent back.
    """
    try:
        text = codec.dumps(content).encode()
    except (TypeError, ValueError, RecursionError):
        problem = "it contains a value that JSON cannot express (not a number, or nested too deeply)"
        raise Refused(system, problem) from None
    return {"body": {"content": text}, "headers": {"Content-Type": "application/json"}}
