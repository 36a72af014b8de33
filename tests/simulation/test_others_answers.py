"""Stories of answers that are about another record, and of rows that say odd things of the right one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sim_desks import BEN
from sim_people import ANA
from sim_stories import born_in_crm, born_in_nexudus, cycle, decide, links, new_card, new_deal, rows
from sim_world import SimWorld
from test_odd_moments import at_rest

from nexudus_sandbox.wire import Response, json_response
from nexudus_sync import codec
from nexudus_sync.errors import AnotherRecord
from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Brake, Conflict, Decision, Failure, History, Journal, Link, Unlinked

pytestmark = pytest.mark.usefixtures("closed")
BOTH = pytest.mark.parametrize("system", ["overplane", "erpnext"])
UPDATE = "^(PATCH|PUT) "


@pytest.fixture(params=["ignore", "propagate"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SimWorld]:
    """Pairs that agree, under both rules for deletions."""
    begun = at_rest(tmp_path, deletes=request.param)
    yield begun
    begun.close()


def failures(world: SimWorld, state: str = "open") -> list[tuple[str, str, str]]:
    """What waits: kind, Nexudus id and CRM id."""
    return [(one.kind, one.nexudus_id, one.crm_id) for one in rows(world, Failure, state=state)]


def questions(world: SimWorld) -> list[tuple[Any, Any]]:
    """What the open questions about records show."""
    return [(one.nexudus, one.crm) for one in rows(world, Conflict, state="open", field="record")]


def told(world: SimWorld, side: Side, calls: str, change: Callable[[dict[str, Any]], object], **how: Any) -> None:
    """Let answers say something else: `change` works on the parsed body, in place."""

    def changed(answer: Response) -> Response:
        body = answer.json()
        change(body)
        return Response(answer.status, answer.headers, codec.dumps(body).encode())

    world.faults[side].change(calls, changed, **how)


def answered_by(world: SimWorld, side: Side, calls: str, record: Any, **how: Any) -> None:
    """Let answers to these calls be about another record, as the double holds it."""
    body = {"data": record} if world.desk.system == "erpnext" and side is Side.CRM else record
    world.faults[side].change(calls, lambda _: json_response(200, body), **how)


def wait(world: SimWorld, *reconciles: bool) -> None:
    for reconcile in reconciles:
        cycle(world, reconcile=reconcile)


def link_of(world: SimWorld, deal: str) -> Link:
    return next(link for link in links(world) if link.crm_id == deal)


# -- answers about another record --------------------------------------------------------------------------------------


def test_a_card_that_is_answered_with_another_is_left_alone(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    other = new_card(world, "olga", Value=777)
    wait(world, False)
    world.nexudus.edit(card, ANA, Name="Berta's new desk")
    answered_by(world, Side.NEXUDUS, f"^GET .*/{card}$", world.nexudus.record(other), times=99)
    wait(world, False, False)
    assert (world.crm.record(deal)["title"], world.crm.record(deal)["opportunity_amount"]) == ("berta", None)
    assert failures(world) == [("another-record", str(card), deal)]
    wait(world, True)
    assert (failures(world), questions(world)) == ([], [("another record", "kept")])
    wait(world, True)
    assert questions(world) == [("another record", "kept")]
    assert [link_of(world, deal).state, deal in world.crm.records()] == ["active", True]
    world.faults[Side.NEXUDUS].clear()
    wait(world, True, False)
    assert (world.crm.record(deal)["title"], questions(world), failures(world)) == ("Berta's new desk", [], [])


@BOTH
def test_an_opportunity_that_is_answered_with_another_is_left_alone(system: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system=system, deletes="propagate")
    card, deal = born_in_crm(world)
    other = new_deal(world, "olga", opportunity_amount=777)
    wait(world, False)
    old = world.crm.record(deal)
    world.nexudus.edit(card, ANA, Value=50)
    wait(world, False)
    if system == "overplane":  # whose list carries whole records: it is read by id where the list is behind
        told(world, Side.CRM, "^GET .*/crm/opportunity$", whole_list(world, deal, old), times=99)
    else:
        world.crm.edit(deal, BEN, title="Berta's new desk")
    answered_by(world, Side.CRM, f"^GET .*/{deal}$", world.crm.record(other), times=99)
    wait(world, False, False, True)
    assert (world.nexudus.record(card)["Value"], world.nexudus.record(card)["Name"]) == (50, "berta")
    assert card in world.nexudus.records()
    assert questions(world) == [("kept", "another record")]
    world.close()


def test_the_name_of_a_document_in_other_letters_is_the_same(tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    card, deal = born_in_crm(world)
    world.crm.edit(deal, BEN, title="New desk")
    told(world, Side.CRM, f"^GET .*/{deal}$", lambda body: body["data"].update(name=deal.lower()), times=9)
    wait(world, False)
    assert (world.nexudus.record(card)["Name"], failures(world)) == ("New desk", [])
    world.close()


def in_small_letters(deal: str, every: int) -> Callable[[dict[str, Any]], None]:
    """A list that spells the name of one document in small letters, all the time or every other time."""
    asked: list[int] = []

    def spelt(body: dict[str, Any]) -> None:
        asked.append(1)
        for row in body["data"]:
            if row["name"] == deal and len(asked) % every == 0:
                row["name"] = deal.lower()

    return spelt


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("linked", [True, False])
def test_a_list_that_spells_a_name_in_other_letters_lists_no_other_document(
    linked: bool, every: int, tmp_path: Path
) -> None:
    world = at_rest(tmp_path, system="erpnext")
    deal = born_in_crm(world)[1] if linked else new_deal(world, "nina")
    before = len(world.nexudus.records())
    told(world, Side.CRM, "^GET /api/resource/Opportunity$", in_small_letters(deal, every), times=999)
    wait(world, False, True)
    world.crm.edit(deal, BEN, title="New desk")
    wait(world, False, True, False)
    (card,) = [int(one.nexudus_id) for one in links(world) if one.crm_id.upper() == deal and one.state == "active"]
    assert (world.nexudus.record(card)["Name"], len(world.nexudus.records())) == ("New desk", before + (not linked))
    assert (failures(world), questions(world), rows(world, Unlinked)) == ([], [], [])
    world.close()


@pytest.mark.parametrize("kind", ["link", "ignore"])
def test_a_person_may_spell_the_name_of_a_linked_document_in_small_letters(kind: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system="erpnext")
    _, deal = born_in_crm(world)
    ids = {"nexudus_id": str(new_card(world, "olga")), "crm_id": deal.lower()}
    args = ids if kind == "link" else {"side": "crm", "record_id": deal.lower()}
    with world.store.session() as session:
        session.add(Decision(connection="london", kind=kind, args=args, asked_at=world.clock.now()))
    wait(world, False)
    assert f"is linked with {deal}" in (rows(world, Decision)[0].outcome or "")
    assert [link.state for link in links(world) if link.crm_id.upper() == deal] == ["active"]
    world.close()


def test_a_number_and_its_text_are_one_id(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    world.nexudus.edit(card, ANA, Name="New desk")
    told(world, Side.NEXUDUS, f"^GET .*/{card}$", lambda body: body.update(Id=str(card)), times=9)
    wait(world, False, False)
    assert (world.crm.record(deal)["title"], failures(world)) == ("New desk", [])


def test_rows_of_another_opportunity_are_nobodys_reasons(world: SimWorld) -> None:
    card, deal = born_in_crm(world, status="Lost", sales_stage="Lost")
    other = new_deal(world, "olga", status="Lost", sales_stage="Lost")
    world.crm.add("opportunity-lost-reason-detail", BEN, opportunity_id=other, lost_reason="Competition")
    wait(world, False, False)
    before = world.nexudus.record(card)["LossReason"]
    (theirs,) = world.crm.objects.children("opportunity-lost-reason-detail", other)
    page = {"data": [theirs], "has_more": False, "total": 1}
    match = lambda request: request.query.get("parent_id") == deal  # noqa: E731
    world.faults[Side.CRM].change(match, lambda _: json_response(200, page), times=99)
    world.crm.edit(deal, BEN, title="New desk")
    wait(world, False, False)
    assert world.nexudus.record(card)["LossReason"] == before
    assert failures(world) == [("another-record", str(card), deal)]


@BOTH
@pytest.mark.parametrize("side", list(Side))
def test_a_reply_about_another_record_is_no_outcome_and_a_second_one_holds_the_record(
    side: Side, system: str, tmp_path: Path
) -> None:
    world = at_rest(tmp_path, system=system)
    card, deal = born_in_crm(world)
    other = new_card(world, "olga")
    wait(world, False, False)
    stranger = next(link.crm_id for link in links(world) if link.nexudus_id == str(other))

    def about_another(body: dict[str, Any]) -> None:
        if side is Side.NEXUDUS:
            body["Value"]["Id"] = other
        elif system == "erpnext":
            body["data"] = world.crm.record(stranger)
        else:
            body.update(world.crm.record(stranger))

    told(world, side, UPDATE, about_another, times=99)
    for number in (1, 2):
        if side is Side.NEXUDUS:
            world.crm.edit(deal, BEN, title=f"New {number}")
        else:
            world.nexudus.edit(card, ANA, Name=f"New {number}")
        wait(world, False, False)
        assert [world.crm.record(deal)["title"], world.nexudus.record(card)["Name"]] == [f"New {number}"] * 2
        assert failures(world) == [("another-record", str(card), deal)] * (number - 1)
    world.faults[side].clear()
    writes = len(rows(world, Journal))
    world.crm.edit(deal, BEN, title="New 3") if side is Side.NEXUDUS else world.nexudus.edit(card, ANA, Name="New 3")
    wait(world, False, True)
    assert {world.crm.record(deal)["title"], world.nexudus.record(card)["Name"]} == {"New 2", "New 3"}
    assert [row.state for row in rows(world, Journal)[writes:] if row.state == "confirmed"] == []
    assert world.nexudus.record(other)["Name"] == world.crm.record(stranger)["title"] == "olga"
    world.close()


@BOTH
def test_a_create_whose_reply_names_a_linked_record_is_looked_for(system: str, tmp_path: Path) -> None:
    world = at_rest(tmp_path, system=system)
    _, deal = born_in_crm(world)
    card = new_card(world, "olga")
    path = "^POST .*/[Oo]pportunity$"

    def about_another(body: dict[str, Any]) -> None:
        record = world.crm.record(deal)
        body.update({"data": record} if system == "erpnext" else record)

    told(world, Side.CRM, path, about_another, times=1)
    before = len(world.crm.records())
    wait(world, False, False)
    assert len(world.crm.records()) == before + 1
    (made,) = [link.crm_id for link in links(world) if link.nexudus_id == str(card)]
    assert (made != deal, world.crm.record(made)["title"], failures(world)) == (True, "olga", [])
    world.close()


@BOTH
@pytest.mark.parametrize("to", list(Side))
def test_a_create_whose_reply_names_a_record_of_elsewhere_is_looked_for(to: Side, system: str, tmp_path: Path) -> None:
    """A record that no connection knows: another company's, another location's."""
    world = at_rest(tmp_path, system=system)
    deals, cards = set(world.crm.records()), set(world.nexudus.records())
    theirs = min(deals - {link.crm_id for link in links(world)})
    card = min(cards - {int(link.nexudus_id) for link in links(world)})

    def about_another(body: dict[str, Any]) -> None:
        if to is Side.NEXUDUS:
            body["Value"]["Id"] = card
        else:
            body.update({"data": world.crm.record(theirs)} if system == "erpnext" else world.crm.record(theirs))

    new_deal(world, "olga") if to is Side.NEXUDUS else new_card(world, "olga")
    told(world, to, "^POST .*/([Oo]pportunity|crmopportunities)$", about_another, times=1)
    wait(world, False, False, True)
    (card,), (deal,) = set(world.nexudus.records()) - cards, set(world.crm.records()) - deals
    assert (links(world)[-1].nexudus_id, links(world)[-1].crm_id) == (str(card), deal)
    assert (failures(world), questions(world)) == ([], [])
    world.close()


@pytest.mark.parametrize("take", list(Side))
def test_a_person_says_what_becomes_of_a_pair_whose_card_is_another(take: Side, world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    mine = world.nexudus.cards.rows[card]["UniqueId"]
    told(world, Side.NEXUDUS, f"^GET .*/{card}$", lambda body: body.update(UniqueId="f" * 8), times=99)
    world.nexudus.edit(card, ANA, Name="Whose?")
    wait(world, False, True)
    assert questions(world) == [("another record", "kept")]
    decide(world, "record", take)
    wait(world, False, False)
    link = link_of(world, deal)
    assert (link.state, link.nexudus_identity) == (("active", "f" * 8) if take is Side.NEXUDUS else ("closed", mine))
    assert world.crm.record(deal)["title"] == ("Whose?" if take is Side.NEXUDUS else "berta")
    assert (questions(world), failures(world)) == ([], [])


@pytest.mark.parametrize("has_a_pair", [False, True])
def test_a_link_follows_its_record_into_the_one_it_was_merged_with(
    has_a_pair: bool, world: SimWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system itself says so, and the survivor has no pair of its own."""
    card, deal = born_in_crm(world)
    survivor = new_deal(world, "olga")
    wait(world, *([False, False] if has_a_pair else []))
    connector = world.connection.connector(Side.CRM)
    fetch = connector.fetch

    async def merged(record_id: str, *args: Any, **how: Any) -> Any:
        if record_id == deal:
            raise AnotherRecord(connector.name, "it was merged", deal, told=survivor, survivor=survivor)
        return await fetch(record_id, *args, **how)

    monkeypatch.setattr(connector, "fetch", merged)
    with world.store.session() as session:
        session.get_one(Link, link_of(world, deal).id).crm_recheck = True
    before = len(world.nexudus.records())
    wait(world, False)
    followed = [link.crm_id for link in links(world) if link.nexudus_id == str(card)]
    assert (followed, len(world.nexudus.records())) == ([deal if has_a_pair else survivor], before)
    assert [kind for kind, _, _ in failures(world)] == (["another-record"] if has_a_pair else [])


