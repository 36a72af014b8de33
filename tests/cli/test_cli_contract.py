"""The command line's contract: verbs, JSON shapes, exit codes."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cli_house import AT, CONFIG, SECOND, House, conflict, failure, link

from nexudus_sync.store import Store, running
from nexudus_sync.store.tables import Brake, ConnectionState, History, Journal

VERBS = (
    *("demo", "sandbox", "init", "check", "plan", "backfill", "sync", "export", "run", "status", "health"),
    *("explain", "history", "undo", "link", "unlink", "ignore", "pause", "resume", "conflicts", "failures"),
    *("links", "brake", "notify", "mapping", "backup", "restore", "store"),
)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(house: House, verb: str) -> None:
    ended = house.run(verb, "--help")
    assert ended.code == 0
    assert "Usage:" in ended.out
    assert "<bool>" not in ended.out
    assert "x<=" not in ended.out


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("init", "A key of [nexudus] or [crm.NAME]"),
        ("page", "is said in [web]"),
        ("notify test", "each address of [notify]"),
        ("store copy", "as in [store] url"),
    ],
)
def test_the_help_shows_the_names_of_tables_in_their_brackets(house: House, verb: str, told: str) -> None:
    assert told in " ".join(house.run(*verb.split(), "--help").out.replace("│", " ").split())


def test_the_help_of_a_trigger_is_for_people_too(house: House) -> None:
    shown = house.run("sandbox", "trigger", "--help").out
    assert "<bool>" not in shown
    assert "--tenant" not in shown


@pytest.mark.processes
def test_the_help_names_every_verb_and_needs_no_heavy_import() -> None:
    code = (
        "import sys\nfrom nexudus_sync.cli import main\nsys.argv = ['nexudus-sync', '--help']\n"
        "try:\n    main()\nfinally:\n    print([m for m in ('sqlmodel', 'httpx', 'pydantic') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f" {verb} " in ended.stdout for verb in VERBS)
    assert ended.stdout.rstrip().endswith("[]")


def test_the_version_is_told(house: House) -> None:
    assert house.run("--version").out.startswith("nexudus-sync 0.")


def test_status_has_the_contracts_shape(house: House) -> None:
    brake = Brake(connection="london", name="mass-delete", evidence="all gone", set_at=AT)
    pending = Journal(connection="london", side="crm", kind="opportunity.update", planned_at=AT)
    state = ConnectionState(name="london", crm="overplane", last_success=AT)
    house.keep(state, link(), conflict(), failure(), brake, pending)
    ended = house.run("status", "--json")
    assert ended.json == {
        "connections": [
            {
                "name": "london",
                "links": 1,
                "conflicts": 1,
                "failures": 1,
                "pending": 1,
                "last_success": "2026-03-02T08:00:00Z",
                "brake": "mass-delete",
            }
        ]
    }
    assert (ended.code, ended.err) == (0, "")


def test_status_of_a_connection_that_never_ran_is_all_zero(house: House) -> None:
    house.write(CONFIG + SECOND)
    found = house.run("status", "--json").json["connections"]
    assert [(one["name"], one["links"], one["last_success"], one["brake"]) for one in found] == [
        ("london", 0, None, None),
        ("madrid", 0, None, None),
    ]


def test_status_strict_is_1_when_something_waits(house: House) -> None:
    assert house.run("status", "--strict").code == 0
    house.keep(failure())
    assert house.run("status", "--strict").code == 1
    assert house.run("status").code == 0


def test_status_tells_people_what_to_do_next(house: House) -> None:
    assert "has never run" in house.run("status").out
    brake = Brake(connection="london", name="empty-side", evidence="nothing there", set_at=AT)
    house.keep(conflict(), failure(), brake)
    out = house.run("status").out
    assert "conflicts list" in out
    assert "failures list" in out
    assert "brake show" in out


def test_status_says_why_the_last_cycle_failed_and_so_until_when_a_system_wants_no_calls(house: House) -> None:
    told = "hubspot: the account's calls for today are used up; it asks to wait 16 hours, until 2026-03-03 00:00 UTC"
    store = Store.open("sqlite:///state.db", base_dir=house.folder)
    with store.session() as session:
        running.failed(session, "london", told, datetime.now(UTC))
    store.close()
    assert f"london: the last cycle failed: {told}" in " ".join(house.run("status").out.split())


def test_status_of_a_backfill_that_was_killed_says_so(house: House) -> None:
    house.keep(ConnectionState(name="london", crm="overplane"), link())
    out = house.run("status").out
    assert "has never run" not in out
    assert "london: the first backfill is not finished; `nexudus-sync backfill` continues" in out
    (one,) = house.run("status", "--json").json["connections"]
    assert (one["links"], one["last_success"]) == (1, None)


LISTS = (("conflicts", "list"), ("failures", "list"), ("links", "list"), ("history",))


@pytest.mark.parametrize("verb", [*LISTS, ("status",)])
def test_json_is_json_and_nothing_else_where_there_is_nothing_yet(house: House, verb: tuple[str, ...]) -> None:
    assert not (house.folder / "state.db").exists()
    for _ in range(2):
        ended = house.run(*verb, "--json", before=("--log-level", "debug"))
        assert ended.code == 0
        found = ended.json
        assert (found["connections"][0]["links"] == 0) if verb == ("status",) else (found == [])


def test_conflicts_list_has_the_contracts_shape_and_shows_open_ones(house: House) -> None:
    house.keep(
        conflict(), conflict(field="notes", state="closed"), conflict(field="city", state="resolved", take="crm")
    )
    assert house.run("conflicts", "list", "--json").json == [
        {
            "id": "1",
            "connection": "london",
            "field": "title",
            "base": "a",
            "nexudus": "b",
            "crm": "c",
            "nexudus_id": "101",
            "crm_id": "opp_1",
            "kind": "field",
            "reason": None,
            "opened_at": "2026-03-02T08:00:00Z",
            "title": "",
            "customer": "",
            "nexudus_url": None,
            "crm_url": None,
        }
    ]


def test_failures_list_has_the_contracts_shape(house: House) -> None:
    house.keep(failure(), failure(field="title", state="dismissed"))
    assert house.run("failures", "list", "--json").json == [
        {
            "id": "1",
            "connection": "london",
            "kind": "unmapped",
            "field": "sales_stage",
            "reason": "no such stage",
            "nexudus_id": "101",
            "crm_id": "opp_1",
            "attempts": 1,
            "next_attempt": "2026-03-02T09:00:00Z",
            "first_at": "2026-03-02T08:00:00Z",
            "last_at": "2026-03-02T08:00:00Z",
            "title": "",
            "customer": "",
            "nexudus_url": None,
            "crm_url": None,
        }
    ]


def test_history_has_the_contracts_shape(house: House) -> None:
    values = {"connection": "london", "field": "title", "from_side": "crm", "nexudus_id": "101", "crm_id": "opp_1"}
    house.keep(History(at=AT, old="a", new="b", lost=None, **values))
    house.keep(History(at=AT, old="b", new="c", lost="x", **(values | {"nexudus_id": "102", "crm_id": "opp_2"})))
    (first, second) = house.run("history", "--json").json
    assert first == {
        "id": "1",
        "at": "2026-03-02T08:00:00Z",
        "connection": "london",
        "field": "title",
        "old": "a",
        "new": "b",
        "lost": None,
        "from": "crm",
        "nexudus_id": "101",
        "crm_id": "opp_1",
        "title": "",
        "customer": "",
        "nexudus_url": None,
        "crm_url": None,
    }
    assert house.run("history", "opp_2", "--json").json == [second]
    assert house.run("history", "--limit", "1", "--json").json == [second]
    assert house.run("history", "999", "--json").json == []


def test_links_list_shows_pairs_with_their_state(house: House) -> None:
    house.keep(link(), link(2, state="closed", closed_reason="deleted in Nexudus"))
    found = house.run("links", "list", "--json").json
    assert [(one["id"], one["nexudus_id"], one["crm_id"], one["state"]) for one in found] == [
        ("1", "101", "opp_1", "active"),
        ("2", "102", "opp_2", "closed"),
    ]
    assert "closed: deleted in Nexudus" in house.run("links", "list").out


def test_what_is_empty_says_so(house: House) -> None:
    assert "No conflicts." in house.run("conflicts", "list").out
    assert "No failures." in house.run("failures", "list").out
    assert "Nothing is linked yet." in house.run("links", "list").out
    assert "Nothing has been overwritten yet." in house.run("history").out
    assert "No brake is set." in house.run("brake", "show").out


def test_looking_needs_no_password(house: House) -> None:
    assert house.environment == {}
    assert house.run("status").code == 0


def test_a_connection_that_is_not_configured_is_refused(house: House) -> None:
    ended = house.run("conflicts", "list", "--connection", "paris")
    assert ended.code == 2
    assert ended.err == "nexudus-sync: --connection: no connection is named 'paris'; configured connections: london\n"
