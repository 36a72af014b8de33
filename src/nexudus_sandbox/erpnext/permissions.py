"""Who may do what: users, their roles, and what each role may do with a DocType.

Facts from the DocType definitions of frappe and erpnext, and from what two servers refused.
"""

from dataclasses import dataclass, field
from typing import Literal

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.meta import DocType

Right = Literal["select", "read", "write", "create", "delete", "submit", "cancel"]

ADMINISTRATOR, GUEST = "Administrator", "Guest"
SYSTEM_MANAGER, SALES_USER, SALES_MANAGER, DESK_USER = "System Manager", "Sales User", "Sales Manager", "Desk User"
FULL: frozenset[Right] = frozenset({"read", "write", "create", "delete"})
EDIT: frozenset[Right] = frozenset({"read", "write", "create"})
READ: frozenset[Right] = frozenset({"read"})
SELECT: frozenset[Right] = frozenset({"select"})
"""Enough to choose one in a form: its name may be listed, and nothing else of it."""
SUBMIT: frozenset[Right] = FULL | {"submit", "cancel"}

_SALES = {SALES_USER: FULL, SALES_MANAGER: FULL}
_DESK_READS = {DESK_USER: READ}
GRANTS: dict[str, dict[str, frozenset[Right]]] = {
    "Opportunity": _SALES,
    "Prospect": _SALES,
    "Competitor": _SALES,
    "Lead": {SALES_USER: EDIT, SALES_MANAGER: FULL},
    "Customer": {SALES_USER: EDIT, SALES_MANAGER: READ},
    "Contact": {SALES_USER: EDIT, SALES_MANAGER: EDIT},
    "Quotation": {SALES_USER: SUBMIT, SALES_MANAGER: SUBMIT},
    "Sales Stage": {SALES_MANAGER: FULL},
    "Opportunity Lost Reason": {SALES_USER: EDIT, SALES_MANAGER: FULL},
    "Opportunity Type": {SALES_USER: READ, SALES_MANAGER: FULL},
    "Comment": {DESK_USER: EDIT},
    "User": _DESK_READS,
    "Company": _DESK_READS,
    "Currency": _DESK_READS,
    "Country": _DESK_READS,
    "Language": _DESK_READS,
    "Territory": _DESK_READS,
    "Customer Group": _DESK_READS,
    "Industry Type": _DESK_READS,
    "Market Segment": _DESK_READS,
    "Item": _DESK_READS,
    "UTM Source": {"Marketing Manager": FULL, DESK_USER: SELECT},
    "UTM Campaign": {"Marketing Manager": FULL, DESK_USER: SELECT},
    "UTM Medium": {"Marketing Manager": FULL, DESK_USER: SELECT},
    "Lead Source": {SALES_MANAGER: FULL, SALES_USER: READ},
    "Campaign": {SALES_MANAGER: EDIT, SALES_USER: READ, "Sales Master Manager": FULL},
}
"""DocType → role → rights. A System Manager may do everything; what is not named here only they may."""


@dataclass(slots=True)
class User:
    """Somebody who can log in; `allowed` holds their User Permissions: DocType → the only documents they get to see."""

    name: str
    roles: frozenset[str] = frozenset()
    api_key: str = ""
    api_secret: str = ""
    allowed: dict[str, set[str]] = field(default_factory=dict)

    @property
    def is_guest(self) -> bool:
        """Did nobody log in?"""
        return self.name == GUEST

    @property
    def is_system_user(self) -> bool:
        """Does any role let them into the desk?"""
        return bool(self.roles) or self.name == ADMINISTRATOR

    def may(self, right: Right, doctype: str) -> bool:
        """Does any of their roles grant the right?"""
        if self.name == ADMINISTRATOR or SYSTEM_MANAGER in self.roles:
            return True
        grants = GRANTS.get(doctype, {})
        roles = self.roles | {DESK_USER} if self.roles else self.roles
        return any(right in grants[role] for role in roles if role in grants)

    def sees(self, meta: DocType, row: Row) -> bool:
        """Do their User Permissions let them see this document?"""
        if not self.allowed:
            return True
        own = self.allowed.get(meta.name)
        if own is not None and row["name"] not in own:
            return False
        return all(
            not row.get(link.name) or row[link.name] in self.allowed[link.options]
            for link in meta.links
            if link.options in self.allowed
        )


def demand(user: User, right: Right, meta: DocType) -> None:
    """Raise 403 unless a role of the user grants the right."""
    if right in {"submit", "cancel"} and not meta.submittable:
        said = (errors.message("Document Type is not submittable"),)
        raise errors.FrappeError("PermissionError", "", said, traced=False, summary=f"No permission for {meta.name}")
    if not user.may(right, meta.name):
        raise errors.no_permission(user.name, meta.name)
