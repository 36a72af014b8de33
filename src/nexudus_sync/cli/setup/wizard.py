"""The conversation of `init`: logins first, then what there is to choose from, then names without a counterpart."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from nexudus_sync import logs
from nexudus_sync.cli.frame import Root, complain
from nexudus_sync.cli.output import say
from nexudus_sync.cli.setup import answers as options
from nexudus_sync.cli.setup import pairing
from nexudus_sync.cli.setup.answers import Answers, Given
from nexudus_sync.cli.setup.asking import Asker
from nexudus_sync.cli.setup.draft import Draft
from nexudus_sync.cli.setup.places import Places
from nexudus_sync.cli.setup.systems import ADDRESS, Table, connect, fill
from nexudus_sync.config import ConnectionSettings
from nexudus_sync.connectors import registry
from nexudus_sync.connectors.base import Connector, Scope
from nexudus_sync.connectors.setup import Choice, Further, GuidesSetup, MakesKey, TellsOfItself
from nexudus_sync.engine.startup.assemble import HUB
from nexudus_sync.errors import AuthenticationFailed, ConfigError, ConnectorError, RoleMissing
from nexudus_sync.mapping import Side, SideMapping, parse
from nexudus_sync.mapping.shipped import shipped
from nexudus_sync.texts import plural

ALL = "All opportunities, whatever their {part}"


@dataclass(slots=True)
class Setup:
    """What is known so far. `connection` are the keys of the `[[connection]]`; `lists` are the names to pair."""

    root: Root
    answers: Answers
    given: Given
    asker: Asker
    known: Mapping[str, str]
    connection: dict[str, Any] = field(default_factory=dict)
    lists: list[pairing.Lists] = field(default_factory=list)

    def scope(self) -> Scope:
        """What the connection is about, as the connectors want it."""
        return ConnectionSettings.model_validate({"name": "new", "crm": "crm", **self.connection}).scope()

    async def log_in(self, table: Table, stack: AsyncExitStack) -> tuple[Connector, list[Choice]]:
        """Ask for a login and try it, again until it works. Raises ConfigError, ConnectorError if nobody is asked."""
        again = False
        while True:
            fill(table, self.known, self.asker, again=again)
            self.root.secrets |= table.hidden()
            logs.configure(
                self.root.log_level or "warning", self.root.log_format or "console", secrets=self.root.secrets
            )
            try:
                connector, choices = await connect(table)
            except (ConnectorError, ConfigError) as error:
                self._refused(table, error)
                again = True
                continue
            stack.push_async_callback(connector.aclose)
            say(f"{table.name}: the login works.")
            if isinstance(connector, TellsOfItself):
                table.values = {**connector.learned(), **table.values}
            return connector, choices

    def _refused(self, table: Table, error: ConnectorError | ConfigError) -> None:
        """Say what was wrong with a login. Raises the error where asking again cannot help."""
        from_outside = sorted(table.given)
        if isinstance(error, AuthenticationFailed) and from_outside:
            remedy = f"correct {', '.join(from_outside)} in the environment, or unset it to be asked"
            raise ConfigError("init", str(error), remedy) from None
        if not self.asker.asks:
            raise error
        complain(self.root, str(error))
        say("Please give it again; Enter keeps what you gave before.")

    def choose_place(self, choices: list[Choice]) -> str:
        """Settle the scope. Returns a name for the connection."""
        wanted = self.answers.scope()
        if wanted is not None:
            found = next((one for one in choices if one.settings.get("scope") == wanted), None)
            if found is None and choices:
                key, value = next(iter(wanted.items()))
                option = "--board" if key == "board_id" else "--location"
                raise ConfigError(f"{option} {value}", "this login sees no such one", _there_is(choices))
            self.connection["scope"] = wanted
            return found.name if found else ""
        if not choices:
            place = self.asker.ask("--location", "The id of the Nexudus location", options.number)
            self.connection["scope"] = {"business_id": place}
            return ""
        index = self.asker.choose(
            "--location or --board",
            "Which Nexudus location (or board) takes part?",
            [one.label for one in choices],
            default=0 if len(choices) == 1 else None,
        )
        self.connection |= choices[index].settings
        return choices[index].name

    def choose_part(self, choices: list[Choice], crm: Table) -> None:
        """Settle the part of the CRM (company, pipeline): as the option says, else by what there is, else as typed."""
        wanted, part, option = self.answers.company, crm.part, f"--{crm.part}"
        if wanted is not None:
            self.connection |= _part(wanted, choices, crm)
        elif choices:
            labels = [one.label for one in choices] + ([] if crm.needs_part else [ALL.format(part=part)])
            question = f"Which {part}'s opportunities in {crm.name} belong to it?"
            index = self.asker.choose(option, question, labels, default=0 if len(labels) == 1 else None)
            self.connection |= choices[index].settings if index < len(choices) else {}
        else:
            question = f"The CRM's {part} for this location (empty: all)"
            self.connection |= _part(self.asker.ask(option, question, options.text_or_none, default=""), [], crm)

    async def offer_key(self, connector: Connector) -> None:
        """Make the field for the external key, if the CRM lacks it and a person wants it. A refusal stops nothing."""
        lacking = await connector.lacks_key() if isinstance(connector, MakesKey) else ""
        if not lacking:
            return
        say(f"{connector.name} lacks {lacking}. With it, nothing is ever created twice.")
        wanted = self.answers.create_property or self.asker.agrees("Create it now?", default=False)
        if wanted and isinstance(connector, MakesKey):
            try:
                say(f"{connector.name}: {await connector.make_key()}.")
                return
            except ConnectorError as error:
                complain(self.root, str(error))
        say("`nexudus-sync check` says how to make it, and `check --create-property` makes it.")

    async def decide_further(self, connector: Connector) -> None:
        """Settle what the system needs besides."""
        if self.answers.time_zone is not None:
            self.connection["time_zone"] = self.answers.time_zone
        if self.answers.create_board is not None:
            self.connection["create_board"] = self.answers.create_board
        if isinstance(connector, GuidesSetup):
            for further in await connector.further(self.scope()):
                self.connection |= self._further(further)

    def _further(self, further: Further) -> dict[str, Any]:
        option = f"--{further.key.replace('_', '-')}"
        if not further.choices:
            parse = options.zone if further.key == "time_zone" else options.text
            return {further.key: self.asker.ask(option, further.text, parse)}
        index = self.asker.choose(option, further.text, [one.label for one in further.choices])
        return dict(further.choices[index].settings)

    async def pair_names(self, connectors: tuple[Connector, Connector], hub: SideMapping) -> None:
        """Pair stages and lost reasons: by name, as options say, and as a person says about the rest."""
        known: list[Mapping[str, tuple[str, ...]]] = []
        for connector in connectors:
            try:
                known.append(await connector.vocabulary(self.scope()) if isinstance(connector, GuidesSetup) else {})
            except RoleMissing as error:
                complain(self.root, f"{error}; names are not paired, `check` says which have no counterpart")
                return
        for name in pairing.WORDS:
            if name in hub.lenses:
                lists = pairing.lists_of(name, hub.lenses[name], *known)
                lists = replace(lists, pairs=_existing(lists, self.given.pairs.get(name, ())))
                if lists.nexudus and lists.crm:
                    self.lists.append(self._paired(lists, connectors[1].name))
                elif lists.nexudus:
                    say(f"{connectors[1].name} lists no {pairing.WORDS[name]} yet, so there is nothing to pair.")

    def _paired(self, lists: pairing.Lists, crm: str) -> pairing.Lists:
        word, (own, others) = pairing.WORDS[lists.field], lists.alone()
        alike = lists.alike()
        say()
        say(f"{plural(alike, word)} of Nexudus {'is' if alike == 1 else 'are'} in {crm} by the same name.")
        if not self.asker.asks:
            option = pairing.OPTIONS[lists.field]
            for name in own:
                say(f'  "{name}" has no counterpart and waits as a failure, or give {option} "{name}=…"')
            return lists
        if own:
            say(f"{plural(len(own), word)} of Nexudus {'has' if len(own) == 1 else 'have'} no counterpart. {crm} has:")
            lists = self._ask_each(lists, own, list(lists.crm), f"Nexudus's {word}", flip=False)
        others = [name for name in others if name in lists.alone()[1]]
        if others:
            here = [spellings[0] for spellings in lists.nexudus]
            say(f"{crm} has {plural(len(others), word)} that Nexudus lacks. Nexudus has:")
            lists = self._ask_each(lists, others, here, f"{crm}'s {word}", flip=True)
        return lists

    def _ask_each(
        self, lists: pairing.Lists, names: list[str], offered: list[str], whose: str, *, flip: bool
    ) -> pairing.Lists:
        for number, name in enumerate(offered, start=1):
            say(f"  {number:>2}  {name}")
        say("Give a number, Enter to leave it (such a value then waits for you), or - to leave all the rest.")
        for name in names:
            index = self.asker.ask("", f'{whose} "{name}" is', _number_or_none(len(offered)), default="")
            if index is None:
                break
            if index:
                found = (offered[index - 1], name) if flip else (name, offered[index - 1])
                lists = replace(lists, pairs=(*lists.pairs, found))
        return lists


async def converse(setup: Setup, places: Places, hub: Table) -> Draft:
    """The conversation with both systems at hand."""
    answers = setup.answers
    say("First the logins. Give the sync users of its own: the name on a change tells its writes from people's.")
    async with AsyncExitStack() as stack:
        hub.given = _environment(hub)
        nexudus, boards = await setup.log_in(hub, stack)
        crm = _crm(answers, setup.given, setup.asker)
        places.settle_mapping(crm.name)
        crm.given = _environment(crm)
        other, parts = await setup.log_in(crm, stack)
        await setup.offer_key(other)
        called = setup.choose_place(boards)
        setup.choose_part(parts, crm)
        for connector in (nexudus, other):
            await setup.decide_further(connector)
        if places.mapping(HUB) not in places.kept:
            await setup.pair_names((nexudus, other), parse(shipped(HUB), f"{HUB}.toml", Side.NEXUDUS))
    name = answers.name or setup.asker.ask(
        "--name", "A name for the connection", options.text, default=called.strip().lower().replace(" ", "-") or "main"
    )
    return Draft(places, hub, crm, {"name": name, "crm": crm.name, **setup.connection}, lists=setup.lists)


def _crm(answers: Answers, given: Given, asker: Asker) -> Table:
    """The CRM's table, once its kind is known."""
    known = registry.names()
    connector = answers.connector
    if connector is None:
        connector = known[asker.choose("--connector", "Which CRM does the sales team use?", known)]
    table = Table(connector, "crm", registry.find(connector, where="--connector"), dict(given.crm))
    if answers.crm_url:
        table.values[ADDRESS] = answers.crm_url
    return table


