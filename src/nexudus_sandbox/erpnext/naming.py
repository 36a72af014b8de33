"""How a document gets its name, and how a naming series goes back when its newest document is deleted.

Facts from frappe (model/naming.py).
"""

from typing import Any

from nexudus_sandbox.erpnext import errors
from nexudus_sandbox.erpnext.meta import DocType
from nexudus_sandbox.erpnext.site import Site

DIGITS = 5


def new_name(site: Site, meta: DocType, values: dict[str, Any], *, given: str | None) -> str | int:
    """The name of a new document; `given` is what the caller asks for and gets, `prompt` DocTypes take `name`."""
    name = _named(site, meta, values, given=given)
    if isinstance(name, str) and ("<" in name or ">" in name):
        raise errors.bad_name()
    return name


def _named(site: Site, meta: DocType, values: dict[str, Any], *, given: str | None) -> str | int:
    if given:
        return given
    if meta.autoname == "series":
        prefix = _prefix(str(values["naming_series"]), site.today())
        number = site.series.get(prefix, 0) + 1
        site.count(prefix, number)
        return f"{prefix}{number:0{DIGITS}}"
    if meta.autoname == "autoincrement":
        number = site.series.get(meta.name, 0) + 1
        site.count(meta.name, number)
        return number
    if meta.autoname.startswith("field:"):
        return _required(values, meta.autoname.removeprefix("field:"), meta)
    if meta.autoname == "prompt":
        return _required(values, "name", meta)
    return site.row_name()


def _required(values: dict[str, Any], name: str, meta: DocType) -> str:
    value = values.get(name)
    if not value:
        label = "Name" if name == "name" else meta.label(name)
        raise errors.thrown("ValidationError", f"{label} is required")
    return str(value).strip()


def revert(site: Site, meta: DocType, values: dict[str, Any]) -> None:
    """Give the newest number of a series back."""
    if meta.autoname != "series":
        return
    prefix = _prefix(str(values["naming_series"]), site.today())
    tail = str(values["name"]).removeprefix(prefix)
    if tail.isdecimal() and int(tail) == site.series.get(prefix, 0):
        site.count(prefix, int(tail) - 1)


def _prefix(series: str, today: str) -> str:
    """`CRM-OPP-.YYYY.-` as it stands on a day: `CRM-OPP-2026-`."""
    parts = {"YYYY": today[:4], "YY": today[2:4], "MM": today[5:7], "DD": today[8:10]}
    return "".join(parts.get(part, part) for part in series.split(".") if not part.startswith("#"))
