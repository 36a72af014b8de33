"""The files of a fleet, for tests."""

from pathlib import Path

import pytest

from nexudus_sync.config.fleet import Fleet
from nexudus_sync.connectors.registry import Described
from nexudus_sync.errors import ConfigError
from test_config import ENVIRONMENT, MINIMAL, AcmeSettings

FLEET = """
[store]
url = "sqlite:///state.db"
[run]
readers = 3
[fleet]
folder = "tenants"
"""
OWN = {"NEXUDUS_USERNAME": "sync@acme.example", "NEXUDUS_PASSWORD": "acme's own", "CRM_TOKEN": "sk_acme"}


class _Acme:
    Settings = AcmeSettings


def find(name: str, *, where: str = "") -> Described:
    del name, where
    return _Acme


class House:
    """The files of a fleet."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "fleet.toml"
        self.path.write_text(FLEET)
        (folder / "tenants").mkdir()

    def tenant(self, name: str, text: str = "", secrets: dict[str, str] | None = None) -> Path:
        """Write a tenant's files; each has a location of its own unless the text says otherwise."""
        folder = self.folder / "tenants" / name
        folder.mkdir(exist_ok=True)
        number = 1000 + sum(map(ord, name))
        path = folder / "config.toml"
        path.write_text(text or MINIMAL.replace("1001", str(number)))
        lines = "".join(f"{key}='{value}'\n" for key, value in (OWN if secrets is None else secrets).items())
        (folder / "secrets.env").write_text(lines.replace("acme's", "acme\\'s"))
        return path

    def load(self, **given: object) -> Fleet:
        """Read the fleet's file."""
        return Fleet.load(self.path, ENVIRONMENT, find=find, **given)  # type: ignore[arg-type]

    def refused(self, text: str, name: str = "acme") -> str:
        """What is said of a tenant with this file."""
        self.tenant(name, text)
        with pytest.raises(ConfigError) as caught:
            self.load().settings(name)
        return str(caught.value).replace(str(self.folder), "")
