"""What a DocType is: its fields, how its documents get their names, and the app it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

STANDARD = ("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx")
"""The columns every document has, in the order an answer shows them."""

STANDARD_LABELS = {"creation": "Created On", "owner": "Created By", "modified": "Last Updated On", "idx": "Index"}

CHILD_LINKS = ("parent", "parentfield", "parenttype")
"""The further columns of a row of a child table."""

LAYOUT = frozenset({"Section Break", "Column Break", "Tab Break", "HTML"})
TABLES = frozenset({"Table", "Table MultiSelect"})
DECIMALS = frozenset({"Float", "Currency", "Percent"})
WHOLES = frozenset({"Int", "Check"})
DATETIMES = frozenset({"Datetime"})
SHORT_TEXTS = frozenset({"Data", "Link", "Dynamic Link", "Select", "Attach Image"})
"""Kinds kept in a column of 140 characters."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a DocType. `options` of a Link names a DocType, of a Dynamic Link the field that does."""

    name: str
    kind: str = "Data"
    label: str = ""
    options: str = ""
    default: Any = None
    reqd: bool = False
    set_only_once: bool = False
    unique: bool = False

    @property
    def title(self) -> str:
        """What people read: the label, or the name in capitals."""
        return self.label or self.name.replace("_", " ").title()


@dataclass(frozen=True)
class DocType:
    """A kind of document. `autoname` is "series", "prompt", "hash", "autoincrement", "custom" or "field:NAME"."""

    name: str
    fields: tuple[Field, ...]
    autoname: str = "hash"
    module: str = ""
    submittable: bool = False
    allow_rename: bool = True

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Every field by its name, layout too."""
        return {field.name: field for field in self.fields}

    @cached_property
    def columns(self) -> tuple[Field, ...]:
        """The fields with a column of their own."""
        return tuple(field for field in self.fields if field.kind not in LAYOUT and field.kind not in TABLES)

    @cached_property
    def tables(self) -> tuple[Field, ...]:
        """The child tables."""
        return tuple(field for field in self.fields if field.kind in TABLES)

    @cached_property
    def column_names(self) -> frozenset[str]:
        """All column names, the standard ones too."""
        return frozenset((*STANDARD, *(field.name for field in self.columns)))

    @cached_property
    def table_names(self) -> frozenset[str]:
        """The names of the child tables."""
        return frozenset(field.name for field in self.tables)

    @cached_property
    def links(self) -> tuple[Field, ...]:
        """The fields that name another document."""
        return tuple(field for field in self.columns if field.kind in {"Link", "Dynamic Link"})

    @cached_property
    def numbers(self) -> tuple[Field, ...]:
        """The fields that hold a number."""
        return tuple(field for field in self.columns if field.kind in DECIMALS or field.kind in WHOLES)

    @cached_property
    def required(self) -> tuple[Field, ...]:
        """The mandatory fields."""
        return tuple(field for field in self.fields if field.reqd)

    @cached_property
    def of_kind(self) -> dict[str, tuple[Field, ...]]:
        """The columns by kind."""
        kinds = dict.fromkeys(field.kind for field in self.columns)
        return {kind: tuple(field for field in self.columns if field.kind == kind) for kind in kinds}

    @cached_property
    def constants(self) -> tuple[Field, ...]:
        """The fields that cannot change once the document exists, `creation` and `owner` among them."""
        standard = tuple(Field(name, label=STANDARD_LABELS[name]) for name in ("creation", "owner"))
        return standard + tuple(field for field in self.columns if field.set_only_once)

    @property
    def slug(self) -> str:
        """The name as the desk's addresses spell it."""
        return self.name.lower().replace(" ", "-")

    @property
    def python_path(self) -> str:
        """The module of its controller."""
        scrubbed = self.name.lower().replace(" ", "_")
        return f"{self.module}.doctype.{scrubbed}.{scrubbed}"

    def label(self, name: str) -> str:
        """What people read for a field."""
        field = self.by_name.get(name)
        return field.title if field else STANDARD_LABELS.get(name, name.replace("_", " ").title())

    def with_field(self, field: Field, after: str) -> "DocType":
        """A copy with one more field after another, or at the end if that one does not exist."""
        at = self.position(after)
        return replace(self, fields=(*self.fields[:at], field, *self.fields[at:]))

    def position(self, after: str) -> int:
        """Where a field inserted behind `after` comes to stand, counted from 0."""
        names = [field.name for field in self.fields]
        return names.index(after) + 1 if after in names else len(names)


def breaks(*names: str) -> tuple[Field, ...]:
    """Layout fields: they hold nothing, but they count in a field's position."""
    return tuple(Field(name, "Column Break" if name.startswith("column") else "Section Break") for name in names)


def select(name: str, choices: Sequence[str], **more: Any) -> Field:
    """A Select; without a default a new document takes its first choice."""
    return Field(name, "Select", options="\n".join(choices), **more)


def link(name: str, to: str, **more: Any) -> Field:
    """A Link to a DocType."""
    return Field(name, "Link", options=to, **more)
