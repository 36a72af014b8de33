"""One request's stay on the site: who asks, what they are told, and what hooks the DocTypes have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.meta import DocType
from nexudus_sandbox.erpnext.permissions import User
from nexudus_sandbox.erpnext.site import Site

if TYPE_CHECKING:
    from nexudus_sandbox.erpnext.documents import Document


@dataclass(slots=True)
class Session:
    """The user of a request, and the site. `messages` collects what the answer says besides the data."""

    site: Site
    user: User
    messages: list[errors.Message] = field(default_factory=list)

    def meta(self, doctype: str) -> DocType:
        """A DocType. Raises 404, or 403 for those who may not read DocTypes."""
        meta = self.site.doctypes.get(doctype)
        if meta is not None:
            return meta
        if not self.user.may("read", "DocType"):
            raise errors.no_permission(self.user.name, "DocType")
        raise errors.not_found("DocType", doctype)

    def tell(self, text: str, **more: Any) -> None:
        """Add a message that does not stop anything."""
        self.messages.append(errors.message(text, **more))


def _nothing(_document: "Document") -> None:
    """A DocType without that hook."""


Hook = Callable[["Document"], None]


@dataclass(frozen=True, slots=True)
class Method:
    """A function of a DocType that may be called from outside, and the arguments it cannot do without."""

    run: Callable[["Document", Mapping[str, Any]], None]
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Controller:
    """What a DocType's own code does with a document, when. `methods` may be called from outside, `private` not."""

    before_insert: Hook = _nothing
    name: Callable[["Document"], str] | None = None
    validate: Hook = _nothing
    after_insert: Hook = _nothing
    on_update: Hook = _nothing
    methods: dict[str, Method] = field(default_factory=dict)
    private: frozenset[str] = frozenset()


CONTROLLERS: dict[str, Controller] = {}
"""Filled by the modules that hold the controllers."""

PLAIN = Controller()
"""A DocType without code of its own."""
