"""What the site will not take, told once and in its own words; and lists that a user may only choose from."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from nexudus_sandbox.wire import Request, Response, json_response
from nexudus_sync.connectors.base import Scope
from nexudus_sync.connectors.erpnext.complaint import plain
from nexudus_sync.store.tables import Failure
from small_office import MARIA, SmallOffice

NAME = "Été & <fun>"
WORDS = "Name cannot contain special characters like '<', '>'"
OUTGROWN = " ".join(["A & B <C>"] * 13) + " 1234567890"


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[SmallOffice]:
    office = SmallOffice(tmp_path, "erpnext", shared=4, more="create_missing = true\n")
    office.deals.users["sync@example.com"].roles |= {"Marketing Manager"}
    async with office.open():
        yield office


def sent(office: SmallOffice, method: str, path: str) -> int:
    return sum(entry.method == method and path in entry.path for entry in office.deals.log)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (WORDS, WORDS),
        ("Could not find Campaign: Été & <fun>", "Could not find Campaign: Été & <fun>"),
        ("UTM Campaign <strong>x</strong> already exists", "UTM Campaign x already exists"),
        ("<p>one</p><br/>two <a href='/x'>three</a>", "one two three"),
        ("Could not find Sales Stage: Tour <b> & <i>", "Could not find Sales Stage: Tour <b> & <i>"),
        ("<p>Could not find <strong>Tour <p></strong>", "<p>Could not find Tour <p>"),
        ("a<hr>b<br>c <img src='x'>d", "ab c d"),
        ("<a@x.com> is no <b>name</b>", "<a@x.com> is no name"),
    ],
)
def test_the_servers_sentence_keeps_what_people_wrote_in_it(message: str, line: str) -> None:
    assert plain(message) == line


async def test_a_name_that_cannot_be_is_refused_once_with_the_servers_words(office: SmallOffice) -> None:
    for card, _ in office.pairs:
        office.cards.edit(card, MARIA, UtmCampaign=NAME)
    office.deals.log.clear()
    await office.cycle()
    told = office.rows(Failure, state="open")
    assert {(one.kind, one.field) for one in told} == {("refused", "utm_campaign")}
    assert len(told) == 4
    assert {one.reason for one in told} == {f"refused (NameError): {WORDS}"}
    assert sent(office, "POST", "UTM%20Campaign") + sent(office, "POST", "UTM Campaign") == 1
    assert sent(office, "PUT", "Opportunity") == 0


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (417, {"exc_type": "UniqueValidationError"}, "refused (UniqueValidationError)"),
        (409, {"exc_type": "NameError", "exception": "x.NameError: <ann> is <b>no</b> name"}, "<ann> is no name"),
        (409, {"errors": [{"type": "NameError", "message": "not '<', '>'"}]}, "not '<', '>'"),
        (417, {"exc_type": "CharacterLengthExceededError", "_error_message": "cut at 140"}, "cut at 140"),
        (500, {"exc_type": "DataError"}, "refused (DataError)"),
        (409, {}, "refused (409)"),
    ],
)
async def test_any_refusal_of_a_new_name_is_the_fields_and_sent_once(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch, status: int, body: dict[str, Any], told: str
) -> None:
    answer = office.deals.answer

    def refuse(request: Request) -> tuple[str, Response]:
        user, response = answer(request)
        new = request.method == "POST" and "UTM" in request.path
        return user, json_response(status, body) if new else response

    for card, _ in office.pairs[:2]:
        office.cards.edit(card, MARIA, UtmCampaign="Spring", Value=4321)
    office.deals.site.tables["UTM Campaign"].rows.pop("Spring", None)
    monkeypatch.setattr(office.deals, "answer", refuse)
    await office.cycle()
    failures = office.rows(Failure, state="open")
    assert {(one.kind, one.field) for one in failures} == {("refused", "utm_campaign")}
    assert all(told in one.reason for one in failures)
    assert [office.deals.record(deal)["opportunity_amount"] for _, deal in office.pairs[:2]] == [4321, 4321]


async def test_a_name_that_is_there_already_is_no_failure(office: SmallOffice) -> None:
    card, deal = office.pairs[0]
    office.deals.add("UTM Campaign", MARIA, name="Spring 2027")
    office.cards.edit(card, MARIA, UtmCampaign="Spring 2027")
    await office.settle(2)
    assert office.deals.record(deal)["utm_campaign"] == "Spring 2027"
    assert not office.failures()


@pytest.mark.parametrize("traced", [True, False])
async def test_a_title_that_outgrows_its_column_is_refused_and_the_rest_travels(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch, traced: bool
) -> None:
    card, deal = office.pairs[0]
    if not traced:
        office.deals.users["sync@example.com"].roles = office.deals.users["sync@example.com"].roles
        monkeypatch.setattr("nexudus_sync.connectors.erpnext.complaint._messages", lambda body: iter(()))
    office.cards.edit(card, MARIA, Name=OUTGROWN, Value=4321)
    await office.cycle()
    assert office.failures() == {("refused", "title")}
    assert office.deals.record(deal)["opportunity_amount"] == 4321


async def test_lists_are_asked_for_by_what_the_right_to_choose_allows(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "erpnext").open() as office:
        card, deal = office.pairs[0]
        office.deals.add("UTM Source", MARIA, name="Podcast")
        office.cards.edit(card, MARIA, UtmSource="podcast")
        await office.settle(2)
        assert office.deals.record(deal)["utm_source"] == "Podcast"
        assert not office.failures()


@pytest.mark.parametrize("create_missing", [False, True])
async def test_check_asks_for_no_role_that_is_not_missing(tmp_path: Path, create_missing: bool) -> None:
    more = f"create_missing = {str(create_missing).lower()}\n"
    async with SmallOffice(tmp_path, "erpnext", more=more).open() as office:
        found = await office.engine.connectors["erpnext"].check(Scope(company="Example Corp"))
        told = {line.subject: line for line in found}
        for key in ("utm_source", "utm_medium", "utm_campaign"):
            assert told[key].level == ("warn" if create_missing else "ok")
            assert ("role Marketing Manager" in told[key].detail) is create_missing
            assert "Sales User" not in told[key].detail


ROLE = "the user may not create UTM Campaign: give it the role Marketing Manager in ERPNext, or add it there"


@pytest.mark.parametrize("create_missing", [False, True])
async def test_a_value_that_waits_for_a_role_says_which(tmp_path: Path, create_missing: bool) -> None:
    more = f"create_missing = {str(create_missing).lower()}\n"
    async with SmallOffice(tmp_path, "erpnext", more=more).open() as office:
        card, _ = office.pairs[0]
        office.cards.edit(card, MARIA, UtmCampaign="Nobody's yet")
        await office.cycle()
        (told,) = office.rows(Failure, state="open")
        assert (told.kind, told.field) == ("unmapped", "utm_campaign")
        assert (ROLE in told.reason) is create_missing


async def test_it_is_created_by_a_retry_once_the_role_is_there(tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "erpnext", more="create_missing = true\n").open() as office:
        card, deal = office.pairs[0]
        office.cards.edit(card, MARIA, UtmCampaign="Nobody's yet")
        await office.cycle(one_shot=False)
        office.deals.users["sync@example.com"].roles |= {"Marketing Manager"}
        with office.engine.store.session() as session:
            for one in office.rows(Failure, state="open"):
                session.get_one(Failure, one.id).next_attempt = office.clock.now()
        await office.cycle(one_shot=False)
        assert office.deals.record(deal)["utm_campaign"] == "Nobody's yet"
        assert not office.failures()


@pytest.mark.parametrize("kind", ["DataError", "OperationalError"])
async def test_a_create_under_an_own_name_tells_the_databases_words_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    words = """(1366, "Incorrect string value for column 'utm_content' at row 1")"""
    more = 'own_names = true\nexternal_key_field = "custom_none"\n'
    async with SmallOffice(tmp_path, "erpnext", more=more).open() as office:
        handle = office.deals.answer

        def refuse(request: Request) -> tuple[str, Response]:
            if request.path.startswith("/api/v2/") and b"utm_content" in request.body:
                error = {"type": kind, "exception": f"Traceback\nMySQLdb.{kind}: {words}"}
                return "sync@example.com", json_response(500, {"errors": [error]})
            return handle(request)  # type: ignore[no-any-return]

        monkeypatch.setattr(office.deals, "answer", refuse)
        card = office.card("new@example.com", "New", UtmContent="\U0001f600")
        await office.cycle()
        (told,) = office.rows(Failure, state="open")
        assert (told.kind, told.field, told.reason) == ("refused", "utm_content", f"refused ({kind}): {words}")
        assert card in office.links()
