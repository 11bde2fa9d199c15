"""What a trial leaves: every run, and every output at every moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from testenv.checks.diff.fingerprint import Fingerprint
from testenv.core.contract import Store


class Moment(StrEnum):
    """A state of all outputs that the trial records."""

    START = "start"
    BASE = "base"
    HEAD = "head"
    AGAIN = "again"
    BACKFILL = "backfill"
    CRASHED = "crashed"
    DISTURBED = "disturbed"
    """Both of the two, in one pass: its state is told as theirs."""


Side = Literal["base", "head"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Run(_Frozen):
    """One run of a DAG: `state` is success, failed, killed (by the trial, at the point `killed_at`), or skipped.

    A run is skipped where it, or what it reads from, had failed before; `error` says what. `moment` is the one that it
    leads to. `cpu_seconds` are of its own processes, `spark_seconds` how long its Spark jobs ran. `log` is where its
    log stands, below the environment's artifacts.
    """

    pipeline: str
    logical_date: str
    side: Side
    moment: str
    state: Literal["success", "failed", "killed", "skipped"]
    killed_at: str = ""
    error: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    spark_seconds: float = 0.0
    log: str = ""


class Output(_Frozen):
    """A table, a folder of files or a topic as it was at a moment.

    `name` is `SCHEMA.TABLE` as Snowflake spells it, the folder below the environment prefix (`lake/raw/payments/`), or
    the topic without the environment's prefix. `dataset` is its contract's id; empty where no contract speaks of it.
    `writers` are the pipelines whose runs changed it on the way to the moment, `tasks` theirs, where it is known.
    `fingerprint` is of all columns, ignored ones too. `kept` is the moment of the copy that holds these rows, an
    earlier one where they are the same; empty where none was made.
    """

    store: Store
    name: str
    dataset: str = ""
    fingerprint: Fingerprint
    writers: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    kept: str = ""

    @property
    def id(self) -> str:
        """`snowflake:RAW.PAYMENTS`."""
        return f"{self.store}:{self.name}"


class State(_Frozen):
    """All outputs at a moment. The name is a `Moment`, or `backfill/shuffled` for one disturbance alone.

    `unbounded`: checkpoints, below the environment's prefix, of streams whose state nothing bounds; told at `head`.
    """

    moment: str
    outputs: tuple[Output, ...]
    unbounded: tuple[str, ...] = ()

    def output(self, id_: str) -> Output | None:
        """The output with this id; None if it was not there."""
        return next((each for each in self.outputs if each.id == id_), None)


class Record(_Frozen):
    """The whole trial. `intervals`: pipeline → the logical dates that were run, oldest first; `emulated`: stand-ins.

    `error` says why the trial did not come to its end; empty if it did. `seconds` and `cpu_seconds` are the trial's,
    those of its runs included.
    """

    env_id: str
    dataset: str
    intervals: dict[str, tuple[str, ...]]
    runs: tuple[Run, ...]
    states: tuple[State, ...]
    emulated: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def state(self, moment: str) -> State | None:
        """All outputs at `moment`; None if the trial did not come there."""
        return next((each for each in self.states if each.moment == moment), None)

    def ran(self, *moments: str) -> Iterator[Run]:
        """Runs on the way to moments, `backfill` standing for each of its disturbances too; not those skipped."""
        wanted = set(moments)
        return (run for run in self.runs if run.moment.partition("/")[0] in wanted and run.state != "skipped")

    def failed(self, side: Side) -> Iterator[Run]:
        """Runs of a side that failed by themselves."""
        return (run for run in self.runs if run.side == side and run.state == "failed")


def broken(runs: Iterable[Run], *moments: str) -> frozenset[str]:
    """Pipelines whose head did not come through all of its runs on the way to moments: what they left is half."""
    return frozenset(
        run.pipeline
        for run in runs
        if run.side == "head" and run.moment in moments and run.state in ("failed", "skipped")
    )
