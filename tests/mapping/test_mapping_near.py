"""Which name another one may be a spelling of: for stages what looks alike, for people only their own name."""

from collections.abc import Callable

import pytest

from nexudus_sync.mapping import Lens

USERS = ("ana@example.com", "sam@example.com", "kim@example.com")


@pytest.mark.parametrize(
    ("given", "names", "near"),
    [
        ("anna@example.com", USERS, None),
        ("tim@example.com", USERS, None),
        ("Ana@old.example.org", USERS, "ana@example.com"),
        ("ana@elsewhere.org", (*USERS, "ana@example.org"), None),
    ],
)
def test_a_user_is_near_under_the_same_name_only(
    lens: Callable[[str], Lens], given: str, names: tuple[str, ...], near: str | None
) -> None:
    assert lens('type = "user"').kind.near(given, names) == near


@pytest.mark.parametrize(("given", "near"), [("Tour bookd", "Tour booked"), ("Negotiation", None)])
def test_a_stage_is_near_where_it_looks_alike(lens: Callable[[str], Lens], given: str, near: str | None) -> None:
    assert lens('type = "stage"').kind.near(given, ("Tour booked", "Qualification")) == near
