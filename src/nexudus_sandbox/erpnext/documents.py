"""A document on its way through an insert, a save or a deletion, in the order the server takes the steps.

Facts from frappe (model/document.py, model/delete_doc.py).
"""

from collections.abc import Mapping
from typing import Any, Self

import simplejson

from nexudus_sandbox.double import Row
from nexudus_sandbox.erpnext import errors, links, naming, validation, values
from nexudus_sandbox.erpnext.defaults import set_defaults
from nexudus_sandbox.erpnext.meta import CHILD_LINKS, STANDARD, DocType
from nexudus_sandbox.erpnext.permissions import demand
from nexudus_sandbox.erpnext.session import CONTROLLERS, PLAIN, Controller, Session

UNSAVED = "__unsaved"
STATES = {0: "Draft", 1: "Submitted", 2: "Cancelled"}


class Document:
    """A document in memory: `values` is a working copy, `before` the stored row (None: it is new)."""

    def __init__(self, session: Session, meta: DocType, before: Row | None = None) -> None:
        self.session, self.site, self.meta, self.before = session, session.site, meta, before
        self.values: dict[str, Any] = _working_copy(meta, before) if before is not None else _blank(meta)
        self.privileged = False
        """Permissions are not asked for: a controller saves it on somebody's behalf."""
        self.ignore_mandatory = False

    @classmethod
    def new(cls, session: Session, doctype: str, given: Mapping[str, Any]) -> Self:
        """A document that is not stored yet."""
        document = cls(session, session.meta(doctype))
        document.update(given)
        return document

    @classmethod
    def load(cls, session: Session, doctype: str, name: str) -> Self:
        """A stored document. Raises 404, or 403 for those who may not read its DocType."""
        row = session.site.find(doctype, name)
        if row is not None:
            return cls(session, session.site.doctypes[doctype], row)
        if doctype not in session.site.doctypes:
            raise errors.no_module(doctype)
        if not session.user.may("read", doctype):
            raise errors.no_permission(session.user.name, doctype)
        raise errors.not_found(doctype, name)

    @property
    def controller(self) -> Controller:
        """The DocType's own code."""
        return CONTROLLERS.get(self.meta.name, PLAIN)

    @property
    def name(self) -> str:
        """Its name; "" before it has one."""
        return str(self.values["name"] or "")

    def get(self, name: str) -> Any:
        """The value of a field."""
        return self.values.get(name)

    def update(self, given: Mapping[str, Any]) -> None:
        """Take over what fields know; a child table is replaced whole, unknown names are dropped."""
        for name, value in given.items():
            if name in self.meta.table_names:
                self.values[name] = self.rows(name, value or [])
            elif name in self.meta.column_names:
                self.values[name] = value

    def rows(self, table: str, given: list[Mapping[str, Any]]) -> list[Row]:
        """New rows for a child table; those that carry a name stand for the stored row of that name."""
        child = self.site.doctypes[self.meta.by_name[table].options]
        made = []
        for sent in given:
            row = _blank(child)
            row.update((key, value) for key, value in sent.items() if key in child.column_names)
            if not row["name"]:
                row[UNSAVED] = 1
            made.append(row)
        return made

    def insert(self, *, name: str | None = None) -> None:
        """Store it for the first time, under `name` if that is given."""
        set_defaults(self.session, self.meta, self.values)
        for table in self.meta.tables:
            child = self.site.doctypes[table.options]
            for row in self.values[table.name]:
                set_defaults(self.session, child, row)
                row["name"], row[UNSAVED] = None, 1
        self._stamp()
        links.check(self)
        if not self.privileged:
            demand(self.session.user, "create", self.meta)
        self.controller.before_insert(self)
        own_name = self.controller.name(self) if self.controller.name and not name else name
        self.values["name"] = naming.new_name(self.site, self.meta, self.values, given=own_name)
        self._order_rows()
        self.controller.validate(self)
        validation.check(self)
        if self.site.find(self.meta.name, self.name) is not None:
            raise errors.taken(self.meta, self.name)
        self._write()
        self.controller.after_insert(self)
        self.controller.on_update(self)

    def save(self) -> None:
        """Store what changed."""
        if not self.privileged:
            demand(self.session.user, "write", self.meta)
        opened = self.values["modified"]
        self._stamp()
        self._check_if_latest(opened)
        self._order_rows()
        links.check(self)
        self.controller.validate(self)
        validation.check(self)
        self._write()
        self.controller.on_update(self)

    def set_directly(self, **changes: Any) -> None:
        """Write fields past all checks; the stamp moves, nothing else of the document does."""
        stored = self.site.find(self.meta.name, self.name) or {}
        stamps = {"modified": self.site.stamp(), "modified_by": self.session.user.name}
        self.values.update(changes, **stamps)
        self.site.put(self.meta.name, {**stored, **changes, **stamps})

    def delete(self) -> None:
        """Delete it: refused while others link to it, kept as a Deleted Document, its number given back."""
        if not self.session.user.may("delete", self.meta.name):
            text = f"User not allowed to delete {self.meta.name}: {self.name}"
            raise errors.thrown("PermissionError", text)
        links.check_unlinked(self.session, self.meta, self.name)
        self.discard()
        naming.revert(self.site, self.meta, self.values)

    def discard(self) -> None:
        """Take it away, leaving its Deleted Document."""
        text = simplejson.dumps(
            self.as_dict(nulls=True), use_decimal=True, ensure_ascii=False, indent=1, sort_keys=True
        )
        gone = {"deleted_doctype": self.meta.name, "deleted_name": self.name, "data": text}
        self.site.remove(self.meta.name, self.name)
        grave = Document.new(self.session, "Deleted Document", gone)
        grave.privileged = True
        grave.insert()

    def as_dict(self, *, nulls: bool) -> dict[str, Any]:
        """The document as an answer shows it."""
        shown = _shown(self.meta, self.values, nulls=nulls)
        for table in self.meta.tables:
            child = self.site.doctypes[table.options]
            shown[table.name] = [_shown_row(child, row, nulls=nulls) for row in self.values[table.name]]
        return shown

    def _stamp(self) -> None:
        user, stamp = self.session.user.name, self.site.stamp()
        own = self.values
        own["modified"], own["modified_by"] = stamp, user
        own["docstatus"], own["idx"] = values.whole(own["docstatus"]), values.whole(own["idx"])
        if self.before is None:
            own["owner"], own["creation"] = user, stamp
        for table in self.meta.tables:
            for row in own[table.name]:
                row["modified"], row["modified_by"] = stamp, user
                row["owner"], row["creation"] = row["owner"] or own["owner"], row["creation"] or own["creation"]
                row["docstatus"] = own["docstatus"]

    def _check_if_latest(self, opened: Any) -> None:
        stored = self.site.find(self.meta.name, self.name)
        if stored is None:
            raise errors.not_found(self.meta.name, self.name)
        self.values["name"] = stored["name"]
        collision = (self.meta.name, self.name)
        if opened != stored["modified"] or collision in self.site.collisions:
            self.site.collisions.discard(collision)
            source = {"source": "erpnext (app)"} if self.privileged else {}
            modified = stored["modified"], self.values["modified"]
            raise errors.stale(self.site.version, self.meta.name, self.name, *modified, **source)
        self._check_state(stored["docstatus"], self.values["docstatus"])

    def _check_state(self, was: int, becomes: int) -> None:
        if was == 2:
            raise errors.thrown("ValidationError", "Cannot edit cancelled document")
        if (was, becomes) == (0, 1):
            demand(self.session.user, "submit", self.meta)
        elif (was, becomes) == (1, 2):
            demand(self.session.user, "cancel", self.meta)
        elif was != becomes:
            said = f"Cannot change docstatus from {was} ({STATES[was]}) to {becomes} ({STATES.get(becomes, '')})"
            raise errors.FrappeError("DocstatusTransitionError", said)

    def _order_rows(self) -> None:
        for table in self.meta.tables:
            child = self.site.doctypes[table.options]
            for idx, row in enumerate(self.values[table.name], 1):
                row["idx"], row["parent"] = idx, self.values["name"]
                row["parentfield"], row["parenttype"] = table.name, self.meta.name
                if row["name"] is None:
                    row["name"] = naming.new_name(self.site, child, row, given=None)

    def _write(self) -> None:
        stored = self._stored(self.meta, self.values)
        validation.check_unique(self, stored)
        for table in self.meta.tables:
            child = self.site.doctypes[table.options]
            kept = {row["name"] for row in self.before[table.name]} if self.before else set()
            stored[table.name] = [
                self._stored(child, row)
                for row in self.values[table.name]
                if row.get(UNSAVED) or row["name"] in kept  # an update of a row that is not there changes nothing
            ]
        self.site.put(self.meta.name, stored)

    def _stored(self, meta: DocType, row: Row) -> Row:
        for field in meta.numbers:
            row[field.name] = values.as_sent(field.kind, row[field.name])
        stored = {key: value for key, value in row.items() if key != UNSAVED and key not in meta.table_names}
        for field in meta.columns:
            try:
                stored[field.name] = values.as_stored(field.kind, row[field.name])
            except ValueError as error:
                where = f"`{self.site.database}`.`tab{meta.name}`.`{field.name}`"
                raise errors.database(self.site.version, 1292, f"{error} for column {where} at row 1") from error
            except OverflowError as error:
                text = f"Out of range value for column '{field.name}' at row 1"
                raise errors.database(self.site.version, 1264, text, "DataError") from error
            if field.unique and stored[field.name] == "":
                stored[field.name] = None
        return stored


