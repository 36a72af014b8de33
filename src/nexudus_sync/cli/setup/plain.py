"""The few questions of `init` that need no login: names and ids are taken as they are given."""

from nexudus_sync.cli.setup import answers as options
from nexudus_sync.cli.setup.answers import Answers, Given
from nexudus_sync.cli.setup.asking import Asker
from nexudus_sync.cli.setup.draft import Draft
from nexudus_sync.cli.setup.places import Places
from nexudus_sync.cli.setup.systems import ADDRESS, Table
from nexudus_sync.connectors import registry
from nexudus_sync.errors import ConfigError


def plain(answers: Answers, asker: Asker, places: Places, hub: Table, given: Given) -> Draft:
    """Ask for what the options leave out. Raises ConfigError, naming the options, when there is nobody to ask."""
    if not asker.asks:
        _all_there(answers)
    name = answers.name or asker.ask(
        "--name", "A name for the connection, such as the location's name", options.text, default="main"
    )
    scope = answers.scope() or {
        "business_id": asker.ask("--location", "The id of the Nexudus location", options.number)
    }
    crm = _kind(answers, asker, places, given)
    company = answers.company
    if company is None:
        company = asker.ask(
            f"--{crm.part}", f"The CRM's {crm.part} for this location (empty: all)", options.text_or_none, default=""
        )
    _address(crm, answers, asker)
    more = {"time_zone": answers.time_zone, "create_board": answers.create_board}
    connection = {"name": name, "crm": crm.name, "scope": scope, crm.part: company or None, **more}
    return Draft(places, hub, crm, {key: value for key, value in connection.items() if value is not None})


def _kind(answers: Answers, asker: Asker, places: Places, given: Given) -> Table:
    known = registry.names()

    def connector_of(said: str) -> str:
        places.settle_mapping(said, where="--connector")
        return said

    name = (
        connector_of(answers.connector)
        if answers.connector
        else asker.ask("--connector", f"The kind of CRM ({', '.join(known)})", connector_of, default=known[0])
    )
    return Table(name, "crm", registry.find(name), dict(given.crm))


def _address(crm: Table, answers: Answers, asker: Asker) -> None:
    if any(one.key == ADDRESS for one in crm.questions()) and not crm.values.get(ADDRESS):
        crm.values[ADDRESS] = answers.crm_url or asker.ask(
            "--crm-url", "The address of the CRM", options.address, default=crm.usual_address()
        )


def _all_there(answers: Answers) -> None:
    """Raise ConfigError naming all options that are missing where nobody can be asked."""
    optional = {"--crm-url"} if answers.connector is not None and not _has_address(answers.connector) else set()
    missing = [name for name, one in answers.options() if one is None and name not in optional]
    if missing:
        more = f"; without a terminal it also needs {', '.join(missing[1:])}" if missing[1:] else ""
        raise ConfigError("init", "an answer is missing", f"give it as {missing[0]}{more}")


def _has_address(connector: str) -> bool:
    return ADDRESS in registry.find(connector, where="--connector").Settings.model_fields
