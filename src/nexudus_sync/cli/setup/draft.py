"""What `init` found out, checked and written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import say
from nexudus_sync.cli.setup import files, pairing
from nexudus_sync.cli.setup.places import Places
from nexudus_sync.cli.setup.systems import ADDRESS, Table
from nexudus_sync.config import secrets
from nexudus_sync.engine.startup.assemble import HUB, mapping_of
from nexudus_sync.mapping import Side, pair, parse
from nexudus_sync.mapping.shipped import shipped

_HOW_TO_MAP = 'It says where each field is on the records of the CRM; see "The mapping file" in docs/connectors.md.'


@dataclass(frozen=True, slots=True)
class Draft:
    """The two systems, the keys of the `[[connection]]`, and the names that were paired."""

    places: Places
    nexudus: Table
    crm: Table
    connection: dict[str, Any]
    lists: list[pairing.Lists] = field(default_factory=list)

    def write(self) -> None:
        """Check everything, then write all files or none. Raises ConfigError, MappingError, OSError."""
        places, mappings, text = self.places, self._mappings(), self._configuration()
        files.check(text, places.config)
        wanted = {path: one for path, one in mappings.items() if one is not None and path not in places.kept}
        wanted |= self._secrets()
        wanted[places.config] = text
        for path in wanted.keys() - places.replace:
            files.must_be_new(path)
        files.write(wanted, secret=places.secrets, replace=places.replace)
        say()
        say(f"Wrote {', '.join(str(path) for path in wanted)}")
        for path, content in mappings.items():
            if content is None and not path.exists():
                say(f'Now write {path}: "{self.crm.name}" comes without a mapping. {_HOW_TO_MAP}')

    def _configuration(self) -> str:
        nexudus, crm = self.nexudus.lines(), {"connector": self.crm.name, **self.crm.lines()}
        if nexudus.get(ADDRESS) == self.nexudus.usual_address():
            nexudus.pop(ADDRESS, None)
        return files.configuration(nexudus, self.crm.name, crm, self.connection, with_store=self.places.fleet is None)

    def _mappings(self) -> dict[Path, str | None]:
        """The mapping files, None for a CRM whose connector brings none."""
        hub, own = pairing.written(shipped(HUB), self.lists), mapping_of(self.crm.name)
        if self.lists and own is not None:
            # refuses pairs that contradict each other
            pair(parse(hub, f"{HUB}.toml", Side.NEXUDUS), parse(own, f"{self.crm.name}.toml", Side.CRM))
        return {self.places.mapping(HUB): hub, self.places.mapping(self.crm.name): own}

    def _secrets(self) -> dict[Path, str]:
        """The file of secrets, if it gets a value that it does not have: its other lines stay."""
        beside, kept = self.places.secrets, {**self.nexudus.secrets(), **self.crm.secrets()}
        old = secrets.read(beside)
        if all(old.get(name) == value for name, value in kept.items()):
            return {}
        self.places.replace.add(beside)
        return {beside: secrets.replaced(beside, kept)}

    def tell(self) -> None:
        """Print what to do next."""
        path, kept = self.places.fleet or self.places.config, secrets.read(self.places.secrets)
        named = {name for table in (self.nexudus, self.crm) for name in table.variables()}
        if left := sorted(named - kept.keys()):
            say(f"Now set these environment variables, or write them into {self.places.secrets}: {', '.join(left)}")
        option = "" if path == Root().config else f" --config {path}"
        option += f" --tenant {self.places.tenant}" if self.places.tenant else ""
        for verb, why in (
            ("check", "checks that everything works"),
            ("plan", "shows what would be done"),
            ("backfill", "does the first run"),
            *([] if self.places.tenant else [("run", "keeps both sides in step")]),
        ):
            say(f"  nexudus-sync{option} {verb}".ljust(36 + len(option)) + why)
        if self.places.tenant:
            say(f"Workers that are at work take {self.places.tenant} up within a minute.")
