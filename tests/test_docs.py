"""What the README and the docs say has to stay true of the files, the settings and the command line."""

import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
import tomlkit
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from nexudus_sync import config
from nexudus_sync.cli.app import app
from nexudus_sync.config import ConnectionSettings, LogSettings, NotifySettings, RunSettings, WebSettings
from nexudus_sync.config.fleet import FleetSettings
from nexudus_sync.config.settings import CardScope, MappingFiles, StoreSettings
from nexudus_sync.connectors import registry
from nexudus_sync.connectors.nexudus.settings import NexudusSettings
from nexudus_sync.mapping import Side, laws, pair, parse
from nexudus_sync.mapping.schema import CrmPlace, Type

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ENVIRONMENT = dict.fromkeys(
    ("NEXUDUS_USERNAME", "NEXUDUS_PASSWORD", "OVERPLANE_TOKEN", "HUBSPOT_TOKEN", "NOTIFY_URL"), "x"
)
ENVIRONMENT |= {"SOFIA_PASSWORD": "long enough"}


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", page, re.DOTALL | re.MULTILINE)


def prose(page: str) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page, flags=re.DOTALL | re.MULTILINE)


def anchors(page: str) -> set[str]:
    """The names under which a page's headings can be linked to."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(text(page))):
            if "://" not in target:
                yield page, target


def tomls() -> list[tuple[str, str]]:
    return [(page.name, block) for page in PAGES for block in blocks(text(page), "toml")]


def mapping_blocks() -> list[tuple[Side, str]]:
    found = [block for _, block in tomls() if "[fields." in block]
    return [(Side.NEXUDUS if "mappings/nexudus.toml" in block else Side.CRM, block) for block in found]


@pytest.mark.parametrize(("page", "target"), list(links()), ids=lambda value: str(getattr(value, "name", value)))
def test_every_relative_link_leads_somewhere(page: Path, target: str) -> None:
    name, _, anchor = target.partition("#")
    aim = (page.parent / name).resolve() if name else page
    assert aim.exists()
    if anchor:
        assert anchor in anchors(text(aim))


def test_the_readme_begins_with_two_commands_of_one_line_each() -> None:
    first, second = blocks(text(ROOT / "README.md"), "sh")[:2]
    assert [len(block.splitlines()) for block in (first, second)] == [1, 1]
    assert first.strip().endswith("nexudus-sync demo")
    assert "pytest" in second


def test_every_mapping_in_the_docs_parses() -> None:
    found = [parse(block, f"{side.value}.toml", side) for side, block in mapping_blocks()]
    assert len(found) > 5


def test_every_pair_of_mappings_in_the_docs_obeys_the_laws() -> None:
    found = mapping_blocks()
    pairs = [
        (parse(one, "nexudus.toml", Side.NEXUDUS), parse(two, "crm.toml", Side.CRM))
        for (side, one), (other, two) in pairwise(found)
        if (side, other) == (Side.NEXUDUS, Side.CRM)
    ]
    assert len(pairs) > 2
    for nexudus, crm in pairs:
        findings = laws.check(pair(nexudus, crm))
        assert [one for one in findings if one.level == "fail"] == []


def examples() -> list[tuple[str | None, str | None]]:
    """The worked examples: a Nexudus file and the CRM's beside it, or one of the two."""
    found: list[tuple[str | None, str | None]] = []
    for side, block in mapping_blocks():
        if side is Side.CRM and found and found[-1][1] is None:
            found[-1] = (found[-1][0], block)
        else:
            found.append((block, None) if side is Side.NEXUDUS else (None, block))
    return found


def in_place(shipped: str, block: str | None) -> str:
    """The shipped file with the example's fields in place of its own."""
    whole = tomllib.loads(text(ROOT / "mappings" / shipped))
    whole["fields"] |= tomllib.loads(block or "[fields]")["fields"]
    return tomlkit.dumps(whole)


def cases() -> Iterator[tuple[str, str | None, str | None]]:
    """Each example beside each shipped CRM's file, or beside the one that it is about."""
    for nexudus, crm in examples():
        for shipped in ("overplane.toml", "erpnext.toml", "hubspot.toml"):
            if crm is None or "mappings/" not in crm or f"mappings/{shipped}" in crm:
                yield shipped, nexudus, crm


@pytest.mark.parametrize(("shipped_crm", "nexudus", "crm"), list(cases()))
def test_every_worked_example_goes_through_mapping_check(
    shipped_crm: str, nexudus: str | None, crm: str | None, tmp_path: Path
) -> None:
    words = ["mapping", "check"]
    for option, shipped, block in (("--nexudus", "nexudus.toml", nexudus), ("--crm", shipped_crm, crm)):
        file = tmp_path / shipped
        file.write_text(in_place(shipped, block), encoding="utf-8")
        words += [option, str(file)]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    assert " 0 failed" in ended.stdout


def test_every_configuration_in_the_docs_is_accepted(tmp_path: Path) -> None:
    for page, block in tomls():
        if "[fields." not in block:
            whole = {**tomllib.loads(text(ROOT / "config.example.toml")), **tomllib.loads(block)}
            file = tmp_path / f"{page}.toml"
            file.write_text(tomlkit.dumps(whole), encoding="utf-8")
            assert config.load(file, ENVIRONMENT).connections


def keys_of(model: type[BaseModel]) -> set[str]:
    """The keys of a model and of the models in it, as the file writes them."""
    found = set()
    for name, field in model.model_fields.items():
        found.add(field.alias or name)
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= keys_of(inner)
    return found


SECTIONS: list[Any] = [StoreSettings, NexudusSettings, ConnectionSettings, CardScope, MappingFiles, LogSettings]
SECTIONS += [RunSettings, WebSettings, NotifySettings, FleetSettings]
SECTIONS += [registry.find(name).Settings for name in registry.names()]


@pytest.mark.parametrize("model", SECTIONS, ids=lambda model: model.__name__)
def test_every_key_of_the_settings_is_in_the_configuration_page(model: type[BaseModel]) -> None:
    page = text(ROOT / "docs" / "configuration.md")
    assert {key for key in keys_of(model) if not re.search(rf"\b{key}\b", page)} == set()


def test_every_key_and_type_of_a_mapping_is_in_the_mapping_page() -> None:
    page = text(ROOT / "docs" / "mapping.md")
    words = [*CrmPlace.model_fields, *get_args(Type)]
    assert [word for word in words if f"`{word}`" not in page] == []


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from verbs(inner, (*path, name))
    else:
        yield " ".join(path)


def test_every_verb_of_the_command_line_is_in_the_readme() -> None:
    page = text(ROOT / "README.md")
    assert [verb for verb in verbs(typer.main.get_command(app)) if f"`{verb}" not in page] == []
