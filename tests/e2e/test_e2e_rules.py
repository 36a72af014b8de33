"""The rules for single fields, and that nothing else of a record is touched."""

from collections.abc import Callable

import pytest
from e2e_desks import not_hubspot
from e2e_office import ANA, BEN, Counted, Office, dump, without

from nexudus_sync.mapping import Side
from nexudus_sync.store.tables import Failure, Link, Unlinked

PAIRS = 48
Pair = tuple[int, str]
CARD_STAMPS = ("UpdatedOn", "UpdatedBy", "Position", "CrmUpdatedOn")
"""What the server moves by itself; a position also when a neighbour comes in."""


# -- stages -----------------------------------------------------------------------------------------------------------


async def test_a_stage_that_deletes_customers_is_not_entered_and_says_why(office: Office, pair: Pair) -> None:
    office.desk.know("sales_stage", "Archive & delete")
    before = office.stage_of(pair[0])
    office.deals.edit(pair[1], BEN, sales_stage="Archive & delete", title="The rest travels")
    await office.sync()
    assert office.stage_of(pair[0]) == before
    assert office.cards.record(pair[0])["Name"] == "The rest travels"
    (failure,) = office.rows(Failure, nexudus_id=str(pair[0]), state="open")
    assert (failure.kind, failure.field) == ("stage-deletes-customer", "sales_stage")
    assert 'add "Archive & delete" to allow_stages' in failure.reason
    assert not [act for act in office.cards.acts if act.flag == "DeleteAccount"]


async def test_a_record_in_a_stage_that_deletes_customers_is_not_created_at_all(office: Office) -> None:
    office.desk.know("sales_stage", "Archive & delete")
    deal = office.new_deal("To be archived", "archived@example.org", sales_stage="Archive & delete")
    customers, cards = len(office.cards.directory.coworkers), len(office.cards.records())
    await office.sync()
    (failure,) = office.rows(Failure, crm_id=deal, state="open")
    assert failure.kind == "stage-deletes-customer"
    (row,) = office.rows(Unlinked, record_id=deal)
    assert row.state == "refused"
    assert (len(office.cards.directory.coworkers), len(office.cards.records())) == (customers, cards)


async def test_a_stage_that_is_allowed_by_name_is_entered(offices: Callable[..., Office]) -> None:
    office = offices(allow_stages='["archive & DELETE"]')
    office.desk.know("sales_stage", "Archive & delete")
    await office.sync()
    card, deal = office.free.pop()
    office.deals.edit(deal, BEN, sales_stage="Archive & delete")
    await office.sync()
    assert [act.card_id for act in office.cards.acts if act.flag == "DeleteAccount"] == [card]


async def test_a_backfill_enters_no_stage_that_messages_customers_and_later_syncs_do_not_by_themselves(
    offices: Callable[..., Office],
) -> None:
    office = offices(nexudus=4, crm=4, shared=2)
    office.desk.know("sales_stage", "Welcome mail")
    deal = office.new_deal("Welcome me", "welcome@example.org", sales_stage="Welcome mail")
    await office.sync()
    await office.sync(reconcile=True)
    card = next(int(one) for one, other in office.links().items() if other == deal)
    assert office.stage_of(card) == "New lead"
    assert office.failures_of((card, deal)) == {("stage-acts", "sales_stage")}
    assert not office.cards.acts
    office.deals.edit(deal, BEN, sales_stage="Tour booked")
    await office.sync()
    assert office.stage_of(card) == "Tour booked"
    assert office.failures_of((card, deal)) == set()
    office.deals.edit(deal, BEN, sales_stage="Welcome mail")
    await office.sync()
    assert [act.flag for act in office.cards.acts] == ["CannedResponseId"]


async def test_a_backfill_enters_a_messaging_stage_that_is_allowed(offices: Callable[..., Office]) -> None:
    office = offices(nexudus=4, crm=4, shared=2, allow_stages='["Welcome mail"]')
    office.desk.know("sales_stage", "Welcome mail")
    office.new_deal("Welcome me", "welcome@example.org", sales_stage="Welcome mail")
    await office.sync()
    assert [act.flag for act in office.cards.acts] == ["CannedResponseId"]


