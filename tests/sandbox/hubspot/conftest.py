import hubspot.crm.associations.v4.rest
import hubspot.crm.contacts.rest
import hubspot.crm.deals.rest
import hubspot.crm.owners.rest
import hubspot.crm.pipelines.rest
import hubspot.crm.properties.rest
import pytest
from hubspot_client import Account, Pool

RESTS = (
    hubspot.crm.deals.rest,
    hubspot.crm.contacts.rest,
    hubspot.crm.associations.v4.rest,
    hubspot.crm.owners.rest,
    hubspot.crm.pipelines.rest,
    hubspot.crm.properties.rest,
)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account, and HubSpot's own client connected to it."""
    made = Account()
    connect(made, monkeypatch)
    return made


def connect(made: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for rest in RESTS:
        monkeypatch.setattr(rest.urllib3, "PoolManager", lambda *_, **__: Pool(made.double))
