"""Moves to another dataset version: who moves an environment, and what its owner has marked as kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("environments", sa.Column("moved_by", sa.String(250)))
    op.create_table(
        "kept",
        sa.Column("life", sa.BigInteger, sa.ForeignKey("environments.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("thing", sa.Text, primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("kept")
    op.drop_column("environments", "moved_by")
