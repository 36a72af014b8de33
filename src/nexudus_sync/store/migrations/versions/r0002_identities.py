"""Links are told apart by the card's own identity, remember the moment of their stamps; brakes say what they are about.

The card of a link that ended because its id was given again stood under that id with the link's number behind it
("123~45"): it gets its id back. No card has the identity that such a link keeps instead.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENTS = ("nexudus_stamped_at", "crm_stamped_at", "nexudus_noted_at", "crm_noted_at")


def upgrade() -> None:
    """Add the columns, and put the ids right."""
    before = "crm_stamp"
    with op.batch_alter_table("link", recreate="always") as link:
        identity = sa.Column("nexudus_identity", sa.String(), nullable=False, server_default="")
        link.add_column(identity, insert_after="nexudus_id")
        for name in _MOMENTS:
            link.add_column(sa.Column(name, sa.DateTime(), nullable=True), insert_after=before)
            before = name
        link.drop_constraint("uq_link_nexudus", type_="unique")
        link.create_unique_constraint("uq_link_nexudus", ["crm", "nexudus_id", "nexudus_identity"])
    with op.batch_alter_table("brake") as brake:
        brake.add_column(sa.Column("links", sa.Text(), nullable=False, server_default="[]"))
        brake.add_column(sa.Column("judged", sa.Text(), nullable=False, server_default="{}"))
    _give_ids_back()


def _give_ids_back() -> None:
    link = sa.table("link", *(sa.column(name) for name in ("id", "nexudus_id", "nexudus_identity")))
    store = op.get_bind()
    for number, shown in store.execute(sa.select(link.c.id, link.c.nexudus_id).where(link.c.nexudus_id.contains("~"))):
        card, _, mark = str(shown).rpartition("~")
        if card and mark == str(number):
            values = {"nexudus_id": card, "nexudus_identity": f"~{number}"}
            store.execute(sa.update(link).where(link.c.id == number).values(**values))
