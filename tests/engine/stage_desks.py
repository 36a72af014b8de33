"""One card and its deal, where status and stage are one value in the CRM: HubSpot."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from nexudus_sandbox.hubspot.pipelines import Pipeline, Stage
from small_office import MARIA, TOM, SmallOffice

OPEN, WON, LOST = 1, 2, 3


class Desks(SmallOffice):
    """One pair in "Tour booked", in a pipeline whose closed stages have names that Nexudus does not know."""

    card: int = 0
    deal_id: str = ""

    def __init__(self, folder: Path, *, paired: bool = False) -> None:
        super().__init__(folder, "hubspot", shared=0)
        for old, new in (("Won", "Closed won"), ("Lost", "Closed lost")):
            self.stage(old).label = new
        if paired:
            self.pair_columns()
        self.wrote = list[dict[str, int]]()

    def pair_columns(self) -> None:
        """An ops person pairs the closed stages with columns of the board."""
        shipped = (Path(__file__).parents[2] / "mappings" / "hubspot.toml").read_text(encoding="utf-8")
        pairs = '[fields.sales_stage.values]\n"Closed won" = ["Won"]\n"Closed lost" = ["Lost"]\n\n'
        text = shipped.replace("[fields.lost_reasons]", f"{pairs}[fields.lost_reasons]", 1)
        (self.folder / "paired.toml").write_text(text, encoding="utf-8")
        config = self.folder / "config.toml"
        config.write_text(config.read_text() + 'mapping = { crm = "paired.toml" }\n')
        self.engine = self._engine()

    @property
    def pipeline(self) -> Pipeline:
        return next(one for one in self.deals.pipelines.all if one.label == "Example Corp")

    def stage(self, label: str) -> Stage:
        return next(one for one in self.pipeline.stages if one.label == label)

    async def meet(self, **values: Any) -> None:
        """A card whose deal the sync makes."""
        self.card = SmallOffice.card(self, "ana@example.org", "Desks", **values)
        await self.settle(2)
        self.deal_id = self.links()[self.card]

    def column(self) -> str:
        return str(self.cards.record(self.card)["CrmBoardColumnName"])

    def says(self) -> tuple[int, str, str]:
        """The card's status, its column, and the deal's stage."""
        label = next(
            one.label for one in self.pipeline.stages if one.id == self.deals.record(self.deal_id)["dealstage"]
        )
        return int(self.cards.record(self.card)["Status"]), self.column(), label

    def drag_card(self, column: str) -> None:
        self.cards.move(self.card, column, MARIA)

    def drag_deal(self, label: str, **more: Any) -> None:
        self.deals.edit(self.deal_id, TOM, dealstage=self.stage(label).id, **more)

    async def rest(self) -> None:
        """Until nothing is written; then nothing is asked or waits either."""
        found = await self.settle(3)
        self.wrote = found
        assert not found[-1], found


async def working(made: Desks) -> AsyncIterator[Desks]:
    """At rest, both in "Tour booked"."""
    async with made.open():
        await made.meet()
        made.drag_card("Tour booked")
        await made.rest()
        assert made.says() == (OPEN, "Tour booked", "Tour booked")
        yield made
