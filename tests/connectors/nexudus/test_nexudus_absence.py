import pytest
from nexudus_server import Server, answer, card

MANY = "/crm/crmopportunities"
GONE = "/crm/crmopportunities/7"


async def known(connector, server: Server, *numbers: int) -> None:
    server.cards = {number: card(number) for number in numbers}
    for number in numbers:
        await connector.fetch(str(number))


async def test_a_record_that_can_be_read_is_not_absent(connector, server: Server):
    server.cards[7] = card(7)
    assert not await connector.absent("7", "")


async def test_404_by_id_is_proof(connector, server: Server):
    await known(connector, server, 1, 2)
    assert await connector.absent("7", "")


async def test_404_is_no_proof_while_a_listing_by_ids_shows_the_record(connector, server: Server):
    server.cards[7] = card(7)
    server.on("GET", GONE, answer('"Not found"', 404))
    assert not await connector.absent("7", "")


async def test_a_web_page_with_404_is_no_proof(connector, server: Server):
    server.on("GET", GONE, answer("<html>404</html>", 404))
    assert not await connector.absent("7", "")


async def test_500_by_id_and_two_listings_without_it_are_proof(connector, server: Server):
    await known(connector, server, 1, 2)
    server.on("GET", GONE, answer({"Message": "An error has occurred."}, 500))
    assert await connector.absent("7", "")
    assert len([request for request in server.requests if "CrmOpportunity_Id" in str(request.url)]) == 2


async def test_500_and_a_listing_with_it_is_no_proof(connector, server: Server):
    await known(connector, server, 1, 7)
    server.on("GET", GONE, answer("", 500))
    assert not await connector.absent("7", "")


async def test_a_listing_without_any_known_record_proves_nothing(connector, server: Server):
    await known(connector, server, 1)
    server.cards = {}
    server.on("GET", GONE, answer("", 500))
    assert not await connector.absent("7", "")


async def test_a_listing_that_ignores_the_ids_proves_nothing(connector, server: Server):
    await known(connector, server, 1)
    server.on("GET", GONE, answer("", 500))
    server.on("GET", MANY, lambda request: server.listed(request, [card(1), card(2)]))
    assert not await connector.absent("7", "")


async def test_a_listing_that_fails_proves_nothing(connector, server: Server):
    await known(connector, server, 1)
    server.on("GET", GONE, answer("", 500))
    server.on("GET", MANY, answer("", 403))
    assert not await connector.absent("7", "")


@pytest.mark.parametrize(
    ("entry", "proof"),
    [
        ({"EntityId": 7, "AuditType": 3, "EntityShortName": "CrmOpportunity"}, True),
        ({"EntityId": 8, "AuditType": 3, "EntityShortName": "CrmOpportunity"}, False),
        ({"EntityId": 7, "AuditType": 2, "EntityShortName": "CrmOpportunity"}, False),
        ({"EntityId": 7, "AuditType": 3, "EntityShortName": "Coworker"}, False),
    ],
)
async def test_the_audit_trail_proves_a_deletion_of_that_record_only(connector, server: Server, entry, proof):
    server.on("GET", GONE, answer("", 500))
    server.lists["audittrailentries"] = [{"Id": 1, **entry}]
    assert await connector.absent("7", "") is proof


async def test_an_audit_trail_that_may_not_be_read_is_asked_once(connector, server: Server):
    server.on("GET", GONE, answer("", 500))
    server.on("GET", "/sys/audittrailentries", answer("", 403))
    assert not await connector.absent("7", "")
    assert not await connector.absent("7", "")
    assert len(server.calls("GET", "audittrailentries")) == 1


async def test_an_audit_trail_that_fails_proves_nothing(connector, server: Server):
    server.on("GET", GONE, answer("", 500))
    server.on("GET", "/sys/audittrailentries", answer("", 500))
    assert not await connector.absent("7", "")
