"""What waits for a person: by name, by filter, in one list, and decided many at once."""

import csv
import time
from datetime import UTC, datetime, timedelta

import pytest
from cli_house import AT, House, conflict, failure, link

from nexudus_sync.cli import bulk, times
from nexudus_sync.store import Store, running
from nexudus_sync.store.tables import Conflict, ConnectionState, Failure, History, Unlinked

NOW = datetime.now(UTC)


@pytest.fixture
def office(house: House) -> House:
    """Pairs with names, and something waiting about each."""
    house.keep(
        ConnectionState(name="london", crm="overplane"),
        link(1, title="Hot desk", customer="García Ltd", nexudus_changed_by="maria@example.com", nexudus_changed_at=AT),
        link(2, title="Event space", customer="Müller Foods"),
        link(3, title="50% off", customer="Puig"),
        Unlinked(connection="london", side="nexudus", record_id="109", title="Lonely room", customer="Solo Ltd"),
        conflict(field="opportunity_amount", nexudus="90", crm="95", base=None),
        conflict(nexudus_id="102", crm_id="opp_2", link_id=2, opened_at=NOW),
        conflict(nexudus_id="103", crm_id="opp_3", link_id=3, kind="overwritten", field="opportunity_amount"),
        conflict(nexudus_id="101", kind="deleted", field="record", side="crm", nexudus="deleted", crm="edited"),
        failure(nexudus_id="102", crm_id="opp_2"),
        failure(nexudus_id="109", crm_id="", kind="no-email", field="", reason="no address", first_at=NOW),
    )
    return house


def ids(house: House, *words: str) -> list[str]:
    return [one["id"] for one in house.run(*words, "--json").json]


def states(house: House) -> dict[int, tuple[str, str | None]]:
    return {one.id: (one.state, one.take) for one in house.rows(Conflict)}


def test_lists_begin_with_what_people_know_a_record_by(office: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (first, *_) = office.run("conflicts", "list", "--json").json
    assert (first["title"], first["customer"]) == ("Hot desk", "García Ltd")
    monkeypatch.setenv("COLUMNS", "80")
    for words in (("conflicts", "list"), ("failures", "list"), ("links", "list"), ("inbox",)):
        out = office.run(*words).out
        assert max(map(len, out.splitlines())) <= 80
        assert "Event space" in out
        assert "Müller Foods" in out
    assert "Lonely room · Solo Ltd" in office.run("failures", "list").out


@pytest.mark.parametrize(("text", "found"), [("Éva", ["5"]), ("MÜLLER", ["2"]), ("müller", ["2"])])
def test_a_name_is_found_as_it_is_spelled_whatever_its_letters(office: House, text: str, found: list[str]) -> None:
    office.keep(
        link(4, title="Terrace", customer="Éva Kft"),
        conflict(nexudus_id="104", crm_id="opp_4", link_id=4, opened_at=NOW),
    )
    assert ids(office, "conflicts", "list", "--text", text) == found


def test_a_conflict_shows_who_changed_what_and_where_to_open_it(office: House) -> None:
    text = office.config.read_text().replace('token = "', 'record_url = "https://crm.example.com/{id}"\ntoken = "')
    office.write(text)
    out = office.run("conflicts", "show", "1").out
    assert out.startswith("opportunity_amount of Hot desk · García Ltd\n")
    assert "2026-03-02 08:00 by maria@example.com" in out
    assert "https://crm.example.com/opp_1" in out
    assert "or `--value TEXT` for a third value" in out
    assert "--value" not in office.run("conflicts", "show", "3").out
    told = office.run("conflicts", "show", "1", "--json").json
    assert (told["crm_url"], told["nexudus_url"]) == ("https://crm.example.com/opp_1", None)
    assert told["nexudus_changed_by"] == "maria@example.com"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--field", "opportunity_amount"), ["1", "3"]),
        (("--kind", "overwritten"), ["3"]),
        (("--text", "MüLLER"), ["2"]),
        (("--text", "50% OFF"), ["3"]),
        (("--text", "%"), ["3"]),
        (("--text", "opp_2"), ["2"]),
        (("--text", "95"), ["1"]),
        (("--older-than", "1d"), ["1", "3", "4"]),
        (("--field", "title", "--older-than", "1d"), []),
    ],
)
def test_conflicts_are_narrowed_down(office: House, options: tuple[str, ...], found: list[str]) -> None:
    assert ids(office, "conflicts", "list", *options) == found


def test_failures_are_narrowed_down_and_an_age_that_is_none_is_refused(office: House) -> None:
    assert ids(office, "failures", "list", "--kind", "no-email") == ["2"]
    assert ids(office, "failures", "list", "--text", "lonely") == ["2"]
    ended = office.run("failures", "list", "--older-than", "soon")
    assert ended.code == 2
    assert ended.err.startswith("nexudus-sync: --older-than: 'soon' is not a duration; write")


def test_the_inbox_has_both_in_one_list_the_newest_first(office: House) -> None:
    found = office.run("inbox", "--json").json
    assert {(one["type"], one["id"]) for one in found[:2]} == {("conflict", "2"), ("failure", "2")}
    assert len(found) == 6
    assert found[0]["since"] >= found[-1]["since"]
    assert "3 more items not shown" in office.run("inbox", "--limit", "3").out
    assert office.run("inbox", "--text", "nobody").out == "Nothing waits for you.\n"


