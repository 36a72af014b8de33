"""What becomes of a document between a request and the site."""

from decimal import Decimal

import pytest
from erpnext_client import OF_CUSTOMER, OF_LEAD, OF_PROSPECT, OPPORTUNITY, Client
from erpnext_recordings import Time

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.erpnext.errors import FrappeError


def test_two_saves_at_the_same_instant_have_different_stamps(client: Client) -> None:
    one, other = client.create(), client.create()
    assert one["modified"] < other["modified"]


def test_stamps_go_back_an_hour_when_summer_time_ends(client: Client, time: Time) -> None:
    time.set_local("2027-10-31 01:59:59")
    time.pass_by(3_600)
    before = client.create()
    time.pass_by(3_600)
    after = client.create()
    assert before["modified"][:19] == "2027-10-31 02:59:59"
    assert after["modified"][:19] == "2027-10-31 02:59:59"
    assert before["name"] != after["name"]


def test_a_collision_about_the_prospect_undoes_the_create_and_a_retry_works(client: Client) -> None:
    client.double.collide("Prospect", "Prospect Test SL")
    refused = client.send("POST", OPPORTUNITY, OF_PROSPECT)
    assert (refused.status, refused.json()["exc_type"]) == (417, "TimestampMismatchError")
    assert client.double.records() == {}
    assert client.create(**OF_PROSPECT)["name"] == "CRM-OPP-2026-00001"


def test_a_deadlock_undoes_the_write(client: Client, double: ERPNextDouble) -> None:
    double.options.deadlocks = 1
    refused = client.send("POST", OPPORTUNITY, OF_LEAD)
    assert (refused.status, refused.json()["exc_type"]) == (500, "QueryDeadlockError")
    assert double.changes[-1].kind != "Opportunity"
    assert list(double.records()) == []
    assert client.create()["name"] == "CRM-OPP-2026-00001"


def test_a_prospect_keeps_a_row_about_each_of_its_opportunities(client: Client, double: ERPNextDouble) -> None:
    name = client.create(**OF_PROSPECT, opportunity_amount=5)["name"]
    stamp = double.site.find("Prospect", "Prospect Test SL")
    client.update(name, opportunity_amount=7)
    prospect = double.site.find("Prospect", "Prospect Test SL")
    assert stamp is not None
    assert prospect is not None
    assert [(row["opportunity"], row["amount"]) for row in prospect["opportunities"]] == [(name, 7)]
    assert prospect["modified"] == stamp["modified"]


def test_a_lead_of_a_prospect_brings_its_name_and_its_row(client: Client, double: ERPNextDouble) -> None:
    lead = {"lead": "CRM-LEAD-2026-00001"}
    double.add("Prospect", "x", company_name="Group SL", company="Example Coworking", leads=[lead])
    created = client.create()
    assert created["customer_name"] == "Group SL"
    prospect = double.site.find("Prospect", "Group SL")
    assert prospect is not None
    assert [row["opportunity"] for row in prospect["opportunities"]] == [created["name"]]


def test_a_contacts_customer_is_the_party_where_none_is_named(client: Client, double: ERPNextDouble) -> None:
    links = [{"link_doctype": "Customer", "link_name": "Acme Test SL"}]
    double.add("Contact", "x", first_name="Eva", last_name="Gil", email_id="eva@example.com", links=links)
    made = client.create(party_name=None, contact_email="eva@example.com")
    assert (made["opportunity_from"], made["party_name"]) == ("Customer", "Acme Test SL")


def test_a_lead_of_that_email_is_the_party_where_no_contact_has_it(client: Client) -> None:
    assert client.create(party_name=None, contact_email="utm@example.com")["party_name"] == "CRM-LEAD-2026-00002"


