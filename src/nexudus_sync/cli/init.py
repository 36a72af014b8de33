"""`init`: connect two systems. Asks for the logins, tries them, offers what there is, and writes the files."""

import os
from dataclasses import replace

from nexudus_sync.cli.desk import run
from nexudus_sync.cli.frame import Root
from nexudus_sync.cli.output import at_terminal, say
from nexudus_sync.cli.setup import answers as options
from nexudus_sync.cli.setup.answers import Answers
from nexudus_sync.cli.setup.asking import Asker
from nexudus_sync.cli.setup.places import Places
from nexudus_sync.cli.setup.plain import plain
from nexudus_sync.cli.setup.systems import ADDRESS, Table
from nexudus_sync.cli.setup.wizard import Setup, converse
from nexudus_sync.config import secrets
from nexudus_sync.config.fleet import Fleet
from nexudus_sync.config.tenancy import VALID
from nexudus_sync.config.toml import is_fleet
from nexudus_sync.connectors import registry
from nexudus_sync.engine.startup.assemble import HUB, kind_of
from nexudus_sync.errors import ConfigError


def init(root: Root, answers: Answers) -> int:
    """Ask, write, and offer the next steps. Returns the exit code.

    Raises ConfigError or ConnectorError, leaving nothing behind, for unusable answers and existing files.
    """
    given = options.check(answers)
    asker = Asker(answers.asks and at_terminal())
    if answers.connector is not None:
        registry.find(answers.connector, where="--connector")
    whole = root
    places = Places(root.config, answers.replace, asker)
    if is_fleet(root.config):
        places = _in_fleet(root, places)
        root = replace(root, config=places.config)
    elif root.tenant is not None:
        remedy = "write one with [fleet] in it (docs/fleet.md), or leave --tenant out"
        raise ConfigError("--tenant", f"{root.config} is no fleet's file", remedy)
    places.settle(root.config)
    places.settle(places.mapping(HUB), may_stay=True)
    known = {**secrets.read(secrets.file_of(root.config)), **{key: one for key, one in os.environ.items() if one}}
    hub = Table(HUB, "nexudus", kind_of(HUB), dict(given.nexudus))
    online = _is_online(answers, asker, hub, known)
    if online:
        draft = run(converse(Setup(root, answers, given, asker, known), places, hub))
    else:
        draft = plain(answers, asker, places, hub, given)
    draft.write()
    draft.tell()
    return _go_on(whole) if online and asker.asks else 0


def _in_fleet(root: Root, places: Places) -> Places:
    """The places of a new tenant's files. Raises ConfigError where none was named, or one that none can have."""
    fleet = Fleet.load(root.config, os.environ, secrets=False)
    if root.tenant is None:
        raise ConfigError("--tenant", f"is missing, and {root.config} is a fleet's file", "name the new tenant")
    if not VALID.fullmatch(root.tenant):
        raise ConfigError(
            "--tenant", f"{root.tenant!r} is not a valid name for a tenant", "use letters, digits, - and _"
        )
    return replace(places, config=fleet.file_of(root.tenant), fleet=root.config, tenant=root.tenant)


def _is_online(answers: Answers, asker: Asker, hub: Table, known: dict[str, str]) -> bool:
    """Are logins tried? Not where the options say all that a configuration needs, or where there is no login."""
    if answers.offline or answers.complete:
        return False
    needed = [hub.variable(one.key) for one in hub.questions() if one.key != ADDRESS and not one.optional]
    return (
        asker.asks or bool(answers.keys or answers.stages or answers.reasons) or all(name in known for name in needed)
    )


def _go_on(root: Root) -> int:
    """Offer the check and the first run. Returns the exit code."""
    from nexudus_sync.cli.backfill import Wanted, backfill
    from nexudus_sync.cli.check import check

    asker = Asker(True)
    say()
    if not asker.agrees("Check everything now? Nothing is written to either system.", default=True):
        return 0
    if code := check(root, None):
        say("Correct what failed, then `nexudus-sync check` again.")
        return code
    if not asker.agrees("Do the first run now? It shows what it would create, and asks before it does.", default=True):
        return 0
    code = backfill(root, None, Wanted())
    if not code:
        say("From now on `nexudus-sync run` keeps both sides in step; docs/operations.md shows how to keep it running.")
    return code
