"""Leases: until when the last sign of life of whoever works on an environment, or waits for one, counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("environments", sa.Column("lease_until", sa.DateTime(timezone=True)))
    # What is under way while this runs has never renewed a lease: it gets an hour to.
    op.execute(
        "UPDATE environments SET lease_until = now() + interval '1 hour' "
        "WHERE state IN ('requested', 'queued', 'provisioning', 'destroying')"
    )
    op.create_index("ix_environments_state", "environments", ["state", "kind"])


def downgrade() -> None:
    op.drop_index("ix_environments_state")
    op.drop_column("environments", "lease_until")
