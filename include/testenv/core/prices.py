"""What is paid for what is used, `include/catalog/prices.yaml`: list prices, so a sum is an estimate and no invoice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from testenv.core.catalog import CATALOG, read, validated

FILE = CATALOG / "prices.yaml"
HOUR = 3600


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Emr(_Frozen):
    """EMR Serverless: a worker's vCPU brings `gb_per_vcpu` of memory along."""

    vcpu_hour: float = Field(gt=0)
    gb_hour: float = Field(gt=0)
    gb_per_vcpu: float = Field(gt=0)
    source: str = Field(pattern="^https://")

    @property
    def hour(self) -> float:
        """An hour of one vCPU with its memory."""
        return self.vcpu_hour + self.gb_hour * self.gb_per_vcpu


class Fargate(_Frozen):
    """Fargate: a task of `vcpu` and `gb`, which is charged for `minimum_seconds` at least."""

    vcpu_hour: float = Field(gt=0)
    gb_hour: float = Field(gt=0)
    vcpu: float = Field(gt=0)
    gb: float = Field(gt=0)
    minimum_seconds: int = Field(ge=0)
    source: str = Field(pattern="^https://")

    @property
    def hour(self) -> float:
        """An hour of one task."""
        return self.vcpu_hour * self.vcpu + self.gb_hour * self.gb


class Snowflake(_Frozen):
    """Snowflake: a running warehouse takes `credits_per_hour`, whatever it does."""

    credit: float = Field(gt=0)
    credits_per_hour: float = Field(gt=0)
    source: str = Field(pattern="^https://")

    @property
    def hour(self) -> float:
        """An hour of one warehouse."""
        return self.credit * self.credits_per_hour


@dataclass(frozen=True)
class Usage:
    """What something took: CPU seconds of Spark, seconds that a warehouse ran, seconds of orchestrators' tasks."""

    spark_cpu_seconds: float = 0.0
    warehouse_seconds: float = 0.0
    task_seconds: float = 0.0


class Prices(_Frozen):
    """List prices of a day, in dollars."""

    as_of: date
    emr: Emr
    fargate: Fargate
    snowflake: Snowflake

    def dollars(self, usage: Usage) -> float:
        """What `usage` costs. A CPU second here is taken for a vCPU second there."""
        task = max(usage.task_seconds, self.fargate.minimum_seconds) if usage.task_seconds else 0.0
        sums = (
            usage.spark_cpu_seconds * self.emr.hour,
            usage.warehouse_seconds * self.snowflake.hour,
            task * self.fargate.hour,
        )
        return round(sum(sums) / HOUR, 6)


def load_prices(file: Path = FILE) -> Prices:
    """The catalogue's prices. Raises `InvalidCatalog`."""
    return validated(Prices, read(file), file)
