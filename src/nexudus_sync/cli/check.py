"""`check`: find out whether everything works. Nothing is written to either system."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

from nexudus_sync.cli.desk import load_settings, open_engine, run, start_log
from nexudus_sync.cli.frame import Root, complain, shown, tell, worst
from nexudus_sync.cli.mappings import MARKS
from nexudus_sync.cli.output import print_json, print_table, say
from nexudus_sync.cli.progress import saying
from nexudus_sync.cli.rows import of_tenant
from nexudus_sync.config import Settings, secrets
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.config.toml import is_fleet
from nexudus_sync.connectors.base import Check
from nexudus_sync.connectors.failed import failed
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.startup.missing_names import lacking, missing_names
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side, laws
from nexudus_sync.texts import plural

_WRONG_FILE = 2
_CORRECT = "correct the field; `nexudus-sync mapping check` shows all findings"


def check(root: Root, connection: str | None, *, as_json: bool = False) -> int:
    """Check each connection and print the findings. Returns the worst exit code."""
    rows: list[dict[str, Any]] | None = [] if as_json else None
    if is_fleet(root.config) and root.tenant is None and connection is None:
        code = _all_tenants(root, rows)
    else:
        settings = load_settings(root, connection=connection)
        settings.named(connection)
        code = _check(root, settings, connection, rows)
    if rows is not None:
        print_json({"connections": rows})
    return code


def _check(root: Root, settings: Settings, connection: str | None, rows: list[dict[str, Any]] | None) -> int:
    own, found = replace(root, config=settings.path), list[dict[str, Any]]()

    async def body() -> int:
        async with open_engine(settings) as engine:
            told = None if rows is None else found
            return worst([await check_one(own, each, told) for each in engine.connection(connection)])

    try:
        return run(body())
    finally:
        if rows is not None:
            rows += [{**row, **of_tenant(settings, row["connection"])} for row in found]


def _all_tenants(root: Root, rows: list[dict[str, Any]] | None) -> int:
    """Check one tenant after the other; what is wrong with one does not keep the others from it."""
    fleet, codes, broken = Fleet.load(root.config, os.environ), list[int](), 0
    for tenant in fleet.tenants():
        try:
            settings = fleet.settings(tenant)
            root.secrets |= settings.secrets()
            start_log(root, settings)
            codes.append(_check(root, settings, None, rows))
        except Exception as error:
            codes.append(tell(root, error, f"tenant {tenant}: "))
            if rows is not None:
                rows.append({"tenant": tenant, "error": shown(root, str(error))})
        broken += codes[-1] != 0
    if rows is None:
        failed = f"; {plural(broken, 'needs', 'need')} a look" if broken else ""
        say(f"{plural(len(codes), 'tenant')} checked{failed}.", style="bold")
    return worst(codes)


async def check_one(root: Root, connection: Connection, rows: list[dict[str, Any]] | None = None) -> int:
    """Print all findings about a connection, and each failure again as one line. Returns the exit code.

    With `rows`, the findings are put there instead, for JSON.
    """
    async with saying(lambda: f"{connection.name}: asking both systems"):
        found = await _findings(root, connection)
    if rows is not None:
        rows.append({"connection": connection.name, "findings": [_json(where, line) for where, line in found]})
        return worst([line.exit_code for _, line in found if line.level == "fail"])
    print_table(("", "where", "what", "finding"), list(_rows(found)), title=connection.name)
    failed = [(where, line) for where, line in found if line.level == "fail"]
    for where, line in failed:
        complain(root, _line(where, line))
    warned = sum(line.level == "warn" for _, line in found)
    verdict = "everything works" if not failed else plural(len(failed), "failure")
    say(f"{connection.name}: {verdict}, {plural(warned, 'warning')}")
    return worst([line.exit_code for _, line in failed])


def _json(where: str, line: Check) -> dict[str, Any]:
    """A finding as JSON: "level" is "ok", "warn" or "fail"."""
    said = asdict(line)
    return {"where": where, "what": said.pop("subject"), **said}


async def _findings(root: Root, connection: Connection) -> list[tuple[str, Check]]:
    """The findings about both systems and, when neither fails, about the mapping: each with its place."""
    found = [("files", line) for line in _files(root)]
    found += [(connection.connector(side).name, line) for side in Side for line in await _system(connection, side)]
    if not any(line.level == "fail" for _, line in found):
        found += [("mapping", line) for line in await _mapping(connection)]
    return found


def _files(root: Root) -> list[Check]:
    """The file of secrets, where it is open to others."""
    path = root.config.parent / secrets.NAME
    if not secrets.is_open(path):
        return []
    detail = f"{path} can be read by other users of this machine"
    return [Check("secrets", "warn", detail, remedy=f"chmod 600 {path}")]


def _line(where: str, line: Check) -> str:
    """A failure as a line for standard error; a detail that begins with its place is not given it again."""
    if where == "mapping" or line.detail.startswith(f"{where}: "):
        return line.told
    return f"{where}: {line.subject}: {line.told}"


def _rows(found: Iterable[tuple[str, Check]]) -> Iterator[tuple[str, str, str, str]]:
    """A row for each finding; what to do about it has a row of its own, so that it is seen in a long table."""
    for where, line in found:
        yield MARKS[line.level], where, line.subject, line.detail
        if line.remedy:
            yield "→", where, "what to do", line.remedy


async def _system(connection: Connection, side: Side) -> list[Check]:
    try:
        return await connection.connector(side).check(connection.scope(side))
    except SyncError as error:
        return [failed("reachable", error, str(error))]


async def _mapping(connection: Connection) -> list[Check]:
    """The mapping's checks, with the systems' own lists, and the names in the files that those lists lack."""
    contexts = {side: await connection.context(side, {}) for side in Side}
    compound = getattr(connection.connector(Side.CRM), "compound", None)
    findings = laws.check(connection.mapping, contexts, compound)
    held = sum(one.level == "ok" and one.law != "place" for one in findings)
    waiting = {
        (field.name, one.side): one.text for field in connection.mapping.fields for one in lacking(field, contexts)
    }
    lines = [Check("mapping", "ok", f"{plural(held, 'check')} passed")]
    lines += [_of_law(one) for one in findings if one.level != "ok" and (one.field, one.to) not in waiting]
    lines += [Check(name, "warn", text) for (name, _), text in waiting.items()]
    lines += [
        Check(field.name, "fail", f"{where}: {problem}", _WRONG_FILE, "correct the file, or add the name there")
        for field in connection.mapping.fields
        for where, problem in missing_names(field, contexts)
    ]
    return lines


def _of_law(one: laws.Finding) -> Check:
    return Check(
        one.field,
        one.level,
        f"{laws.NAMES.get(one.law, one.law)}: {one.detail}",
        _WRONG_FILE,
        _CORRECT if one.level == "fail" else "",
    )
