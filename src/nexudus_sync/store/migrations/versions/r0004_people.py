"""What people look for and leave behind: the titles and customers of pairs, who changed and who decided, pauses."""

import simplejson
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TITLES = (("crm_snapshot", "title"), ("nexudus_snapshot", "Name"))
"""Where the shipped mappings have a pair's title; another one is learnt when the pair is next settled."""


def upgrade() -> None:
    """Add the columns, and name the pairs by what both sides last said."""
    with op.batch_alter_table("link") as link:
        for name in ("title", "customer", "nexudus_changed_by", "crm_changed_by"):
            link.add_column(sa.Column(name, sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("unlinked") as unlinked:
        unlinked.add_column(sa.Column("customer", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("conflict") as conflict:
        conflict.add_column(sa.Column("value", sa.Text(), nullable=True))
        conflict.add_column(sa.Column("decided_by", sa.String(), nullable=False, server_default=""))
        conflict.add_column(sa.Column("decided_at", sa.DateTime(), nullable=True))
    with op.batch_alter_table("connection_state") as state:
        state.add_column(sa.Column("paused_at", sa.DateTime(), nullable=True))
        state.add_column(sa.Column("paused_by", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("decision") as decision:
        decision.add_column(sa.Column("asked_by", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("brake") as brake:
        brake.add_column(sa.Column("released_by", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("history") as history:
        history.add_column(sa.Column("decided_by", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_history_connection", "history", ["connection", "id"])
    op.create_index("ix_link_names", "link", ["title", "customer", "nexudus_id"])
    _name_pairs()
    _name_askers()


def _name_pairs() -> None:
    columns = ("id", "title", *(snapshot for snapshot, _ in _TITLES))
    link, store = sa.table("link", *(sa.column(name) for name in columns)), op.get_bind()
    pairs = store.execute(sa.select(link.c.id, *(link.c[snapshot] for snapshot, _ in _TITLES))).all()
    for number, *snapshots in pairs:
        said = (simplejson.loads(text or "{}").get(key) for text, (_, key) in zip(snapshots, _TITLES, strict=True))
        title = next((one for one in said if isinstance(one, str) and one), "")
        if title:
            store.execute(sa.update(link).where(link.c.id == number).values(title=title))


def _name_askers() -> None:
    """Who asked for an undo stood among the facts."""
    fact = sa.table("fact", *(sa.column(name) for name in ("system", "key", "value")))
    decision, store = sa.table("decision", sa.column("id"), sa.column("asked_by")), op.get_bind()
    asked = fact.c.system == "undo asked by"
    for number, by in store.execute(sa.select(fact.c.key, fact.c.value).where(asked)).all():
        named = {"asked_by": str(simplejson.loads(by))}
        store.execute(sa.update(decision).where(decision.c.id == int(number)).values(named))
    store.execute(sa.delete(fact).where(asked))
