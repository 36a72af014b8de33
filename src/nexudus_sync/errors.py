"""Every error this package raises on purpose, as one tree.

    SyncError
    ├── ConfigError                 bad usage, configuration or mapping            exit code 2
    │   └── MappingError
    ├── StoreError                  the store cannot be opened, read or written    exit code 1
    │   └── StoreLocked             another process holds it
    ├── Unforeseen                  one record met what the program is not made for
    └── ConnectorError              a system answered, or failed to                exit code 1
        ├── AuthenticationFailed    wrong user name, password or token             exit code 2
        ├── RoleMissing             the login lacks a right
        ├── Unavailable             transient: unreachable, 5xx, an answer that makes no sense
        ├── OutcomeUnknown          a write that may or may not have been done
        │   └── AnsweredForAnother  its reply names another record than the one that was written
        ├── NotFound                no such record
        ├── AnotherRecord           what was answered is another record than the one that was asked for
        ├── Refused                 the system will not take this value or record
        ├── Stale                   the record moved since it was read
        └── LimitReached            a limit that waiting minutes does not lift (5,000 per location, customers a day)

The text of each is one line for a person: what is wrong, where, what to do.
"""


def storable(text: str) -> str:
    """The text as any database takes it: without NUL, and without halves of characters, which cut emojis leave."""
    return text.replace("\0", "�").encode(errors="replace").decode()


class SyncError(Exception):
    """The base of all errors raised on purpose."""

    exit_code = 1


class ConfigError(SyncError):
    """A file, key, option or environment variable is wrong; nothing was requested or written.

    `where` is the file and the key, `problem` what is wrong, `remedy` what would be right.
    """

    exit_code = 2

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        self.where, self.problem, self.remedy = where, problem, remedy
        super().__init__(f"{where}: {problem}" + (f"; {remedy}" if remedy else ""))


class MappingError(ConfigError):
    """A mapping file is wrong or breaks a law."""


class StoreError(SyncError):
    """The store cannot be used."""


class StoreLocked(StoreError):
    """Another process holds the store's lock."""


class Unforeseen(SyncError):
    """What one record made the program stumble over. The text names the exception; the log has its traceback."""

    def __init__(self, error: Exception) -> None:
        told = " ".join(storable(str(error)).split())[:300]
        super().__init__(f"unexpected {type(error).__name__}: {told}; please report it, with the log at level debug")


class ConnectorError(SyncError):
    """A system answered with an error, or did not answer.

    `system` is the name a person knows it by, `record` the id concerned if there is one.
    """

    def __init__(self, system: str, message: str, record: str | None = None) -> None:
        self.system, self.message, self.record = system, storable(message), record
        super().__init__(f"{system}{f' {storable(record)}' if record else ''}: {self.message}")


class AuthenticationFailed(ConnectorError):
    """The user name, password or token is wrong."""

    exit_code = 2


class RoleMissing(ConnectorError):
    """The login is right but lacks a role; the message names it, `said` is what the server itself said.

    `alone`: it is about one record, and nothing shows yet that others are kept from the login as well.
    """

    def __init__(self, system: str, message: str, record: str | None = None, said: str = "") -> None:
        super().__init__(system, message, record)
        self.said, self.alone = storable(said), False

    def of_record(self) -> "Refused":
        """The same as a refusal of this one record, in the server's own words where it used any."""
        return Refused(self.system, f"refused: {self.said or self.message}", self.record)


class Unavailable(ConnectorError):
    """A passing failure: unreachable, timed out, 5xx, or an answer that makes no sense. Nothing was written."""


class OutcomeUnknown(ConnectorError):
    """A write was sent and its outcome is not known: it may have been done, or may be done yet."""


class AnsweredForAnother(OutcomeUnknown):
    """The reply to a write names another record than the one that was written."""


class NotFound(ConnectorError):
    """No such record (any more)."""


class AnotherRecord(ConnectorError):
    """What was answered is another record than the one that was asked for. It proves nothing about that one.

    `told` and `identity` are what was answered. `survivor`: the system itself says that the record lives on under that
    id, for it was merged into that one. `held`: it is not looked at again before a person says so.
    """

    def __init__(
        self,
        system: str,
        message: str,
        record: str | None = None,
        *,
        told: str = "",
        identity: str = "",
        survivor: str | None = None,
        held: bool = False,
    ) -> None:
        super().__init__(system, message, record)
        self.told, self.identity, self.survivor, self.held = told, identity, survivor, held


class Refused(ConnectorError):
    """The system will not take this record or value, and said so; it was not written.

    `keys` are the record's top-level keys it complained about, empty when it named none.
    """

    def __init__(
        self, system: str, message: str, record: str | None = None, keys: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(system, message, record)
        self.keys = keys


class Stale(ConnectorError):
    """The record moved since it was read; it was not written."""


class LimitReached(ConnectorError):
    """A limit that waiting a minute does not lift."""
