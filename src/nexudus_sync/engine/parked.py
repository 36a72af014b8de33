"""What a create could not carry over: shown as failures of the new pair, and foreseen by a rehearsal."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session

from nexudus_sync.engine.bridge import Bridge
from nexudus_sync.mapping import Field
from nexudus_sync.store import failures


@dataclass(slots=True)
class Parked:
    """A field a create could not carry. `accept`: it counts as seen all the same."""

    field: Field
    kind: str
    reason: str
    accept: bool = False


def show_parked(session: Session, bridge: Bridge, parked: Iterable[Parked], nexudus_id: str, crm_id: str) -> None:
    """Show what a create could not carry, where a rule or the other side held it back."""
    for held in parked:
        if held.kind:
            failures.open_failure(
                session,
                connection=bridge.name,
                kind=held.kind,
                field=held.field.name,
                reason=held.reason,
                nexudus_id=nexudus_id,
                crm_id=crm_id,
                now=bridge.clock.now(),
            )


def foresee(bridge: Bridge, parked: Iterable[Parked], nexudus_id: str, crm_id: str) -> None:
    """In a rehearsal: what would wait for people after a create. The counterpart has no id yet."""
    with bridge.store.session() as session:
        failures.solve_failures(session, bridge.name, nexudus_id, crm_id)
        show_parked(session, bridge, parked, nexudus_id, crm_id)
