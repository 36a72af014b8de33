"""A company that nobody carries is found out for any CRM, whether or not its connector knows a short cut."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from nexudus_sync.connectors import companies
from nexudus_sync.connectors.base import Connector, Facts, Page, Priority, Record, Row, Scope, Stamp
from nexudus_sync.connectors.companies import Companies

WANTED = Scope(company="Example Corp")


class Plain:
    """A connector that can do no more than list: a page for each of these companies."""

    def __init__(self, *carried: str | None) -> None:
        self.carried, self.listed = carried, 0

    async def scan(self, scope: Scope, cursor: str | None, priority: Priority) -> AsyncIterator[Page]:
        assert scope.company is None
        for company in self.carried:
            self.listed += 1
            yield Page([Row(str(self.listed), Stamp("", None), {"company": company})])

    def in_scope(self, record: Record, scope: Scope) -> bool:
        return bool(record["company"] == scope.company)

    def facts(self, record: Record) -> Facts:
        return Facts("1", company=record["company"])


async def looked(connector: Any, scope: Scope = WANTED) -> Companies:
    return await companies.companies(cast("Connector", connector), scope)


async def test_listing_ends_with_the_first_record_of_the_company() -> None:
    crm = Plain("Other", "Example Corp", "Third")
    found = await looked(crm)
    assert (found.carried, crm.listed) == (True, 2)
    assert companies.problem(found, "acme") == ("", "")


async def test_without_a_company_nothing_is_listed() -> None:
    crm = Plain("Other")
    assert await looked(crm, Scope()) == Companies(None)
    assert crm.listed == 0


@pytest.mark.parametrize("carried", [(), (None, "")])
async def test_a_crm_in_which_nobody_carries_any_is_well(carried: tuple[str | None, ...]) -> None:
    assert companies.problem(await looked(Plain(*carried)), "acme") == ("", "")


async def test_the_names_there_are_are_told_not_all_of_many() -> None:
    found = await looked(Plain(*(f"Company {number:02}" for number in range(15))))
    wrong, remedy = companies.problem(found, "acme")
    assert wrong.startswith('no opportunity carries "Example Corp" (companies there: "Company 00", "Company 01"')
    assert wrong.endswith('"Company 11" and 3 more)')
    assert "new_company = true" in remedy


def test_one_that_the_systems_own_list_lacks_is_told_as_such() -> None:
    found = Companies("Exmaple", ("Example",), listed=False)
    assert companies.problem(found, "acme") == (
        'acme has no company "Exmaple" (it has "Example")',
        "correct it, or add it there first",
    )
