from datetime import datetime

from sqlmodel import Session

from nexudus_sync.mapping.sides import Side
from nexudus_sync.store import Store
from nexudus_sync.store.conflicts import open_conflict
from nexudus_sync.store.failures import open_failure
from nexudus_sync.store.journal import mark_sent, plan_write
from nexudus_sync.store.records import connection_state
from nexudus_sync.store.status import ConnectionStatus, connection_status
from nexudus_sync.store.tables import Brake, Link


def test_an_unknown_connection_has_nothing(any_store: Store) -> None:
    with any_store.read() as session:
        assert connection_status(session, "london") == ConnectionStatus("london", 0, 0, 0, 0, None, None)


def test_the_status_counts_what_is_active_open_and_without_outcome(any_store: Store, now: datetime) -> None:
    with any_store.session() as session:
        for connection in ("london", "paris"):
            fill(session, connection, now)
        connection_state(session, "london", "overplane").last_success = now
    with any_store.read() as session:
        assert connection_status(session, "london") == ConnectionStatus("london", 2, 1, 1, 2, now, "mass-delete")
        assert connection_status(session, "paris").last_success is None


def fill(session: Session, connection: str, now: datetime) -> None:
    ids = {"connection": connection, "nexudus_id": "1", "crm_id": "a"}
    for number, state in enumerate(("active", "active", "sleeping", "closed")):
        record = f"{connection}{number}"
        pair = {"nexudus_id": record, "crm_id": record}
        session.add(Link(crm="overplane", connection=connection, state=state, created_at=now, **pair))
    for field in ("title", "status"):
        conflict = open_conflict(session, **ids, field=field, base=None, nexudus="x", crm="y", now=now)
        failure = open_failure(session, **ids, field=field, kind="unmapped", reason="", now=now)
    conflict.state, failure.state = "resolved", "dismissed"
    writes = [plan_write(session, **ids, side=Side.CRM, kind="update", now=now) for _ in range(3)]
    session.flush()
    for write in writes[1:]:
        mark_sent(session, write.id, now)
    writes[2].state = "confirmed"
    for name, state in (("empty-side", "released"), ("mass-delete", "set"), ("mass-change", "gone")):
        session.add(Brake(connection=connection, name=name, evidence="", state=state, set_at=now))
