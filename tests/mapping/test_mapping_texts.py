"""Texts as people see them, and what a system makes of one: escaped, cut, squashed, with other characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexudus_sync.mapping import Context, Side, Table, pair, parse
from nexudus_sync.mapping.laws import check
from nexudus_sync.mapping.markup import kept, plain
from nexudus_sync.mapping.renderings import SHORTEST, alike, is_kept, renders
from nexudus_sync.mapping.titles import renderings, twins, without_twins
from nexudus_sync.plan import Candidate
from pairs import field_of

LONG = "Tour of the northern building with the whole team"
ESCAPED = Context(escaped=True)


@pytest.mark.parametrize(
    ("there", "people"),
    [
        ("Desk &amp; Co &lt;Ltd&gt;", "Desk & Co <Ltd>"),
        ("AT&amp;amp;T", "AT&amp;T"),
        ("&quot;a&quot; &apos;b&#39; &#x27;c&#34;", "\"a\" 'b' 'c\""),
        ("&copy; &nbsp; & &lt 5", "&copy; &nbsp; & &lt 5"),
    ],
)
def test_what_a_sanitizer_wrote_is_undone_once_and_nothing_else(there: str, people: str) -> None:
    assert plain(there) == people
    assert plain(kept(people)) == people


@given(st.text(alphabet="a&;<>ltgmp#39\"' "))
def test_whatever_is_kept_is_read_back(text: str) -> None:
    assert plain(kept(text)) == text


@given(st.text(alphabet="a &<>;b"))
def test_what_needs_no_care_is_written_as_it_is(text: str) -> None:
    assert kept(text) == text


def test_a_lens_undoes_it_where_the_side_keeps_text_escaped_and_writes_what_is_read_back() -> None:
    text = field_of()
    assert text.read(Side.CRM, "Desk &amp; Co", ESCAPED) == "Desk & Co"
    assert text.read(Side.CRM, "Desk &amp; Co", Context()) == "Desk &amp; Co"
    assert text.put(Side.CRM, "AT&amp;T", {"c": "x"}, ESCAPED) == {"c": "AT&amp;amp;T"}
    assert text.put(Side.CRM, "Desk & Co", {"c": "Desk &amp; Co"}, ESCAPED) == {"c": "Desk &amp; Co"}


def test_a_name_from_a_list_is_what_it_is() -> None:
    text, context = field_of(), Context(directories={"c": Table((("a", "R&amp;D"),))}, escaped=True)
    assert text.read(Side.CRM, "a", context) == "R&amp;D"
    assert text.put(Side.CRM, "R&amp;D", {"c": ""}, context) == {"c": "a"}


def test_the_laws_hold_where_a_side_keeps_text_escaped() -> None:
    texts = 'fields.title.path = "title"'
    mapping = pair(parse('fields.title.path = "Name"', "n.toml", Side.NEXUDUS), parse(texts, "c.toml", Side.CRM))
    found = check(mapping, {Side.NEXUDUS: Context(), Side.CRM: ESCAPED})
    assert [one for one in found if one.level == "fail"] == []


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("Tour 🎉", "Tour ?"),
        ("Tour 🎉", "Tour ????"),
        ("🎉 Tour", "Tour"),
        ("Two  spaces\tand\nlines", "Two spaces and lines"),
        (" padded ", "padded"),
        (LONG, LONG[:40]),
        (LONG, f"{LONG[:30]}…"),
        (LONG, f"{LONG[:30]}..."),
        ("Desk & Co <Ltd>", "Desk &amp; Co &lt;Ltd&gt;"),
        ("Desk & Co <Ltd>", "Desk &amp;amp; Co &amp;lt;Ltd&amp;gt;"),
        ("Desk & Co <Ltd>", "Desk & Co "),
        ("A <b>bold", "A <b>bold</b>"),
        ("O'Brien", "O\\'Brien"),
        ("a b/c", "a%20b%2Fc"),
        ("Müller", "Muller"),
        ("Müller", "Mueller"),
        ("Müller", "M?ller"),
        ("Müller", "MÃ¼ller"),
        ("Straße", "STRASSE"),
        ("Straße", "Stra?e"),
        ("Straße", "Strae"),
        ("Office, 50 m²", "Office, 50 m?"),
        ("Office, 50 m²", "Office, 50 m2"),
        ("½ day at Nº 5…", "? day at N? 5?"),
        ("Cafe\u0301", "Caf?"),
        ("“Hi” — it’s", '"Hi" - it\'s'),
        ("日本語", "???"),
        ("Spring Sale", "spring-sale"),
        ("Tour\u200b today", "Tour today"),
        ("é" * 600 + "abc", "? abc"),
        ("x " * 600, "X" * 600),
    ],
)
def test_what_a_system_makes_of_a_text_is_a_rendering(sent: str, got: str) -> None:
    assert renders(sent, got)


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("Tour", "Tour"),
        ("Tour", ""),
        ("Tour", " \t"),
        ("🎉", " "),
        ("Tour 1", "Tour 2"),
        ("Desk 10", "Desk 100"),
        ("Tour", "Tour (copy)"),
        ("Tour", "our"),
        ("50 m²", "50 m3"),
        ("Strasse", "Stra?e"),
        ("日本語", "Ana Prueba"),
        ("🎉", "Ana Prueba"),
        ("Tour", "Prospecting"),
        ("x " * 600, "y" * 600),
        ("é" * 600, "?" * 600),
    ],
)
def test_what_says_something_else_is_none(sent: str, got: str) -> None:
    assert not renders(sent, got)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Tour 🎉", "Tour ?", True),
        ("Tour", "Tour", True),
        (LONG, LONG[: SHORTEST + 8], True),
        (LONG, LONG[:6], False),
        ("Tour", "Tour 2", False),
        ("x" * 600, "x" * 590, True),
        ("Tour 1", "Tour 2", False),
    ],
)
def test_two_titles_are_one_when_enough_is_left_of_it(one: str, other: str, expected: bool) -> None:
    assert alike(one, other) is expected
    assert alike(other, one) is expected


def candidate(title: str | None) -> Candidate:
    return Candidate(Side.CRM, title or "none", "ana@example.com", title, True)


def test_the_very_same_title_goes_before_what_may_be_made_of_it() -> None:
    same, made, none = candidate("TOUR 🎉"), candidate("Tour ?"), candidate(None)
    record, others = candidate("Tour 🎉"), [same, made, none]
    assert twins(record, others) == [same]
    assert twins(none, others) == []
    assert without_twins(others, [record, none]) == [made, none]
    assert renderings(record, [made, none]) == [made]
    assert renderings(none, [made]) == []


def test_all_of_a_text_is_escaped_where_it_would_be_read_as_another() -> None:
    assert kept("a &lt; <b> c") == "a &amp;lt; &lt;b&gt; c"


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("Tourhall", "Tour hall"),
        ("Tour of the bigger London office", "Tour of the big[...]"),
        ("Álvaro's desk", "Ã\x81lvaro's desk"),  # latin-1 has a sign for each byte, cp1252 has not
        ("desks", "des\\ks"),
        ("desks", "des\u200bks"),
        ("ä" + "x" * 498, "ae" + "x" * 498),
    ],
)
def test_what_more_is_a_rendering(sent: str, got: str) -> None:
    assert renders(sent, got)


def test_how_much_has_to_be_left_of_a_title() -> None:
    title = "abcdefgh" * 4
    assert alike(title, title[:SHORTEST])
    assert not alike(title, title[: SHORTEST - 1])
    assert not alike("word " * 200, "word word")


@pytest.mark.parametrize(
    ("text", "whatever"),
    [
        ("Desk 12", True),
        ("a" * 20, True),
        ("a" * 21, False),
        ("two  spaces", False),
        (" padded", False),
        ("Café", False),
    ],
)
def test_which_texts_no_system_alters(text: str, whatever: bool) -> None:
    assert is_kept(text) is whatever
