"""What a dataset version must reach: `include/catalog/evidence.yaml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    """Bounds of one column, or of all of a semantic type, and why they differ."""

    contract: str = ""
    path: str = ""
    semantic_type: str = ""
    because: str = Field(min_length=10)
    nulls: float | None = None
    shape: float | None = None
    psi: float | None = None
    fanout: float | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Override:
        if bool(self.semantic_type) == bool(self.contract and self.path):
            raise ValueError("name a contract and a path, or a semantic_type")
        return self


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

    def of(self, contract: str, path: str, semantic_type: str = "") -> Bounds:
        """Bounds of a column: its own go before its semantic type's, and those before everyone's."""
        bounds = self.fidelity
        for each in sorted(self.overrides, key=lambda each: not each.semantic_type):
            if (each.contract, each.path) == (contract, path) or each.semantic_type == semantic_type != "":
                own = each.model_dump(include=set(Bounds.model_fields), exclude_none=True)
                bounds = bounds.model_copy(update=own)
        return bounds


def load_thresholds(file: Path = FILE) -> Thresholds:
    """Raises `InvalidCatalog` naming the file, the key and what was got."""
    return validated(Thresholds, read(file), file)
