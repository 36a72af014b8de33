"""`notify test`: one line an address, which never shows it."""

from collections.abc import Sequence

import pytest
from cli_house import CONFIG, House

from nexudus_sync.cli import notify
from nexudus_sync.signals.senders import Sent, kind_of

NOTIFY = """
[notify]
urls = ["${NOTIFY_URL}", "${NOTIFY_MAIL}"]
"""
URLS = {"NOTIFY_URL": "slack://TokenA/TokenB/TokenC", "NOTIFY_MAIL": "mailto://me:hunter2@example.com"}


@pytest.fixture
def told(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The titles of what was sent; mail does not go."""
    house.write(CONFIG + NOTIFY)
    house.environment |= URLS
    titles = []

    def send(urls: Sequence[str], title: str, body: str) -> list[Sent]:
        assert list(urls) == list(URLS.values())
        titles.append(title)
        return [Sent(kind_of(url), not url.startswith("mailto"), "it cannot be reached") for url in urls]

    monkeypatch.setattr(notify, "send", send)
    return titles


def test_each_address_is_told_by_its_kind_and_one_that_fails_is_exit_code_1(house: House, told: list[str]) -> None:
    ended = house.run("notify", "test")
    assert told == ["nexudus-sync: a test"]
    assert ended.out.splitlines() == ["address 1 (slack): sent", "address 2 (mailto): not sent: it cannot be reached"]
    assert (ended.code, ended.err) == (1, "")


def test_only_its_own_variables_are_needed_but_those_are(house: House, told: list[str]) -> None:
    del house.environment["NOTIFY_MAIL"]
    ended = house.run("notify", "test")
    assert (ended.code, told) == (2, [])
    assert "notify.urls[1]: the environment variable NOTIFY_MAIL is not set" in ended.err
    assert house.run("status").code == 0


def test_without_addresses_it_is_wrong_usage(house: House) -> None:
    ended = house.run("notify", "test")
    assert ended.code == 2
    assert "notify.urls: names nobody to tell; write for example urls" in ended.err
