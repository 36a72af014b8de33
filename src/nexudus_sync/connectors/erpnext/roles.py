"""Which role gives a right that the sync's user lacks.

Facts from the DocType definitions of frappe and erpnext; a site may have changed them in its Role Permissions Manager.
"""

_MARKETING = "Marketing Manager"

_READ = {"Sales Stage": "Sales Manager", "Deleted Document": "System Manager"}
_CREATE = {
    "UTM Source": _MARKETING,
    "UTM Medium": _MARKETING,
    "UTM Campaign": _MARKETING,
    "Lead Source": "Sales Manager",
    "Campaign": "Sales Manager",
    "Sales Stage": "Sales Manager",
}
_OTHERWISE = "Sales User"


def role(doctype: str, right: str) -> str:
    """The role that has the right ("read", "write", "create" or "delete") on a DocType of a new site."""
    return (_READ if right == "read" else _CREATE).get(doctype, _OTHERWISE)


def lacking(user: str, doctype: str, right: str) -> str:
    """What is wrong, and what to do about it."""
    return f"{user} may not {right} {doctype}: give it the role {role(doctype, right)} in ERPNext"
