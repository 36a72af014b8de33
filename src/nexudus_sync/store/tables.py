"""The store's tables. Plain, portable SQL: text, integers and UTC moments; JSON is kept as text in `codec`'s form.

Moments are aware UTC in Python and naive UTC in the database (`UtcDateTime`). A change here needs a migration beside
it.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Index, Integer, Text, TypeDecorator, UniqueConstraint
from sqlmodel import Field, SQLModel

from nexudus_sync import codec
from nexudus_sync.mapping.sides import Side
from nexudus_sync.store.halves import Half


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC outside, naive UTC inside. Raises ValueError for a naive moment."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else value.replace(tzinfo=UTC)


class Json(TypeDecorator[Any]):
    """A JSON value kept as text; numbers with a fraction come back as Decimal."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else codec.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """From the database."""
        return None if value is None else codec.loads(value)


class ConnectionState(SQLModel, table=True):
    """What the store keeps of a configured connection."""

    __tablename__ = "connection_state"
    name: str = Field(primary_key=True)
    crm: str
    nexudus_cursor: str | None = None
    crm_cursor: str | None = None
    backfilled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    create_since: str | None = None
    """YYYY-MM-DD: nothing created before that day is ever created on the other side (`backfill --since`)."""
    last_success: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_reconcile: datetime | None = Field(default=None, sa_type=UtcDateTime)
    cycles: int = 0
    mapping_digest: str = ""
    """Of the mapping in force at the last cycle: when it changes, what waits for it is looked at again."""
    mapped_paths: list[str] = Field(default_factory=list, sa_type=Json)
    """The paths mapped then ("nexudus Name", "crm title"): a new one is a first match of its own for every link."""
    paused_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Since when a person has it paused; None while it runs."""
    paused_by: str = ""


