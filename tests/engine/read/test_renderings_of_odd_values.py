"""A system's rendering of a value is not an edit, and a value that cannot be stored stops nothing."""

from pathlib import Path

import httpx
import pytest
from engine_worlds import at_rest, link_of_card
from sim_people import ANA
from sim_stories import born_in_nexudus, cycle, new_card, play
from sim_world import SimWorld

from nexudus_sync.mapping import Side


def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Nexudus says @@ it means half an emoji, as a program writes it that cuts UTF-16 in the middle of one."""
    plain = SimWorld.transport

    class Halved(httpx.AsyncBaseTransport):
        def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
            self.inner = inner

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await self.inner.handle_async_request(request)
            body = (await answer.aread()).replace(b"@@", b"\\ud83d")
            kept = {k: v for k, v in answer.headers.items() if k.lower() != "content-length"}
            return httpx.Response(answer.status_code, headers=kept, content=body)

    monkeypatch.setattr(
        SimWorld, "transport", lambda w, side: Halved(plain(w, side)) if side is Side.NEXUDUS else plain(w, side)
    )


@pytest.mark.parametrize("linked", [False, True])
def test_half_an_emoji(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool) -> None:
    half(monkeypatch)
    world = at_rest(tmp_path)
    if linked:
        world.nexudus.edit(born_in_nexudus(world)[0], ANA, UtmCampaign="Tour @@")
    else:
        new_card(world, "dora", Name="Tour @@")
    other = new_card(world, "carla")
    cycle(world)  # UnicodeEncodeError
    assert link_of_card(world, other)


@pytest.mark.parametrize("key", ["CreatedOn", "UpdatedOn"])
def test_year_one(tmp_path: Path, key: str) -> None:
    world = at_rest(tmp_path)
    other, bad = new_card(world, "carla"), new_card(world, "anna")
    for table in (world.nexudus.cards.rows, world.nexudus.cards.listed):
        table[bad] = {**table[bad], key: "0001-01-01T00:00:00Z"}
    cycle(world, reconcile=True)  # OverflowError
    assert link_of_card(world, other)


def kept_differently_and_moved(world: SimWorld) -> None:
    """The CRM cuts the names of two cards; Ana moves one to Madrid and back, the other there for good."""
    world.crm.options.keeps = ("cut",)
    cards = [
        new_card(world, name, Name=f"Forty desks by the window, from June on, {name}") for name in ("anna", "berta")
    ]
    cycle(world)
    for card, *cities in ((cards[0], "madrid", "london"), (cards[1], "madrid")):
        for city in cities:
            place = getattr(world.seeded.places, city)
            stage = world.nexudus.directory.stage_named(place.board_id, "New lead")
            world.nexudus.edit(card, ANA, CrmBoardColumnId=stage)
            cycle(world)


@pytest.mark.parametrize("cities", [("london",), ("london", "madrid")])
def test_what_a_system_keeps_differently_stays_shown_wherever_the_card_goes(
    cities: tuple[str, ...], tmp_path: Path
) -> None:
    assert play(kept_differently_and_moved, tmp_path, cities=cities) == []
