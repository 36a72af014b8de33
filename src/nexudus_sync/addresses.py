"""E-mail addresses as they are compared: one normal form, whatever a person or a program wrote around them.

What is then not exactly one address is no e-mail, but an oddity ("n/a", two addresses in one place).
"""

import html
import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

SPECIAL_USE_DOMAIN_NAMES.clear()  # an office's own names are compared like any: localhost, .local, .test
_PLAIN = re.compile(r"[a-z0-9_+-]+(\.[a-z0-9_+-]+)*@[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+")
"""What needs no further look."""
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_APART = re.compile(r"[;,\s]+")
_UNSEEN = {"Cf", "Cc"}
"""Format and control characters: a byte order mark, a space of no width."""
_LONGEST = 1000
"""Nobody's address is longer, with a name or without."""


@lru_cache(maxsize=1 << 16)
def comparable(text: str) -> str | None:
    """The one address that a text says, in the form in which two are equal; None where it says none, or several."""
    if len(text) > _LONGEST:
        return None
    bare = _bare(text)
    if _PLAIN.fullmatch(bare):
        return bare
    whole, named = _one(bare), _NAMED.fullmatch(bare)
    if whole is not None:
        return whole
    found = _all(named["address"]) if named is not None else _all(bare)
    if named is not None and "@" in named["name"]:
        found |= _all(named["name"].strip(" \"'"))
    return next(iter(found)) if len(found) == 1 and None not in found else None


def oddity(text: str) -> str:
    """How two texts are compared that are no address."""
    return " ".join(_bare(text[:_LONGEST]).split())


def key(text: str) -> str:
    """What two records have in common whose addresses are one, or the same oddity; "" for nothing."""
    return comparable(text) or oddity(text)


def names_people(text: str) -> bool:
    """Is there an address in it at all? "n/a" is anybody's."""
    return any(comparable(part) for part in _APART.split(text[:_LONGEST]))


def spellings(email: str, own: str = "") -> tuple[str, ...]:
    """As what to look for an address where texts are compared: itself, in people's letters, as it stands here."""
    local, _, domain = email.rpartition("@")
    try:
        shown = f"{local}@{domain.encode().decode('idna')}"
    except UnicodeError:
        shown = email
    said = {one.casefold(): one for one in (own.strip(), shown, email) if one}
    return tuple(dict.fromkeys((email, *said.values())))


def _bare(text: str) -> str:
    """Without what nobody sees, in small letters, unescaped, and with no `mailto:` before it."""
    seen = "".join(one for one in html.unescape(text) if one.isspace() or unicodedata.category(one) not in _UNSEEN)
    word = unicodedata.normalize("NFKC", seen).strip().casefold()
    if word.startswith("mailto:"):
        return unquote(word.removeprefix("mailto:").partition("?")[0]).strip()
    return word.strip(" ;,")


def _all(text: str) -> set[str | None]:
    """The addresses between commas, semicolons or spaces; None among them for anything else that stands there."""
    return {_one(part.removeprefix("mailto:")) for part in _APART.split(text) if part}


def _one(text: str) -> str | None:
    try:
        found = validate_email(
            text, check_deliverability=False, globally_deliverable=False, allow_quoted_local=True, test_environment=True
        )
    except (EmailNotValidError, UnicodeError):
        return None
    return (found.ascii_email or found.normalized).casefold()
