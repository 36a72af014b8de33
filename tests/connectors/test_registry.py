from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from nexudus_sync.connectors import registry
from nexudus_sync.connectors.overplane import OverplaneConnector, OverplaneSettings
from nexudus_sync.errors import ConfigError


@pytest.fixture
def announced(monkeypatch):
    def announce(**entries: str) -> None:
        group = EntryPoints(EntryPoint(name, value, registry.GROUP) for name, value in entries.items())
        monkeypatch.setattr(registry, "entry_points", lambda **wanted: group.select(**wanted))

    return announce


def test_the_shipped_connector_is_found_by_its_name():
    assert registry.find("overplane") is OverplaneConnector
    assert registry.find("overplane").Settings is OverplaneSettings
    assert "overplane" in registry.names()


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    with pytest.raises(
        ConfigError,
        match=r'^config\.toml: crm\.x: no connector is named "x"; known connectors: "erpnext", "hubspot", "overplane"',
    ) as e:
        registry.find("x", where="config.toml: crm.x")
    assert e.value.exit_code == 2


def test_without_any_connector_the_error_says_so(announced):
    announced()
    with pytest.raises(ConfigError, match="none installed"):
        registry.find("overplane")


@pytest.mark.parametrize("value", ["no_such_module:Connector", "nexudus_sync.errors:NoSuchClass"])
def test_a_connector_that_does_not_load_is_an_error_of_one_line(announced, value):
    announced(broken=value)
    with pytest.raises(ConfigError, match='"broken" cannot be loaded'):
        registry.find("broken")


def test_what_has_no_settings_is_no_connector(announced):
    announced(odd="nexudus_sync.errors:Refused")
    with pytest.raises(ConfigError, match="is not a connector"):
        registry.find("odd")


class Bringing:
    """A connector whose package brings a mapping."""

    Settings = OverplaneSettings
    mapping: object = "[fields.title]"


def test_a_package_may_bring_a_mapping(announced, monkeypatch):
    announced(mine="test_registry:Bringing", plain="nexudus_sync.connectors.overplane:OverplaneConnector")
    assert registry.own_mapping("mine") == "[fields.title]"
    assert registry.own_mapping("plain") is None
    monkeypatch.setattr(Bringing, "mapping", Path("mine.toml"))
    with pytest.raises(ConfigError, match=r'^config\.toml: the mapping of "mine" is not text'):
        registry.own_mapping("mine", where="config.toml")
