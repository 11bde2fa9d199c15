"""How long a lease lasts without a sign of life, and how long what has ended is kept. Data in catalog/upkeep.yaml."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from testenv.core.catalog import CATALOG, read, validated
from testenv.core.lifecycle import WAITING, WORKING, State


class Leases(BaseModel):
    """Seconds that a lease lasts, by what its holder does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    waiting: int = Field(ge=10)
    working: int = Field(ge=60)


class Upkeep(BaseModel):
    """What reaping goes by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lease_seconds: Leases
    retention_days: int = Field(ge=1)

    def lease(self, state: State, now: datetime) -> datetime | None:
        """Until when a sign of life counts in `state`; `None` where no one has to give any."""
        if state in WAITING:
            return now + timedelta(seconds=self.lease_seconds.waiting)
        return now + timedelta(seconds=self.lease_seconds.working) if state in WORKING else None

    def kept_since(self, now: datetime) -> datetime:
        """What is older is no longer kept."""
        return now - timedelta(days=self.retention_days)


def load_upkeep(file: Path = CATALOG / "upkeep.yaml") -> Upkeep:
    """The catalogue's bounds. Raises `InvalidCatalog`."""
    return validated(Upkeep, read(file), file)
