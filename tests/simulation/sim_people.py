"""People at work on both sides: edits of mapped and unmapped fields, stage moves, new deals, deletions."""

import random
from collections.abc import Callable
from typing import Any

from sim_desks import BEN, OWNERS, STAGES, attempt
from sim_world import SimWorld

from nexudus_sandbox.seed.places import Place
from nexudus_sync.mapping import Side

ANA = "ana@example.com"


class People:
    """Random edits; every value written is told from every other.

    With `moves` cards also go from one location to another, and opportunities from one company to another.
    """

    def __init__(self, world: SimWorld, rng: random.Random, *, moves: bool = False) -> None:
        self.world, self.rng, self.count, self.moves = world, rng, 0, moves

    def act(self, *, deletes: bool = False) -> str:
        """Do one thing somewhere; says what, for the trace."""
        self.count += 1
        roll = self.rng.random()
        if roll < 0.05:
            return self._create()
        if deletes and roll < 0.08:
            return self._delete()
        return self._edit(self.rng.choice(list(Side)))

    def cards(self) -> list[int]:
        """The cards that exist now on the boards where people work: the connections', and those that cards go to."""
        boards = {place.board_id for place in self._cities()}
        stages = self.world.nexudus.directory.stages
        rows = self.world.nexudus.cards.rows.items()
        return [i for i, row in rows if stages[row["CrmBoardColumnId"]]["CrmBoardId"] in boards]

    def deals(self) -> list[str]:
        """The connections' opportunities that exist now."""
        companies = {place.company for place in self.world.places.values()}
        return [i for i, row in self.world.crm.records().items() if row.get("company") in companies]

    def _cities(self) -> list[Place]:
        if not self.moves:
            return list(self.world.places.values())
        places = self.world.seeded.places
        return [places.london, places.madrid]

    def _edit(self, side: Side) -> str:
        ids: list[Any] = self.cards() if side is Side.NEXUDUS else self.deals()
        if not ids:
            return "nobody there"
        record_id = self.rng.choice(ids)
        deal_edits = [*self.world.desk.edits(self.world.crm, self.count, self.rng), *self._company_edits()]
        name, change = self.rng.choice(self._card_edits() if side is Side.NEXUDUS else deal_edits)
        try:
            came_of_it = attempt(lambda: change(record_id))
        except KeyError:
            return f"{side} {record_id} is gone"
        return f"{side} {record_id} {name}{came_of_it}"

    def _card_edits(self) -> list[tuple[str, Callable[[int], object]]]:
        double, n, rng = self.world.nexudus, self.count, self.rng

        def fields(**changes: Any) -> Callable[[int], object]:
            return lambda card: double.edit(card, ANA, **changes)

        owner = self.world.seeded.places.owners[rng.choice(OWNERS)]
        return [
            ("Name", fields(Name=f"Card {n}")),
            ("Value", fields(Value=n * 10)),
            (
                "DueDate",
                fields(DueDate=f"2026-0{rng.randint(4, 9)}-{rng.randint(10, 28)}T{rng.randint(10, 23)}:30:00Z"),
            ),
            ("UtmSource", fields(UtmSource=f"src{n}")),
            ("UtmCampaign", fields(UtmCampaign=rng.choice([None, f"camp{n}"]))),
            ("LossReason", fields(LossReason=rng.choice([1, 3, 4, 7, None]))),
            ("ResponsibleId", fields(ResponsibleId=owner)),
            ("Notes", fields(Notes=f"note {n}")),
            ("UtmTerm", fields(UtmTerm=f"term{n}")),
            ("Status", fields(Status=rng.choice([1, 2, 3]))),
            ("stage", lambda card: double.move(card, rng.choice(STAGES), ANA)),
            *self._board_edits(),
        ]

    def _board_edits(self) -> list[tuple[str, Callable[[int], object]]]:
        """Ana moves a card to a board, perhaps another location's."""
        if not self.moves:
            return []
        place = self.rng.choice(self._cities())
        stage = self.world.nexudus.directory.stage_named(place.board_id, self.rng.choice(STAGES[:4]))
        return [(f"board of {place.company}", lambda card: self.world.nexudus.edit(card, ANA, CrmBoardColumnId=stage))]

    def _company_edits(self) -> list[tuple[str, Callable[[str], object]]]:
        """Ben gives an opportunity to a company, perhaps another."""
        if not self.moves:
            return []
        company = self.rng.choice([place.company for place in self._cities()])
        return [(f"company {company}", lambda deal: self.world.crm.edit(deal, BEN, company=company))]

    def _create(self) -> str:
        n, world = self.count, self.world
        if self.rng.random() < 0.5:
            place = self.rng.choice(list(world.places.values()))
            customer = world.nexudus.directory.add_coworker(f"person{n}@example.org", f"Person {n}", place.business_id)
            stage = world.nexudus.directory.stage_named(place.board_id, self.rng.choice(STAGES[:4]))
            card = world.nexudus.create(
                ANA, CrmBoardColumnId=stage, CoworkerId=customer, Name=f"Card {n}", Value=n * 10, Position=1
            )
            return f"new card {card}"
        place = self.rng.choice(list(world.places.values()))
        values = {"title": f"Deal {n}", "sales_stage": self.rng.choice(STAGES[:4]), "opportunity_amount": n * 10 + 5}
        values |= {"company": place.company, "currency": place.currency}
        return f"new deal {world.desk.create(f'person{n}', **values)}"

    def _delete(self) -> str:
        if self.rng.random() < 0.5 and self.cards():
            card = self.rng.choice(self.cards())
            self.world.nexudus.delete(card, ANA)
            return f"deleted card {card}"
        deals = self.deals()
        if not deals:
            return "nothing to delete"
        deal = self.rng.choice(deals)
        return f"deleted deal {deal}" + attempt(lambda: self.world.crm.delete(deal, BEN))
