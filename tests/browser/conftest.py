"""A real browser, Debian's Chromium, in front of a page that is really served.

Needs the extra `browser` of the package, Chromium at /usr/bin/chromium or where CHROMIUM says, and
`npm install` in this folder. docs/testing.md tells how.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from page_office import NAME, PASSWORD, Office

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--no-first-run"),
]
"""It must not call home: what a test sees is what the page does."""
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need a browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Office, str]]:
    """An office with work in it, and the address of its page. Cycles run when somebody asks for one."""
    office = Office(tmp_path_factory.mktemp("office"))
    office.fill()
    yield office, office.serve()
    office.close()


@dataclass
class Screen:
    """A browser's window, and what went wrong in it."""

    page: Any
    address: str
    office: Office
    problems: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def sign_in(self, password: str = PASSWORD) -> None:
        self.go("/sign-in")
        self.page.get_by_label("Name").fill(NAME)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def serious(self) -> list[str]:
        """What the accessibility checker finds serious on the page that is shown."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['html']}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]


@pytest.fixture
def screens(chromium: Any, served: tuple[Office, str]) -> Iterator[Any]:
    """Opens windows of any size; whatever a page logs as an error fails the test."""
    office, address = served
    opened: list[tuple[Any, Screen]] = []

    def screen(**options: Any) -> Screen:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        made = Screen(context.new_page(), address, office)
        made.page.on("pageerror", lambda error: made.problems.append(str(error)))
        made.page.on("dialog", lambda dialog: (made.problems.append(dialog.message), dialog.dismiss()))
        made.page.on(
            "console", lambda line: made.problems.append(line.text) if "Content Security" in line.text else None
        )
        opened.append((context, made))
        return made

    yield screen
    for context, _ in opened:
        context.close()
    assert [problem for _, made in opened for problem in made.problems] == []
