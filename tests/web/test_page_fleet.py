"""The page of a fleet: all tenants for who may see them, and for everybody else nothing of the others, in any way."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_people import ALONE, CARD, DEAL, PASSWORDS, FleetOffice, FleetPerson
from web_people import quiet

from nexudus_sync.page import desk_beside, served
from nexudus_sync.signals import http as monitoring
from nexudus_sync.signals.metrics import Metrics
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Decision, Failure, History
from nexudus_sync.web import app

THEIRS = re.compile(r"beta|gamma", re.IGNORECASE)
"""What nobody of acme may ever read."""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetOffice]:
    made = FleetOffice(tmp_path_factory.mktemp("fleet"), "acme", "beta")
    made.add("gamma", "[nexudus]\nsecret_of_gamma = 1\n")
    for tenant in ("acme", "beta"):
        made.fill(tenant)
    with quiet():
        yield made
    made.close()


@pytest.fixture
def ann(office: FleetOffice) -> FleetPerson:
    """Somebody who may see acme only."""
    return office.signed_in("Acme's Ann", PASSWORDS["ANN"])


@pytest.fixture
def sofia(office: FleetOffice) -> FleetPerson:
    """Somebody who may see everything."""
    return office.signed_in("Sofia", PASSWORDS["SOFIA"])


class Theirs:
    """What an attacker would ask for: everything of beta, by its ids and names."""

    def __init__(self, office: FleetOffice) -> None:
        self.conflict, self.match, self.decided = (one.id for one in office.rows(Conflict, "beta"))
        self.failure, self.dismissed = (one.id for one in office.rows(Failure, "beta"))
        (self.entry,) = (one.id for one in office.rows(History, "beta"))
        self.name, self.brakes = "beta%2Flondon", "|".join(str(one.id) for one in office.rows(Brake, "beta"))

    def shown(self) -> dict[str, list[str]]:
        """Addresses to look at, by route."""
        filters = [
            f"?connection={self.name}",
            "?tenant=beta",
            "?tenant=gamma",
            "?tenant=acme&tenant=beta",
            "?q=Secret",
            "",
        ]
        keys = [f"c{self.conflict}", f"c{self.match}", f"c{self.decided}", f"f{self.failure}", f"f{self.dismissed}"]
        picked = "&".join(f"item={key}" for key in keys)
        return {
            "/": [*filters, "?show=trouble", "?page=2"],
            "/overview/state": filters,
            "/inbox": [*filters, *(f"?open={key}" for key in keys), "?list=decided", "?list=dismissed", "?list=told"],
            "/inbox/new": [*(f"{one}&c=0&f=0" for one in filters[:2]), "?c=0&f=0"],
            "/inbox/preview": [f"?answer={answer}&{picked}" for answer in ("nexudus", "crm", "retry", "dismiss")]
            + [f"?answer=crm&all=yes&connection={self.name}", "?answer=retry&all=yes&tenant=beta"],
            "/inbox/item/{key}": [f"/../{key}" for key in keys],
            "/records": ["?q=beta", "?q=Secret", f"?q={CARD}", f"?q={ALONE}", "?q=maria@beta.example"],
            "/record": [
                f"?connection={self.name}&nexudus={CARD}&crm={DEAL}",
                f"?connection={self.name}&nexudus={ALONE}",
            ],
            "/history": [*filters, f"?record={CARD}", "?field=title", "?before=999999", "?after=0"],
            "/history.csv": [*filters, f"?record={CARD}"],
            "/brakes": filters,
            "/mapping": filters,
            "/plan": filters,
            "/first-run/{connection:path}.json": [f"/../{self.name}.json", "/../beta/london.json"],
            "/first-run/{connection:path}": [f"/../{self.name}", "/../beta/london"],
            "/times": ["?show=utc&tenant=beta"],
        }

    def done(self) -> dict[str, list[tuple[str, dict[str, object]]]]:
        """Forms to send, by route."""
        record = {"connection": "beta/london", "nexudus": CARD, "crm": DEAL}
        verbs = ("take", "value", "take-back", "link", "ignore")
        numbers = (self.conflict, self.match, self.decided)
        taken = {"side": "crm", "value": "Mine", "other": DEAL}
        bulk: dict[str, object] = {"item": [f"c{self.conflict}", f"f{self.failure}"], "seen": ""}
        return {
            "/inbox/bulk": [
                ("/inbox/bulk", {**bulk, "answer": answer}) for answer in ("crm", "nexudus", "retry", "dismiss")
            ]
            + [("/inbox/bulk?tenant=beta", {"answer": "crm", "all": "yes", "connection": "beta/london", "seen": ""})],
            "/inbox/{key}/{verb}": [(f"/inbox/c{number}/{verb}", taken) for number in numbers for verb in verbs]
            + [(f"/inbox/f{self.failure}/{verb}", {}) for verb in ("retry", "retry-alike", "dismiss")]
            + [(f"/inbox/f{self.dismissed}/retry", {})],
            "/record/{verb}": [(f"/record/{verb}", {**record}) for verb in ("sync", "unlink", "ignore")],
            "/history/{number:int}/undo": [
                (f"/history/{self.entry}/undo", {}),
                (f"/history/{self.entry}/undo?force=yes&tenant=beta", {}),
            ],
            "/brakes/{connection:path}/{name}/release": [
                (f"/brakes/{self.name}/mass-delete/release", {"looked": "yes", "seen": self.brakes})
            ],
            "/connections/{connection:path}/{verb}": [
                (f"/connections/{self.name}/{verb}{more}", {})
                for verb in ("sync", "pause", "resume")
                for more in ("", "?tenant=beta")
            ],
            "/plan": [("/plan", {"connection": "beta/london"})],
        }


def test_every_route_is_tried(office: FleetOffice) -> None:
    theirs = Theirs(office)
    assert set(theirs.shown()) == {*app._SHOWN, "/plan"}
    assert set(theirs.done()) == {*app._DONE, "/plan"}


def test_nothing_of_another_tenant_is_ever_shown(office: FleetOffice, ann: FleetPerson) -> None:
    for route, asked in Theirs(office).shown().items():
        for said in asked:
            given = route.partition("{")[0] + said.removeprefix("/../") if said.startswith("/../") else route + said
            answer = ann.http.get(given)
            body = _without_what_was_asked(answer.text, given)
            assert not THEIRS.search(body), f"{given}: {THEIRS.search(body)}"
            assert not THEIRS.search(str(answer.headers.get("content-disposition", "")))


def test_nothing_of_another_tenant_can_be_decided(office: FleetOffice, ann: FleetPerson) -> None:
    tables = (Conflict, Failure, History, Brake, Decision)
    before = [[repr(one) for one in office.rows(table, "beta")] for table in tables]
    with office.store.read() as session:
        state = repr(session.get(ConnectionState, "beta/london"))
    for forms in Theirs(office).done().values():
        for path, fields in forms:
            said = _without_what_was_asked(ann.do(path, **fields), "beta")
            assert not THEIRS.search(said), f"{path}: {THEIRS.search(said)}"
    assert [[repr(one) for one in office.rows(table, "beta")] for table in tables] == before
    with office.store.read() as session:
        assert repr(session.get(ConnectionState, "beta/london")) == state


def _without_what_was_asked(text: str, given: str) -> str:
    """An answer may repeat what the asker typed: an address in a field, or a name in an error."""
    text = re.sub(r"&#39;beta/london&#39;|value=\"[^\"]*\"", "", text)
    repeated = re.findall(r"[?&](?:q|connection|tenant)=([^&]+)", given)
    return re.sub(rf"(?:{'|'.join(map(re.escape, repeated))})(?=[\"&<])", "", text) if repeated else text


@pytest.mark.parametrize("page", [True, False], ids=["page", "worker"])
def test_monitoring_is_told_what_its_name_and_password_may_see(office: FleetOffice, page: bool) -> None:
    http = office.client(page=page)
    assert http.get("/metrics").status_code == 401
    for path in ("/healthz", "/readyz"):
        assert not THEIRS.search(http.get(path).text)
        assert "acme" not in http.get(path).text

    def asked(path: str, name: str, password: str) -> tuple[int, str]:
        given = base64.b64encode(f"{name}:{password}".encode()).decode()
        answer = http.get(path, headers={"authorization": f"Basic {given}"})
        return answer.status_code, answer.text

    for path in ("/metrics", "/readyz"):
        _, everything = asked(path, "Sofia", PASSWORDS["SOFIA"])
        assert "beta/london" in everything
        _, own = asked(path, "Acme's Ann", PASSWORDS["ANN"])
        assert "acme/london" in own
        assert not THEIRS.search(own)
    assert asked("/metrics", "Sofia", "guessed")[0] == 401
    assert http.get("/metrics", headers={"authorization": "Basic ?"}).status_code == 401


def test_a_session_is_good_for_the_figures_too(ann: FleetPerson) -> None:
    assert not THEIRS.search(ann.see("/metrics"))
    assert "acme/london" in ann.see("/metrics")


def test_without_signing_in_there_is_nothing_to_see(office: FleetOffice) -> None:
    http = office.client()
    for path in ("/", "/inbox?tenant=beta", "/history.csv", "/record?connection=beta%2Flondon&nexudus=1"):
        answer = http.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")


def test_who_sees_one_tenant_sees_its_connections_in_full(ann: FleetPerson) -> None:
    shown = ann.see("/")
    assert "Secret of acme: 9 are missing" in shown
    assert "/connections/acme/london/pause" in shown
    assert "Secret of acme" in ann.see("/inbox")
    for path in ("/inbox", "/history", "/records"):
        assert "Secret of acme" in ann.see(f"{path}?q=secret+OF+acme")


def test_the_overview_lists_the_worst_first(sofia: FleetPerson) -> None:
    shown = sofia.see("/")
    assert "3 of 3 tenants need a look." in shown
    rows = re.findall(r'<th scope="row">(?:<a [^>]*>)?<bdi>(\w+)</bdi>', shown)
    assert rows == ["gamma", "acme", "beta"]
    assert "gamma/config.toml" in shown
    assert [re.findall(r'<th scope="row">', sofia.see(f"/?q={text}")) for text in ("bet", "nobody")] == [
        ['<th scope="row">'],
        [],
    ]
    assert "beta" not in re.sub(r"<nav.*?</nav>", "", sofia.see("/?q=acme"), flags=re.DOTALL).replace(
        'value="acme"', ""
    )


def test_one_tenant_can_be_chosen_everywhere(sofia: FleetPerson) -> None:
    for path in ("/", "/inbox", "/history", "/brakes", "/mapping", "/plan", "/records"):
        shown = sofia.see(f"{path}?tenant=acme" + ("&q=Secret" if path == "/records" else ""))
        assert not THEIRS.search(shown), path
        assert 'id="all-tenants"' in shown
    shown = sofia.see("/inbox?tenant=acme")
    assert 'href="/history?tenant=acme"' in shown
    assert '<input type="hidden" name="tenant" value="acme">' in shown
    assert "Secret of beta" in sofia.see("/inbox")
    assert "Which one?" in sofia.see("/mapping")
    assert "Which one?" in sofia.see("/plan")


def test_a_broken_tenant_says_why_where_it_is_chosen(sofia: FleetPerson) -> None:
    shown = sofia.see("/?tenant=gamma")
    assert "gamma does not run." in shown
    assert "gamma/config.toml: crm: is missing; add it; the others run" in re.sub(r"<[^>]+>", "", shown)


def test_a_tenant_that_there_is_not_is_missing(sofia: FleetPerson, ann: FleetPerson) -> None:
    for person, tenant in ((sofia, "nobody"), (ann, "beta"), (ann, "nobody")):
        answer = person.http.get(f"/inbox?tenant={tenant}")
        assert answer.status_code == 404
        assert "There is no such tenant, or it is not yours to see." in answer.text


def test_decisions_are_kept_with_the_tenants_own_rows(
    office: FleetOffice, sofia: FleetPerson, ann: FleetPerson
) -> None:
    for person, tenant in ((ann, "acme"), (sofia, "beta")):
        first = office.rows(Conflict, tenant)[0]
        assert "You kept" in person.do(f"/inbox/c{first.id}/take", side="crm")
        assert office.rows(Conflict, tenant)[0].state == "resolved"
        assert "Taken back" in person.do(f"/inbox/c{first.id}/take-back")


def test_a_connection_is_paused_and_resumed_under_its_whole_name(office: FleetOffice, ann: FleetPerson) -> None:
    assert "Paused." in ann.do("/connections/acme%2Flondon/pause?tenant=acme")
    with office.store.read() as session:
        assert session.get_one(ConnectionState, "acme/london").paused_by == "Acme's Ann"
    assert "Runs again." in ann.do("/connections/acme/london/resume")


def test_the_report_of_a_first_run_is_the_tenants_own(ann: FleetPerson) -> None:
    assert "new@acme.example" in ann.see("/first-run/acme%2Flondon")
    assert "new@acme.example" in ann.see("/first-run/acme/london.json")


def test_a_tenant_that_is_added_is_shown_without_a_new_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexudus_sync.page.LOOKED_FOR", 0.0)
    office = FleetOffice(tmp_path, "acme", "beta", users="")
    http = office.client()
    assert "delta" not in http.get("/").text
    office.add("delta")
    assert "delta" in http.get("/").text
    assert http.get("/metrics").status_code == 200
    office.close()


def test_the_page_of_one_tenant_shows_nothing_to_people_of_another(
    office: FleetOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = office.fleet.settings("beta")
    metrics = Metrics(settings, office.store, office.clock)
    routes = monitoring.routes(lambda: settings, office.store, office.clock, metrics)
    desk = desk_beside(settings, office.store, office.clock)
    monkeypatch.setattr(office, "app", lambda page: served(settings, desk, routes))
    ann, sofia = (office.signed_in(name, PASSWORDS[key]) for name, key in (("Acme's Ann", "ANN"), ("Sofia", "SOFIA")))
    for path in ("/", "/inbox", "/history", "/history.csv", "/metrics", "/readyz"):
        assert "beta" in sofia.http.get(path).text
        assert not THEIRS.search(ann.http.get(path).text), path
    for path in ("/first-run/beta/london", "/mapping?connection=beta%2Flondon", "/brakes", "/overview/state", "/plan"):
        assert not THEIRS.search(_without_what_was_asked(ann.http.get(path).text, path)), path
    before = [repr(one) for one in office.rows(Conflict, "beta")]
    assert not THEIRS.search(ann.do(f"/inbox/conflict-{office.rows(Conflict, 'beta')[0].id}/keep-crm"))
    assert [repr(one) for one in office.rows(Conflict, "beta")] == before
