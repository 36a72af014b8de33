"""Where `init` writes, and what is there already: files stay, or give way if a person or an option says so."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from nexudus_sync.cli.output import say
from nexudus_sync.cli.setup import files
from nexudus_sync.cli.setup.asking import Asker
from nexudus_sync.config import secrets
from nexudus_sync.engine.startup.assemble import mapping_of


@dataclass(slots=True)
class Places:
    """The files of one configuration. `kept` are mapping files that stay, `replace` files that give way.

    `replaces`: an option says that all of them give way. `tenant` is whose they are in the fleet of the file `fleet`.
    """

    config: Path
    replaces: bool
    asker: Asker
    kept: set[Path] = field(default_factory=set)
    replace: set[Path] = field(default_factory=set)
    fleet: Path | None = None
    tenant: str = ""

    def mapping(self, name: str) -> Path:
        """The mapping file of a system."""
        return self.config.parent / "mappings" / f"{name}.toml"

    @property
    def secrets(self) -> Path:
        """The file of secrets, spelled as the configuration is."""
        return self.config.parent / secrets.NAME

    def settle_mapping(self, connector: str, where: str = "connector") -> None:
        """The same for a CRM's mapping file, if one comes with the connector. Raises ConfigError."""
        if mapping_of(connector, where=where) is not None:
            self.settle(self.mapping(connector), may_stay=True)

    def settle(self, path: Path, *, may_stay: bool = False) -> None:
        """Find out what to do about a file. Raises ConfigError when it is in the way."""
        if not os.path.lexists(path) or path in self.kept | self.replace:
            return
        if self.replaces or self.asker.agrees(f"{path} already exists. Replace it?", default=False):
            self.replace.add(path)
        elif may_stay and self.asker.asks and path.is_file():
            say(f"{path} is used as it is.")
            self.kept.add(path)
        else:
            files.must_be_new(path)
