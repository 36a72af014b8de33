"""What a system makes of a text that still means the same: cut, escaped, other case or spacing, characters replaced.

A rendering has the letters and digits of its text, in their order. Spaces, punctuation and whatever an old column
cannot hold may be dropped or replaced. Blank is never a rendering, and neither is anything with a word of its own.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

SHORTEST = 16
"""A title cut to fewer characters than this is not recognised as part of a longer one."""
_LONGEST = 500
"""Longer texts are compared by their letters and digits alone."""
_BYTES = 4
"""Up to this many signs can stand for one character whose bytes were replaced one by one."""
_WORDS = re.compile(r"[\w \t.,:;!?()/+*#-]*", re.ASCII)
"""Nothing in it is encoded: most titles are so, and are compared with many."""
_ANY_COLUMN = 20
"""Characters that any system has room for."""
_TAG = re.compile(r"<[^<>]*>")
_MORE = re.compile(r"(\.\.\.|\[\.+\])$")
_SPELLINGS = {
    "ä": ("ae",),
    "ö": ("oe",),
    "ü": ("ue",),
    "å": ("aa",),
    "æ": ("ae",),
    "œ": ("oe",),
    "ø": ("o", "oe"),
    "ł": ("l",),
    "đ": ("d",),
    "ð": ("d",),
    "þ": ("th",),
    "ı": ("i",),
}
"""How a letter is written in ASCII, beside the letter without its accents."""


def renders(sent: str, got: str) -> bool:
    """May `got` be a system's rendering of `sent`? Equal texts are not renderings of each other."""
    return sent != got and any(_reach(one, other) is not None for one, other in _forms(sent, got))


def is_kept(sent: str) -> bool:
    """Does every system keep such a text as it is, except perhaps for its case: short, and nothing but words?"""
    return len(sent) <= _ANY_COLUMN and sent == " ".join(sent.split()) and _WORDS.fullmatch(sent) is not None


def alike(one: str, other: str) -> bool:
    """Are the two the same title, as one system or the other may have kept it? A cut one must be long enough."""
    return one == other or _kept_whole(one, other) or _kept_whole(other, one)


def _kept_whole(sent: str, got: str) -> bool:
    """Is the text complete, or is enough of it left?"""
    reaches = [(_reach(one, other), len(other)) for one, other in _forms(sent, got)]
    return any(whole or (whole is False and length >= SHORTEST) for whole, length in reaches)


def _forms(sent: str, got: str) -> Iterator[tuple[str, str]]:
    """The two as they can be compared: with their markup and without it, each as it may have been encoded."""
    for one in _marked(sent):
        for other in (got, *_decoded(got)):
            for form in _marked(other):
                kept = _bare(form).replace(" ", "")
                yield one, kept
                yield one, _MORE.sub("", kept)


def _marked(text: str) -> tuple[str, ...]:
    """The text unescaped, and without its tags."""
    if _WORDS.fullmatch(text):
        return (text,)
    for _ in range(_BYTES):
        text = html.unescape(text)
    return tuple(dict.fromkeys((text, _TAG.sub("", text))))


def _decoded(text: str) -> Iterator[str]:
    """What the text would be if it was encoded once too often."""
    if _WORDS.fullmatch(text):
        return
    yield unquote(text)
    for encoding in ("cp1252", "latin-1"):
        try:
            yield text.encode(encoding).decode()
        except UnicodeError:
            continue


def _bare(text: str) -> str:
    """Without case, marks that nobody sees and the strokes that escape; white space of any kind is one space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    seen = "".join(one for one in folded if one != "\\" and unicodedata.category(one) != "Cf")
    return " ".join(seen.split())


def _reach(sent: str, got: str) -> bool | None:
    """Is `got`, as it is compared, all of `sent` (True), its beginning (False), or something else (None)?"""
    if not got:
        return None
    if max(len(sent), len(got)) > _LONGEST:
        return _reach_of_words(_bare(sent), got)
    places, cut = {0}, False
    for character in unicodedata.normalize("NFC", sent):
        places = {place for start in places for place in _after(character, got, start)}
        cut = cut or len(got) in places
    return True if len(got) in places else False if cut else None


def _reach_of_words(sent: str, got: str) -> bool | None:
    said, kept = ("".join(filter(_is_plain, text)) for text in (sent, got))
    if not kept or not said.startswith(kept):
        return None
    return said == kept


def _after(character: str, got: str, start: int) -> Iterator[int]:
    """How far into `got` one character of the text can reach: as it is compared ("ß" is "ss"), or replaced."""
    folded = _folded(character)
    if got.startswith(folded, start):
        yield start + len(folded)
    if _is_plain(character):
        return
    yield start
    for end in range(start + 1, min(start + _BYTES, len(got)) + 1):
        if got[end - 1].isalnum():
            break
        yield end
    for spelling in _spelled(folded):
        if got.startswith(spelling, start):
            yield start + len(spelling)


@lru_cache(maxsize=1 << 12)
def _folded(character: str) -> str:
    return _bare(character).replace(" ", "")


def _spelled(character: str) -> tuple[str, ...]:
    base = "".join(one for one in unicodedata.normalize("NFKD", character) if not unicodedata.combining(one))
    return tuple(filter(None, (base, *_SPELLINGS.get(character, ()))))


def _is_plain(character: str) -> bool:
    """A letter or digit that every system can hold."""
    return character.isascii() and character.isalnum()
