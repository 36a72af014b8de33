"""Where a person opens a record in a browser."""

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from nexudus_sync.connectors.erpnext import ERPNextSettings
from nexudus_sync.connectors.hubspot import HubSpotSettings
from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.connectors.overplane import OverplaneSettings


def _nexudus(**keys: str) -> NexudusSettings:
    return NexudusSettings(username="a", password=SecretStr("b"), **keys)


def test_an_id_is_put_into_the_address_so_that_it_cannot_change_it() -> None:
    made = _nexudus(record_url="https://x.example/c/{id}?v=1")
    assert made.url_of("870") == "https://x.example/c/870?v=1"
    assert made.url_of("a/../b?c#d") == "https://x.example/c/a%2F..%2Fb%3Fc%23d?v=1"
    assert made.url_of("") is None
    assert _nexudus().url_of("870") is None


def test_erpnext_knows_its_own_pages_unless_told_otherwise() -> None:
    keys = {"base_url": "https://erp.example/", "api_key": "k", "api_secret": "s"}
    made = ERPNextSettings.model_validate(keys)
    assert made.url_of("CRM-OPP-1 ä") == "https://erp.example/app/opportunity/CRM-OPP-1%20%C3%A4"
    told = ERPNextSettings.model_validate({**keys, "record_url": "https://other.example/{id}"})
    assert told.url_of("1") == "https://other.example/1"
    assert OverplaneSettings.model_validate({"token": "t"}).url_of("opp_1") is None


def _hubspot(**keys: object) -> HubSpotSettings:
    return HubSpotSettings.model_validate({"token": "pat-na1-1", "portal_id": 12345678, **keys})


def test_hubspot_knows_its_own_pages_once_it_knows_its_account() -> None:
    assert _hubspot().url_of("31") == "https://app.hubspot.com/contacts/12345678/record/0-3/31"
    assert _hubspot(token="pat-eu1-2").url_of("3/1") == "https://app-eu1.hubspot.com/contacts/12345678/record/0-3/3%2F1"
    assert _hubspot(token="other").url_of("31") == "https://app.hubspot.com/contacts/12345678/record/0-3/31"
    assert _hubspot(record_url="https://x.example/{id}").url_of("31") == "https://x.example/31"
    assert _hubspot(portal_id=None).url_of("31") is None
    assert _hubspot().url_of("") is None
    assert _hubspot(base_url="http://127.0.0.1:8790").url_of("31") is None  # a sandbox's deals are not there


@pytest.mark.parametrize(
    "template",
    ["", "https://x.example/", "javascript:alert({id})", "//x/{id}", "https://x.example/{id} b", "http://[/{id}"],
)
@pytest.mark.parametrize("kind", [NexudusSettings, OverplaneSettings])
def test_what_would_lead_nowhere_is_refused(template: str, kind: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="is not the address of a record"):
        kind.model_validate({"username": "a", "password": "b", "token": "t", "record_url": template})