# -- a card's identity -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["CreatedOn", "UniqueId"])
def test_a_row_with_odd_dates_or_identity_makes_no_stranger_of_a_card(key: str, world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    odd = "2027-01-01T00:00:00Z" if key == "CreatedOn" else "deadbeef"

    def make_odd(body: dict[str, Any]) -> None:
        for row in body["Records"]:
            if row["Id"] == card:
                row[key] = odd

    told(world, Side.NEXUDUS, "^GET .*/crmopportunities$", make_odd, times=99)
    before = len(world.crm.records())
    world.nexudus.edit(card, ANA, Name="Still Berta's")
    wait(world, False, False, True)
    assert [link.state for link in links(world) if link.nexudus_id == str(card)] == ["active"]
    assert (len(world.crm.records()), world.crm.record(deal)["title"]) == (before, "Still Berta's")
    assert (failures(world), questions(world), rows(world, Unlinked, record_id=str(card))) == ([], [], [])


def test_odd_dates_in_the_record_itself_make_no_stranger_of_a_card_either(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    world.nexudus.cards.rows[card] = {**world.nexudus.cards.rows[card], "CreatedOn": "2027-01-01T00:00:00Z"}
    world.nexudus.edit(card, ANA, Name="Still Berta's")
    wait(world, False, True)
    assert world.crm.record(deal)["title"] == "Still Berta's"
    assert [link.state for link in links(world) if link.nexudus_id == str(card)] == ["active"]


def test_an_unknown_identity_differs_from_nothing_and_is_learnt_from_the_next_full_read(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    with world.store.session() as session:
        kept = session.get_one(Link, link_of(world, deal).id)
        kept.nexudus_identity = ""
    wait(world, True)
    world.nexudus.edit(card, ANA, Name="Known again")
    told(world, Side.NEXUDUS, f"^GET .*/{card}$", lambda body: body.pop("UniqueId"), times=1)
    wait(world, False)
    assert (link_of(world, deal).nexudus_identity, world.crm.record(deal)["title"]) == ("", "Known again")
    world.nexudus.edit(card, ANA, Name="Read again")
    wait(world, False)
    assert link_of(world, deal).nexudus_identity == world.nexudus.record(card)["UniqueId"]


def test_many_rows_with_other_identities_stop_before_anything_is_copied(tmp_path: Path) -> None:
    world = at_rest(tmp_path, nexudus=30, crm=30, shared=25)
    before = len(world.crm.records())
    for card, row in world.nexudus.cards.rows.items():
        world.nexudus.cards.rows[card] = world.nexudus.cards.listed[card] = {**row, "UniqueId": f"new-{card}"}
    wait(world, True)
    assert (len(world.crm.records()), [one.name for one in rows(world, Brake)]) == (before, ["mass-delete"])
    world.close()


# -- older rows --------------------------------------------------------------------------------------------------------


def whole_list(world: SimWorld, deal: str, old: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """A list that shows one opportunity as it was."""

    def behind(body: dict[str, Any]) -> None:
        body["data"] = [old if row["id"] == deal else row for row in body["data"]]

    return behind


def test_a_list_that_is_behind_sets_nothing_back(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    old = world.crm.record(deal)
    world.nexudus.move(card, "Tour booked", ANA)
    told(world, Side.CRM, "^GET .*/crm/opportunity$", whole_list(world, deal, old), times=99)
    acts = len(world.nexudus.acts)
    for _ in range(5):
        wait(world, False)
    assert world.crm.record(deal)["sales_stage"] == "Tour booked"
    assert world.nexudus.record(card)["CrmBoardColumnName"] == "Tour booked"
    assert len(world.nexudus.acts) == acts
    assert [one.from_side for one in rows(world, History, field="sales_stage")] == ["nexudus"]


def test_a_list_of_the_same_moment_with_other_content_is_read_first(world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    old = world.crm.record(deal)
    world.nexudus.edit(card, ANA, Name="Ana's")
    wait(world, False)
    same = {**old, "updated_at": world.crm.record(deal)["updated_at"]}
    told(world, Side.CRM, "^GET .*/crm/opportunity$", whole_list(world, deal, same), times=99)
    wait(world, False, False)
    assert (world.crm.record(deal)["title"], world.nexudus.record(card)["Name"]) == ("Ana's", "Ana's")


@BOTH
def test_a_replica_that_is_behind_is_waited_for_and_counts_in_the_end(system: str, tmp_path: Path) -> None:
    """The list and the reads by id show it as it was before our write: after a quarter of an hour that is so."""
    world = at_rest(tmp_path, system=system)
    card, deal = born_in_crm(world)
    tables = world.crm.objects.rows["opportunity"] if system == "overplane" else None
    tables = tables if tables is not None else world.crm.site.tables["Opportunity"].rows
    old = tables[deal]
    world.nexudus.edit(card, ANA, Name="Ana's")
    wait(world, False)
    new = tables[deal]
    tables[deal] = old
    with world.store.session() as session:
        session.get_one(Link, link_of(world, deal).id).crm_recheck = True
    wait(world, False, False)
    assert (world.nexudus.record(card)["Name"], link_of(world, deal).crm_recheck) == ("Ana's", True)
    assert (failures(world), rows(world, Conflict, state="open")) == ([], [])
    tables[deal] = new
    wait(world, False)
    assert (world.nexudus.record(card)["Name"], link_of(world, deal).crm_recheck) == ("Ana's", False)
    tables[deal] = old
    with world.store.session() as session:
        session.get_one(Link, link_of(world, deal).id).crm_recheck = True
    cycle(world, after=16 * 60.0)
    assert world.nexudus.record(card)["Name"] == "berta"
    world.close()


def test_a_card_that_was_restored_counts_at_a_reconcile(world: SimWorld) -> None:
    card, deal = born_in_nexudus(world)
    old = world.nexudus.cards.rows[card]
    world.crm.edit(deal, BEN, title="Ben's")
    wait(world, False)
    world.nexudus.cards.rows[card] = world.nexudus.cards.listed[card] = old
    wait(world, True)
    assert world.crm.record(deal)["title"] == "anna"


# -- one id twice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [True, False])
def test_an_id_that_a_page_lists_twice_is_read(last: bool, world: SimWorld) -> None:
    card, deal = born_in_crm(world)
    stranger = world.crm.record(new_deal(world, "olga", utm_source="hers"))
    wait(world, False)
    count = len(world.crm.records())

    def twice(body: dict[str, Any]) -> None:
        for row in [row for row in body["data"] if row["id"] == deal]:
            body["data"].insert(len(body["data"]) if last else 0, {**stranger, "id": row["id"]})

    told(world, Side.CRM, "^GET .*/crm/opportunity$", twice, times=99)
    world.crm.edit(deal, BEN, title="Ben's")
    wait(world, False, True)
    assert (world.nexudus.record(card)["Name"], world.nexudus.record(card)["UtmSource"]) == ("Ben's", None)
    assert (len(world.crm.records()), link_of(world, deal).state, failures(world)) == (count, "active", [])


def test_a_card_that_a_page_lists_twice_is_read(world: SimWorld) -> None:
    card, deal = born_in_crm(world)

    def twice(body: dict[str, Any]) -> None:
        body["Records"] += [{**row, "Name": "Nobody's"} for row in body["Records"] if row["Id"] == card]

    told(world, Side.NEXUDUS, "^GET .*/crmopportunities$", twice, times=99)
    world.nexudus.edit(card, ANA, Name="Ana's")
    wait(world, False, True)
    assert (world.crm.record(deal)["title"], failures(world)) == ("Ana's", [])


def test_a_new_card_that_a_page_lists_twice_is_copied_as_it_is(world: SimWorld) -> None:
    card = new_card(world, "anna")

    def twice(body: dict[str, Any]) -> None:
        body["Records"] += [{**row, "CoworkerEmail": "x@example.org"} for row in body["Records"] if row["Id"] == card]

    told(world, Side.NEXUDUS, "^GET .*/crmopportunities$", twice, times=99)
    wait(world, False, False)
    (deal,) = [link.crm_id for link in links(world) if link.nexudus_id == str(card)]
    assert world.crm.record(deal)["contact_email"] == "anna@example.org"
