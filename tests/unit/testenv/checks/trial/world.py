"""A trial that holds frames: what each output was at each moment, without an environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa

from testenv.checks.diff import ArrowTable, Table, fingerprint
from testenv.checks.impact.trees import tree_of
from testenv.checks.release import Release, Tree
from testenv.checks.trial.record import Output, Record, Run, State
from testenv.core.contract import Contract, Field, Store, Tolerance
from testenv.core.errors import NotFound
from testenv.core.pipelines import Archetype, Criticality, Pipeline

DAY = "2026-01-02T00:00:00Z"
PAYMENTS = "snowflake:RAW.PAYMENTS"
LAKE = "s3:lake/raw/payments/interval=20260102T000000/"

Frames = Mapping[str, pl.DataFrame]


def table(frame: pl.DataFrame) -> Table:
    """A table of the frame's rows."""
    found: pa.Table = frame.to_arrow()

    def read(columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        yield from (found if columns is None else found.select(list(columns))).to_batches()

    return ArrowTable(found.schema, read)


@dataclass
class FrameTrial:
    """`release.Trial` of frames: moment → output → rows."""

    moments: Mapping[str, Frames]
    runs: tuple[Run, ...] = ()
    error: str = ""
    writers: Mapping[str, str] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        return Record(
            env_id="ci-a",
            dataset="seed-1",
            intervals={"payments_daily": (DAY,)},
            runs=self.runs,
            states=tuple(State(moment=name, outputs=self._outputs(each)) for name, each in self.moments.items()),
            emulated=("Snowflake: frames",),
            error=self.error,
        )

    def _outputs(self, frames: Frames) -> tuple[Output, ...]:
        return tuple(
            Output(
                store=Store(id_.partition(":")[0]),
                name=id_.partition(":")[2],
                fingerprint=fingerprint(table(frame)),
                writers=(self.writers.get(id_, "payments_daily"),),
                tasks=("payments_daily.load_payments",),
            )
            for id_, frame in sorted(frames.items())
        )

    def table(self, moment: str, store: Store, name: str) -> Table:
        try:
            return table(self.moments[moment][f"{store}:{name}"])
        except KeyError:
            raise NotFound(f"{store}:{name} at {moment}") from None

    def query(self, sql: str) -> list[dict[str, Any]]:
        raise AssertionError(f"no check of moments asks the warehouse: {sql}")


def rows(*values: tuple[int, float, str]) -> pl.DataFrame:
    """Payments: id, amount, and when they were loaded."""
    schema = {"PAYMENT_ID": pl.Int64, "AMOUNT": pl.Float64, "LOADED_AT": pl.String}
    return pl.DataFrame(list(values), schema=schema, orient="row")


GOOD = rows((1, 10.0, "a"), (2, 20.0, "a"), (3, 30.0, "a"))


def contract(*, ignored: str = "", tolerance: Tolerance | None = None, differences: Any = None) -> Contract:
    """Of the table of payments."""
    return Contract(
        id="snowflake.RAW.PAYMENTS",
        version="1.0.0",
        store=Store.SNOWFLAKE,
        name="RAW.PAYMENTS",
        owner="payments",
        fields=(
            Field(path="PAYMENT_ID", type="integer", primary_key=True),
            Field(path="AMOUNT", type="number", tolerance=tolerance),
            Field(path="LOADED_AT", type="string", ignored=ignored == "LOADED_AT"),
        ),
        options={"differences": differences} if differences else {},
    )


def run(moment: str, side: Any = "head", state: Any = "success", **more: Any) -> Run:
    return Run(pipeline="payments_daily", logical_date=DAY, side=side, moment=moment, state=state, **more)


def pipeline(id_: str = "payments_daily", **more: Any) -> Pipeline:
    """A batch pipeline from Postgres, unless said otherwise."""
    from datetime import timedelta

    usual = {
        "owner": "payments",
        "archetype": Archetype.POSTGRES,
        "schedule": "@daily",
        "sla": timedelta(hours=1),
        "criticality": Criticality.HIGH,
        "inputs": ("postgres.payments",),
        "outputs": ("snowflake.RAW.PAYMENTS",),
    }
    return Pipeline.model_validate({**usual, **more, "id": id_})


def release(trial: FrameTrial | None, held: Contract | None = None, **pipelines: Pipeline) -> Release:
    """A release with one contract on both sides."""
    held = held or contract()
    tree = Tree("ref", tree_of({}), contracts={held.id: held})
    return Release(tree, tree, pipelines=pipelines or {"payments_daily": pipeline()}, trial=trial)
