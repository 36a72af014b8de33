"""Every error this package raises on purpose, as one tree.

    SyncError
    ├── ConfigError                 bad usage, configuration or mapping            exit code 2
    │   └── MappingError
    ├── StoreError                  the store cannot be opened, read or written    exit code 1
    │   ├── StoreLocked             another process holds it
    │   ├── LockLost                the connection that held the store's lock is gone
    │   └── LeaseLost               another worker may have taken over what this one was doing
    ├── NotPlanned                  the saved plan that is being carried out has no such write
    ├── Unforeseen                  an unexpected exception about one record
    └── ConnectorError              a system answered, or failed to                exit code 1
        ├── AuthenticationFailed    wrong user name, password or token             exit code 2
        ├── RoleMissing             the login lacks a right
        ├── Unavailable             transient: unreachable, 5xx, an answer that makes no sense
        ├── OutcomeUnknown          a write that may or may not have been done
        │   └── AnsweredForAnother  its reply names another record than the one written
        ├── NotFound                no such record
        ├── AnotherRecord           the answer is about another record than the one asked for
        ├── Refused                 the system will not take this value or record
        ├── Stale                   the record moved since it was read
        │   └── HeldUp              or may have, for the write had to wait
        └── LimitReached            a limit that does not lift within minutes (5,000 per location, customers per day)

The text of each is one line for a person: what is wrong, where, what to do.
"""

STORED_DIFFERENTLY = "stored-differently"
"""The kind of a failure that only informs: a system stores a text otherwise than it was sent. Nothing waits for it."""


def storable(text: str) -> str:
    """The text as any database takes it: without NUL, and without the half characters that a cut emoji leaves."""
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


class LockLost(StoreError):
    """The store's lock was lost with its connection: another run may have taken it. Nothing more was written."""


class LeaseLost(StoreError):
    """The lease that this work was done under has ended, so nothing more of it may be stored or sent.

    What was sent before is left to whoever takes the next lease, who finds out by reading what became of it.
    """


class NotPlanned(SyncError):
    """The saved plan that is being carried out does not have this action; nothing was done."""


class Unforeseen(SyncError):
    """An unexpected exception about one record. The text names the exception; the log has its traceback."""

    def __init__(self, error: Exception) -> None:
        told = " ".join(storable(str(error)).split())[:300]
        super().__init__(f"unexpected {type(error).__name__}: {told}; please report it with the log at level debug")


class ConnectorError(SyncError):
    """A system answered with an error, or did not answer.

    `system` is its configured name, `record` the id it is about, if any.
    """

    def __init__(self, system: str, message: str, record: str | None = None) -> None:
        self.system, self.message, self.record = system, storable(message), record
        super().__init__(f"{system}{f' {storable(record)}' if record else ''}: {self.message}")


class AuthenticationFailed(ConnectorError):
    """The user name, password or token is wrong."""

    exit_code = 2


class RoleMissing(ConnectorError):
    """The login is right but lacks a role; the message names it, `said` is what the server itself said.

    `alone`: it is about one record, and nothing shows yet that the login is denied others as well.
    """

    def __init__(self, system: str, message: str, record: str | None = None, said: str = "") -> None:
        super().__init__(system, message, record)
        self.said, self.alone = storable(said), False

    def of_record(self) -> "Refused":
        """The same as a refusal of this one record, in the server's own words if it gave any."""
        return Refused(self.system, f"refused: {self.said or self.message}", self.record)


class Unavailable(ConnectorError):
    """A passing failure: unreachable, timed out, 5xx, or an answer that makes no sense. Nothing was written.

    `wait`: for how many seconds the system wants no calls at all; 0 if it does not say so.
    """

    def __init__(self, system: str, message: str, record: str | None = None, *, wait: float = 0.0) -> None:
        super().__init__(system, message, record)
        self.wait = wait


class OutcomeUnknown(ConnectorError):
    """A write was sent and its outcome is unknown: it may have been done, or may still be done."""


class AnsweredForAnother(OutcomeUnknown):
    """The reply to a write names another record than the one written."""


class NotFound(ConnectorError):
    """The record does not exist (any more)."""


class AnotherRecord(ConnectorError):
    """The answer is about another record than the one asked for. It proves nothing about the latter.

    `told` and `identity` are those of the answer. `survivor`: the system itself says that the record was merged into
    the one with that id. `held`: the record is not read again until a person says so.
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
    """The system refused this record or value and said so; it was not written.

    `keys` are the record's top-level keys that it complained about; empty when it named none.
    """

    def __init__(
        self, system: str, message: str, record: str | None = None, keys: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(system, message, record)
        self.keys = keys


class Stale(ConnectorError):
    """The record has changed since it was read; it was not written."""


class HeldUp(Stale):
    """The record may have changed since it was read, for its write had to wait; it was not written."""


class LimitReached(ConnectorError):
    """A limit that does not lift within minutes."""
