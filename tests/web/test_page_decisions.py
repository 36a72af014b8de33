"""What people decide on the page: stored with their name, as they saw it, and taken back as easily."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import col, select
from web_people import Person, client, quiet, token_of

from nexudus_sync.page import desk_of
from nexudus_sync.store.inbox import Item
from nexudus_sync.store.tables import Brake, Conflict, ConnectionState, Decision, Failure, History
from nexudus_sync.web import history
from nexudus_sync.web.history import _harmless
from nexudus_sync.web.inbox import _asked
from nexudus_sync.web.words import Reason, reason_of, value_word
from page_office import NAME, PASSWORD, Office


def unfolded(sofia: Person, key: str) -> str:
    """The item of the inbox with all that it shows."""
    page = sofia.see(f"/inbox?open={key}")
    (item,) = re.findall(rf'<li class="item[^"]*" id="{key}">.*?</li>', page, re.DOTALL)
    return str(item)


def seen(item: str) -> str:
    """The values that a form says its reader saw."""
    found = re.search(r'name="seen" value="([^"]+)"', item)
    assert found is not None
    return found[1].replace("&#34;", '"')


def test_a_conflict_shows_both_values_and_what_was_before_and_takes_a_side(sofia: Person) -> None:
    conflict = sofia.conflicts()[0]
    item = unfolded(sofia, f"c{conflict.id}")
    assert "Which amount is right?" in item
    assert "the rule for this field is that a person decides" in item
    for value in (conflict.base, conflict.nexudus, conflict.crm):
        assert f"{float(value):,.2f}" in item
    page = sofia.do(f"/inbox/c{conflict.id}/take", side="crm", seen=seen(item), back="/inbox?kind=conflict")
    assert f"You kept Overplane’s {float(conflict.crm):,.2f}" in page
    taken = sofia.conflict(conflict.id)
    assert (taken.state, taken.take, taken.decided_by) == ("resolved", "crm", NAME)
    assert taken.decided_at is not None
    assert NAME in unfolded_in(sofia, "decided", f"c{conflict.id}")
    assert "open again" in sofia.do(f"/inbox/c{conflict.id}/take-back")
    assert sofia.conflict(conflict.id).state == "open"


@pytest.mark.parametrize(
    ("field", "base", "why"),
    [
        (
            "opportunity_amount",
            "1.00",
            "since they last agreed, and the rule for this field is that a person decides.",
        ),
        ("opportunity_amount", None, "They never agreed, as far as is known, and the rule for this field is that"),
        (
            "title",
            "Desk",
            "since they last agreed, and it is not known which change is the newer",
        ),
        ("title", None, "They never agreed, as far as is known, so it takes a person"),
    ],
)
def test_why_no_rule_decided_is_said_as_it_was(office: Office, field: str, base: str | None, why: str) -> None:
    view: Any = SimpleNamespace(desk=desk_of(office.engine))
    item = Item("conflict", 1, "london", "field", field, "1", "2", "open", None, base=base, nexudus="3", crm="4")
    assert why in _asked(view, item)[1]


def unfolded_in(sofia: Person, tab: str, key: str) -> str:
    return sofia.see(f"/inbox?list={tab}&open={key}")


def test_an_answer_to_other_values_than_those_seen_is_refused(sofia: Person) -> None:
    conflict = sofia.conflicts()[0]
    page = sofia.do(f"/inbox/c{conflict.id}/take", side="nexudus", seen='["1.00","2.00"]')
    assert "shows other values by now" in page
    assert "Which amount is right?" in page
    assert sofia.conflict(conflict.id).state == "open"


def test_a_form_that_names_no_side_decides_nothing(sofia: Person) -> None:
    conflict = sofia.conflicts()[0]
    assert "names no side" in sofia.do(f"/inbox/c{conflict.id}/take", side="both")
    assert sofia.conflict(conflict.id).state == "open"


def test_a_third_value_is_taken_where_both_sides_can_hold_it(sofia: Person) -> None:
    conflict = sofia.conflicts()[1]
    said = seen(unfolded(sofia, f"c{conflict.id}"))
    page = sofia.do(f"/inbox/c{conflict.id}/value", value="a lot", seen=said)
    assert "cannot be that" in page
    assert sofia.conflict(conflict.id).state == "open"
    page = sofia.do(f"/inbox/c{conflict.id}/value", value="9450.00", seen=said)
    assert "Both sides get 9,450.00" in page
    taken = sofia.conflict(conflict.id)
    assert (taken.take, taken.value, taken.decided_by) == ("value", "9450.00", NAME)
    sofia.do(f"/inbox/c{conflict.id}/take-back")


def test_what_is_decided_is_carried_out_by_the_next_cycle(tmp_path: Path) -> None:
    office = Office(tmp_path)
    with quiet():
        office.fill()
    sofia = Person.signed_in(office)
    conflict = sofia.conflicts()[2]
    said = seen(unfolded(sofia, f"c{conflict.id}"))
    sofia.do(f"/inbox/c{conflict.id}/value", value="9512.50", seen=said)
    assert "starts now" in sofia.do("/connections/london/sync")
    assert sofia.conflict(conflict.id).state == "closed"
    nexudus, crm = sofia.office.sandbox.nexudus, sofia.office.sandbox.crm.double
    assert nexudus.record(int(conflict.nexudus_id))["Value"] == crm.record(conflict.crm_id)["opportunity_amount"]
    assert "9,512.50" in sofia.see("/history?from=person")
    assert "9,512.50" in sofia.see(f"/record?connection=london&nexudus={conflict.nexudus_id}")
    office.close()


def failures(office: Office, kind: str) -> list[Failure]:
    with office.engine.store.read() as session:
        return list(session.exec(select(Failure).filter_by(kind=kind)))


def test_a_failure_says_the_line_to_add_and_is_tried_again_alone_or_with_those_alike(sofia: Person) -> None:
    first, second = failures(sofia.office, "unmapped")
    item = unfolded(sofia, f"f{first.id}")
    assert "&#34;New lead&#34; = [&#34;New lead&#34;, &#34;Welcome mail&#34;]" in item
    assert "overplane.toml" in item
    assert "1 other record waits" in item
    assert "tried again at the next cycle" in sofia.do(f"/inbox/f{first.id}/retry")
    assert sofia.failure(first.id).next_attempt is not None
    assert sofia.failure(second.id).next_attempt is None
    assert "2 records are tried again" in sofia.do(f"/inbox/f{first.id}/retry-alike")
    assert sofia.failure(second.id).next_attempt is not None


def test_a_failure_is_dismissed_and_comes_back_when_it_is_tried_again(sofia: Person) -> None:
    (refused,) = failures(sofia.office, "refused")
    assert "Dismissed" in sofia.do(f"/inbox/f{refused.id}/dismiss")
    assert f'id="f{refused.id}"' not in sofia.see("/inbox")
    assert f'id="f{refused.id}"' in sofia.see("/inbox?list=dismissed")
    sofia.do(f"/inbox/f{refused.id}/retry")
    assert sofia.failure(refused.id).state == "open"


def confirmed(page: str) -> dict[str, str | list[str]]:
    """What the form of a preview sends."""
    form = re.search(r'<form class="row part".*?</form>', page, re.DOTALL)
    assert form is not None
    fields: dict[str, str | list[str]] = {}
    for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form[0]):
        known = fields.get(name)
        fields[name] = value if known is None else [*([known] if isinstance(known, str) else known), value]
    return fields


def test_several_are_answered_after_a_preview_and_only_as_it_showed_them(sofia: Person) -> None:
    one, two = sofia.conflicts()[:2]
    page = sofia.see(f"/inbox/preview?answer=nexudus&item=c{one.id}&item=c{two.id}&item=f1")
    assert "Keep Nexudus’s value in 2 conflicts?" in page
    form = confirmed(page)
    moved = sofia.do("/inbox/bulk", **{**form, "seen": "another", "token": sofia.token})
    assert "Something has changed since you looked" in moved
    assert sofia.conflict(one.id).state == "open"
    assert "2 conflicts are decided" in sofia.do("/inbox/bulk", **{**form, "token": sofia.token})
    for conflict in (one, two):
        assert (sofia.conflict(conflict.id).take, sofia.conflict(conflict.id).decided_by) == ("nexudus", NAME)
        sofia.do(f"/inbox/c{conflict.id}/take-back")


def test_all_of_a_filter_are_answered_but_never_whole_records_or_what_was_overwritten(sofia: Person) -> None:
    now = sofia.office.clock.now()
    about = {"connection": "london", "nexudus_id": "1", "crm_id": "opportunity_1", "opened_at": now}
    with sofia.office.engine.store.session() as session:
        whole = Conflict(**about, field="record", kind="deleted", side="crm")
        over = Conflict(**about, field="title", kind="overwritten", nexudus="a", crm="b")
        session.add_all([whole, over])
        session.flush()
        numbers = whole.id, over.id
    page = sofia.see("/inbox/preview?answer=crm&all=yes")
    waiting = (
        len(sofia.conflicts()) + len(sofia.conflicts("expected_closing")) + len(sofia.conflicts("opportunity_owner"))
    )
    assert f"in {waiting} conflicts?" in page
    assert "disabled" in unfolded(sofia, f"c{numbers[0]}")
    assert "Keep the CRM’s value in 1 conflict?" in sofia.see("/inbox/preview?answer=crm&all=yes&kind=overwritten")
    assert "None of these" in sofia.see(f"/inbox/preview?answer=crm&item=c{numbers[0]}")
    with sofia.office.engine.store.session() as session:
        for number in numbers:
            session.delete(session.get(Conflict, number))


def test_failures_are_retried_and_dismissed_together(sofia: Person) -> None:
    page = sofia.see("/inbox/preview?answer=retry&all=yes&field=sales_stage")
    assert "Try 2 failures again?" in page
    assert "2 failures are tried again" in sofia.do("/inbox/bulk", **{**confirmed(page), "token": sofia.token})
    page = sofia.see("/inbox/preview?answer=dismiss&all=yes&field=sales_stage")
    assert "2 failures are dismissed" in sofia.do("/inbox/bulk", **{**confirmed(page), "token": sofia.token})
    page = sofia.see("/inbox/preview?answer=retry&all=yes&list=dismissed&field=sales_stage")
    assert "2 failures are tried again" in sofia.do("/inbox/bulk", **{**confirmed(page), "token": sofia.token})


def test_an_item_that_is_gone_is_said_in_a_sentence(sofia: Person) -> None:
    assert "there is no such item" in sofia.do("/inbox/c99999/take", side="crm")
    assert sofia.http.get("/inbox/item/c99999").status_code == 404


def test_a_connection_is_paused_and_resumed_by_name(sofia: Person) -> None:
    assert f"Paused by {NAME}" in sofia.do("/connections/london/pause")
    with sofia.office.engine.store.read() as session:
        state = session.get(ConnectionState, "london")
    assert state is not None
    assert state.paused_by == NAME
    assert "Runs again" in sofia.do("/connections/london/resume")
    assert "not configured" in sofia.do("/connections/nowhere/pause")
    sofia.do("/connections/london/pause")
    assert "cannot be asked to" in sofia.do("/connections/london/explode")
    assert f"Paused by {NAME}" in sofia.see("/")
    sofia.do("/connections/london/resume")


def test_numbers_that_no_item_can_have_are_said_not_to_be_there(sofia: Person) -> None:
    many = "9" * 30
    assert "no such history entry" in sofia.do(f"/history/{many}/undo")
    assert "None of these" in sofia.do("/inbox/bulk", answer="crm", item=[f"c{many}", "c" + "9" * 5000], seen="x")


def test_a_brake_is_released_by_who_has_looked(sofia: Person) -> None:
    sofia.office.brake()
    page = sofia.see("/brakes")
    assert "london has stopped itself" in sofia.see("/")
    assert "31 of 75 linked records" in page
    form = re.search(r'name="seen" value="([^"]+)"', page)
    assert form is not None
    assert "the box is not ticked" in sofia.do("/brakes/london/mass-delete/release", seen=form[1])
    assert "has changed since" in sofia.do("/brakes/london/mass-delete/release", looked="yes", seen="0")
    assert "Released" in sofia.do("/brakes/london/mass-delete/release", looked="yes", seen=form[1])
    with sofia.office.engine.store.session() as session:
        brake = session.get(Brake, int(form[1]))
        assert brake is not None
        assert (brake.released_by, brake.state == "set") == (NAME, False)
        session.delete(brake)


def test_a_value_of_the_history_is_set_back(sofia: Person) -> None:
    with sofia.office.engine.store.read() as session:
        entry = session.exec(select(History).where(col(History.new) == "18500.00")).first()
    assert entry is not None
    page = sofia.do(f"/history/{entry.id}/undo", back="/history")
    assert "Amount is set back to" in page


def test_a_record_is_read_again_unlinked_and_found(sofia: Person) -> None:
    conflict = sofia.conflicts()[-1]
    ids = {"connection": "london", "nexudus": conflict.nexudus_id, "crm": conflict.crm_id}
    assert "read again" in sofia.do("/record/sync", **ids)
    assert "parted at the next cycle" in sofia.do("/record/unlink", **ids)
    assert "cannot be asked" in sofia.do("/record/delete", **ids)
    assert "no cycle has seen it" in sofia.do("/record/unlink", connection="london", nexudus="1")
    found = sofia.http.get(f"/records?q={conflict.nexudus_id}", follow_redirects=False)
    assert found.headers["location"].startswith("/record?connection=london")
    assert "No record is known by" in sofia.see("/records?q=zzzzzz")


def test_a_plan_is_made_on_demand_and_kept(sofia: Person) -> None:
    assert "No plan has been made" in sofia.see("/plan")
    sofia.do("/plan", connection="london")
    for _ in range(100):
        page = sofia.see("/plan?connection=london")
        if "Being made" not in page:
            break
    assert "Would wait" in page
    assert "second floor" in page
    assert "not configured" in sofia.do("/plan", connection="nowhere")


def test_what_comes_while_a_list_is_open_waits_behind_a_line(sofia: Person) -> None:
    assert "new item" in sofia.see("/inbox/new?c=0&f=0")
    assert sofia.see("/inbox/new?c=999999&f=999999").strip() == ""


def test_filters_find_by_text_kind_field_and_age(sofia: Person) -> None:
    conflict = sofia.conflicts()[0]
    with_id = sofia.see(f"/inbox?q={conflict.nexudus_id}")
    assert with_id.count('class="item"') == 1
    assert sofia.see("/inbox?q=welcome+mail").count('class="item"') == 2
    assert sofia.see("/inbox?kind=refused").count('class="item"') == 1
    assert sofia.see("/inbox?field=opportunity_owner").count('class="item"') == len(
        sofia.conflicts("opportunity_owner")
    )
    assert "Nothing fits the filter" in sofia.see("/inbox?age=week")
    assert "Nothing fits the filter" in sofia.see("/inbox?q=100%25_")


def test_the_history_is_filtered_and_given_as_csv(sofia: Person) -> None:
    assert "Nothing fits" in sofia.see("/history?q=zzzz")
    page = sofia.see("/history?field=sales_stage")
    assert "Tour booked" in page
    assert "4,450.00" not in page
    lines = sofia.see("/history.csv?field=sales_stage").splitlines()
    assert lines[0].startswith("id,at,connection,title")
    assert len(lines) > 5


def test_a_spreadsheet_calculates_nothing_of_what_a_record_says() -> None:
    assert _harmless("=HYPERLINK(1)") == "'=HYPERLINK(1)"
    assert [_harmless(text) for text in ("-5.00", "12", "Team +1")] == ["-5.00", "12", "Team +1"]


def test_times_are_shown_in_utc_for_who_wants_that(office: Office, sofia: Person) -> None:
    assert "Times are local" in sofia.see("/")
    assert "Times are UTC" in sofia.see("/times?show=utc")
    assert "Times are local" in sofia.see("/times?show=local")


def test_who_signs_in_comes_to_the_page_that_was_asked_for(office: Office) -> None:
    browser = client(office)
    shown = browser.get("/history?field=title")
    back = re.search(r'name="back" value="([^"]+)"', shown.text)
    assert back is not None
    form = {"token": token_of(shown.text), "name": NAME, "password": PASSWORD, "back": back[1]}
    assert str(browser.post("/sign-in", data=form).url).endswith("/history?field=title")


def test_a_record_with_several_candidates_is_linked_copied_or_left_alone(sofia: Person) -> None:
    asked = {"connection": "london", "field": "record", "kind": "match", "opened_at": sofia.office.clock.now()}
    with sofia.office.engine.store.session() as session:
        one = Conflict(
            **asked,
            nexudus_id="4711",
            nexudus=["Team suite (4711)"],
            crm=["Team suite (opportunity_a)", "Team suite (old) (opportunity_b)"],
            reason="two records have its address; pair it with `link`",
        )
        session.add(one)
        session.flush()
        number = one.id
    item = unfolded(sofia, f"c{number}")
    assert "Which record belongs to the one in Nexudus?" in item
    assert "Two records have its address." in item
    assert '<option value="opportunity_b">' in item
    assert "Copy it to Overplane as a new record" in item
    assert "They become a pair" in sofia.do(f"/inbox/c{number}/link", other="opportunity_b")
    assert "It is left alone" in sofia.do(f"/inbox/c{number}/ignore")
    with sofia.office.engine.store.session() as session:
        asked_for = list(session.exec(select(Decision).where(col(Decision.kind).in_(("link", "ignore")))))
        assert [(each.kind, each.asked_by) for each in asked_for] == [("link", NAME), ("ignore", NAME)]
        for each in (*asked_for, session.get(Conflict, number)):
            session.delete(each)


def test_a_value_that_has_changed_since_is_set_back_only_after_a_second_word(sofia: Person) -> None:
    with sofia.office.engine.store.session() as session:
        first, second = session.exec(select(History).where(col(History.field) == "expected_closing").limit(2))
        second.nexudus_id, second.crm_id, second.new = first.nexudus_id, first.crm_id, "2027-06-01"
        session.add(second)
    page = sofia.do(f"/history/{first.id}/undo", back="/history")
    assert "has changed since" in page
    assert "--force" not in page
    again = re.search(r'action="(/history/\d+/undo\?force=yes)"', page)
    assert again is not None
    assert "Set it back all the same" in page
    said = f"Expected closing is set back to {value_word(first.old)}"
    assert said in sofia.do(again[1], back="/history")


def test_an_open_overview_says_aloud_only_what_is_new(sofia: Person) -> None:
    seen = re.search(r"/overview/state\?seen=([0-9a-f]+)", sofia.see("/"))
    assert seen is not None
    assert "hx-swap-oob" not in sofia.see(f"/overview/state?seen={seen[1]}")
    assert "hx-swap-oob" in sofia.see("/overview/state?seen=0123abcd")


def test_a_name_that_a_person_has_to_choose_is_shown_with_those_that_are_there() -> None:
    reason = reason_of(
        "the CRM has no stage 'X' for sales_stage; add it there, or to crm.toml: fields.sales_stage.values a line like "
        '"…" = ["…", "X"]; a person has to choose: it has New lead, Won',
        "Acme",
    )
    assert (reason.problem, reason.line) == ("Acme has no stage 'X'", '"…" = ["…", "X"]')
    assert (reason.file, reason.table, reason.names) == ("crm.toml", "fields.sales_stage.values", "New lead, Won")
    assert reason_of("it is locked; unlock it") == Reason("It is locked", "Unlock it")


def test_the_csv_has_every_entry_once_however_many_parts_it_is_read_in(
    sofia: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_AT_ONCE", 7)
    ids = [line.partition(",")[0] for line in sofia.see("/history.csv").splitlines()[1:]]
    assert len(ids) == len(set(ids))
    assert [int(one) for one in ids] == sorted(map(int, ids), reverse=True)
    assert f"{len(ids):,} values carried over" in sofia.see("/history")


@pytest.mark.parametrize("text", ["", "&q=e"])
def test_one_turns_the_pages_of_the_history_forth_and_back(sofia: Person, text: str) -> None:
    def shown(query: str) -> list[str]:
        return re.findall(r'action="/history/(\d+)/undo"', sofia.see(f"/history?{query}{text}"))

    first = shown("since=")
    older = shown(f"before={first[-1]}")
    assert first
    assert older
    assert int(older[0]) < int(first[-1])
    assert shown(f"after={older[0]}") == first


def test_two_sides_that_differed_when_they_were_paired_have_no_value_from_before(sofia: Person) -> None:
    conflict = sofia.conflicts()[-1]
    with sofia.office.engine.store.session() as session:
        one = session.get(Conflict, conflict.id)
        assert one is not None
        before, one.base = one.base, None
    item = unfolded(sofia, f"c{conflict.id}")
    assert "They never agreed, as far as is known" in item
    assert "nothing that is known" in item
    with sofia.office.engine.store.session() as session:
        one = session.get(Conflict, conflict.id)
        assert one is not None
        one.base = before
