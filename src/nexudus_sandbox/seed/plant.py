"""Which deals stand where: London and its company, what both share, and a few elsewhere."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import count
from typing import TypeVar

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.hubspot import HubSpotDouble
from nexudus_sandbox.nexudus import NexudusDouble
from nexudus_sandbox.nexudus.enums import IN_PROGRESS
from nexudus_sandbox.overplane import OverplaneDouble
from nexudus_sandbox.seed.cards import CardPlanter
from nexudus_sandbox.seed.deals import Deal, Deals, blank_some, differ, filled
from nexudus_sandbox.seed.documents import DocumentPlanter
from nexudus_sandbox.seed.hubdeals import HubDealPlanter
from nexudus_sandbox.seed.places import CRM_ONLY_STAGE, WELCOME, Place, Places, add_places
from nexudus_sandbox.seed.rows import RowPlanter

ELSEWHERE = 12
"""Opportunities in each location and company beside London."""
_KINDS = ("equal", "equal", "equal", "equal", "equal", "equal", "blank", "different")
"""What the shared pairs are, in turn."""
_QUIRKS_FROM = 40
"""Smaller data sets stay without oddities."""

_Id = TypeVar("_Id", int, str)
Pair = tuple[int, str]
"""A Nexudus id and a CRM id of the same opportunity."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What stands where: London's cards, its company's opportunities, and the `pairs` that are the same opportunity.

    Of the pairs, the `equal` ones say the same on both sides, the `blank` ones lack something on one side, and the
    `different` ones contradict each other in one field.
    """

    places: Places
    nexudus_ids: list[int]
    crm_ids: list[str]
    pairs: list[Pair]
    equal: list[Pair]
    blank: list[Pair]
    different: list[Pair]


@dataclass(frozen=True, slots=True)
class _Shared:
    kind: str
    nexudus: Deal
    crm: Deal


def seed(
    nexudus_double: NexudusDouble,
    crm_double: OverplaneDouble | ERPNextDouble | HubSpotDouble,
    /,
    *,
    nexudus: int = 300,
    crm: int = 200,
    shared: int = 80,
    elsewhere: int = ELSEWHERE,
    seed: int = 7,
) -> Seeded:
    """Fill both doubles: N opportunities in London and in its company, `shared` of them on both sides.

    `elsewhere` is how many there are in each other location and company. Raises ValueError when more are to be shared
    than a side has.
    """
    if shared > min(nexudus, crm):
        raise ValueError("more shared opportunities than a side has")
    rng = random.Random(seed)  # noqa: S311  made-up data, nothing secret
    places = add_places(nexudus_double)
    deals = Deals(rng, nexudus_double.clock().astimezone(UTC).replace(microsecond=0))
    cards, rows = CardPlanter(nexudus_double, places, rng), _crm_planter(crm_double, rng)
    rows.furnish(places)

    pairs = [_pair(deals, number) for number in range(shared)]
    own_cards = _nexudus_quirks(_some(deals, rng, nexudus - shared))
    own_rows = _crm_quirks(_some(deals, rng, crm - shared))
    others = (places.madrid, places.new_york)
    card_deals = {places.london: [pair.nexudus for pair in pairs] + own_cards}
    card_deals |= {place: _some(deals, rng, elsewhere) for place in others}
    row_deals = {places.london: [pair.crm for pair in pairs] + own_rows}
    row_deals |= {place: _some(deals, rng, elsewhere) for place in others}
    card_ids, row_ids = _plant(card_deals, cards.plant), _plant(row_deals, rows.plant)
    by_kind: dict[str, list[Pair]] = {kind: [] for kind in _KINDS}
    for pair in pairs:
        by_kind[pair.kind].append((card_ids[id(pair.nexudus)], row_ids[id(pair.crm)]))
    return Seeded(
        places,
        sorted(card_ids[id(deal)] for deal in card_deals[places.london]),
        [row_ids[id(deal)] for deal in _oldest_first(row_deals[places.london])],
        [(card_ids[id(pair.nexudus)], row_ids[id(pair.crm)]) for pair in pairs],
        by_kind["equal"],
        by_kind["blank"],
        by_kind["different"],
    )


def _crm_planter(
    crm: OverplaneDouble | ERPNextDouble | HubSpotDouble, rng: random.Random
) -> RowPlanter | DocumentPlanter | HubDealPlanter:
    if isinstance(crm, HubSpotDouble):
        return HubDealPlanter(crm, rng)
    return DocumentPlanter(crm, rng) if isinstance(crm, ERPNextDouble) else RowPlanter(crm, rng)


def _pair(deals: Deals, number: int) -> _Shared:
    deal, kind = deals.make(), _KINDS[number % len(_KINDS)]
    if kind == "equal":
        return _Shared(kind, deal, deal)
    deal, turn = filled(deal), number // len(_KINDS)
    other = (blank_some if kind == "blank" else differ)(deal, turn)
    return _Shared(kind, deal, other) if turn % 2 else _Shared(kind, other, deal)


def _some(deals: Deals, rng: random.Random, count: int) -> list[Deal]:
    """Deals, a few of them with a customer who has another one."""
    made: list[Deal] = []
    for _ in range(count):
        again = bool(made) and rng.random() < 0.08
        made.append(deals.again(rng.choice(made)) if again else deals.make())
    return made


def _oldest_first(deals: list[Deal]) -> list[Deal]:
    return sorted(deals, key=lambda deal: deal.created)


def _nexudus_quirks(deals: list[Deal]) -> list[Deal]:
    """A customer without e-mail, and cards in the stage that sends a mail."""
    if len(deals) > _QUIRKS_FROM:
        deals[5] = replace(deals[5], email=None)
        for number in (11, 23):
            deals[number] = replace(deals[number], stage=WELCOME, status=IN_PROGRESS, reason=None)
    return deals


def _crm_quirks(deals: list[Deal]) -> list[Deal]:
    """An opportunity without e-mail, and some in a stage that Nexudus does not have."""
    if len(deals) > _QUIRKS_FROM:
        deals[5] = replace(deals[5], email=None)
        for number in (7, 19):
            deals[number] = replace(deals[number], stage=CRM_ONLY_STAGE, status=IN_PROGRESS, reason=None)
    return deals


def _plant(deals: dict[Place, list[Deal]], plant: Callable[[Deal, Place, int], _Id]) -> dict[int, _Id]:
    """Plant all deals, the oldest first, and say which deal (by its identity) got which id."""
    where = [(deal, place) for place, own in deals.items() for deal in own]
    numbers = {place: count() for place in deals}
    return {
        id(deal): plant(deal, place, next(numbers[place]))
        for deal, place in sorted(where, key=lambda item: item[0].created)
    }
