"""Who may look, who may decide, and what a page never does, whatever stands in a record."""

import re
from pathlib import Path

import pytest
from web_people import Person, TestClient, client, token_of

from nexudus_sync.page import application
from page_office import HOSTILE, NAME, PASSWORD, Office

PAGES = ("/", "/inbox", "/inbox?list=decided", "/records?q=office", "/history", "/plan", "/brakes", "/mapping")
ADDRESS = "http://127.0.0.1:8780"


@pytest.mark.parametrize("path", [*PAGES, "/history.csv", "/inbox/item/c1", "/first-run/london.json", "/nowhere"])
def test_with_users_nobody_sees_anything_who_has_not_signed_in(office: Office, path: str) -> None:
    answer = client(office, follow_redirects=False).get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_a_part_of_an_open_page_leads_to_the_sign_in(office: Office) -> None:
    answer = client(office, follow_redirects=False).get("/overview/state", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


def test_without_users_the_page_shows_everything_and_changes_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path, users=False)
    try:
        office.cycle()
        browser = client(office, follow_redirects=False)
        for path in PAGES:
            shown = browser.get(path)
            assert shown.status_code == 200
            assert 'method="post"' not in shown.text
        assert "[[web.users]]" in browser.get("/").text
        refused = browser.post("/connections/london/pause", data={"token": ""})
        assert (refused.status_code, "Only to look at" in refused.text) == (403, True)
        assert browser.get("/sign-in").headers["location"] == "/"
        assert "Paused" not in browser.get("/").text
    finally:
        office.close()


def test_the_wrong_password_is_refused_and_tells_nothing_else(office: Office) -> None:
    browser = client(office)
    token = token_of(browser.get("/sign-in").text)
    wrong = browser.post("/sign-in", data={"token": token, "name": NAME, "password": "wrong"})
    unknown = browser.post("/sign-in", data={"token": token, "name": "Nobody", "password": "wrong"})
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert wrong.text.replace(NAME, "Nobody") == unknown.text
    assert PASSWORD not in wrong.text


def test_after_some_wrong_passwords_even_the_right_one_has_to_wait(office: Office) -> None:
    browser = client(office)
    token = token_of(browser.get("/sign-in").text)
    for _ in range(4):
        assert browser.post("/sign-in", data={"token": token, "name": NAME, "password": "x"}).status_code == 403
    answer = browser.post("/sign-in", data={"token": token, "name": NAME, "password": PASSWORD})
    assert answer.status_code == 429
    assert "Try again in 2 seconds" in answer.text


def test_signing_in_needs_the_token_of_its_own_form(office: Office) -> None:
    browser = client(office)
    browser.get("/sign-in")
    assert browser.post("/sign-in", data={"name": NAME, "password": PASSWORD}).status_code == 403


def test_signing_in_changes_the_key_and_signing_out_ends_the_session(office: Office, sofia: Person) -> None:
    browser = client(office)
    shown = browser.get("/sign-in")
    before = browser.cookies["nexudus-sync"]
    form = {"token": token_of(shown.text), "name": NAME, "password": PASSWORD}
    browser.post("/sign-in", data=form)
    assert browser.cookies["nexudus-sync"] != before
    cookie = shown.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    sofia.do("/sign-out")
    assert sofia.http.get("/", follow_redirects=False).status_code == 303


def test_behind_https_the_cookie_is_secure(office: Office) -> None:
    browser = TestClient(application(office.engine, (), office), base_url="https://127.0.0.1")
    assert "secure" in browser.get("/sign-in").headers["set-cookie"].lower()


@pytest.mark.parametrize("token", ["", "x" * 43])
def test_a_change_without_the_right_token_is_refused(sofia: Person, token: str) -> None:
    answer = sofia.http.post("/connections/london/pause", data={"token": token})
    assert (answer.status_code, "Nothing was changed" in answer.text) == (403, True)
    assert "Paused" not in sofia.see("/")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
def test_a_change_that_another_site_sends_is_refused(sofia: Person, headers: dict[str, str]) -> None:
    answer = sofia.http.post("/connections/london/pause", data={"token": sofia.token}, headers=headers)
    assert answer.status_code == 403


def test_a_form_that_is_too_large_or_none_is_refused(sofia: Person) -> None:
    large = sofia.http.post("/plan", data={"token": sofia.token, "connection": "x" * 70_000})
    other = sofia.http.post("/plan", json={"token": sofia.token})
    assert (large.status_code, other.status_code) == (403, 403)


@pytest.mark.parametrize("path", ["/inbox/c1/take", "/history/1/undo", "/record/unlink", "/sign-out", "/inbox/bulk"])
def test_nothing_changes_by_looking_at_an_address(sofia: Person, path: str) -> None:
    assert sofia.http.get(path).status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8780", "127.0.0.1.evil.example", ""])
def test_another_host_is_refused(office: Office, host: str) -> None:
    answer = client(office).get("/sign-in", headers={"Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost:8780", "127.0.0.1", "[::1]:8780"])
def test_this_machines_own_names_are_answered(office: Office, host: str) -> None:
    assert client(office).get("/sign-in", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/nowhere"])
def test_every_answer_has_the_security_headers(sofia: Person, path: str) -> None:
    headers = sofia.http.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_pages_are_not_kept_by_the_browser(sofia: Person) -> None:
    assert sofia.http.get("/inbox").headers["cache-control"] == "no-store"


def test_what_a_record_says_is_never_markup(sofia: Person) -> None:
    pages = [sofia.see(path) for path in (*PAGES, "/history.csv", "/inbox/preview?answer=crm&all=yes")]
    assert not [page for page in pages if "<script>document" in page and "<!doctype" in page]
    assert any("&lt;script&gt;document" in page for page in pages)
    (card,) = [one for one in sofia.conflicts() if one.nexudus == "9000.00"]
    record = sofia.see(f"/record?connection=london&nexudus={card.nexudus_id}&crm={card.crm_id}")
    assert HOSTILE not in record
    assert "&lt;script&gt;" in record


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_style_or_script_of_its_own_or_from_elsewhere(sofia: Person, path: str) -> None:
    page = sofia.see(path)
    assert re.findall(r'\s(?:style|on[a-z]+)="', page) == []
    assert re.findall(r"<script(?! src=\"/static/)", page) == []
    assert re.findall(r'(?:src|href)="(?!/|#|\?)([^"]*)"', page) == []


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_no_form_leads_to_another_site(office: Office, back: str) -> None:
    browser = client(office, follow_redirects=False)
    form = {"token": token_of(browser.get("/sign-in").text), "name": NAME, "password": PASSWORD, "back": back}
    assert browser.post("/sign-in", data=form).headers["location"] == "/"


def test_no_secret_is_on_a_page(sofia: Person) -> None:
    secrets = sofia.office.settings.secrets()
    assert PASSWORD in secrets
    assert not [path for path in PAGES for secret in secrets if secret in sofia.see(path)]


def test_only_the_files_that_belong_to_the_page_are_served(office: Office) -> None:
    browser = client(office, follow_redirects=False)
    assert browser.get("/static/htmx.min.js").headers["content-type"].startswith("text/javascript")
    for name in ("htmx-LICENSE.txt", "..%2fapp.py", "%2e%2e/app.py"):
        assert browser.get(f"/static/{name}").status_code in (303, 404)
