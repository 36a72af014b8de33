"""`forget` and `connection rename`: what is kept under a person's or a connection's name."""

import pytest
from cli_house import AT, CONFIG, House, conflict, failure, link

from nexudus_sync.store import Store
from nexudus_sync.store.tables import (
    Brake,
    Conflict,
    ConnectionState,
    Decision,
    Fact,
    Failure,
    History,
    Journal,
    Link,
    Unlinked,
)

MAIL = "ana.perez@example.com"
SECRET = "Ana Pérez"


def journal(**values: object) -> Journal:
    given = {"connection": "london", "side": "crm", "kind": "opportunity.update", "planned_at": AT}
    given |= {"nexudus_id": "101", "crm_id": "opp_1", "state": "confirmed"}
    step = {"kind": "opportunity.update", "payload": {"title": SECRET}, "email": MAIL, "keys": [], "record_id": "opp_1"}
    return Journal(**(given | {"step": step, "fields": {"title": {"old": "", "new": SECRET}}} | values))


def history(**values: object) -> History:
    given = {"at": AT, "connection": "london", "field": "title", "old": SECRET, "new": "b", "from_side": "crm"}
    return History(**(given | {"nexudus_id": "101", "crm_id": "opp_1"} | values))


@pytest.fixture
def kept(house: House) -> House:
    """A closed pair of a person, another person's, and all that is kept about both."""
    snapshots = {"nexudus_snapshot": {"Name": SECRET}, "crm_snapshot": {"title": SECRET, "contact_email": MAIL}}
    report = {"connection": "london", "customers": [{"email": MAIL}, {"email": "b@x.org"}]}
    house.keep(
        link(1, state="closed", closed_reason="gone", title=SECRET, customer=SECRET, **snapshots),
        link(2, title="Other", customer="Other Ltd"),
        journal(),
        journal(kind="opportunity.create", state="dropped", looks=2),
        journal(nexudus_id="102", crm_id="opp_2", step={"payload": {"title": "Other"}}, fields={}),
        history(),
        history(nexudus_id="102", crm_id="opp_2", old="Other"),
        Decision(connection="london", kind="undo", args={"history_id": 1}, asked_at=AT),
        conflict(nexudus=SECRET),
        conflict(nexudus_id="102", crm_id="opp_2", nexudus="Other"),
        failure(reason=f"{SECRET} is unknown"),
        Unlinked(connection="london", side="nexudus", record_id="109", email=MAIL, title=SECRET, customer=SECRET),
        Fact(system="first run", key="london", value=report),
    )
    return house


