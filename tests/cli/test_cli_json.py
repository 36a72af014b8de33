"""Every verb that prints says the same as JSON, and nothing else."""

import pytest
from cli_house import AT, House, link

from nexudus_sync.store.tables import Brake, Decision, Unlinked


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("inbox",),
        ("history",),
        ("conflicts", "list"),
        ("failures", "list"),
        ("links", "list"),
        ("brake", "show"),
        ("mapping", "check"),
        ("mapping", "show"),
    ],
)
def test_verbs_that_only_look_print_json(house: House, words: tuple[str, ...]) -> None:
    ended = house.run(*words, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert isinstance(ended.json, list | dict)


def test_check_and_sync_tell_what_they_found_and_did(sandboxed: House) -> None:
    (checked,) = sandboxed.run("check", "--json").json["connections"]
    assert checked["connection"] == "london"
    assert {one["level"] for one in checked["findings"]} <= {"ok", "warn"}
    assert {"where", "what", "level", "detail"} <= checked["findings"][0].keys()
    ended = sandboxed.run("sync", "--json")
    assert (ended.code, ended.err) == (0, "")
    (row,) = ended.json["connections"]
    assert (row["connection"], row["pairs"], row["created"]) == ("london", 8, {"overplane": 8, "nexudus": 4})
    assert (row["brake"], row["errors"]) == (None, [])


def test_a_sync_that_fails_is_json_too_and_one_line(sandboxed: House) -> None:
    sandboxed.environment["OVERPLANE_TOKEN"] = "wrong"
    ended = sandboxed.run("sync", "--json")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "error" in ended.json["connections"][0]


def test_explain_says_all_that_is_known(house: House) -> None:
    snapshots = {"nexudus_snapshot": {"Name": "Desk"}, "crm_snapshot": {"title": "Desk"}}
    asked = Decision(connection="london", kind="unlink", args={"link_id": 1}, asked_at=AT, asked_by="ana")
    house.keep(link(1, title="Desk", customer="Ltd", crm_changed_by="tom@example.com", **snapshots), asked)
    house.keep(Unlinked(connection="london", side="crm", record_id="opp_9", title="Alone", reason="no address"))
    told = house.run("explain", "opp_1", "--json").json
    assert (told["link"]["title"], told["link"]["customer"]) == ("Desk", "Ltd")
    assert told["link"]["crm_changed_by"] == "tom@example.com"
    assert told["link"]["agreed"]["title"] == {"nexudus": "Desk", "crm": "Desk"}
    assert [(one["kind"], one["by"]) for one in told["decisions"]] == [("unlink", "ana")]
    told = house.run("explain", "opp_9", "--json").json
    assert (told["link"], told["unlinked"]["title"]) == (None, "Alone")
    assert house.run("explain", "opp_8", "--json").code == 2


def test_a_brake_tells_its_evidence(house: House) -> None:
    house.keep(Brake(connection="london", name="mass-delete", evidence="30 of 40", set_at=AT))
    (told,) = house.run("brake", "show", "--json").json
    assert (told["brake"], told["evidence"], told["set_at"]) == ("mass-delete", "30 of 40", "2026-03-02T08:00:00Z")
