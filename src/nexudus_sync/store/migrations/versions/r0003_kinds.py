"""What the engine decides by stands in columns of its own: it read that out of sentences for people before.

An answer about a deletion that no cycle has carried out yet is asked for again, and what was refused is sent once more:
which edits and which fields those were was told in a sentence only.
"""

import re

import simplejson
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_OTHER = "another record"
"""What a question of version 0002 shows for the side that answers with another record."""


def upgrade() -> None:
    """Add the columns, and fill them from the sentences once."""
    with op.batch_alter_table("conflict") as conflict:
        conflict.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="field"))
        conflict.add_column(sa.Column("side", sa.String(), nullable=False, server_default=""))
        conflict.add_column(sa.Column("edits", sa.Text(), nullable=False, server_default="{}"))
    with op.batch_alter_table("journal") as journal:
        journal.add_column(sa.Column("not_found", sa.Boolean(), nullable=False, server_default=sa.false()))
        journal.add_column(sa.Column("refused", sa.Text(), nullable=False, server_default="[]"))
    with op.batch_alter_table("brake") as brake:
        brake.add_column(sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
    _name_kinds()
    _give_up()
    _count_links()
    _name_keys()


def _name_kinds() -> None:
    names = ("id", "field", "reason", "link_id", "nexudus", "crm", "kind", "side")
    conflict = sa.table("conflict", *(sa.column(name) for name in names))
    store, c = op.get_bind(), conflict.c
    record = c.field == "record"
    for kind, those in (
        ("overwritten", sa.and_(~record, c.reason.startswith("overwritten"))),
        ("match", sa.and_(record, c.link_id.is_(None))),
        ("deleted", sa.and_(record, c.link_id.is_not(None))),
        ("another-record", sa.and_(c.kind == "deleted", sa.or_(c.nexudus.contains(_OTHER), c.crm.contains(_OTHER)))),
    ):
        store.execute(sa.update(conflict).where(those).values(kind=kind))
    for side, column in (("nexudus", c.nexudus), ("crm", c.crm)):
        shows = sa.or_(
            sa.and_(c.kind == "deleted", column.contains("edited")),
            sa.and_(c.kind == "another-record", column.contains(_OTHER)),
        )
        store.execute(sa.update(conflict).where(shows).values(side=side))


def _give_up() -> None:
    journal = sa.table("journal", sa.column("outcome"), sa.column("not_found"))
    given_up = sa.update(journal).where(journal.c.outcome.startswith("not found"))
    op.get_bind().execute(given_up.values(not_found=True))


def _count_links() -> None:
    brake = sa.table("brake", *(sa.column(name) for name in ("id", "evidence", "size")))
    store = op.get_bind()
    for number, evidence in store.execute(sa.select(brake.c.id, brake.c.evidence)).all():
        found = re.search(r"\d+", evidence.partition("lists nothing")[2] or evidence)  # a system's name may have digits
        size = 0 if found is None else int(found[0])
        store.execute(sa.update(brake).where(brake.c.id == number).values(size=size))


def _name_keys() -> None:
    """Of creates: the external key among what was sent."""
    journal = sa.table("journal", *(sa.column(name) for name in ("id", "connection", "side", "kind", "step")))
    state = sa.table("connection_state", sa.column("name"), sa.column("crm"))
    store, c = op.get_bind(), journal.c
    crms = {name: crm for name, crm in store.execute(sa.select(state.c.name, state.c.crm))}  # noqa: C416  a row is no tuple
    creates = sa.select(c.id, c.connection, c.side, c.step).where(c.kind == "opportunity.create")
    for number, connection, side, text in store.execute(creates).all():
        step = simplejson.loads(text, use_decimal=True)
        source = crms.get(connection, "") if side == "nexudus" else "nexudus"
        sent = step.get("payload", {}).get("body", {}).values()
        step["key"] = next((one for one in sent if isinstance(one, str) and one.startswith(f"{source}:")), "")
        written = simplejson.dumps(step, use_decimal=True)
        store.execute(sa.update(journal).where(c.id == number).values(step=written))
