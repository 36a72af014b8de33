"""Templates to HTML. Whatever a record says is escaped and stands in an element of its own (`<bdi>`)."""

from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from nexudus_sync.texts import plural, visible
from nexudus_sync.web import words
from nexudus_sync.web.words import Times

_PACKAGE = "nexudus_sync.web"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        said=said,
        field=words.field_word,
        kind=words.kind_word,
        value=words.value_word,
        initials=initials,
        span=words.span_word,
    )
    made.globals.update(when=when, day_and_time=day_and_time, plural=plural, reason_of=words.reason_of)
    return made


def render(template: str, **values: Any) -> str:
    """The template with these values."""
    return _environment().get_template(template).render(**values)


@cache
def static(name: str) -> bytes:
    """A file that the pages need. Raises FileNotFoundError for any other name."""
    if name not in _TYPES:
        raise FileNotFoundError(name)
    return files(_PACKAGE).joinpath("static", name).read_bytes()


def type_of(name: str) -> str:
    """The media type of such a file."""
    return _TYPES[name]


_TYPES = {"style.css": "text/css", "htmx.min.js": "text/javascript", "icon.svg": "image/svg+xml"}


def said(text: object) -> Markup:
    """Other people's words: escaped, without control characters, and with a writing direction of their own."""
    return Markup("<bdi>{}</bdi>").format(visible(str(text)))


def when(moment: datetime | None, times: Times) -> Markup:
    """A moment as people read it, with its exact time for who points at it."""
    if moment is None:
        return Markup("never")
    return _time(moment, times.ago(moment), times)


def day_and_time(moment: datetime | None, times: Times) -> Markup:
    """A moment written out."""
    return Markup("never") if moment is None else _time(moment, times.clock(moment), times)


def _time(moment: datetime, text: str, times: Times) -> Markup:
    machine = moment.isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(machine, times.exact(moment), escape(text))


def initials(name: str) -> str:
    """SB for Sofia Brandt."""
    return "".join(part[0] for part in name.split()[:2]).upper()
