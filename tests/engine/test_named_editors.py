"""A system names who edited a record last: people see it beside a conflict, without a further call."""

from pathlib import Path

import pytest

from nexudus_sync.store.tables import Link
from small_office import MARIA, TOM, SmallOffice


@pytest.mark.parametrize("clears", [False, True])
async def test_the_user_who_edited_a_deal_is_named(clears: bool, tmp_path: Path) -> None:
    async with SmallOffice(tmp_path, "hubspot", shared=1).open() as office:
        office.deals.options.apps_clear_editor = clears
        ((card, deal),) = office.pairs
        office.cards.edit(card, MARIA, Value=1200)
        office.deals.edit(deal, TOM, amount="4321")
        await office.settle(2)
        (link,) = office.rows(Link, crm_id=deal)
        assert office.conflicts() == ["opportunity_amount"]
        assert (link.nexudus_changed_by, link.crm_changed_by) == (MARIA, TOM)
        office.cards.edit(card, MARIA, Name="A title of hers")
        await office.settle(3)
        assert office.deals.record(deal)["dealname"] == "A title of hers"
        assert office.rows(Link, crm_id=deal)[0].crm_changed_by == TOM
