"""Pictures of the page for docs/images, of made-up data: desktop and phone, light and dark.

pip install playwright, and a Chromium at /usr/bin/chromium (Debian: apt-get install chromium)
python benchmarks/screenshots.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from sqlmodel import col, select

from nexudus_sync import logs
from nexudus_sync.store.tables import Conflict, Failure
from page_office import NAME, PASSWORD, Office

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
LOOKS = {
    "desktop-light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "desktop-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True},
}


LOOKED_AT = ("overview", "inbox")
"""The pages that the docs show in every look; of the others one is enough."""


def wanted(name: str, look: str, every: bool) -> bool:
    return every or look == "desktop-light" or name in LOOKED_AT


def pages(office: Office) -> dict[str, str]:
    with office.engine.store.read() as session:
        conflict = session.exec(select(Conflict).order_by(col(Conflict.opened_at).desc())).first()
        failure = session.exec(select(Failure).where(col(Failure.kind) == "unmapped")).first()
    pair = f"connection=london&nexudus={conflict.nexudus_id}&crm={conflict.crm_id}"
    return {
        "overview": "/",
        "inbox": f"/inbox?open=c{conflict.id}",
        "failure": f"/inbox?open=f{failure.id}",
        "preview": "/inbox/preview?answer=nexudus&all=yes",
        "record": f"/record?{pair}",
        "plan": "/plan",
        "history": "/history",
        "mapping": "/mapping",
        "first-run": "/first-run/london",
    }


def take(browser: Browser, office: Office, folder: Path, every: bool) -> None:
    address = office.serve()
    for look, options in LOOKS.items():
        context = browser.new_context(**options, locale="en-GB", device_scale_factor=1)
        page = context.new_page()
        page.goto(f"{address}/sign-in")
        if every:
            page.screenshot(path=folder / f"sign-in-{look}.png")
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.goto(f"{address}/plan")
        page.get_by_role("button", name="Make").click()
        page.wait_for_selector(".tiles")
        for name, path in pages(office).items():
            if wanted(name, look, every):
                page.goto(address + path)
                page.screenshot(path=folder / f"{name}-{look}.png", full_page=every)
        context.close()
    office.brake()
    for look, options in LOOKS.items():
        context = browser.new_context(**options, locale="en-GB")
        page = context.new_page()
        page.goto(f"{address}/sign-in")
        page.get_by_label("Name").fill(NAME)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        for name, path in {"stopped": "/", "brake": "/brakes"}.items():
            if wanted(name, look, every):
                page.goto(address + path)
                page.screenshot(path=folder / f"{name}-{look}.png", full_page=every)
        context.close()


def main() -> None:
    logs.configure("error")
    every = "--all" in sys.argv
    folder = Path(sys.argv[-1] if every else "docs/images")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, sync_playwright() as play:
        office = Office(Path(state))
        office.fill()
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            take(browser, office, folder, every)
        finally:
            browser.close()
            office.close()


if __name__ == "__main__":
    main()
