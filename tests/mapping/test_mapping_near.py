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


class Listed:
    """A list of names, and what it lacks itself."""

    def __init__(self, *names: str, lacking: str = "") -> None:
        self._names, self.lacking = names, lacking

    def names(self) -> tuple[str, ...]:
        return self._names


@pytest.mark.parametrize(
    ("directory", "told"),
    [
        (None, 'add it there, or to FILE.values a line like "…" = ["…", "Won"]; a person has to choose'),
        (
            Listed("a", lacking="give a role"),
            'give a role, or add it there, or to FILE.values a line like "…" = ["…", "Won"]; A PERSON: it has a',
        ),
        (Listed(*"abcdef"), "a person has to choose: it has a, b, c, d, e, f"),
        (Listed(*"abcdefg"), "a person has to choose: it has a, b, c, d, e, f, …"),
    ],
)
def test_what_is_told_of_a_name_that_is_not_there(
    lens: Callable[[str], Lens], directory: Listed | None, told: str
) -> None:
    kind = lens('type = "stage"').kind
    error = kind.missing("Won", directory)  # type: ignore[arg-type]
    assert str(error).endswith(told.replace("FILE", kind.where).replace("A PERSON", "a person has to choose"))
    assert (error.near, error.choose) == (None, str(error))


def test_a_near_name_is_proposed_and_the_choice_is_told_besides(lens: Callable[[str], Lens]) -> None:
    error = lens('type = "stage"').kind.missing("Tour bookd", Listed("Tour booked"))  # type: ignore[arg-type]
    assert str(error).endswith('a line like "Tour booked" = ["Tour booked", "Tour bookd"]')
    assert error.near == "Tour booked"
    assert error.choose.endswith('"…" = ["…", "Tour bookd"]; a person has to choose: it has Tour booked')
