import re
import tomllib
from datetime import UTC, datetime

import httpx
import pytest

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.seed import Seeded, seed
from nexudus_sandbox.seed.documents import KEY_FIELD
from nexudus_sandbox.world import World

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def seeded(version: int) -> tuple[NexudusDouble, ERPNextDouble, Seeded]:
    nexudus, erpnext = NexudusDouble(lambda: NOW, seed=1), ERPNextDouble(lambda: NOW, version=version)  # type: ignore[arg-type]
    return nexudus, erpnext, seed(nexudus, erpnext, nexudus=60, crm=50, shared=24)


@pytest.mark.parametrize("version", [15, 16])
def test_both_versions_are_seeded_with_what_the_counts_say(version: int) -> None:
    _, erpnext, told = seeded(version)
    ours = [row for row in erpnext.records().values() if row["company"] == told.places.london.company]
    assert sorted(row["name"] for row in ours) == sorted(told.crm_ids)
    assert len(told.crm_ids) == 50
    assert len(told.pairs) == 24
    assert {row["currency"] for row in ours} == {"GBP"}
    assert {row["opportunity_from"] for row in ours} == {"Lead", "Customer"}
    assert all(KEY_FIELD in row and row[KEY_FIELD] is None for row in ours)


def test_the_equal_pairs_say_the_same() -> None:
    nexudus, erpnext, told = seeded(16)
    for card, name in told.equal:
        ours, theirs = nexudus.record(card), erpnext.record(name)
        assert theirs["title"] == ours["Name"]
        assert (theirs["opportunity_amount"] or None) == (ours["Value"] or None)
        assert theirs["utm_campaign"] == ours["UtmCampaign"]


def test_what_was_saved_long_ago_is_stamped_so() -> None:
    _, erpnext, told = seeded(16)
    rows = [erpnext.record(name) for name in told.crm_ids]
    assert [row["creation"] for row in rows] == sorted(row["creation"] for row in rows)
    assert len({row["creation"] for row in rows}) == len(rows)
    assert all(row["creation"] <= row["modified"] < "2026-03-02 10:00:00" for row in rows)


@pytest.mark.sockets
def test_a_world_with_erpnext_is_configured_for_it() -> None:
    with World(crm_name="erpnext", nexudus=10, crm=8, shared=4) as world:
        environment = world.environment()
        assert not any(secret in world.config_toml() for secret in environment.values() if "secret" in secret)
        config = tomllib.loads(re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], world.config_toml()))
        crm = config["crm"]["erpnext"]
        login = {"Authorization": f"token {crm['api_key']}:{crm['api_secret']}"}
        with httpx.Client(trust_env=False) as client:
            path = f"{crm['base_url']}/api/method/frappe.auth.get_logged_user"
            assert client.get(path, headers=login).json() == {"message": "sync@example.com"}
        assert crm["base_url"] == world.crm_url
        assert world.crm.title == "ERPNext"
        assert world.erpnext is world.crm.double
        with pytest.raises(AssertionError):
            _ = world.overplane
    (connection,) = config["connection"]
    assert (connection["crm"], connection["company"]) == ("erpnext", "Example Corp")
