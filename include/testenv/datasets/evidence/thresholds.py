"""What a dataset version must reach: `include/catalog/evidence.yaml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from testenv.core.catalog import CATALOG, read, validated

FILE = CATALOG / "evidence.yaml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Frozen):
    """Fidelity; the file says what each is."""

    nulls: float = Field(ge=0, le=1)
    shape: float = Field(ge=0, le=1)
    psi: float = Field(gt=0)
    fanout: float = Field(ge=0, le=1)
    orphans: int = Field(ge=0)
    least: int = Field(ge=1)


class Override(_Frozen):
    """Bounds of one column, and why they differ."""

    contract: str
    path: str
    because: str = Field(min_length=10)
    nulls: float | None = None
    shape: float | None = None
    psi: float | None = None
    fanout: float | None = None


class Reserved(_Frozen):
    """Values no person has."""

    email_domains: tuple[str, ...]
    pan_prefixes: tuple[str, ...]
    phones: tuple[str, ...] = ()
    ibans: tuple[str, ...] = ()


class Thresholds(_Frozen):
    """The whole file."""

    fidelity: Bounds
    overrides: tuple[Override, ...] = ()
    reserved: Reserved
    allowed: tuple[str, ...] = ()

    def of(self, contract: str, path: str) -> Bounds:
        """Bounds of a column."""
        for each in self.overrides:
            if (each.contract, each.path) == (contract, path):
                own = each.model_dump(exclude={"contract", "path", "because"}, exclude_none=True)
                return self.fidelity.model_copy(update=own)
        return self.fidelity


def load_thresholds(file: Path = FILE) -> Thresholds:
    """Raises `InvalidCatalog` naming the file, the key and what was got."""
    return validated(Thresholds, read(file), file)
