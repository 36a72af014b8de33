from collections.abc import AsyncIterator

import pytest
from erpnext_site import MARIA, SYNC, Site

from nexudus_sandbox.erpnext.permissions import SYSTEM_MANAGER
from nexudus_sync.connectors.erpnext import ERPNextConnector
from nexudus_sync.errors import Refused


@pytest.fixture
async def erp(site: Site) -> AsyncIterator[ERPNextConnector]:
    async with site.connect() as connector:
        yield connector


async def test_what_is_there_is_not_absent(site: Site, erp: ERPNextConnector) -> None:
    name = site.add()
    assert not await erp.absent(name, erp.facts(await erp.fetch(name)).identity)
    assert not await erp.absent(name, "")


async def test_a_deleted_one_is(either: Site) -> None:
    name = either.add()
    async with either.connect() as erp:
        identity = erp.facts(await erp.fetch(name)).identity
        either.double.delete(name, MARIA)
        assert await erp.absent(name, identity)
        assert await erp.absent(name, "")


async def test_another_document_under_its_name_is_not_it(either: Site) -> None:
    name = either.add(title="The first")
    async with either.connect() as erp:
        identity = erp.facts(await erp.fetch(name)).identity
        either.double.delete(name, MARIA)
        assert either.add(title="The second") == name
        assert erp.facts(await erp.fetch(name)).identity != identity
        assert await erp.absent(name, identity)


async def test_a_renamed_one_is_found_again(either: Site) -> None:
    name = either.add()
    async with either.connect() as erp:
        identity = erp.facts(await erp.fetch(name)).identity
        assert await erp.renamed(name, identity) == []
        either.double.rename(name, "Ana's desks", MARIA)
        assert not await erp.absent(name, identity)
        assert await erp.renamed(name, identity) == ["Ana's desks"]
        assert await erp.renamed(name, "") == []
        assert erp.facts(await erp.fetch("Ana's desks")).identity == identity


@pytest.mark.parametrize("readable", [True, False])
async def test_one_that_was_deleted_is_not_taken_for_another_of_its_moment(
    site: Site, erp: ERPNextConnector, readable: bool
) -> None:
    name, other, third = site.add(), site.add(), site.add()
    identity = erp.facts(await erp.fetch(name)).identity
    for twin in (other, third):
        site.double.site.tables["Opportunity"].rows[twin]["creation"] = identity
    site.double.delete(name, MARIA)
    if readable:
        site.double.users[SYNC].roles |= {SYSTEM_MANAGER}
    assert await erp.renamed(name, identity) == ([] if readable else [other, third])
    assert await erp.absent(name, identity) is readable


async def test_a_merged_one_is_gone(site: Site, erp: ERPNextConnector) -> None:
    name, other = site.add(), site.add()
    identity = erp.facts(await erp.fetch(name)).identity
    site.double.rename(name, other, MARIA, merge=True)
    assert await erp.absent(name, identity)


async def test_one_that_a_user_permission_hides_is_not_proven_gone(site: Site, erp: ERPNextConnector) -> None:
    name = site.add()
    identity = erp.facts(await erp.fetch(name)).identity
    site.double.users[SYNC].allowed = {"Opportunity": set()}
    with pytest.raises(Refused, match="a User Permission may hide it"):
        await erp.fetch(name)
    assert not await erp.absent(name, identity)


async def test_the_deleted_documents_tell_where_they_may_be_read(site: Site, erp: ERPNextConnector) -> None:
    name = site.add()
    identity = erp.facts(await erp.fetch(name)).identity
    site.double.delete(name, MARIA)
    assert site.add() == name
    user = site.double.users[SYNC]
    user.roles |= {SYSTEM_MANAGER}
    user.allowed = {"Opportunity": set()}
    assert await erp.absent(name, identity)
    assert not await erp.absent(name, "2020-01-01 00:00:00.000000")
