"""The people of a sandbox: the sync's own login, and two salespeople who can log in beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

from nexudus_sandbox.seed.places import USERS

PASSWORD = "sandbox-password"  # noqa: S105  opens nothing but the sandbox


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works in both systems. `crm` is their login to the CRM: what it is → its value."""

    email: str
    name: str
    crm: Mapping[str, str]

    @property
    def first_name(self) -> str:
        """What colleagues call them."""
        return self.name.partition(" ")[0]


SALESPEOPLE = tuple(USERS[:2])
"""E-mail and name of those who can log in."""