def test_a_contact_without_a_customer_is_nobodys_party(client: Client, double: ERPNextDouble) -> None:
    double.add(
        "Contact", "x", email_id="eva@example.com", links=[{"link_doctype": "Lead", "link_name": "CRM-LEAD-2026-00001"}]
    )
    assert client.create(party_name=None, contact_email="eva@example.com")["customer_name"] == "Eva"


def test_a_known_exchange_rate_is_used_and_its_total_added_up(client: Client, double: ERPNextDouble) -> None:
    double.site.rates["USD", "EUR"] = "0.9"
    double.add("Item", "x", name="DESK")
    made = client.create(currency="USD", items=[{"item_code": "DESK", "qty": 2, "rate": 10}])
    assert (made["conversion_rate"], made["total"], made["base_total"]) == (Decimal("0.9"), 20, 18)
    assert made["items"][0]["item_name"] == "DESK"


def test_an_exchange_rate_of_ones_own_is_kept(client: Client) -> None:
    assert client.create(currency="USD", conversion_rate=2)["conversion_rate"] == 2


@pytest.mark.parametrize(
    ("sent", "kept"), [("NaN", 0), (True, 1), (None, 0), ("-1,000.5 ", Decimal("-1000.5")), (0.5, Decimal("0.5"))]
)
def test_a_number_is_read_as_the_server_reads_it(double: ERPNextDouble, sent: object, kept: object) -> None:
    assert double.record(double.create("x", **OF_LEAD, base_opportunity_amount=sent))["base_opportunity_amount"] == kept


def test_a_row_of_an_unknown_name_is_shown_and_not_stored(client: Client) -> None:
    name = client.create()["name"]
    shown = client.update(name, lost_reasons=[{"name": "nosuchrow1", "lost_reason": "No reply"}])
    assert [row["name"] for row in shown["lost_reasons"]] == ["nosuchrow1"]
    assert client.double.lost_reasons(name) == []


def test_a_name_in_another_case_saves_the_same_document(client: Client) -> None:
    name = client.create()["name"]
    assert client.update(name.lower(), name=name.lower(), title="x")["name"] == name
    assert list(client.double.records()) == [name]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"phone": "call me"}, "InvalidPhoneNumberError"),
        ({"contact_email": "nobody"}, "InvalidEmailAddressError"),
        ({"opportunity_from": "No Such Type"}, "LinkValidationError"),
        ({"opportunity_from": None}, "ValidationError"),
        ({"lost_reasons": [{"lost_reason": "x" * 141}]}, "LinkValidationError"),
        ({"items": [{"rate": 1, "item_name": "x" * 141}]}, "CharacterLengthExceededError"),
        ({"notes": [{"added_on": "yesterday"}]}, "OperationalError"),
        ({"expected_closing": "2026-02-30"}, "OperationalError"),
        ({"opportunity_amount": 10**12}, "DataError"),
        ({"opportunity_amount": "1e40"}, "DataError"),
    ],
)
def test_a_bad_value_is_refused_by_its_kind(client: Client, values: dict[str, object], kind: str) -> None:
    assert client.send("POST", OPPORTUNITY, OF_LEAD | values).json()["exc_type"] == kind


def test_a_moment_and_a_day_may_be_cut_and_are_stored_whole(client: Client) -> None:
    name = client.create(expected_closing="2026-12-31 10:00", notes=[{"added_on": "2026-12-31 10:00"}])["name"]
    record = client.double.record(name)
    assert (record["expected_closing"], record["notes"][0]["added_on"]) == ("2026-12-31", "2026-12-31 10:00:00.000000")


def test_the_owner_never_changes(client: Client) -> None:
    name = client.create()["name"]
    refused = client.send("PUT", f"{OPPORTUNITY}/{name}", {"owner": "x"}).json()
    assert "Created By" in refused["exception"]


