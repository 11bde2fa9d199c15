"""The catalogue of environment kinds: quotas, lifetimes, what they run on. Data in include/catalog/kinds.yaml."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from testenv.core.catalog import CATALOG, read, validated
from testenv.core.errors import InvalidCatalog
from testenv.core.naming import KIND_PREFIXES


class Kind(BaseModel):
    """One kind of environment. `lives` and `extendable_to` are hours from creation; `None` means no end.

    `follows` says whether its environments move to each new dataset version: `asked` leaves it to the request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str
    at_once: int = Field(ge=1, le=100)
    lives: int | None = Field(ge=1)
    extendable_to: int | None = Field(ge=1)
    over_quota: Literal["queue", "refuse"]
    dataset_tier: str
    follows: Literal["always", "asked", "never"]
    warehouse: str = Field(pattern=r"^TE_WH_[A-Z0-9_]+$")

    def expires(self, created: datetime, ttl_hours: int | None) -> datetime | None:
        """When an environment of this kind ends. `ttl_hours` asks for a shorter or longer life, within the bounds."""
        hours = self.lives if ttl_hours is None else ttl_hours
        return None if hours is None else created + timedelta(hours=hours)

    def moves(self, *, asked: bool) -> bool:
        """Whether an environment of this kind moves to each new dataset version; `asked` is what its request said."""
        return self.follows == "always" or (self.follows == "asked" and asked)


Kinds = dict[str, Kind]


def load_kinds(file: Path = CATALOG / "kinds.yaml") -> Kinds:
    """The catalogue of kinds. Raises `InvalidCatalog` naming the file, the key, what was got and what is allowed."""
    content = read(file)
    if not isinstance(content, dict) or set(content) != set(KIND_PREFIXES):
        got = sorted(content) if isinstance(content, dict) else type(content).__name__
        raise InvalidCatalog(f"{file.name}: must describe exactly the kinds {sorted(KIND_PREFIXES)}, got {got}")
    return {name: validated(Kind, entry, file, name) for name, entry in content.items()}
