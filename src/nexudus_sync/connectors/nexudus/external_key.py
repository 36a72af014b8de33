"""Does `SystemId` keep what is written there? The pages disagree, so it is tried at the first create and remembered."""

from nexudus_sync.connectors.base import Record
from nexudus_sync.store import Store
from nexudus_sync.store.tables import Fact

_KEY = "system_id_sticks"


class ExternalKey:
    """What is known of `SystemId` on one system. `store` None: known for this process only."""

    def __init__(self, system: str, store: Store | None) -> None:
        self._system = system
        self._store = store
        self._sticks: bool | None = None
        self._looked = False
        self._written: dict[str, str] = {}

    def sticks(self) -> bool | None:
        """True or False once it was seen, None before."""
        if self._sticks is None and self._store is not None and not self._looked:
            self._looked = True
            with self._store.read() as session:
                fact = session.get(Fact, (self._system, _KEY))
                self._sticks = None if fact is None else bool(fact.value)
        return self._sticks

    def wrote(self, record_id: str, key: str | None) -> None:
        """A new record was created with that key."""
        if key and self.sticks() is None:
            self._written[record_id] = key

    def saw(self, record: Record) -> None:
        """A whole record was read: if it is a new one, its key shows the answer."""
        key = self._written.pop(str(record["Id"]), None)
        if key is None or self.sticks() is not None:
            return
        self._sticks = record.get("SystemId") == key
        if self._store is not None:
            with self._store.session() as session:
                session.merge(Fact(system=self._system, key=_KEY, value=self._sticks))
