"""A site that is new lacks lists that the mapping names: `check` says so in a line, and stops for what stops a run."""

from pathlib import Path

import pytest
from cli_house import Ended, House

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.world import Sandbox
from nexudus_sync.mapping.shipped import shipped

REASON = "Opportunity Lost Reason"


@pytest.fixture
def site(tmp_path: Path) -> tuple[House, ERPNextDouble]:
    """ERPNext as it is installed: nobody has entered a lost reason yet."""
    sandbox = Sandbox(crm_name="erpnext", nexudus=4, crm=3, shared=2)
    house = House.of(tmp_path, sandbox)
    house.write(sandbox.config_toml())
    sandbox.erpnext.site.tables[REASON].rows.clear()
    return house, sandbox.erpnext


def lines(ended: Ended, word: str) -> list[str]:
    return [line for line in ended.out.splitlines() if word in line and "mapping" in line]


def test_check_passes_a_new_site_and_offers_the_choice_in_one_line(site: tuple[House, ERPNextDouble]) -> None:
    house, _ = site
    ended = house.run("check")
    assert (ended.code, ended.err) == (0, "")
    (line,) = lines(ended, "lost_reasons")
    assert line.startswith("!")
    assert "the CRM has no 'Timing', 'Need', 'Poor qualification' and 18 more for lost_reasons" in line
    assert "add what is missing to the list Opportunity Lost Reason in ERPNext" in line
    assert "create_missing = true in [crm.erpnext]" in line
    assert "needs the role Sales User" in line
    assert house.run("backfill", "--yes").code == 0


def may_create(house: House) -> None:
    text = house.config.read_text(encoding="utf-8")
    house.write(text.replace('connector = "erpnext"', 'connector = "erpnext"\ncreate_missing = true'))


def test_nothing_is_missing_where_the_sync_may_add_it(site: tuple[House, ERPNextDouble]) -> None:
    house, _ = site
    may_create(house)
    assert lines(house.run("check"), "lost_reasons") == []


def test_a_user_who_may_not_add_it_is_told_the_role(site: tuple[House, ERPNextDouble]) -> None:
    house, double = site
    may_create(house)
    own = type(double.users["sync@example.com"])

    class Reader(own):  # type: ignore[misc, valid-type]
        def may(self, right: str, doctype: str) -> bool:
            return not (right == "create" and doctype == REASON) and bool(super().may(right, doctype))

    user = double.users["sync@example.com"]
    double.users["sync@example.com"] = Reader(user.name, user.roles, user.api_key, user.api_secret)
    ended = house.run("check")
    assert ended.code == 0
    (line,) = lines(ended, "lost_reasons")
    assert "the user may not create Opportunity Lost Reason: give it the role Sales User in ERPNext, or add" in line


def test_check_and_backfill_stop_for_the_same_name(site: tuple[House, ERPNextDouble]) -> None:
    house, _ = site
    mapping = shipped("erpnext").replace(
        "[fields.lost_reasons]", '[fields.sales_stage.values]\n"Tour" = "Tour booked"\n\n[fields.lost_reasons]'
    )
    (house.folder / "own.toml").write_text(mapping, encoding="utf-8")
    house.write(house.config.read_text(encoding="utf-8") + 'mapping = { crm = "own.toml" }\n')
    told = "fields.sales_stage.values: the CRM has no 'Tour'; it has "
    for verb in (("check",), ("backfill", "--yes"), ("sync",)):
        ended = house.run(*verb)
        assert (ended.code, told in ended.err) == (2, True), verb


@pytest.mark.parametrize("verb", [("check",), ("backfill", "--yes")])
def test_a_default_that_the_sites_own_list_lacks_stops_both(
    site: tuple[House, ERPNextDouble], verb: tuple[str, ...]
) -> None:
    house, _ = site
    mapping = shipped("erpnext").replace(
        'key = "lost_reason"', 'key = "lost_reason"\non_unmapped = { default = "Other" }'
    )
    (house.folder / "own.toml").write_text(mapping, encoding="utf-8")
    house.write(house.config.read_text(encoding="utf-8") + 'mapping = { crm = "own.toml" }\n')
    ended = house.run(*verb)
    assert ended.code == 2
    assert "own.toml:53: fields.lost_reasons.on_unmapped.default: the CRM has no 'Other'; it has none" in ended.err


def test_a_company_that_only_creates_carry_is_named_where_it_stands(site: tuple[House, ERPNextDouble]) -> None:
    house, _ = site
    lines = [line for line in house.config.read_text(encoding="utf-8").splitlines() if not line.startswith("company")]
    text = "\n".join(lines).replace('connector = "erpnext"', 'connector = "erpnext"\ncompany = "Nowhere Ltd"')
    house.write(text)
    ended = house.run("sync")
    assert ended.code == 2
    assert 'config.toml:20: crm.erpnext.company: erpnext has no company "Nowhere Ltd" (it has ' in ended.err