def test_a_lead_takes_its_status_from_what_came_of_it(client: Client, double: ERPNextDouble) -> None:
    lead = "CRM-LEAD-2026-00001"

    def status() -> str:
        double.change("Lead", lead, "x")
        row = double.site.find("Lead", lead)
        assert row is not None
        return str(row["status"])

    assert status() == "Lead"
    name = client.create()["name"]
    assert status() == "Opportunity"
    quotation = double.quote(name, "x")
    assert status() == "Quotation"
    double.change("Quotation", quotation, "x", status="Lost")
    assert status() == "Lost Quotation"
    double.add("Customer", "x", customer_name="Ana SL", lead_name=lead)
    assert status() == "Converted"


def test_an_opportunity_moves_its_leads_stamp(client: Client, double: ERPNextDouble) -> None:
    before = double.site.find("Lead", "CRM-LEAD-2026-00001")
    client.create()
    after = double.site.find("Lead", "CRM-LEAD-2026-00001")
    assert before is not None
    assert after is not None
    assert after["modified"] > before["modified"]
    assert after["modified_by"] == "sync@example.com"


def test_an_opportunity_follows_its_quotations(client: Client, double: ERPNextDouble) -> None:
    name = client.create(**OF_CUSTOMER)["name"]
    statuses = []
    quotation = double.quote(name, "x")
    for changes in ({}, {"status": "Ordered"}, {"status": "Lost"}, {"docstatus": 2}):
        double.change("Quotation", quotation, "x", **changes)
        statuses.append(double.record(name)["status"])
    double.edit(name, "x", status="Quotation")
    second = double.quote(name, "x")
    double.change("Quotation", second, "x", docstatus=2)
    statuses.append(double.record(name)["status"])
    double.edit(name, "x", status="Closed")
    double.quote(name, "x")
    statuses.append(double.record(name)["status"])
    assert statuses == ["Quotation", "Converted", "Lost", "Lost", "Open", "Closed"]


def test_a_cancelled_document_cannot_be_saved_nor_a_submitted_one_made_a_draft(
    client: Client, double: ERPNextDouble
) -> None:
    quotation = double.quote(client.create(**OF_CUSTOMER)["name"], "x")
    with pytest.raises(FrappeError, match=r"from 1 \(Submitted\) to 0 \(Draft\)"):
        double.change("Quotation", quotation, "x", docstatus=0)
    double.change("Quotation", quotation, "x", docstatus=2)
    with pytest.raises(FrappeError, match="Cannot edit cancelled document"):
        double.change("Quotation", quotation, "x", status="Open")


def test_a_second_customer_of_a_name_gets_a_number(double: ERPNextDouble) -> None:
    assert double.add("Customer", "x", customer_name="Acme Test SL") == "Acme Test SL - 1"


def test_comments_and_cancelled_quotations_do_not_keep_an_opportunity(client: Client, double: ERPNextDouble) -> None:
    name = client.create(**OF_CUSTOMER)["name"]
    double.add("Comment", "x", reference_doctype="Opportunity", reference_name=name)
    quotation = double.quote(name, "x")
    assert client.send("DELETE", f"{OPPORTUNITY}/{name}").json()["exc_type"] == "LinkExistsError"
    double.change("Quotation", quotation, "x", docstatus=2)
    assert client.send("DELETE", f"{OPPORTUNITY}/{name}").status == 202


def test_a_link_to_another_kind_of_the_same_name_keeps_nothing(admin: Client, double: ERPNextDouble) -> None:
    lead = OF_LEAD["party_name"]
    double.add("Customer", "x", customer_name=lead)
    double.create("x", opportunity_from="Customer", party_name=lead)
    assert admin.send("DELETE", f"/api/resource/Lead/{lead}").status == 202


def test_only_the_newest_number_is_given_back(client: Client) -> None:
    older, newest = client.create()["name"], client.create()["name"]
    client.send("DELETE", f"{OPPORTUNITY}/{older}")
    assert client.create()["name"] == "CRM-OPP-2026-00003"
    assert newest == "CRM-OPP-2026-00002"