async def test_an_unmapped_stage_waits_visibly_and_is_delivered_once_the_stage_exists(
    office: Office, pair: Pair
) -> None:
    office.desk.know("sales_stage", "Legal review")
    before = office.stage_of(pair[0])
    office.deals.edit(pair[1], BEN, sales_stage="Legal review", title="Goes on")
    await office.sync()
    assert (office.stage_of(pair[0]), office.cards.record(pair[0])["Name"]) == (before, "Goes on")
    assert office.failures_of(pair) == {("unmapped", "sales_stage")}
    await office.sync()
    assert office.deals.record(pair[1])["sales_stage"] == "Legal review"
    office.cards.directory.add_stage(office.world.seeded.places.london.board_id, "Legal review")
    await office.sync(reconcile=True)
    assert office.stage_of(pair[0]) == "Legal review"
    assert office.failures_of(pair) == set()


async def test_a_retried_failure_is_delivered_without_waiting_for_a_reconcile(office: Office, pair: Pair) -> None:
    office.desk.know("sales_stage", "Second viewing")
    office.deals.edit(pair[1], BEN, sales_stage="Second viewing")
    await office.sync()
    office.cards.directory.add_stage(office.world.seeded.places.london.board_id, "Second viewing")
    (failure,) = office.rows(Failure, nexudus_id=str(pair[0]), state="open")
    failure.next_attempt = office.clock.now()
    office.keep(failure)
    await office.sync()
    assert office.stage_of(pair[0]) == "Second viewing"


async def test_a_created_card_with_an_unmapped_stage_starts_in_the_first_one(office: Office) -> None:
    office.desk.know("sales_stage", "Due diligence")
    deal = office.new_deal("Far along", "far.along@example.org", sales_stage="Due diligence")
    await office.sync()
    (link,) = office.rows(Link, crm_id=deal)
    assert office.stage_of(int(link.nexudus_id)) == "New lead"
    assert office.failures_of((link.nexudus_id, deal)) == {("unmapped", "sales_stage")}


async def test_a_card_created_from_the_crm_reaches_its_later_stage_and_its_status(office: Office) -> None:
    deal = office.new_deal("Won already", "won@example.org", sales_stage="Won", status="Converted")
    await office.sync()
    (link,) = office.rows(Link, crm_id=deal)
    card = office.cards.record(int(link.nexudus_id))
    assert (card["CrmBoardColumnName"], card["Status"], card["Completed"]) == ("Won", 2, True)


# -- currency, customers -----------------------------------------------------------------------------------------------


async def test_a_record_in_another_currency_is_not_created_and_never_relabelled(office: Office) -> None:
    deal = office.new_deal("In euros", "euros@example.org", currency="EUR", opportunity_amount=1000)
    await office.sync()
    assert deal not in office.links().values()
    (failure,) = office.rows(Failure, crm_id=deal, state="open")
    assert (failure.kind, failure.reason) == ("currency", "it is in EUR but the other side uses GBP")


async def test_a_linked_record_whose_currency_changed_holds_back_its_amount_only(office: Office, pair: Pair) -> None:
    before = office.cards.record(pair[0])["Value"]
    office.deals.edit(pair[1], BEN, currency="EUR", opportunity_amount=4321, title="Amount waits")
    await office.sync()
    card = office.cards.record(pair[0])
    assert (card["Value"], card["Name"]) == (before, "Amount waits")
    assert office.failures_of(pair) == {("currency", "opportunity_amount")}
    office.deals.edit(pair[1], BEN, currency="GBP")
    await office.sync()
    assert office.cards.record(pair[0])["Value"] == 4321
    assert office.failures_of(pair) == set()


@pytest.mark.parametrize("side", list(Side))
async def test_a_record_without_an_email_is_refused_and_created_once_it_has_one(office: Office, side: Side) -> None:
    if side is Side.NEXUDUS:
        record_id = str(office.new_card(f"Nameless {side}", None))
    else:
        record_id = office.new_deal(f"Nameless {side}", None)
    await office.sync()
    key = "nexudus_id" if side is Side.NEXUDUS else "crm_id"
    (failure,) = office.rows(Failure, **{key: record_id}, state="open")
    assert failure.kind == "no-email"
    email = f"named.{side.value}@example.org"
    if side is Side.NEXUDUS:
        customer = office.cards.record(int(record_id))["CoworkerId"]
        office.cards.directory.amend("coworkers", customer, Email=email)
        office.cards.edit(int(record_id), ANA, Notes="has an e-mail now")
    else:
        office.desk.give_email(record_id, email)
    await office.sync(reconcile=side is Side.CRM and office.desk.party_apart)
    assert office.rows(Link, **{key: record_id})
    assert not office.rows(Failure, **{key: record_id}, state="open")


