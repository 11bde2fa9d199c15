"""The ledger's tables. Changes to them are migrations in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, DateTime, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

environments = Table(
    "environments",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("env_id", String(24), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("run_id", String(250), nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("ready_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("reason", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("moved_by", String(250)),
    comment="One row for every life of an environment; an id may live again after its environment ended.",
)
Index("ix_environments_env_id", environments.c.env_id)
Index("ix_environments_state", environments.c.state, environments.c.kind)
Index(
    "uq_environments_living",
    environments.c.env_id,
    unique=True,
    postgresql_where=environments.c.ended_at.is_(None),
)

steps = Table(
    "steps",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("life", BigInteger, ForeignKey("environments.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("action", String(8), nullable=False),
    Column("system", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("status", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("planned_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("error", Text),
    comment="planned before it is applied, then applied or failed; void when a later plan has no use for it.",
)
Index("ix_steps_life", steps.c.life, steps.c.action, steps.c.system)

kept = Table(
    "kept",
    metadata,
    Column("life", BigInteger, ForeignKey("environments.id", ondelete="CASCADE"), primary_key=True),
    Column("thing", Text, primary_key=True),
    Column("since", DateTime(timezone=True), nullable=False),
    comment="What outlives an environment's move to another dataset version, as SYSTEM:NAME.",
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("life", BigInteger, ForeignKey("environments.id", ondelete="CASCADE"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("state", String(16), nullable=False),
    Column("text", Text, nullable=False),
    comment="What happened to an environment, in words.",
)
Index("ix_events_life", events.c.life)