def test_a_lead_may_be_without_an_email(double: ERPNextDouble) -> None:
    row = double.site.find("Lead", double.add("Lead", "x", company_name="Empty SL"))
    assert row is not None
    assert (row["lead_name"], row["last_name"], row["image"]) == ("Empty SL", "SL", None)


def test_a_quotation_may_be_without_a_party(double: ERPNextDouble) -> None:
    assert double.add("Quotation", "x", items=[{"qty": 2, "rate": 3}]) == "SAL-QTN-2026-00001"


def test_what_is_named_by_the_caller_needs_a_name(admin: Client) -> None:
    refused = admin.send("POST", "/api/resource/UTM Source", {}).json()
    assert refused["exc_type"] == "ValidationError"


def test_a_taken_name_is_409(admin: Client) -> None:
    refused = admin.send("POST", "/api/resource/UTM Source", {"name": "Web Portal"})
    assert (refused.status, refused.json()["exc_type"]) == (409, "DuplicateEntryError")


def test_a_custom_field_is_there_for_old_and_new_documents(client: Client, admin: Client) -> None:
    old = client.create()["name"]
    field = {"dt": "Opportunity", "label": "External Ref", "unique": 1, "reqd": 0}
    assert admin.send("POST", "/api/resource/Custom Field", field).json()["data"]["fieldname"] == "custom_external_ref"
    client.create(custom_external_ref="7")
    assert [row["custom_external_ref"] for row in client.list(fields=["custom_external_ref"])] == [None, "7"]
    assert client.update(old, custom_external_ref="")["custom_external_ref"] == ""
    assert client.double.record(old)["custom_external_ref"] is None
    again = admin.send("POST", "/api/resource/Custom Field", field).json()
    assert "already exists" in again["exception"]


def test_user_permissions_hide_documents(client: Client, double: ERPNextDouble) -> None:
    shown, hidden = client.create()["name"], client.create()["name"]
    double.users["sync@example.com"].allowed["Opportunity"] = {shown}
    assert client.list() == [{"name": shown}]
    for path in (f"{OPPORTUNITY}/{hidden}", f"/api/v2/document/Opportunity/{hidden}"):
        assert client.send("GET", path).status == 403
    double.users["sync@example.com"].allowed = {"Company": {"Another"}}
    assert client.list() == []


def test_who_may_not_delete_is_told_so(client: Client, double: ERPNextDouble) -> None:
    name = client.create()["name"]
    refused = Client(double, "noperm").send("DELETE", f"{OPPORTUNITY}/{name}").json()
    assert refused["exc_type"] == "PermissionError"
    assert client.send("GET", f"{OPPORTUNITY}/{name}").status == 200


def test_without_rights_a_missing_document_is_403(double: ERPNextDouble) -> None:
    assert Client(double, "noperm").send("GET", f"{OPPORTUNITY}/NOPE").status == 403


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("Ana <script> & Co", "Ana &lt;script&gt; &amp; Co"),
        ("<style> 5 < 6", "&lt;style&gt; 5 &lt; 6"),
        ("<title>A & B", "&lt;title&gt;A &amp; B"),
    ],
)
def test_what_follows_a_tag_that_is_never_closed_is_text(client: Client, title: str, kept: str) -> None:
    assert client.create(title=title)["title"] == kept


def test_html_is_escaped_but_for_harmless_tags(client: Client) -> None:
    title = '<a href="javascript:x" onclick="y" title="z">link</a> <br/> <i>open &amp; &#39; <x/> </x></b>'
    assert client.create(title=title)["title"] == (
        '<a title="z">link</a> <br> <i>open &amp; &#39; &lt;x/&gt; &lt;/x&gt;</i>'
    )
    assert client.create(title="<i>a<b>c</i>d <em/>")["title"] == "<i>a<b>c</b></i>d <em></em>"
    assert client.create(title="a < b")["title"] == "a < b"
