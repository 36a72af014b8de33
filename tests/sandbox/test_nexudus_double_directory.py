from sandbox_client import Office

from nexudus_sandbox.nexudus.coworkers import REQUIRED

COWORKERS = "/api/spaces/coworkers"


def customer(office: Office, **values: object) -> dict[str, object]:
    required: dict[str, object] = dict.fromkeys(REQUIRED, 1)
    place = {"Businesses": [office.business], "InvoicingBusinessId": office.business}
    return {**required, **place, "FullName": "Søren", "Email": "soren@example.com", **values}


def test_boards_stages_users_and_locations_are_listed_and_filtered() -> None:
    office = Office()
    old = office.double.directory.add_board(office.business, "Old", archived=True)
    rows = office.caller.rows
    assert [row["Name"] for row in rows("/api/crm/crmboards", CrmBoard_Business=office.business)] == ["Sales", "Old"]
    assert [row["Id"] for row in rows("/api/crm/crmboards", CrmBoard_Archived="true")] == [old]
    stages = rows("/api/crm/crmboardcolumns", CrmBoardColumn_CrmBoard=office.board, orderBy="Position")
    assert [(row["Name"], row["WinOpportunity"], row["DeleteAccount"]) for row in stages][2:] == [
        ("Won", True, False),
        ("Lost", False, False),
    ]
    assert [row["Id"] for row in rows("/api/sys/users", User_Email="TOM@example.com")] == [office.user]
    (location,) = rows("/api/sys/businesses")
    assert (location["CurrencyCode"], location["SimpleTimeZoneNameIana"]) == ("GBP", "Europe/London")
    assert office.caller.get(f"/api/sys/businesses/{office.business}").json() == location
    assert office.caller.get("/api/sys/businesses/9").json() == "Not found"


def test_the_enums_list_ids_and_names() -> None:
    office = Office()
    status = office.caller.get("/api/utils/enums", name="eCrmOpportunityStatus").json()
    sources = office.caller.get("/api/utils/enums", name="eCrmOpportunitySource").json()
    assert status == [{"Id": 1, "Name": "InProgress"}, {"Id": 2, "Name": "Won"}, {"Id": 3, "Name": "Lost"}]
    assert 3 not in {member["Id"] for member in sources}
    assert office.caller.get("/api/utils/enums").json() == []


def test_a_customer_is_found_by_the_exact_address_and_several_may_share_it() -> None:
    office = Office()
    office.double.directory.add_coworker("ana@example.com", "Ana the second", office.business)
    found = office.caller.rows(COWORKERS, Coworker_Email="Ana@example.com")
    assert [row["FullName"] for row in found] == ["Ana Núñez", "Ana the second"]
    assert office.caller.rows(COWORKERS, Coworker_Email="ana@example") == []


def test_a_customer_is_created_with_what_the_pages_require() -> None:
    office = Office()
    answer = office.caller.send("POST", COWORKERS, customer(office, CompanyName="Søn ApS"))
    row = office.caller.get(f"{COWORKERS}/{answer.json()['Value']['Id']}").json()
    assert (row["Email"], row["CompanyName"], row["Businesses"]) == ("soren@example.com", "Søn ApS", [office.business])
    missing = office.caller.send("POST", COWORKERS, customer(office, Email="", Gender=None))
    assert {error["PropertyName"] for error in missing.json()["Errors"]} == {"Email", "Gender"}


def test_a_customer_without_both_location_fields_lands_elsewhere() -> None:
    office = Office()
    madrid = office.double.directory.add_business("Madrid", currency="EUR", time_zone="Europe/Madrid")
    body = customer(office, Businesses=[madrid], InvoicingBusinessId=None)
    row_id = office.caller.send("POST", COWORKERS, body).json()["Value"]["Id"]
    assert office.double.directory.coworkers[row_id]["Businesses"] == [office.business]


def test_creating_a_user_with_the_customer_sends_a_mail() -> None:
    office = Office()
    office.caller.send("POST", COWORKERS, customer(office, CreateUser=False))
    assert office.double.coworkers.welcomed == []
    office.caller.send("POST", COWORKERS, customer(office, CreateUser=True))
    assert office.double.coworkers.welcomed == ["soren@example.com"]


def test_only_so_many_customers_can_be_created_a_day() -> None:
    office = Office(customer_creations_per_day=1)
    assert office.caller.send("POST", COWORKERS, customer(office)).status == 200
    denied = office.caller.send("POST", COWORKERS, customer(office))
    assert (denied.status, denied.json()["Message"]) == (403, "Access Denied")
    office.clock.turn(86_400)
    assert office.caller.send("POST", COWORKERS, customer(office)).status == 200
