"""What `init` needs to know of a system: what to ask a person for, and what there is to choose from.

A connector offers it besides the protocol; without it `init` asks for what the connector's settings require, and for
names and ids as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from nexudus_sync.connectors.base import Scope


@dataclass(frozen=True, slots=True)
class Question:
    """A key of the system's own table in the configuration, as a person is asked for it.

    `hidden`: what is typed is not shown. `optional`: it may be left empty.
    """

    key: str
    text: str
    hidden: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several answers: its text, the keys of the `[[connection]]` that it stands for, a name to call it by.

    The part of a CRM that takes part is named by the key that the connector's class calls its `part`, "company" where
    it says none. If the class has `needs_part = True`, all parts together are not offered.
    """

    label: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Further:
    """A key of the `[[connection]]` that the system needs besides. Without `choices` any text is an answer."""

    key: str
    text: str
    choices: tuple[Choice, ...] = ()


@runtime_checkable
class TellsOfItself(Protocol):
    """What a connector offers besides, when logging in tells what its own table had better say."""

    def learned(self) -> Mapping[str, str]:
        """Keys of the system's own table, dotted, with their values as TOML spells them; without those it has."""
        ...


@runtime_checkable
class MakesKey(Protocol):
    """What a connector offers besides, when it can make the field in which copies keep the id of their origin."""

    async def lacks_key(self) -> str:
        """What such a field would be called there and by what right it is made, in words; "" where none is lacking."""
        ...

    async def make_key(self) -> str:
        """Make it; says in a line what was made. Raises RoleMissing, which names the right, and what writes raise."""
        ...


@runtime_checkable
class GuidesSetup(Protocol):
    """What a connector offers besides, to help a person connect it. All methods raise what reads raise."""

    async def choices(self) -> list[Choice]:
        """The parts of the system that a connection can be about (locations and boards; companies)."""
        ...

    async def further(self, scope: Scope) -> list[Further]:
        """What else has to be decided for this scope."""
        ...

    async def vocabulary(self, scope: Scope) -> Mapping[str, tuple[str, ...]]:
        """The names that the system keeps in lists, in its own order: canonical field → names (stages, …)."""
        ...
