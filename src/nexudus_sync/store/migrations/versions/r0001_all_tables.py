"""The first release's tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _column(
    kind: type[sa.types.TypeEngine[Any]], name: str, *, null: bool = False, key: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=null, primary_key=key)


def _texts(*names: str, null: bool = False, key: bool = False) -> list[sa.Column[Any]]:
    return [_column(sa.String, name, null=null, key=key) for name in names]


def _json(*names: str, null: bool = False) -> list[sa.Column[Any]]:
    return [_column(sa.Text, name, null=null) for name in names]


def _moments(*names: str, null: bool = False) -> list[sa.Column[Any]]:
    return [_column(sa.DateTime, name, null=null) for name in names]


def _flags(*names: str) -> list[sa.Column[Any]]:
    return [_column(sa.Boolean, name) for name in names]


def _numbers(*names: str, null: bool = False, key: bool = False) -> list[sa.Column[Any]]:
    return [_column(sa.Integer, name, null=null, key=key) for name in names]


def upgrade() -> None:
    """Make every table."""
    _connections()
    _links()
    _writes()
    _questions()
    _decisions()
    _budget()


def _connections() -> None:
    op.create_table(
        "connection_state",
        *_texts("name", key=True),
        *_texts("crm"),
        *_texts("nexudus_cursor", "crm_cursor", null=True),
        *_moments("backfilled_at", null=True),
        *_texts("create_since", null=True),
        *_moments("last_success", "last_reconcile", null=True),
        *_numbers("cycles"),
        *_texts("mapping_digest"),
        *_json("mapped_paths"),
    )


def _links() -> None:
    op.create_table(
        "link",
        *_numbers("id", key=True),
        *_texts("crm", "connection", "nexudus_id", "crm_id", "crm_identity", "state"),
        *_texts("closed_reason", null=True),
        *_texts("nexudus_stamp", "crm_stamp", "nexudus_digest", "crm_digest"),
        *_moments("nexudus_changed_at", "crm_changed_at", null=True),
        *_flags("nexudus_recheck", "crm_recheck"),
        *_moments("crm_children_at", null=True),
        *_flags("is_lost"),
        *_json("bounces"),
        *_moments("created_at"),
        *_moments("verified_at", null=True),
        *_json("nexudus_snapshot", "crm_snapshot"),
        sa.UniqueConstraint("crm", "nexudus_id", name="uq_link_nexudus"),
        sa.UniqueConstraint("crm", "crm_id", "crm_identity", name="uq_link_crm"),
    )
    op.create_index("ix_link_connection", "link", ["connection", "state"])
    op.create_table(
        "unlinked",
        *_texts("connection", "side", "record_id", key=True),
        *_texts("identity", "stamp", "digest"),
        *_flags("recheck"),
        *_texts("email", "title", null=True),
        *_flags("is_open"),
        *_texts("external_key", null=True),
        *_moments("created_at", null=True),
        *_texts("state"),
        *_texts("reason", null=True),
    )
    op.create_index("ix_unlinked_email", "unlinked", ["connection", "side", "email"])


def _writes() -> None:
    op.create_table(
        "journal",
        *_numbers("id", key=True),
        *_texts("connection", "side", "kind"),
        *_numbers("link_id", null=True),
        *_texts("nexudus_id", "crm_id"),
        *_json("step", "fields"),
        *_texts("state"),
        *_moments("planned_at"),
        *_moments("sent_at", "done_at", null=True),
        *_numbers("looks"),
        *_texts("outcome", null=True),
    )
    op.create_index("ix_journal_state", "journal", ["state", "connection"])
    op.create_table(
        "history",
        *_numbers("id", key=True),
        *_moments("at"),
        *_texts("connection", "field"),
        *_json("old", "new", "lost", null=True),
        *_texts("from_side", "nexudus_id", "crm_id"),
    )
    op.create_index("ix_history_record", "history", ["nexudus_id", "crm_id"])


def _questions() -> None:
    op.create_table(
        "conflict",
        *_numbers("id", key=True),
        *_texts("connection"),
        *_numbers("link_id", null=True),
        *_texts("nexudus_id", "crm_id", "field"),
        *_json("base", "nexudus", "crm", null=True),
        *_texts("state"),
        *_texts("take", "reason", null=True),
        *_moments("opened_at"),
        *_moments("closed_at", null=True),
    )
    op.create_table(
        "failure",
        *_numbers("id", key=True),
        *_texts("connection", "kind", "field", "reason", "nexudus_id", "crm_id"),
        *_numbers("attempts"),
        *_texts("state"),
        *_moments("first_at", "last_at"),
        *_moments("next_attempt", null=True),
    )
    for table in ("conflict", "failure"):
        op.create_index(f"ix_{table}_state", table, ["state", "connection"])
        op.create_index(f"ix_{table}_record", table, ["nexudus_id", "crm_id"])
        op.create_index(f"ix_{table}_crm_record", table, ["crm_id"])


def _decisions() -> None:
    op.create_table(
        "decision",
        *_numbers("id", key=True),
        *_texts("connection", "kind"),
        *_json("args"),
        *_moments("asked_at"),
        *_moments("done_at", null=True),
        *_texts("outcome", null=True),
    )
    op.create_table(
        "brake",
        *_numbers("id", key=True),
        *_texts("connection", "name", "evidence", "state"),
        *_moments("set_at"),
        *_moments("released_at", null=True),
    )


def _budget() -> None:
    op.create_table(
        "spent",
        *_texts("lane", key=True),
        *_numbers("length", "start", key=True),
        *_numbers("calls", "writes", "creations"),
    )
    op.create_table("fact", *_texts("system", "key", key=True), *_json("value", null=True))
