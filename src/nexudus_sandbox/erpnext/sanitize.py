"""HTML in text: what looks like a tag makes the server escape the text and keep only harmless tags.

Facts from frappe (utils/html_utils.sanitize_html, model/base_document._sanitize_content).
"""

from html import escape
from html.entities import html5
from html.parser import HTMLParser
from typing import Any

_HARMLESS_TAGS = (
    "a abbr b blockquote br caption center cite code col colgroup dd del div dl dt em figure font h1 h2 h3 h4"
    " h5 h6 hr i img ins kbd li mark ol p pre q s samp small span strike strong sub sup table tbody td tfoot"
    " th thead tr tt u ul var"
)
HARMLESS = frozenset(_HARMLESS_TAGS.split())
_VOID = frozenset({"br", "col", "hr", "img"})


class _Cleaner(HTMLParser):
    """Rewrites a text, tag by tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self.open: list[str] = []
        self.has_tags = False

    def set_cdata_mode(self, *_: Any, **__: Any) -> None:
        """What follows a `<script>` is text like any other."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.has_tags = True
        if tag not in HARMLESS:
            self.parts.append(escape(self.get_starttag_text() or "", quote=False))
            return
        kept = "".join(f' {name}="{escape(text or "")}"' for name, text in attrs if _is_harmless(name, text))
        self.parts.append(f"<{tag}{kept}>")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in self.open:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in HARMLESS:
            self.parts.append(f"&lt;/{escape(tag)}&gt;")
        elif tag in self.open:
            inner = ""
            while inner != tag:
                inner = self.open.pop()
                self.parts.append(f"</{inner}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(escape(data, quote=False))

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};" if f"{name};" in html5 else f"&amp;{name}")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def result(self) -> str:
        """The clean text, its open tags closed."""
        return "".join((*self.parts, *(f"</{tag}>" for tag in reversed(self.open))))


def _is_harmless(name: str, text: str | None) -> bool:
    return not name.startswith("on") and not (text or "").strip().lower().startswith("javascript:")


def clean(text: str) -> str:
    """The text as the server stores it: untouched unless an HTML parser finds a tag in it."""
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    return cleaner.result() if cleaner.has_tags else text
