"""A trial goes on where what was disturbed at once differs; what it does anew takes the place of what was before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.testenv.checks.trial.test_plan import PAYMENTS, STREAM

from testenv.checks.diff import Fingerprint
from testenv.checks.trial.plan import Runs, Subject, make_plan
from testenv.checks.trial.record import Output, Run, State
from testenv.core.contract import Store
from testenv_airflow.orchestrator.memory import Memory
from testenv_airflow.orchestrator.trial import _Trial
from testenv_airflow.orchestrator.trial_run import Report
from testenv_airflow.orchestrator.trial_step import OutOfTime

WRITERS = {"RAW.PAYMENTS": "payments", "RAW.EVENTS": "stream", "RAW.SILENT": "stream"}


class World:
    """Stands in for what runs DAGs and for what records: outputs are others, the `spoiled` ones, at these moments."""

    def __init__(
        self, spoiled: Mapping[str, Collection[str]], no_time_for: str = "none", failing: Collection[str] = ()
    ) -> None:
        self.spoiled, self.no_time_for, self.failing = spoiled, no_time_for, failing
        self.recorded: list[str] = []

    def record(self, moment: str, ran: Collection[str], tasks: Mapping[str, tuple[str, ...]]) -> State:
        self.recorded.append(moment)
        outputs = [
            Output(
                store=Store.SNOWFLAKE,
                name=name,
                fingerprint=Fingerprint("rows", 7 if name in self.spoiled.get(moment, ()) else 3, 0),
                writers=(writer,),
            )
            for name, writer in WRITERS.items()
        ]
        return State(moment=moment, outputs=tuple(outputs))

    def reset(self) -> None:
        self.recorded.append("reset")

    def restore(self) -> None:
        self.recorded.append("memory restored")

    def take(self, step: Runs) -> Iterator[tuple[Run, Report]]:
        self.recorded.append(f"ran {step.moment}")
        for run in step.runs:
            where = {"side": step.side, "moment": run.moment or step.moment, "log": f"{len(self.recorded)}"}
            ended = "failed" if where["moment"] in self.failing else "success"
            killed = {"state": "killed", "killed_at": run.kill_at} if run.kill_at else {"state": ended}
            yield Run(pipeline=run.pipeline, logical_date=run.logical_date, **where, **killed), Report("success")
        if step.moment == self.no_time_for:
            raise OutOfTime("too long")


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world is also what its Airflow remembers."""

    def of_now(world: World) -> World:
        world.recorded.append("memory taken")
        return world

    monkeypatch.setattr(Memory, "of_now", of_now)


def tried(world: World, *feeding: Subject) -> Any:
    plan = make_plan("ci-a", "seed-1", [PAYMENTS, STREAM], {}, feeding=feeding)
    trial: Any = _Trial(SimpleNamespace(home=world), plan, None, Path())  # type: ignore[arg-type]
    trial._recorder = trial._step = world
    trial._go()
    return trial


def test_what_airflow_remembers_is_taken_at_the_start_once_what_feeds_the_trial_has_run() -> None:
    tried(world := World({}), Subject("accounts", PAYMENTS.intervals[:1]))
    assert world.recorded[:4] == ["ran start", "start", "memory taken", "ran base"]
    for at, each in enumerate(world.recorded):
        if each == "reset":
            assert world.recorded[at + 1] == "memory restored"


def test_where_nothing_differs_both_moments_are_the_state_of_one_pass() -> None:
    trial = tried(world := World({}))
    assert world.recorded[-1] == "disturbed"
    states = trial._states
    assert states["crashed"].moment == "crashed" and states["crashed"].outputs == states["backfill"].outputs
    assert {run.moment for run in trial._runs if run.pipeline == "stream"} == {"base", "head", "again", "crashed"}


@pytest.mark.parametrize(
    ("table", "moment", "other"), [("RAW.PAYMENTS", "backfill", "crashed"), ("RAW.EVENTS", "crashed", "backfill")]
)
def test_what_differs_is_disturbed_apart_and_that_is_what_counts(table: str, moment: str, other: str) -> None:
    trial = tried(world := World({"disturbed": [table]}))
    assert world.recorded[-1] == moment, "as it does not differ there, no way is tried alone"
    head, apart = trial._states["head"], trial._states[moment]
    assert apart.outputs == head.outputs
    anew = {run.log for run in trial._runs if run.moment == moment}
    assert len(anew) == 1 and anew != {run.log for run in trial._runs if run.moment == other}, "the first ones are gone"


POINTS = [f"crashed/{point}" for point in ("before-offsets", "after-offsets", "before-commit", "after-commit")]


def alone(world: World) -> list[str]:
    tried(world)
    return [each for each in world.recorded if each.startswith("crashed/")]


def test_what_differs_apart_too_is_disturbed_in_each_way_alone() -> None:
    assert alone(World({"disturbed": ["RAW.EVENTS"], "crashed": ["RAW.EVENTS"]})) == POINTS


def test_no_further_way_is_tried_once_all_that_differs_has_shown_alone() -> None:
    both = ["RAW.EVENTS", "RAW.SILENT"]
    spoiled = {"disturbed": both, "crashed": both, "crashed/before-offsets": ["RAW.EVENTS"]}
    assert alone(World(spoiled)) == POINTS, "one of the two has not shown"
    assert alone(World(spoiled | {"crashed/after-offsets": ["RAW.SILENT"]})) == POINTS[:2]


def test_a_run_that_fails_when_all_is_at_once_is_looked_for_until_it_fails_alone() -> None:
    failing = ("crashed", "crashed/after-offsets")
    assert alone(World({"disturbed": ["RAW.EVENTS"]}, failing=failing)) == POINTS[:2]


def test_where_time_runs_out_for_a_way_alone_the_rest_is_judged_and_its_half_is_forgotten() -> None:
    world = World({"disturbed": ["RAW.EVENTS"], "crashed": ["RAW.EVENTS"]}, no_time_for="crashed/after-offsets")
    moments = {run.moment for run in tried(world)._runs}
    assert "crashed/before-offsets" in moments and "crashed/after-offsets" not in moments


def test_where_time_runs_out_before_kinds_were_disturbed_apart_nothing_is_judged() -> None:
    with pytest.raises(OutOfTime):
        tried(World({"disturbed": ["RAW.EVENTS"]}, no_time_for="crashed"))
