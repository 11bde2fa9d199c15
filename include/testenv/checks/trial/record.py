"""What a trial leaves: every run, and every output at every moment."""

from __future__ import annotations

from collections.abc import Iterator
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


Side = Literal["base", "head"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Run(_Frozen):
    """One run of a DAG: `state` is success, failed or killed (by the trial, at the point `killed_at`).

    `moment` is the one that it leads to. `cpu_seconds` are its own processes', Spark's included where they are known.
    `log` is where its log stands, below the environment's artifacts.
    """

    pipeline: str
    logical_date: str
    side: Side
    moment: str
    state: Literal["success", "failed", "killed"]
    killed_at: str = ""
    error: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    log: str = ""


class Output(_Frozen):
    """A table, a folder of files or a topic as it was at a moment.

    `name` is `SCHEMA.TABLE` as Snowflake spells it, the folder below the environment prefix (`lake/raw/payments/`), or
    the topic without the environment's prefix. `dataset` is its contract's id; empty where no contract speaks of it.
    `writers` are the pipelines whose runs changed it on the way to the moment, `tasks` theirs, where it is known.
    """

    store: Store
    name: str
    dataset: str = ""
    fingerprint: Fingerprint
    writers: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """`snowflake:RAW.PAYMENTS`."""
        return f"{self.store}:{self.name}"


class State(_Frozen):
    """All outputs at a moment. The name is a `Moment`, or `backfill/shuffled` for one disturbance alone."""

    moment: str
    outputs: tuple[Output, ...]


class Record(_Frozen):
    """The whole trial. `intervals`: pipeline → the logical dates that were run, oldest first; `emulated`: stand-ins."""

    env_id: str
    dataset: str
    intervals: dict[str, tuple[str, ...]]
    runs: tuple[Run, ...]
    states: tuple[State, ...]
    emulated: tuple[str, ...] = ()

    def state(self, moment: str) -> State | None:
        """All outputs at `moment`; None if the trial did not come there."""
        return next((each for each in self.states if each.moment == moment), None)

    def failed(self, side: Side) -> Iterator[Run]:
        """Runs of a side that failed by themselves."""
        return (run for run in self.runs if run.side == side and run.state == "failed")
