"""`mapping check` and `mapping show`: the mapping files, without a network."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nexudus_sync.cli.desk import load_settings
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import print_json, print_table, say
from nexudus_sync.engine.startup.assemble import HUB, compound_of, load_mapping
from nexudus_sync.mapping import Context, Field, Mapping, Side, Sync, laws, load_file, pair, parse, shipped_names
from nexudus_sync.mapping import show as tables
from nexudus_sync.mapping.context import Table
from nexudus_sync.mapping.lenses import Lens
from nexudus_sync.mapping.values import fold
from nexudus_sync.texts import plural

MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
"""The mark of a finding's level."""


LISTED = frozenset({"stage", "user"})
"""The types whose values are names in one of the system's lists."""


def check(root: Root, nexudus: Path | None, crm: Path | None, *, as_json: bool = False) -> int:
    """Check each mapping and print the findings. Returns the exit code."""
    broken, kept = False, list[dict[str, Any]]()
    for name, connector, mapping in _mappings(root, nexudus, crm):
        findings = laws.check(mapping, offline_contexts(mapping), compound_of(connector))
        rows = [
            (MARKS[one.level], one.field, laws.NAMES.get(one.law, one.law), one.detail)
            for one in findings
            if one.level != "ok"
        ]
        kept += [_finding_json(name, one) for one in findings]
        failed = sum(one.level == "fail" for one in findings)
        broken = broken or failed > 0
        if as_json:
            continue
        print_table(("", "field", "check", "finding"), rows, title=name)
        held = sum(one.level == "ok" and one.law != "place" for one in findings)
        warned = len(rows) - failed
        say(f"{name}: {plural(held, 'check')} passed, {plural(warned, 'warning')}, {failed:,} failed")
    if as_json:
        print_json(kept)
    return 2 if broken else 0


def _finding_json(mapping: str, one: laws.Finding) -> dict[str, Any]:
    check = laws.NAMES.get(one.law, one.law)
    return {"mapping": mapping, "level": one.level, "field": one.field, "check": check, "detail": one.detail}


def offline_contexts(mapping: Mapping) -> dict[Side, Context]:
    """The contexts for the laws, with the stages and users that the files themselves name.

    Without a network nothing shows which names exist: those that a file writes are assumed to, and no others.
    """
    contexts = dict(laws.EXAMPLE_CONTEXTS)
    for side in Side:
        named: dict[str, list[str]] = {}
        for field in mapping.fields:
            own, other = field.lens(side), field.lens(side.other)
            if own.kind.name in LISTED and other.values is not None:
                named.setdefault(own.kind.name, []).extend(_named(field, own, other))
        lists = {kind: Table(tuple(enumerate(dict.fromkeys(names), start=1))) for kind, names in named.items()}
        contexts[side] = replace(contexts[side], directories=lists)
    return contexts


def _named(field: Field, own: Lens, other: Lens) -> list[str]:
    """The names on a side that its own value table, the other side's, and the field's default mention."""
    meant = {fold(value) for _, values in _lines(own) for value in values}
    alike = [value for _, values in _lines(other) for value in values if fold(value) not in meant]
    default = [] if field.policy.default is None else [field.policy.default]
    return [*(key for key, _ in _lines(own)), *alike, *default]


def _lines(lens: Lens) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return lens.values.entries if lens.values else ()


def show(root: Root, nexudus: Path | None, crm: Path | None, *, as_json: bool = False) -> None:
    """Print each mapping as both sides see it, and its value tables."""
    if as_json:
        made = {name: tables.rows(mapping) for name, _, mapping in _mappings(root, nexudus, crm)}
        print_json({name: [asdict(row) for row in rows] for name, rows in made.items()})
        return
    for name, _, mapping in _mappings(root, nexudus, crm):
        found = tables.rows(mapping)
        print_table(("field", "Nexudus", "CRM", "type", "rule"), [_row(row) for row in found], title=name)
        for row in found:
            meanings = [(one.nexudus, one.crm) for one in row.values]
            if meanings:
                print_table((f"{row.field}: Nexudus", "CRM"), meanings)
        say("Unless a type or a rule says otherwise: text, two-way, and a value without a counterpart waits.")


def _row(row: tables.Row) -> tuple[str, ...]:
    kinds = dict.fromkeys(kind for kind in (row.nexudus_type, row.crm_type) if kind not in {"", "text"})
    return (row.field, row.nexudus, row.crm, " / ".join(kinds), _rule(row))


def _rule(row: tables.Row) -> str:
    """The direction unless two-way, who wins, and what happens to an unmapped value unless it waits."""
    if row.sync is Sync.OFF:
        return "stays"
    winner = row.on_conflict if row.on_conflict == "manual" else f"{row.on_conflict} wins"
    said = [row.sync.value] if row.sync is not Sync.TWO_WAY else [winner]
    return ", ".join(said + ([row.on_unmapped] if row.on_unmapped != "park" else []))


def _mappings(root: Root, nexudus: Path | None, crm: Path | None) -> list[tuple[str, str, Mapping]]:
    """The mappings to use, each with its name and connector: the given files, the configured or the shipped ones."""
    if nexudus is None and crm is None and (root.config.exists() or root.config != Root().config):
        settings = load_settings(root, secrets=False)
        return [
            (one.name, settings.crms[one.crm].connector, load_mapping(settings, one)) for one in settings.connections
        ]
    shipped = [Path(f"{name}.toml") for name in shipped_names() if name != HUB]
    hub = nexudus or Path(f"{HUB}.toml")
    return [(f"{hub.stem} ⇄ {file.stem}", file.stem, _pair(hub, file)) for file in ([crm] if crm else shipped)]


def _pair(nexudus: Path, crm: Path) -> Mapping:
    return pair(parse(*load_file(nexudus), Side.NEXUDUS), parse(*load_file(crm), Side.CRM))
