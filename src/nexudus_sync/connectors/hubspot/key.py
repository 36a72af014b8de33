"""The deal property that holds the external key: what it has to be like, and how it is made for a person."""

from nexudus_sync.connectors.base import Record
from nexudus_sync.connectors.hubspot.account import PROPERTIES, Account
from nexudus_sync.connectors.hubspot.api import Api
from nexudus_sync.connectors.hubspot.dialect import Exists, needs
from nexudus_sync.errors import Refused, RoleMissing

SCOPE = "crm.schemas.deals.write"
LABEL = "Nexudus ID"


def is_unique(definition: Record | None) -> bool:
    """Does the property demand unique values? Else it keeps nothing from being created twice."""
    return definition is not None and bool(definition.get("hasUniqueValue"))


async def lacking(account: Account, name: str) -> str:
    """What would have to be made; "" if there is such a property, none is wanted, or nobody may look."""
    known = await account.properties()
    if not name or not known or name in known:
        return ""
    return f'the deal property "{LABEL}" ({name}, unique values), for which the key needs the scope {SCOPE}'


async def make(api: Api, account: Account, name: str) -> str:
    """Make the property of that name.

    Raises RoleMissing naming the scope, Refused where HubSpot brings back an archived one without unique values.
    """
    try:
        made = await api.make_property(PROPERTIES, definition(name))
    except RoleMissing as error:
        raise RoleMissing(api.system, needs((SCOPE,)), said=error.said) from error
    except Exists:
        made = None  # somebody was quicker
    account.ask_afresh()
    known = made if made is not None else (await account.properties()).get(name)
    if not is_unique(known):
        told = f"the property {name} exists and does not demand unique values, which cannot be switched on later"
        raise Refused(api.system, f"{told}; name another one as nexudus_id in the configuration")
    return f'deals have the property "{LABEL}" ({name}) now; its values are unique'


def definition(name: str) -> Record:
    """What HubSpot is sent."""
    told = "The Nexudus card that the deal is kept in step with. Filled by nexudus-sync; please do not edit."
    return {
        "groupName": "dealinformation",
        "name": name,
        "label": LABEL,
        "description": told,
        "type": "string",
        "fieldType": "text",
        "hasUniqueValue": True,
    }