async def test_a_new_customer_lands_in_the_location_and_gets_no_mail(office: Office) -> None:
    deal = office.new_deal("New customer", "New.Customer@example.org")
    await office.sync()
    (link,) = office.rows(Link, crm_id=deal)
    customer = office.cards.directory.coworkers[office.cards.record(int(link.nexudus_id))["CoworkerId"]]
    assert customer["Email"].lower() == "new.customer@example.org"
    assert (customer["Businesses"], customer["InvoicingBusinessId"]) == ([1001], 1001)
    assert office.cards.coworkers.welcomed == []


async def test_a_new_customer_carries_the_name_of_its_company(office: Office) -> None:
    email = "kwame@example.org"
    lead = office.desk.lead("Kwame Mensah", email, company_name="Mensah Films")
    office.new_deal("With a company", email, party_name=lead)
    await office.sync()
    (customer,) = [row for row in office.cards.directory.coworkers.values() if row["Email"] == email]
    assert customer["CompanyName"] == "Mensah Films"


async def test_no_customer_is_created_where_the_configuration_says_so(offices: Callable[..., Office]) -> None:
    office = offices(nexudus=3, crm=3, shared=3, create_parties="false")
    deal = office.new_deal("Stranger", "stranger@example.org")
    await office.sync()
    (failure,) = office.rows(Failure, crm_id=deal, state="open")
    assert failure.kind == "customer"
    assert deal not in office.links().values()


# -- lost reasons, owner, due date -------------------------------------------------------------------------------------


@not_hubspot
async def test_of_several_lost_reasons_the_first_is_merged_and_the_others_stay(office: Office, pair: Pair) -> None:
    office.deals.edit(pair[1], BEN, status="Lost")
    office.deals.set_lost_reasons(pair[1], ["Price", "Went silent", "Timing"], BEN)
    await office.sync()
    assert office.cards.record(pair[0])["LossReason"] == 4
    office.cards.edit(pair[0], ANA, LossReason=7)
    await office.sync()
    assert office.deals.lost_reasons(pair[1]) == ["Competition", "Went silent", "Timing"]


async def test_clearing_the_reason_in_nexudus_clears_all_rows_and_reopening_clears_nothing(
    office: Office, pair: Pair
) -> None:
    office.deals.edit(pair[1], BEN, status="Lost")
    office.deals.set_lost_reasons(pair[1], ["Price", "Timing"], BEN)
    await office.sync()
    office.deals.edit(pair[1], BEN, status="Open")
    await office.sync()
    assert (office.cards.record(pair[0])["LossReason"], office.cards.record(pair[0])["Status"]) == (4, 1)
    office.cards.edit(pair[0], ANA, LossReason=None)
    await office.sync()
    assert office.deals.lost_reasons(pair[1]) == []


async def test_clearing_all_rows_in_the_crm_clears_the_reason_in_nexudus(office: Office, pair: Pair) -> None:
    office.deals.edit(pair[1], BEN, status="Lost")
    office.deals.set_lost_reasons(pair[1], ["Price", "Timing"], BEN)
    await office.sync()
    office.deals.set_lost_reasons(pair[1], [], BEN)
    office.deals.edit(pair[1], BEN, phone="+44 20 1")
    await office.sync()
    assert office.cards.record(pair[0])["LossReason"] is None


async def test_an_owner_travels_by_email_whichever_way_it_is_named(office: Office, pair: Pair) -> None:
    owners = office.world.seeded.places.owners
    office.deals.edit(pair[1], BEN, opportunity_owner=office.desk.user_id("tom.oreilly@example.com"))
    await office.sync()
    assert office.cards.record(pair[0])["ResponsibleId"] == owners["tom.oreilly@example.com"]
    office.cards.edit(pair[0], ANA, ResponsibleId=owners["kofi.boateng@example.com"])
    await office.sync()
    assert office.deals.record(pair[1])["opportunity_owner"] == "kofi.boateng@example.com"


async def test_an_owner_the_other_side_does_not_know_waits_visibly(office: Office, pair: Pair) -> None:
    office.desk.add_user("new.hire@example.com", "New Hire")
    before = office.cards.record(pair[0])["ResponsibleId"]
    office.deals.edit(pair[1], BEN, opportunity_owner="new.hire@example.com")
    await office.sync()
    assert office.failures_of(pair) == {("unmapped", "opportunity_owner")}
    assert office.cards.record(pair[0])["ResponsibleId"] == before


