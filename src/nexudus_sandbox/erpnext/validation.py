"""The checks every save makes, in the server's order. Facts from frappe (model/document.py, model/base_document.py)."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.meta import SHORT_TEXTS, DocType, Field
from nexudus_sandbox.erpnext.sanitize import clean

if TYPE_CHECKING:
    from nexudus_sandbox.erpnext.documents import Document

MAX_LENGTH = 140
_TAG = re.compile(r"<[^>]*>")
_PHONE = re.compile(r"[0-9 +_\-,.*#()]{1,20}")
_EMAIL = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\".]+(\.[^\s@,;<>\".]+)+")
UNCLEANED = frozenset({"Attach", "Attach Image", "Code"})


def check(document: "Document") -> None:
    """Mandatory fields, formats, choices, lengths, HTML, constants. Raises the first refusal."""
    _mandatory(document)
    for meta, row, at in _all_rows(document):
        _formats(meta, row)
        _choices(meta, row, f"Row #{at}:" if at else "")
        _lengths(meta, row, _place(document, at))
        _clean(meta, row, document.site.version)
    if document.before is not None:
        _constants(document, document.before)


def _all_rows(document: "Document") -> Iterator[tuple[DocType, Row, int]]:
    """The document itself (0) and each row of its tables (counted from 1)."""
    yield document.meta, document.values, 0
    for table in document.meta.tables:
        child = document.site.doctypes[table.options]
        for row in document.values[table.name]:
            yield child, row, row["idx"]


def _place(document: "Document", at: int) -> str:
    return f"{document.meta.name} {document.name}" + (f": Row # {at}" if at else "")


def _mandatory(document: "Document") -> None:
    if document.ignore_mandatory:
        return
    found = []
    for meta, row, at in _all_rows(document):
        for field in meta.required:
            if not has_text(row[field.name]):
                told = (
                    f"Error: <strong>{meta.name}</strong> Row #{at}: Value missing for: {field.title}"
                    if at
                    else f"Error: Value missing for {meta.name}: {field.title}"
                )
                found.append((field.name, errors.message(told)))
    if found:
        raise errors.missing(document.meta.name, document.name, found)


def has_text(value: Any) -> bool:
    """Is there anything in it for a mandatory field? 0 counts, tags and spaces do not."""
    return value is not None and value != [] and bool(_TAG.sub("", str(value)).strip())


def _formats(meta: DocType, row: Row) -> None:
    for field in meta.of_kind.get("Data", ()):
        value = row[field.name]
        if value and field.options == "Phone" and not _PHONE.fullmatch(str(value).strip()):
            raise errors.thrown("InvalidPhoneNumberError", f"{value} is not a valid Phone Number")
        if value and field.options == "Email":
            check_email(str(value))


def check_email(text: str, **more: Any) -> None:
    """Raise 417 for a text that is not an e-mail address."""
    if not _EMAIL.fullmatch(text.strip()):
        raise errors.thrown("InvalidEmailAddressError", f"{text} is not a valid Email Address", **more)


def _choices(meta: DocType, row: Row, prefix: str) -> None:
    for field in meta.of_kind.get("Select", ()):
        value = row[field.name]
        choices = field.options.split("\n")
        if value and field.name != "naming_series" and str(value).strip() not in choices:
            listed = ", ".join(f'"{choice}"' for choice in choices)
            text = f'{prefix} {field.title} cannot be "{value}". It should be one of {listed}'
            raise errors.thrown("ValidationError", text)


def _lengths(meta: DocType, row: Row, place: str) -> None:
    for field in meta.columns:
        value = row[field.name]
        if isinstance(value, str) and len(value) > MAX_LENGTH and field.kind in SHORT_TEXTS:
            raise errors.too_long(place, field, value, MAX_LENGTH)


def _clean(meta: DocType, row: Row, version: int) -> None:
    """Escape what looks like HTML. What outgrows its column by that only the database refuses."""
    for field in meta.columns:
        value = row[field.name]
        if isinstance(value, str) and "<" in value and field.kind not in UNCLEANED and field.options != "Email":
            row[field.name] = cleaned = clean(value)
            if len(cleaned) > MAX_LENGTH and field.kind in SHORT_TEXTS:
                text = f"Data too long for column '{field.name}' at row 1"
                raise errors.database(version, 1406, text, "DataError")


def _constants(document: "Document", before: Row) -> None:
    for field in document.meta.constants:
        if document.values[field.name] != before[field.name]:
            text = f"Value cannot be changed for <strong>{field.title}</strong>"
            raise errors.thrown("CannotChangeConstantError", text)


def check_unique(document: "Document", stored: Row) -> None:
    """Raise 417 when another document has the same value in a unique field."""
    for field in document.meta.columns:
        if field.unique and stored[field.name] is not None and _taken(document, field, stored[field.name]):
            raise errors.not_unique(document.meta, document.name, field, stored[field.name])


def _taken(document: "Document", field: Field, value: Any) -> bool:
    others = document.site.tables[document.meta.name].where(field.name, value)
    return any(row["name"] != document.name for row in others)
