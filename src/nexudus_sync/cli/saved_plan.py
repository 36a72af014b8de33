"""A plan in a file: written by `plan --out`, carried out by `sync --plan` and `backfill --plan` and nothing more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nexudus_sync import codec
from nexudus_sync.cli.files import write_private
from nexudus_sync.cli.output import BLANK, Card, cell, print_table, say, utc
from nexudus_sync.config import Settings
from nexudus_sync.config.toml import read
from nexudus_sync.engine.actions import Action, Allowed
from nexudus_sync.engine.connection import Connection, fingerprint
from nexudus_sync.errors import ConfigError
from nexudus_sync.files import Unfit, read_text
from nexudus_sync.store.ask import over
from nexudus_sync.store.names import About, Name, about, names
from nexudus_sync.texts import pair_of, plural

FORMAT = 1
"""Of the file; a later one that cannot be read as this one has a higher number."""
SHOWN = 20
"""How many of the actions that were left out are listed."""
LARGEST = 2**28
"""Bytes of a plan; one of the largest office has a tenth of them."""
_KEYS = ("connection", "action", "system", "nexudus_id", "crm_id", "fields")
_TABLES = ("nexudus", "crm", "connection")
"""The parts of the configuration on which a plan depends."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What a plan's file says. `record`: the plan was for this record alone."""

    path: Path
    made_at: str
    configuration: str
    mappings: Mapping[str, str]
    record: str | None
    actions: Sequence[Action]

    def of(self, connection: str) -> list[Action]:
        """What it has for one connection."""
        return [action for action in self.actions if action.connection == connection]


def save(
    path: Path, settings: Settings, connections: Iterable[Connection], record: str | None, actions: Iterable[Action]
) -> None:
    """Write a plan, readable by its owner only: it holds values of records. Raises ConfigError."""
    kept = {
        "nexudus_sync_plan": FORMAT,
        "made_at": utc(datetime.now(UTC)),
        "configuration": _configuration(settings),
        "mappings": {one.name: fingerprint(repr(one.mapping)) for one in connections},
        "record": record,
        "actions": [{key: getattr(action, key) for key in _KEYS} for action in actions],
    }
    write_private(path, codec.dumps(kept), "--out")


def load(path: Path, settings: Settings) -> SavedPlan:
    """Read a plan. Raises ConfigError for a file that is not one, and for one of another configuration."""
    where = f"--plan {path}"
    try:
        kept = codec.loads(read_text(path, LARGEST))
    except OSError as error:
        raise ConfigError(where, f"cannot be read: {error.strerror}", "make one with `plan --out FILE`") from None
    except (ValueError, Unfit):
        kept = None
    try:
        if kept["nexudus_sync_plan"] != FORMAT:
            raise ConfigError(where, "was made by another version", "make it again with `plan --out FILE`")
        actions = [Action(**{key: one[key] for key in _KEYS}) for one in kept["actions"]]
        found = SavedPlan(path, kept["made_at"], kept["configuration"], dict(kept["mappings"]), kept["record"], actions)
        len({action.same for action in actions})  # all that is compared later can be
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ConfigError(where, "is not a plan", "make one with `nexudus-sync plan --out FILE`") from None
    if found.configuration != _configuration(settings):
        raise ConfigError(where, "was made with another configuration", "make it again with `plan --out FILE`")
    return found


def taken_up(saved: SavedPlan, connections: Iterable[Connection]) -> list[Connection]:
    """The connections that the plan is about, each given what it allows. Raises ConfigError for another mapping."""
    found = [one for one in connections if one.name in saved.mappings]
    for one in found:
        if saved.mappings[one.name] != fingerprint(repr(one.mapping)):
            problem = f"was made with another mapping of connection {one.name}"
            raise ConfigError(f"--plan {saved.path}", problem, "make it again with `plan --out FILE`")
        one.allowed = Allowed(saved.of(one.name))
    if not found:
        planned = ", ".join(saved.mappings)
        raise ConfigError(f"--plan {saved.path}", "is about other connections", f"connections in it: {planned}")
    return found


def print_allowed(connection: Connection) -> None:
    """Say how much of a plan was taken up, and list what was left out on either side."""
    allowed = connection.allowed
    if allowed is None:
        return
    taken, all_of_it = len(allowed.taken_up), plural(len(allowed.actions), "planned action")
    say(f"{connection.name}: {taken:,} of {all_of_it} taken up; what could not be done waits as a failure")
    _list(connection, allowed.left(), "in the plan, but no longer what has to be done: not done")
    _list(connection, list(allowed.skipped.values()), "not in the plan: left for a later sync")


def _list(connection: Connection, actions: Sequence[Action], title: str) -> None:
    shown = actions[:SHOWN]
    with connection.store.read() as session:
        known = names(over(session), map(about, shown))
    print_actions(shown, known, f"{len(actions):,} {title}" if shown else "")
    if len(actions) > SHOWN:
        say(f"{plural(len(actions) - SHOWN, 'more action')} not shown.")


COLUMNS = ("action", "in", "title", "customer", "fields", "record")


def print_actions(actions: Iterable[Action], known: Mapping[About, Name], title: str) -> None:
    """Print each action: what, where, of which record, and the change of each field."""
    rows = (_row(action, known.get(about(action), Name())) for action in actions)
    print_table(COLUMNS, rows, title=title, card=_card)


def _row(action: Action, name: Name) -> tuple[str, ...]:
    changes = "; ".join(_change(field, said["old"], said["new"]) for field, said in action.fields.items())
    pair = pair_of(action.nexudus_id, action.crm_id)
    return (action.action, action.system or "both", name.title, name.customer, changes, pair)


def _card(cells: Sequence[str]) -> Card:
    said = dict(zip(COLUMNS, cells, strict=True))
    name = " · ".join(one for one in (said["title"], said["customer"]) if one != BLANK)
    changes = [said["fields"]] if said["fields"] != BLANK else []
    return Card("", f"{said['action']} in {said['in']}: {name or said['record']}", [*changes, said["record"]])


def allowed_json(connection: Connection) -> dict[str, Any]:
    """The same as JSON; nothing without a plan."""
    allowed = connection.allowed
    if allowed is None:
        return {}
    skipped, left = allowed.skipped.values(), allowed.left()
    return {
        "planned": len(allowed.actions),
        "taken_up": len(allowed.taken_up),
        "not_in_plan": [action_json(one) for one in skipped],
        "no_longer_due": [action_json(one) for one in left],
    }


def action_json(action: Action, name: Name | None = None) -> dict[str, Any]:
    """An action in the JSON of the contract, with what people know its record by if that is known."""
    known = {} if name is None else {"title": name.title, "customer": name.customer}
    return {key: getattr(action, key) for key in _KEYS} | known


def _change(field: str, old: Any, new: Any) -> str:
    return f"{field}: {cell(new)}" if old is None else f"{field}: {cell(old)} → {cell(new)}"


def _configuration(settings: Settings) -> str:
    """A fingerprint of what a plan depends on: the systems with their addresses, and the connections; no secret."""
    raw = read(settings.path)
    addresses = [str(getattr(one, "base_url", "")) for one in (settings.nexudus, *_crms(settings))]
    return fingerprint(codec.dumps([{key: raw.get(key) for key in _TABLES}, addresses], sort_keys=True))


def _crms(settings: Settings) -> list[Any]:
    return [settings.crms[name].settings for name in sorted(settings.crms)]
