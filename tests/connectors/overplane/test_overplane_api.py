import pytest

from nexudus_sync.connectors.base import Priority
from nexudus_sync.errors import Unavailable


@pytest.mark.parametrize("name", ["items", "lost_reason_details"])
async def test_child_objects_have_all_five_endpoints(crm, server, name):
    children = getattr(crm.api, name)
    first = await children.create({"opportunity_id": "o1", "idx": 1})
    second = await children.create({"opportunity_id": "o1", "idx": 2})
    await children.create({"opportunity_id": "o2", "idx": 1})
    assert await children.of("o1", priority=Priority.RECONCILE) == [second, first]
    assert (await children.update(first["id"], {"idx": 3}))["idx"] == 3
    server.tables[children.path.removeprefix("/api/")].pop(0)
    await children.reorder("o1", [first["id"], second["id"]])
    assert [row["id"] for row in await children.of("o1")] == [first["id"], second["id"]]
    await children.delete(first["id"])
    assert [row["id"] for row in await children.of("o1")] == [second["id"]]
    assert {(method, path.rpartition("/")[2]) for method, path, _, _ in server.calls} >= {("POST", "reorder")}


OTHERS = (
    "opportunities",
    "lost_reasons",
    "sales_stages",
    "opportunity_types",
    "campaigns",
    "leads",
    "customers",
    "prospects",
    "users",
)


@pytest.mark.parametrize("name", OTHERS)
async def test_every_other_object_can_be_listed_read_created_updated_and_deleted(crm, server, name):
    resource = getattr(crm.api, name)
    made = await resource.create({"title": "a"})
    assert (await resource.page()).rows == [made]
    assert await resource.one(made["id"]) == made
    assert (await resource.update(made["id"], {"title": "b"}))["title"] == "b"
    await resource.delete(made["id"])
    listing = await resource.page({"limit": "5", "offset": "0"})
    assert (listing.rows, listing.has_more, listing.total) == ([], False, 0)


ONE = {"id": "r1", "opportunity_id": "o1", "lost_reason": "Price"}


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([{"data": [{**ONE, "id": []}], "total": 1}], None),
        ([{"data": [{**ONE, "id": "r2"}, {"opportunity_id": "o1"}], "total": 2}], None),
        ([{"total": 1}], None),
        ([[], {"data": [ONE], "total": 1}], None),
        ([[], []], []),
        ([{"data": [], "total": 1}, {"data": [], "total": 1}], []),
        ([{"data": [ONE], "total": 7}, {"data": [ONE], "total": 7}], ["r1"]),
        ([{"data": [], "total": 0}], []),
    ],
)
async def test_rows_that_are_lacking_are_not_taken_for_deleted(crm, monkeypatch, answers, found):
    async def get(*_, **__):
        return answers.pop(0)

    monkeypatch.setattr(crm.api.lost_reason_details._http, "get", get)
    if found is None:
        with pytest.raises(Unavailable):
            await crm.api.lost_reason_details.of("o1")
    else:
        assert [row["id"] for row in await crm.api.lost_reason_details.of("o1")] == found
    assert answers == []
