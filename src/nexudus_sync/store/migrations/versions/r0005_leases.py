"""Who works on a CRM now: one lease a CRM, whose number grows each time it is taken."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table; a version that does not know it leaves it alone."""
    op.create_table(
        "leases",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=True),
        sa.Column("deadline", sa.Float(), nullable=False),
    )
