import re
import tomllib

import httpx
import pytest

from nexudus_sandbox.nexudus import NEXUDUS_WINDOWS
from nexudus_sandbox.world import SPEED, World

pytestmark = pytest.mark.sockets


def test_the_configuration_leads_to_the_running_doubles() -> None:
    with World(nexudus=10, crm=8, shared=4) as world:
        environment = world.environment()
        text = re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], world.config_toml())
        config = tomllib.loads(text)
        nexudus, overplane = config["nexudus"], config["crm"]["overplane"]
        with httpx.Client(trust_env=False) as client:
            form = {"grant_type": "password", "username": nexudus["username"], "password": nexudus["password"]}
            token = client.post(f"{nexudus['base_url']}/token", data=form).json()["access_token"]
            bearer = {"Authorization": f"Bearer {token}"}
            scope = {"CrmOpportunity_CrmBoardColumn_CrmBoard_Business_Id": "1001"}
            cards = client.get(f"{nexudus['base_url']}/crm/crmopportunities", params=scope, headers=bearer).json()
            rows = client.get(
                f"{overplane['base_url']}/api/crm/opportunity",
                headers={"Authorization": f"Bearer {overplane['token']}"},
            ).json()
    assert cards["TotalItems"] == 10
    assert sum(row["company"] == "Example Corp" for row in rows["data"]) <= 8
    (connection,) = config["connection"]
    assert connection["scope"] == {"business_id": 1001}
    assert (connection["name"], connection["company"]) == ("london", "Example Corp")


def test_the_configured_limits_stay_within_what_the_sandbox_grants() -> None:
    with World(nexudus=1, crm=1, shared=0) as world:
        limits = tomllib.loads(world.config_toml())["nexudus"]["limits"]
        granted = world.nexudus.options.customer_creations_per_day
    names = ("per_second", "per_minute", "per_hour", "per_day", "writes_per_minute", "writes_per_day")
    for name, window in zip(names, NEXUDUS_WINDOWS, strict=True):
        assert 0 < limits[name] < window.calls * SPEED
    assert limits["customer_creations_per_day"] <= granted


def test_secrets_stand_in_the_environment_and_not_in_the_configuration() -> None:
    with World(nexudus=1, crm=1, shared=0) as world:
        assert not any(secret in world.config_toml() for secret in world.environment().values())


def test_closing_stops_both_servers() -> None:
    world = World(nexudus=1, crm=1, shared=0)
    world.close()
    for url in (world.nexudus_url, world.crm_url):
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
