"""The page of a fleet in a real browser."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nexudus_sync.web import serve

sys.path.insert(0, str(Path(__file__).parents[1] / "web"))
from fleet_people import PASSWORDS, USERS, FleetOffice


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page of five tenants, of which one is broken."""
    office = FleetOffice(
        tmp_path_factory.mktemp("fleet"), "acme", "beta", "dock", "mill", users=f"[web]\nport = 0\n{USERS}"
    )
    office.add("gamma", "[nexudus]\n")
    for tenant in ("acme", "beta"):
        office.fill(tenant)
    page = serve.start(office.desk.settings().web, office.app)
    assert page is not None
    yield page.address.rstrip("/")
    page.stop()
    office.close()


def signed_in(screens: Any, address: str, **options: Any) -> Any:
    screen = screens(**options)
    screen.address = address
    screen.go("/sign-in")
    screen.page.get_by_label("Name").fill("Sofia")
    screen.page.get_by_label("Password").fill(PASSWORDS["SOFIA"])
    screen.page.get_by_role("button", name="Sign in").click()
    return screen


PATHS = ("/", "/?tenant=acme", "/inbox", "/mapping", "/plan", "/inbox?tenant=acme", "/history?tenant=beta")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing_serious(screens: Any, fleet: str, scheme: str) -> None:
    screen = signed_in(screens, fleet, color_scheme=scheme)
    for path in PATHS:
        screen.go(path)
        assert screen.serious() == [], path


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_page_scrolls_sideways(screens: Any, fleet: str, width: int) -> None:
    screen = signed_in(screens, fleet, viewport={"width": width, "height": 800})
    for path in PATHS:
        screen.go(path)
        assert screen.page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_tenant_is_found_and_chosen_and_let_go_again(screens: Any, fleet: str) -> None:
    page = signed_in(screens, fleet).page
    page.get_by_role("searchbox", name="Tenant").fill("acm")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name="acme", exact=True).click()
    page.wait_for_url("**/?tenant=acme")
    page.get_by_role("link", name="Inbox", exact=False).first.click()
    page.wait_for_url("**/inbox?tenant=acme")
    assert "beta" not in page.inner_text("main")
    page.locator("#all-tenants").click()
    page.wait_for_url("**/inbox")
    assert "beta" in page.inner_text("main")


def test_what_is_being_typed_stays_when_the_list_is_renewed(screens: Any, fleet: str) -> None:
    page = signed_in(screens, fleet).page
    page.get_by_role("searchbox", name="Tenant").fill("half a wo")
    with page.expect_response("**/overview/state**"):
        page.evaluate("htmx.ajax('GET', '/overview/state', {target: '#state', swap: 'outerHTML'})")
    page.wait_for_function("document.querySelectorAll('#state').length === 1")
    assert page.get_by_role("searchbox", name="Tenant").input_value() == "half a wo"