def _blank(meta: DocType) -> dict[str, Any]:
    blank: dict[str, Any] = dict.fromkeys(STANDARD)
    blank["docstatus"] = blank["idx"] = 0
    blank.update((field.name, None) for field in meta.columns)
    blank.update((field.name, []) for field in meta.tables)
    return blank


def _working_copy(meta: DocType, row: Row) -> dict[str, Any]:
    copy = {name: row.get(name) for name in (*STANDARD, *(field.name for field in meta.columns))}
    copy.update((key, value) for key, value in row.items() if key.startswith("_"))
    copy.update((field.name, [dict(child) for child in row.get(field.name, ())]) for field in meta.tables)
    return copy


def _shown(meta: DocType, row: Row, *, nulls: bool) -> dict[str, Any]:
    shown = {name: row[name] for name in STANDARD}
    for field in meta.columns:
        value = row[field.name]
        if nulls or value is not None:
            shown[field.name] = value
    shown["doctype"] = meta.name
    shown.update((key, value) for key, value in row.items() if key.startswith("_") and value and key != UNSAVED)
    return shown


def _shown_row(meta: DocType, row: Row, *, nulls: bool) -> dict[str, Any]:
    shown = _shown(meta, row, nulls=nulls)
    del shown["doctype"]
    shown.update((name, row[name]) for name in CHILD_LINKS)
    shown["doctype"] = meta.name
    if row.get(UNSAVED):
        shown[UNSAVED] = 1
    return shown
