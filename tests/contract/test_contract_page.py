"""docs/connectors.md has to stay true of the protocol and of the example."""

import ast
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from contract_kit import HttpRig
from pydantic import BaseModel, ConfigDict, SecretStr

from nexudus_sync import errors
from nexudus_sync.connectors import base, budget, http
from nexudus_sync.connectors.base import Check, Connector, Draft, Facts, Page, Party, Row, Stamp, Step, Traits, Written
from nexudus_sync.connectors.http import Dialect
from nexudus_sync.connectors.optional import FollowsRenames, KeepsTrail, ReadsAhead, ReviewsRules
from nexudus_sync.errors import ConnectorError
from nexudus_sync.store import ledger

HERE = Path(__file__).parent
PAGE_TEXT = (HERE.parents[1] / "docs" / "connectors.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE_TEXT, re.DOTALL | re.MULTILINE)
SHAPES = (Traits, Row, Page, Stamp, Facts, Party, Draft, Step, Written, Check)


def public(protocol: type[Any]) -> list[str]:
    return [name for name, value in vars(protocol).items() if not name.startswith("_") and callable(value)]


@pytest.mark.parametrize("protocol", [Connector, KeepsTrail, FollowsRenames, ReadsAhead, ReviewsRules, Dialect])
def test_every_method_of_the_protocols_is_on_the_page(protocol: type[Any]) -> None:
    assert [name for name in public(protocol) if not re.search(rf"(`|def ){name}\b", PAGE_TEXT)] == []


@pytest.mark.parametrize("shape", SHAPES)
def test_every_field_of_the_shapes_is_on_the_page(shape: type[Any]) -> None:
    assert [field.name for field in fields(shape) if f"`{field.name}`" not in PAGE_TEXT] == []


def test_every_error_a_connector_can_raise_is_on_the_page() -> None:
    names = [error.__name__ for error in ConnectorError.__subclasses__()]
    assert len(names) == 9
    assert [name for name in names if f"| `{name}` |" not in PAGE_TEXT] == []


def test_the_page_shows_the_examples_mapping() -> None:
    assert (HERE / "example_mapping.toml").read_text(encoding="utf-8") in PAGE_TEXT


def test_the_code_on_the_page_is_python_and_imports_what_is_there() -> None:
    assert len(BLOCKS) == 4
    for block in BLOCKS:
        ast.parse(block)
    names = {**vars(budget), **vars(ledger)}
    assert {"Limiter", "Unlimited", "lane_of", "Ledger"} <= names.keys()


@pytest.fixture
def acme() -> dict[str, Any]:
    """The classes on the page, made with the names it says they need."""
    names = {**vars(base), **vars(budget), **vars(errors), **vars(http), "BaseModel": BaseModel, "SecretStr": SecretStr}
    names |= {"ConfigDict": ConfigDict, "Limits": budget.Limits}
    names["files"] = lambda package: SimpleNamespace(joinpath=lambda name: HERE / "example_mapping.toml")
    for block in (BLOCKS[0], BLOCKS[1], BLOCKS[3]):
        exec("from __future__ import annotations\n" + block, names)
    return names


def test_the_settings_and_the_rig_on_the_page_can_be_made(acme: dict[str, Any]) -> None:
    assert issubclass(acme["AcmeRig"], HttpRig)
    acme["AcmeSettings"].model_rebuild(_types_namespace=acme)
    settings = acme["AcmeSettings"](base_url="https://acme.test", token="secret")
    assert acme["AcmeConnector"]("acme", settings, clock=None, rng=None).name == "acme"
    assert "[fields.title]" in acme["AcmeConnector"].mapping


@pytest.mark.parametrize(
    ("method", "status", "text", "kind"),
    [
        ("GET", 200, "{}", None),
        ("GET", 502, "<html>", None),
        ("POST", 401, "", errors.AuthenticationFailed),
        ("GET", 403, "{}", errors.RoleMissing),
        ("GET", 404, "{}", errors.NotFound),
        ("GET", 404, "<html>", errors.Unavailable),
        ("POST", 404, "<html>", errors.OutcomeUnknown),
        ("POST", 409, '{"message": "no", "fields": ["phase"]}', errors.Refused),
    ],
)
def test_the_dialect_on_the_page_gives_each_answer_its_error(
    acme: dict[str, Any], method: str, status: int, text: str, kind: type[ConnectorError] | None
) -> None:
    dialect = acme["AcmeDialect"]("acme", SecretStr("secret"))
    found = dialect.error(http.Answer(method, "/v1/deals/1", status, {}, text, "acme"))
    assert kind is None if found is None else type(found) is kind
    assert dialect.throttled(http.Answer(method, "/v1/deals", 429, {"Retry-After": "7"}, "", "acme")) == 7