@pytest.mark.parametrize(
    ("before", "day", "after"),
    [
        ("2026-05-10T22:45:00Z", "2026-05-20", "2026-05-20T22:45:00Z"),
        ("2026-05-10T23:30:00Z", "2026-05-20", "2026-05-19T23:30:00Z"),
        ("2026-01-10T23:30:00Z", "2026-07-20", "2026-07-20T22:30:00Z"),
        (None, "2026-07-20", "2026-07-20T11:00:00Z"),
    ],
)
async def test_a_due_date_keeps_its_time_of_day_in_the_locations_zone(
    office: Office, pair: Pair, before: str | None, day: str, after: str
) -> None:
    office.cards.edit(pair[0], ANA, DueDate=before)
    await office.sync()
    office.deals.edit(pair[1], BEN, expected_closing=day)
    await office.sync()
    assert office.cards.record(pair[0])["DueDate"] == after
    assert office.deals.record(pair[1])["expected_closing"] == day


async def test_a_time_of_day_alone_is_nothing_to_sync(office: Office, pair: Pair) -> None:
    office.cards.edit(pair[0], ANA, DueDate="2026-05-10T08:00:00Z")
    await office.sync()
    office.cards.edit(pair[0], ANA, DueDate="2026-05-10T16:00:00Z")
    counted = Counted(office)
    await office.sync()
    assert counted.writes() == []


# -- untouched ---------------------------------------------------------------------------------------------------------


async def test_a_write_to_nexudus_changes_the_field_it_means_and_nothing_else(office: Office, pair: Pair) -> None:
    custom = {"Data": [{"Name": "Broker", "Value": "B–1", "Type": "string", "JsonValue": None}]}
    office.cards.edit(pair[0], ANA, Notes="Línea 1\r\n – 2", UtmTerm="büro", CustomFields=custom, Score=7, LeadSource=9)
    await office.sync()
    before = dump(office)
    card = office.cards.record(pair[0])
    office.desk.know("utm_source", "only-this")
    office.deals.edit(pair[1], BEN, title="Only the title", utm_source="only-this")
    await office.sync()
    after = office.cards.record(pair[0])
    assert (after["Name"], after["UtmSource"]) == ("Only the title", "only-this")
    touched = ("Name", "UtmSource", "ToStringText", *CARD_STAMPS)
    assert without(after, *touched) == without(card, *touched)
    others = {one: text for one, text in before[Side.NEXUDUS].items() if one != str(pair[0])}
    assert others == {one: text for one, text in dump(office)[Side.NEXUDUS].items() if one in others}


async def test_a_write_to_the_crm_changes_the_field_it_means_and_nothing_else(office: Office, pair: Pair) -> None:
    office.desk.add_field("my_own_field")
    office.deals.edit(pair[1], BEN, phone="+44 20 1", annual_revenue=12, first_response_time=5, my_own_field="kept")
    await office.sync()
    before = dump(office)
    deal = office.desk.content(pair[1])
    office.cards.edit(pair[0], ANA, Name="Only the title", Value=987)
    await office.sync()
    after = office.desk.content(pair[1])
    assert (after["title"], after["opportunity_amount"]) == ("Only the title", 987)
    touched = ("title", "opportunity_amount", *office.desk.stamps)
    assert without(after, *touched) == without(deal, *touched)
    others = {one: text for one, text in before[Side.CRM].items() if one != pair[1]}
    assert others == {one: text for one, text in dump(office)[Side.CRM].items() if one in others}


@not_hubspot
async def test_a_status_of_the_same_class_keeps_its_own_word(office: Office, pair: Pair) -> None:
    office.deals.edit(pair[1], BEN, status="Quotation")
    await office.sync()
    assert office.cards.record(pair[0])["Status"] in (0, 1, None)
    office.cards.edit(pair[0], ANA, Status=3)
    await office.sync()
    assert office.deals.record(pair[1])["status"] == "Lost"
    office.deals.edit(pair[1], BEN, status="Closed")
    await office.sync()
    assert (office.cards.record(pair[0])["Status"], office.deals.record(pair[1])["status"]) == (3, "Closed")


@pytest.mark.parametrize("status", [None, 0])
async def test_a_card_without_a_status_takes_edits_like_any_other(office: Office, pair: Pair, status: object) -> None:
    office.cards.edit(pair[0], ANA, Status=status)
    await office.sync()
    office.deals.edit(pair[1], BEN, title="Still in progress")
    await office.sync()
    card = office.cards.record(pair[0])
    assert (card["Name"], office.failures_of(pair)) == ("Still in progress", set())
    assert card["Status"] in (0, 1)