class Link(SQLModel, table=True):
    """A pair known to be the same opportunity, with what each side said when they last agreed.

    Unique per CRM and card, and per CRM and CRM record: an id together with the record's identity, since ids are
    reused. An identity of "" is not known yet: it differs from none, and the next full read tells it; one that begins
    with "~" belongs to no card (its link ended before identities were known). `state`: "active"; "sleeping" (its card
    is in no connection's scope); "closed" (one record is gone or a person parted them: neither record is ever created
    again by itself).
    """

    __table_args__ = (
        UniqueConstraint("crm", "nexudus_id", "nexudus_identity", name="uq_link_nexudus"),
        UniqueConstraint("crm", "crm_id", "crm_identity", name="uq_link_crm"),
        Index("ix_link_connection", "connection", "state"),
        # all that a search by name needs: the rows themselves are long
        Index("ix_link_names", "title", "customer", "nexudus_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    crm: str
    connection: str
    nexudus_id: str
    nexudus_identity: str = ""
    crm_id: str
    crm_identity: str = ""
    state: str = "active"
    closed_reason: str | None = None
    nexudus_stamp: str = ""
    crm_stamp: str = ""
    nexudus_stamped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    crm_stamped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The moment in the stamp, by the server's clock: a version with an earlier one is out of date."""
    nexudus_noted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    crm_noted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the stamp was noted, by our clock."""
    nexudus_digest: str = ""
    crm_digest: str = ""
    nexudus_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    crm_changed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    nexudus_changed_by: str = ""
    crm_changed_by: str = ""
    """Who made that change, as the system names them; "" where it does not tell."""
    title: str = ""
    customer: str = ""
    """What people know the pair by, when it was last settled."""
    nexudus_recheck: bool = False
    crm_recheck: bool = False
    crm_children_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    is_lost: bool = False
    bounces: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime)
    verified_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When reconcile last read both records whole."""
    # Last, so that reading the stamps of all links never has to walk over the long values.
    nexudus_snapshot: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    crm_snapshot: dict[str, Any] = Field(default_factory=dict, sa_type=Json)

    @property
    def pair(self) -> tuple[str, str]:
        """The ids of both records, Nexudus's first."""
        return self.nexudus_id, self.crm_id

    def half(self, side: Side) -> Half:
        """What the link knows of its record on that side."""
        return Half(self, side)

    def mark_both(self, must_read: bool) -> None:
        """Say whether both records have to be read again."""
        self.nexudus_recheck = self.crm_recheck = must_read


SET_ASIDE = ("ignored", "away")
"""The states of unlinked records that a person set aside."""


class Unlinked(SQLModel, table=True):
    """A record of one side that has no counterpart, with what matching needs of it and why it has none.

    `state`: "waiting" (a later cycle takes it up), "ignored" (a person said so), "away" (ignored, and not in the
    connection's scope now), "refused", "old" (before `create_since`), "limit" (left by `backfill --limit`), "unmatched"
    (several candidates: a person decides).
    """

    __table_args__ = (Index("ix_unlinked_email", "connection", "side", "email"),)
    connection: str = Field(primary_key=True)
    side: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    identity: str = ""
    stamp: str = ""
    digest: str = ""
    recheck: bool = False
    email: str | None = None
    title: str | None = None
    customer: str = ""
    is_open: bool = True
    external_key: str | None = None
    created_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    state: str = "waiting"
    reason: str | None = None


class Journal(SQLModel, table=True):
    """One intended write. `state`: "planned", "sent" (committed before the call), "confirmed", "failed", "dropped"."""

    __table_args__ = (Index("ix_journal_state", "state", "connection"),)
    id: int | None = Field(default=None, primary_key=True)
    connection: str
    side: str
    kind: str
    link_id: int | None = None
    nexudus_id: str = ""
    crm_id: str = ""
    step: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    fields: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    state: str = "planned"
    planned_at: datetime = Field(sa_type=UtcDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    looks: int = 0
    """How many times recovery looked for the outcome and found nothing."""
    not_found: bool = False
    """Recovery gave it up: nothing that it sent was found."""
    refused: list[str] = Field(default_factory=list, sa_type=Json)
    """The fields whose values the system refused."""
    outcome: str | None = None


class ConflictKind(StrEnum):
    """What a person is asked."""

    FIELD = "field"
    """Both sides changed a field to different values."""
    OVERWRITTEN = "overwritten"
    """A write of ours replaced a value that it had not seen."""
    MATCH = "match"
    """Several records may be a record's counterpart, or it may be the late copy of one."""
    DELETED = "deleted"
    """A record was deleted on one side and edited on the other."""
    ANOTHER = "another-record"
    """A system answers with another record than the one asked for."""


class Conflict(SQLModel, table=True):
    """A question that waits for a person. Values are canonical, as text or JSON.

    `kind`: see `ConflictKind`. `state`: "open", "resolved" (a person chose `take`; the next cycle carries it out),
    "closed". `take` is "nexudus", "crm", or "value" for the third value in `value`. `field` is "record" for a question
    about records as a whole.
    """

    __table_args__ = (
        Index("ix_conflict_state", "state", "connection"),
        Index("ix_conflict_record", "nexudus_id", "crm_id"),
        Index("ix_conflict_crm_record", "crm_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    connection: str
    link_id: int | None = None
    nexudus_id: str = ""
    crm_id: str = ""
    field: str
    base: Any = Field(default=None, sa_type=Json, nullable=True)
    nexudus: Any = Field(default=None, sa_type=Json, nullable=True)
    crm: Any = Field(default=None, sa_type=Json, nullable=True)
    state: str = "open"
    take: str | None = None
    value: Any = Field(default=None, sa_type=Json, nullable=True)
    decided_by: str = ""
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    kind: str = ConflictKind.FIELD
    side: str = ""
    """For a deletion, the edited side; for another record, the side that answers with it."""
    edits: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    """For a deletion: the edited fields' values when a person was asked. Another edit asks again."""
    reason: str | None = None
    opened_at: datetime = Field(sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Failure(SQLModel, table=True):
    """Something the sync could not carry over. `field` "" concerns the record.

    `state`: "open", "dismissed", "solved".
    """

    __table_args__ = (
        Index("ix_failure_state", "state", "connection"),
        Index("ix_failure_record", "nexudus_id", "crm_id"),
        Index("ix_failure_crm_record", "crm_id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    connection: str
    kind: str
    field: str = ""
    reason: str
    nexudus_id: str = ""
    crm_id: str = ""
    attempts: int = 1
    state: str = "open"
    first_at: datetime = Field(sa_type=UtcDateTime)
    last_at: datetime = Field(sa_type=UtcDateTime)
    next_attempt: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """None: not retried automatically (a person, or a change of the record or the mapping, has to come first)."""


class History(SQLModel, table=True):
    """A value the sync wrote: `old` was replaced by `new` on the side opposite to `from_side`.

    `lost` is what a policy overruled. Where a person typed a third value, `from_side` is "person", and `old` and `lost`
    are what Nexudus and the CRM said. `decided_by` is who decided, "" where nobody had to.
    """

    __table_args__ = (
        Index("ix_history_record", "nexudus_id", "crm_id"),
        Index("ix_history_connection", "connection", "id"),
    )
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    connection: str
    field: str
    old: Any = Field(default=None, sa_type=Json, nullable=True)
    new: Any = Field(default=None, sa_type=Json, nullable=True)
    lost: Any = Field(default=None, sa_type=Json, nullable=True)
    from_side: str
    nexudus_id: str = ""
    crm_id: str = ""
    decided_by: str = ""


class Decision(SQLModel, table=True):
    """What a person asked for at the command line, for the next cycle to carry out.

    `kind`: "link", "unlink", "ignore", "undo".
    """

    id: int | None = Field(default=None, primary_key=True)
    connection: str
    kind: str
    args: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    asked_by: str = ""
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str | None = None


class Brake(SQLModel, table=True):
    """A stored stop of one connection.

    `state`: "set", "released" (until its links are settled or back), "gone"; and of a mass change "judging" (what moved
    is being read; nothing of it is written) and "passed" (it is none; its links are still being read).
    """

    id: int | None = Field(default=None, primary_key=True)
    connection: str
    name: str
    evidence: str
    size: int = 0
    """How many links it is about; a release permits no more than that."""
    links: list[int] = Field(default_factory=list, sa_type=Json)
    """The links it is about that are not settled, nor back, since it was released."""
    judged: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    """For a mass change: the side, and which links' records were `read` for it and have changed.

    For `no-pairs`: the scope it is about.
    """
    state: str = "set"
    set_at: datetime = Field(sa_type=UtcDateTime)
    released_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    released_by: str = ""


class Spent(SQLModel, table=True):
    """Calls made or leased under one credential in one bucket of time (`start`: epoch seconds; `length`: seconds)."""

    lane: str = Field(primary_key=True)
    length: int = Field(primary_key=True)
    start: int = Field(primary_key=True)
    calls: int = 0
    writes: int = 0
    creations: int = 0


class Fact(SQLModel, table=True):
    """Something learnt about a system that outlives the process, such as whether its external key sticks."""

    system: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    value: Any = Field(default=None, sa_type=Json, nullable=True)


class LeaseRow(SQLModel, table=True):
    """Who works on what `key` names (a CRM), under the number `epoch`, which grows with each holder and never repeats.

    In force until `until`, by the database's time, and its last request may be under way for `deadline` seconds more.
    """

    __tablename__ = "leases"
    key: str = Field(primary_key=True)
    holder: str = ""
    epoch: int = 0
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """None: ended by its holder, with nothing under way."""
    deadline: float = 0.0


def _widen() -> None:
    """Numbers have 64 bits in any database, as they have in SQLite, where a key has to be a plain INTEGER for that."""
    for table in SQLModel.metadata.tables.values():
        for column in table.columns:
            if type(column.type) is Integer:
                column.type = BigInteger().with_variant(Integer(), "sqlite")


_widen()