def _part(wanted: str, choices: list[Choice], crm: Table) -> Mapping[str, Any]:
    """The keys for a part of the CRM by its name. Raises ConfigError for one that is not among the choices."""
    if not wanted:
        return {}
    found = [one for one in choices if str(one.settings.get(crm.part)).casefold() == wanted.casefold()]
    if choices and not found:
        raise ConfigError(f"--{crm.part}", f'{crm.name} has no {crm.part} "{wanted}"', _there_is(choices))
    return found[0].settings if found else {crm.part: wanted}


def _number_or_none(most: int) -> Any:
    """A parser: the number; 0 for an empty answer, None for "-"."""

    def parse(given: str) -> int | None:
        if given.strip() == "-":
            return None
        if not given.strip():
            return 0
        if given.strip().isdecimal() and 1 <= int(given) <= most:
            return int(given)
        raise ValueError(f"give a number from 1 to {most}, Enter or -")

    return parse


def _existing(lists: pairing.Lists, pairs: pairing.Pairs) -> pairing.Pairs:
    """The pairs of the options, if both systems have the names. Raises ConfigError."""
    sides = ([one for spellings in lists.nexudus for one in spellings], lists.crm)
    for pair in pairs:
        for name, there in zip(pair, sides, strict=True):
            if name.casefold() not in {one.casefold() for one in there}:
                option = pairing.OPTIONS[lists.field]
                raise ConfigError(f'{option} "{"=".join(pair)}"', f"there is no '{name}'", f"it has {', '.join(there)}")
    return pairs


def _there_is(choices: list[Choice]) -> str:
    return "there is: " + "; ".join(one.label for one in choices)


def _environment(table: Table) -> frozenset[str]:
    """The variables of a table's keys that the environment gives."""
    return frozenset(
        variable
        for one in table.questions()
        if one.key != ADDRESS and os.environ.get(variable := table.variable(one.key)) and not table.values.get(one.key)
    )