def test_a_persons_values_are_gone_from_every_table_and_the_file(kept: House) -> None:
    ended = kept.run("forget", MAIL.upper(), "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert "Not reached: the records in Nexudus and in the CRM themselves, backups" in ended.out
    with_values = [Link, Journal, History, Conflict, Failure, Unlinked, Fact, Decision]
    left = repr([one.model_dump() for table in with_values for one in kept.rows(table)])
    assert SECRET not in left
    assert MAIL not in left
    assert left.count("Other") >= 5
    assert "b@x.org" in left
    (alone,) = kept.rows(Unlinked)
    assert (alone.record_id, alone.state) == ("109", "ignored")
    assert [one.nexudus_id for one in kept.rows(Link)] == ["101", "102"]
    assert SECRET.encode() not in b"".join(one.read_bytes() for one in kept.folder.glob("state.db*"))
    again = kept.run("forget", MAIL, "--yes")
    assert again.code == 2
    assert "there is no such record or e-mail address" in again.err


def test_a_pair_in_step_keeps_its_values_and_says_how_they_go(kept: House) -> None:
    ended = kept.run("forget", "102", "--yes")
    assert ended.code == 0
    assert "102 ⇄ opp_2 is kept in step, so its latest values stay" in ended.out
    assert [one.title for one in kept.rows(Link)] == [SECRET, "Other"]
    assert [one.state for one in kept.rows(Conflict)] == ["open", "open"]
    assert [one.old for one in kept.rows(History)] == [SECRET]


def test_a_write_without_an_outcome_stays_until_it_is_known(house: House) -> None:
    house.keep(link(1, state="closed"), journal(state="sent"), history())
    ended = house.run("forget", "opp_1", "--yes")
    assert "1 write without an outcome yet will stay" in ended.out
    assert [one.fields["title"]["new"] for one in house.rows(Journal)] == [SECRET]


def test_forgetting_asks_first(kept: House) -> None:
    ended = kept.run("forget", MAIL)
    assert ended.code == 2
    assert "history entries" in ended.out
    assert "no terminal to confirm on; add --yes" in ended.err
    assert len(kept.rows(History)) == 2


def test_a_connection_is_renamed_in_every_table(house: House) -> None:
    house.keep(
        ConnectionState(name="london", crm="overplane", last_success=AT),
        link(1),
        conflict(),
        failure(),
        journal(),
        history(),
        Decision(connection="london", kind="undo", args={}, asked_at=AT),
        Brake(connection="london", name="mass-delete", evidence="x", set_at=AT),
        Unlinked(connection="london", side="crm", record_id="opp_9"),
        Fact(system="first run", key="london", value={"connection": "london"}),
        Fact(system="overplane", key="no-pairs: london", value="fine"),
        Fact(system="resumed connections", key="london", value=AT.isoformat()),
    )
    ended = house.run("connection", "rename", "london", "soho", "--yes")
    assert (ended.code, ended.err) == (0, "")
    assert 'Write name = "soho" in' in ended.out
    tables = (Link, Conflict, Failure, Journal, History, Decision, Brake, Unlinked)
    assert {one.connection for table in tables for one in house.rows(table)} == {"soho"}
    assert [one.name for one in house.rows(ConnectionState)] == ["soho"]
    facts = {(one.system, one.key) for one in house.rows(Fact)}
    assert facts == {("first run", "soho"), ("overplane", "no-pairs: soho"), ("resumed connections", "soho")}
    house.write(CONFIG.replace("london", "soho"))
    (row,) = house.run("status", "--json").json["connections"]
    assert (row["name"], row["links"], row["conflicts"]) == ("soho", 1, 1)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("paris", "soho", "connection paris: the state knows no such connection; known here: london, madrid"),
        ("london", "madrid", "connection madrid: the state already has a connection of that name"),
        ("london", " ", "it is empty"),
    ],
)
def test_a_name_that_would_mix_two_connections_is_refused(house: House, old: str, new: str, told: str) -> None:
    house.keep(link(1), link(2, connection="madrid"))
    ended = house.run("connection", "rename", old, new, "--yes")
    assert ended.code == 2
    assert told in ended.err
    assert sorted(one.connection for one in house.rows(Link)) == ["london", "madrid"]


def test_nothing_is_renamed_while_run_works(house: House) -> None:
    house.keep(link(1))
    store = Store.open("sqlite:///state.db", base_dir=house.folder)
    with store.lock():
        ended = house.run("connection", "rename", "london", "soho", "--yes")
    store.close()
    assert ended.code == 1
    assert "another nexudus-sync" in ended.err


@pytest.mark.parametrize("who", ["201", "other@example.com"])
def test_a_deal_with_the_number_of_somebody_elses_card_is_left_alone(kept: House, who: str) -> None:
    """The ids of some CRMs are numbers, as Nexudus's are."""
    kept.keep(
        link(3, nexudus_id="201", crm_id="301", state="closed", title="Going", customer="other@example.com"),
        link(4, nexudus_id="301", crm_id="401", state="closed", title="Staying"),
        history(nexudus_id="201", crm_id="301", old="Going"),
        history(nexudus_id="301", crm_id="401", old="Staying"),
        Unlinked(connection="london", side="nexudus", record_id="401", title="Staying"),
    )
    assert kept.run("forget", who, "--yes").code == 0
    left = [one.model_dump() for table in (Link, History, Unlinked) for one in kept.rows(table)]
    assert "Going" not in repr(left)
    assert repr(left).count("Staying") == 3


def test_an_id_that_records_of_both_systems_have_is_refused(kept: House) -> None:
    kept.keep(link(3, nexudus_id="201", crm_id="301", state="closed"), link(4, nexudus_id="301", crm_id="401"))
    ended = kept.run("forget", "301", "--yes")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("nexudus-sync: record 301: a record of each system has this id; give the other id")
