"""`check`: find out whether everything works. Nothing is written to either system."""

from nexudus_sync.cli.desk import configured, load_settings, open_engine, run
from nexudus_sync.cli.frame import Root, complain, worst
from nexudus_sync.cli.mappings import MARKS
from nexudus_sync.cli.output import plural, print_table, say
from nexudus_sync.connectors.base import Check
from nexudus_sync.engine.connection import Connection
from nexudus_sync.engine.startup.missing_names import lacking, missing_names
from nexudus_sync.errors import SyncError
from nexudus_sync.mapping import Side, laws

_WRONG_FILE = 2


def check(root: Root, connection: str | None) -> int:
    """Check each connection and print the findings. Returns the worst exit code."""
    settings = load_settings(root)
    configured(settings, connection)

    async def body() -> int:
        async with open_engine(settings) as engine:
            return worst([await check_one(root, each) for each in engine.connection(connection)])

    return run(body())


async def check_one(root: Root, connection: Connection) -> int:
    """Print all findings about a connection, and each failure again as one line. Returns the exit code."""
    found = await _findings(connection)
    rows = [(MARKS[line.level], where, line.subject, line.detail) for where, line in found]
    print_table(("", "where", "what", "finding"), rows, title=connection.name)
    failed = [(where, line) for where, line in found if line.level == "fail"]
    for where, line in failed:
        complain(root, _line(where, line))
    warned = sum(line.level == "warn" for _, line in found)
    verdict = "everything works" if not failed else plural(len(failed), "failure")
    say(f"{connection.name}: {verdict}, {plural(warned, 'warning')}")
    return worst([line.exit_code for _, line in failed])


async def _findings(connection: Connection) -> list[tuple[str, Check]]:
    """The findings about both systems and, when neither fails, about the mapping: each with its place."""
    found = [(connection.connector(side).name, line) for side in Side for line in await _system(connection, side)]
    if not any(line.level == "fail" for _, line in found):
        found += [("mapping", line) for line in await _mapping(connection)]
    return found


def _line(where: str, line: Check) -> str:
    """A failure as a line for standard error; a detail that begins with its place is not given it again."""
    if where == "mapping" or line.detail.startswith(f"{where}: "):
        return line.detail
    return f"{where}: {line.subject}: {line.detail}"


async def _system(connection: Connection, side: Side) -> list[Check]:
    try:
        return await connection.connector(side).check(connection.scope(side))
    except SyncError as error:
        return [Check("reachable", "fail", str(error), error.exit_code)]


async def _mapping(connection: Connection) -> list[Check]:
    """The laws, tried with the systems' own lists, and the names in the files that those lists lack."""
    contexts = {side: await connection.context(side, {}) for side in Side}
    compound = getattr(connection.connector(Side.CRM), "compound", None)
    findings = laws.check(connection.mapping, contexts, compound)
    held = sum(one.level == "ok" and one.law != "place" for one in findings)
    waiting = {
        (field.name, one.side): one.text for field in connection.mapping.fields for one in lacking(field, contexts)
    }
    lines = [Check("laws", "ok", f"{plural(held, 'law')} hold")]
    lines += [
        Check(one.field, one.level, f"{one.law}: {one.detail}", _WRONG_FILE)
        for one in findings
        if one.level != "ok" and (one.field, one.to) not in waiting  # told in one line below
    ]
    lines += [Check(name, "warn", text) for (name, _), text in waiting.items()]
    lines += [
        Check(field.name, "fail", f"{where}: {problem}", _WRONG_FILE)
        for field in connection.mapping.fields
        for where, problem in missing_names(field, contexts)
    ]
    return lines