def test_a_bulk_answer_leaves_out_whole_records_and_overwritten_values(office: House) -> None:
    ended = office.run("conflicts", "resolve", "--older-than", "1d", "--take", "crm", "--yes")
    assert ended.code == 0
    assert states(office) == {1: ("resolved", "crm"), 2: ("open", None), 3: ("open", None), 4: ("open", None)}
    assert "2 questions about whole records or overwritten values are left out" in ended.out
    assert "1 conflict resolved" in ended.out


def test_a_kind_that_is_named_is_answered_but_nothing_is_ever_deleted(office: House) -> None:
    office.run("conflicts", "resolve", "--kind", "overwritten", "--take", "nexudus", "--yes")
    office.run("conflicts", "resolve", "--kind", "deleted", "--take", "nexudus", "--yes")
    assert states(office)[3] == ("resolved", "nexudus")
    assert states(office)[4] == ("open", None)
    office.run("conflicts", "resolve", "--kind", "deleted", "--take", "crm", "--yes")
    assert states(office)[4] == ("resolved", "crm")


def test_a_third_value_for_many_is_kept_where_it_can_be_said(office: House) -> None:
    ended = office.run("conflicts", "resolve", "--field", "title", "--value", "Both agree", "--yes")
    assert ended.code == 0
    (two,) = [one for one in office.rows(Conflict) if one.id == 2]
    assert (two.state, two.take, two.value) == ("resolved", "value", "Both agree")
    ended = office.run("conflicts", "resolve", "--field", "opportunity_amount", "--value", "a lot", "--yes")
    assert "0 conflicts resolved" in ended.out
    assert "left open: " in ended.out


def test_without_a_yes_a_preview_is_all_there_is(office: House, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("conflicts", "resolve", "--field", "title", "--take", "crm")
    ended = office.run(*words)
    assert ended.code == 2
    assert ended.err == "nexudus-sync: an answer to several: no terminal to confirm on; add --yes\n"
    monkeypatch.setattr(bulk, "at_terminal", lambda: True)
    office.run(*words, answers="n\n")
    assert states(office)[2] == ("open", None)
    office.run(*words, answers="y\n")
    assert states(office)[2] == ("resolved", "crm")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("conflicts", "resolve", "--take", "crm"), "needs an ID, or a filter such as --field"),
        (("conflicts", "resolve", "1", "--field", "title", "--take", "crm"), "goes with no filter"),
        (("failures", "dismiss"), "needs an ID, or a filter such as --field"),
        (("failures", "retry", "--all", "--kind", "refused"), "goes with no filter"),
        (("failures", "retry"), "needs either an ID or --all"),
    ],
)
def test_what_is_meant_has_to_be_said(office: House, words: tuple[str, ...], told: str) -> None:
    ended = office.run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_failures_are_retried_and_dismissed_by_filter(office: House) -> None:
    assert "1 failure will be retried" in office.run("failures", "retry", "--kind", "unmapped", "--yes").out
    assert "1 failure dismissed" in office.run("failures", "dismiss", "--kind", "no-email", "--yes").out
    assert {one.id: one.state for one in office.rows(Failure)} == {1: "open", 2: "dismissed"}


def test_csv_is_for_a_spreadsheet_and_no_formula_of_it(office: House) -> None:
    office.keep(link(4, title="=cmd()", customer="+44"), conflict(nexudus_id="104", crm_id="opp_4", nexudus=["a", "b"]))
    for words in (("conflicts", "list"), ("failures", "list"), ("links", "list"), ("history",), ("inbox",)):
        (heading, *rows) = list(csv.reader(office.run(*words, "--csv").out.splitlines()))
        assert "title" in heading
        assert all(len(row) == len(heading) for row in rows)
    *_, last = csv.DictReader(office.run("conflicts", "list", "--csv").out.splitlines())
    assert (last["title"], last["customer"], last["nexudus"]) == ("'=cmd()", "'+44", "a, b")


def test_times_are_in_the_local_zone_and_in_utc_on_demand(office: House, monkeypatch: pytest.MonkeyPatch) -> None:
    office.keep(History(at=AT, connection="london", field="title", old="a", new="b", from_side="crm"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert "2026-03-02 17:00" in office.run("history").out
    assert "2026-03-02 08:00 UTC" in office.run("history", "--utc").out
    assert office.run("history", "--json").json[0]["at"] == "2026-03-02T08:00:00Z"


@pytest.mark.parametrize(
    ("back", "said"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=5, seconds=59), "5 min ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(days=3, hours=5), "3 days ago"),
        (timedelta(minutes=-90), "in 1 hour"),
        (timedelta(seconds=-5), "at once"),
        (timedelta(days=40), "2026-01-21"),
    ],
)
def test_how_long_ago_is_said_in_one_unit(back: timedelta, said: str) -> None:
    assert times.ago(AT - back, AT) == said


def test_watching_the_status_needs_a_terminal(office: House) -> None:
    ended = office.run("status", "--watch")
    assert ended.code == 2
    assert "--watch: needs a terminal" in ended.err


def test_the_status_says_whether_run_is_at_work(office: House) -> None:
    def sign(at: datetime) -> None:
        store = Store.open("sqlite:///state.db", base_dir=office.folder)
        with store.session() as session:
            running.beat(session, running.Beat(at, AT, 1, "here"))
        store.close()

    assert "`run`" not in office.run("status").out
    sign(datetime.now(UTC))
    assert "`run` is at work." in office.run("status").out
    sign(AT)
    assert "`run` has given no sign of life since 2026-03-02" in office.run("status").out
