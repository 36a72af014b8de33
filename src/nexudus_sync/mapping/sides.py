"""The two sides of a connection, and the two ways in which a value can fail to cross between them."""

from enum import StrEnum


class Side(StrEnum):
    """One end of a connection."""

    NEXUDUS = "nexudus"
    CRM = "crm"

    @property
    def other(self) -> "Side":
        """The opposite end."""
        return Side.CRM if self is Side.NEXUDUS else Side.NEXUDUS

    @property
    def word(self) -> str:
        """How a sentence names it."""
        return "Nexudus" if self is Side.NEXUDUS else "the CRM"


class Unreadable(Exception):
    """A value in a record that the mapping cannot read; the text is one line: what is wrong and what to do."""


class Unmapped(Exception):
    """A value that cannot be said on a side; the text is one line: what is wrong and what to do."""


class NoSuchName(Unmapped):
    """A name that a side's list lacks.

    `near` is the one of its names that may be meant, and the text proposes it; None where a person has to choose.
    `choose` is the text without the proposal.
    """

    def __init__(self, text: str, near: str | None, choose: str) -> None:
        super().__init__(text)
        self.near, self.choose = near, choose
