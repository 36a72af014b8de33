"""The double as HubSpot's own client sees it: every call that the connector makes, and its models take each answer."""

import pytest
from hubspot.crm.associations.v4 import BatchInputPublicFetchAssociationsBatchRequest
from hubspot.crm.contacts import ApiException as ContactsError
from hubspot.crm.contacts import BatchReadInputSimplePublicObjectId as ContactsToRead
from hubspot.crm.contacts import SimplePublicObjectInputForCreate as NewContact
from hubspot.crm.deals import ApiException, BatchReadInputSimplePublicObjectId, PublicObjectSearchRequest
from hubspot.crm.deals import SimplePublicObjectInput as Change
from hubspot.crm.deals import SimplePublicObjectInputForCreate as NewDeal
from hubspot.crm.properties import PropertyCreate
from hubspot_client import Account

CONTACT = [{"to": {"id": "0"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]}]


def test_a_deal_is_created_read_changed_and_deleted(account: Account) -> None:
    api = account.official.crm.deals.basic_api
    values = {"dealname": "Desks", "pipeline": "default", "dealstage": "qualifiedtobuy", "amount": "1200.50"}
    links = [{**CONTACT[0], "to": {"id": account.kai}}]
    made = api.create(NewDeal(properties=values, associations=links))
    assert made.properties["dealname"] == "Desks"
    found = api.get_by_id(made.id, properties=["dealname", "amount", "no_such"], associations=["contacts"])
    assert (found.properties["amount"], found.archived) == ("1200.50", False)
    assert [one.id for one in found.associations["contacts"].results] == [account.kai]
    assert "no_such" not in found.properties
    account.time.turn(1)
    changed = api.update(made.id, Change(properties={"amount": ""}))
    assert changed.updated_at > found.updated_at
    assert api.get_by_id(made.id, properties=["amount"]).properties["amount"] is None
    api.archive(made.id)
    assert api.get_by_id(made.id, archived=True).archived_at is not None
    with pytest.raises(ApiException) as gone:
        api.get_by_id(made.id)
    assert (gone.value.status, gone.value.headers["X-HubSpot-NotFound"]) == (404, "true")


def test_lists_batches_and_searches_are_taken_by_the_clients_models(account: Account) -> None:
    crm, deals = account.official.crm, [account.deal(dealname=f"Deal {number}") for number in range(3)]
    page = crm.deals.basic_api.get_page(limit=2, properties=["dealname"], associations=["contacts"])
    assert [one.id for one in page.results] == deals[:2]
    assert page.paging.next.after == str(int(deals[1]) + 1)
    rest = crm.deals.basic_api.get_page(limit=2, after=page.paging.next.after)
    assert ([one.id for one in rest.results], rest.paging) == (deals[2:], None)
    wanted = BatchReadInputSimplePublicObjectId(
        properties=["dealname"], properties_with_history=["dealname"], inputs=[{"id": one} for one in [*deals, "9"]]
    )
    batch = crm.deals.batch_api.read(wanted)
    assert {one.id for one in batch.results} == set(deals)
    assert batch.results[0].properties_with_history["dealname"][0].source_type == "CRM_UI"
    assert batch.errors[0].context == {"ids": ["9"]}
    filters = [{"propertyName": "hs_object_id", "operator": "GT", "value": deals[0]}]
    request = PublicObjectSearchRequest(
        filter_groups=[{"filters": filters}],
        sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        properties=["dealname"],
        limit=1,
    )
    hits = crm.deals.search_api.do_search(request)
    assert (hits.total, [one.id for one in hits.results], hits.paging.next.after) == (2, [deals[1]], "1")


def test_histories_are_read_fifty_at_a_time_with_who_set_each_value(account: Account) -> None:
    api, maria = account.official.crm.deals, account.double.account.user_of("maria.nunez@example.com")
    deal = account.deal(amount="1")
    account.time.turn(1)
    account.double.edit(deal, "maria.nunez@example.com", amount="20")
    account.time.turn(1)
    api.basic_api.update(deal, Change(properties={"amount": "30"}))
    wanted = BatchReadInputSimplePublicObjectId(
        properties=[], properties_with_history=["amount", "closedate"], inputs=[{"id": deal}]
    )
    (found,) = api.batch_api.read(wanted).results
    past = found.properties_with_history
    assert past["closedate"] == []
    told = [(one.value, one.source_type, one.source_id, one.updated_by_user_id) for one in past["amount"]]
    assert told == [
        ("30", "INTEGRATION", "4169410", None),
        ("20", "CRM_UI", f"userId:{maria}", maria),
        ("1", "CRM_UI", "userId:501", 501),
    ]
    assert past["amount"][0].timestamp > past["amount"][1].timestamp
    assert api.basic_api.get_by_id(deal, properties=["hs_updated_by_user_id"]).properties == {
        "createdate": found.properties["createdate"],
        "hs_lastmodifieddate": found.properties["hs_lastmodifieddate"],
        "hs_object_id": deal,
        "hs_updated_by_user_id": str(maria),
    }
    wanted.inputs = [{"id": str(number)} for number in range(51)]
    with pytest.raises(ApiException) as many:
        api.batch_api.read(wanted)
    assert many.value.status == 400


def test_contacts_are_found_by_their_address_and_created_once(account: Account) -> None:
    api = account.official.crm.contacts
    wanted = ContactsToRead(properties=["email"], properties_with_history=[], id_property="email", inputs=[])
    wanted.inputs = [{"id": "kai@example.org"}]
    assert [one.id for one in api.batch_api.read(wanted).results] == [account.kai]
    with pytest.raises(ContactsError) as taken:
        api.basic_api.create(NewContact(properties={"email": "KAI@example.org"}, associations=[]))
    assert taken.value.status == 409
    assert f"Existing ID: {account.kai}" in taken.value.body


def test_associations_are_read_in_batches(account: Account) -> None:
    deals = [account.deal(), account.deal(contacts=[])]
    wanted = BatchInputPublicFetchAssociationsBatchRequest(inputs=[{"id": one} for one in deals])
    found = account.official.crm.associations.v4.batch_api.get_page("deals", "contacts", wanted)
    assert [(one._from.id, one.to[0].to_object_id) for one in found.results] == [(deals[0], account.kai)]
    assert found.errors[0].sub_category == "crm.associations.NO_ASSOCIATIONS_FOUND"


def test_settings_are_taken_by_the_clients_models(account: Account) -> None:
    crm = account.official.crm
    stages = crm.pipelines.pipelines_api.get_all("deals").results[0].stages
    assert [one.metadata for one in stages if one.id == "closedwon"] == [{"isClosed": "true", "probability": "1.0"}]
    assert [one.email for one in crm.owners.owners_api.get_page().results] == ["maria.nunez@example.com"]
    known = {one.name: one for one in crm.properties.core_api.get_all("deals").results}
    assert known["hs_is_closed"].modification_metadata.read_only_value
    made = crm.properties.core_api.create(
        "deals",
        PropertyCreate(
            name="nexudus_id", label="Nexudus ID", type="string", field_type="text", group_name="dealinformation",
            has_unique_value=True,
        ),
    )  # fmt: skip
    assert made.has_unique_value
    deal = account.deal(nexudus_id="nexudus:1")
    found = crm.deals.basic_api.get_by_id("nexudus:1", id_property="nexudus_id")
    assert found.id == deal
