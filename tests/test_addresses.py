"""E-mail addresses: what is one, what is none, and what two spellings have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexudus_sync.addresses import comparable, key, names_people, oddity, spellings

ANA = "ana@example.com"


@pytest.mark.parametrize(
    "text",
    [
        "ana@example.com",
        " Ana@Example.COM ",
        "mailto:ana@example.com",
        "MAILTO:Ana@example.com?subject=Tour",
        "mailto:ana%40example.com",
        "Ana Prueba <ana@example.com>",
        '"Prueba, Ana" <ANA@example.com>',
        "Prueba, Ana <ana@example.com>",
        "ana@example.com <ana@example.com>",
        "Ana &lt;ana@example.com&gt;",
        "<ana@example.com>",
        "<mailto:ana@example.com>",
        "\u200bana@example.com",
        "\ufeffana@example.com",
        "ana\u00ad@example.com",
        "\u202aana@example.com\u202c",
        "ana@example.com\xa0",
        "ana@example.com\x00",
        "ana@example.com;",
        "ana@example.com, ana@EXAMPLE.com",
        "ａｎａ@example.com",
    ],
)
def test_one_address_is_one_whatever_stands_around_it(text: str) -> None:
    assert comparable(text) == ANA
    assert key(text) == ANA


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "n/a",
        "-",
        "none",
        "none@",
        "@example.com",
        "a@x.example; b@y.example",
        "a@x.example, b@y.example",
        "a@x.example b@y.example",
        "b@y.example <a@x.example>",
        "ana@example.com (work)",
        "a@@example.com",
        "a..b@example.com",
        "ana@exa mple.com",
        "mailto:",
        "\ud83d@example.com",
        "a@" + "x" * 2000 + ".com",
    ],
)
def test_what_is_not_exactly_one_address_is_none(text: str) -> None:
    assert comparable(text) is None
    assert key(text) == oddity(text)


@pytest.mark.parametrize(
    "text", ["sam@box.test", "sam@printer.local", "root@localhost", "a+b@example.com", "o'b@x.com"]
)
def test_addresses_of_tests_and_offices_are_addresses(text: str) -> None:
    assert comparable(text) == text


def test_an_international_domain_is_one_in_either_writing() -> None:
    assert comparable("Info@Bücher.example") == comparable("info@xn--bcher-kva.example") == "info@xn--bcher-kva.example"
    assert comparable("zoë@example.org") == comparable("ZOE\u0308@example.org")


def test_oddities_are_alike_whatever_cannot_be_seen() -> None:
    assert oddity(" N/A\u200b ") == oddity("n/a") == "n/a"
    assert oddity("A@x;  b@Y") == "a@x; b@y"


@pytest.mark.parametrize(("text", "expected"), [("n/a", False), ("", False), ("a@x.com; b@y.com", True), (ANA, True)])
def test_some_oddities_name_people(text: str, expected: bool) -> None:
    assert names_people(text) is expected


def test_an_address_is_looked_for_in_every_spelling_it_may_have() -> None:
    assert spellings(ANA) == (ANA,)
    assert spellings(ANA, "ANA@example.com") == (ANA,)
    assert spellings(ANA, "Ana <ana@example.com>") == (ANA, "Ana <ana@example.com>")
    assert spellings("info@xn--bcher-kva.example") == ("info@xn--bcher-kva.example", "info@bücher.example")


@given(st.text(max_size=60))
def test_whatever_stands_there_is_compared_without_an_error(text: str) -> None:
    found = comparable(text)
    assert found is None or comparable(found) == found
    assert key(key(text)) == key(text)
    assert isinstance(names_people(text), bool)
