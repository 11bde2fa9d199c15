"""A plan names every run beforehand, in an order that lineage allows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.testenv.checks.trial.world import contract, pipeline

from testenv.checks.trial.plan import (
    KILL_POINTS,
    Plan,
    Record,
    Reset,
    Run,
    Runs,
    Subject,
    make_plan,
    shuffled,
    subjects,
)
from testenv.core.contract import Tolerance
from testenv.core.errors import InvalidCatalog
from testenv.core.pipelines import Archetype

DATES = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
PAYMENTS = Subject("payments", DATES, frozenset({"postgres.payments"}), frozenset({"snowflake.RAW.PAYMENTS"}))
CARDS = Subject("cards", DATES, frozenset({"postgres.cards"}), frozenset({"snowflake.RAW.CARDS"}))
DBT = Subject("dbt", DATES)
STREAM = Subject("stream", DATES[:2], frozenset({"kafka.events"}), frozenset({"snowflake.RAW.EVENTS"}), streaming=True)


def plan_of(*chosen: Subject) -> Plan:
    return make_plan("ci-a", "seed-1", chosen, {})


def names(plan: Plan) -> list[str]:
    return [f"{step.do} {getattr(step, 'moment', '')}".strip() for step in plan.steps]


def runs_to(plan: Plan, moment: str) -> tuple[Run, ...]:
    [found] = [step for step in plan.steps if isinstance(step, Runs) and step.moment == moment]
    return found.runs


def pairs(runs: tuple[Run, ...]) -> Iterator[tuple[Run, list[Run]]]:
    return ((run, [runs[at] for at in run.after]) for run in runs)


def test_a_batch_pipeline_runs_on_both_sides_from_the_same_start_and_then_again_and_disturbed() -> None:
    plan = plan_of(PAYMENTS)
    assert names(plan) == [
        "record start", "run base", "record base", "reset", "run head", "record head", "run again", "record again",
        "reset", "run backfill", "record backfill",
    ]  # fmt: skip
    assert [run.logical_date for run in runs_to(plan, "head")] == list(DATES)
    assert [run.logical_date for run in runs_to(plan, "again")] == [DATES[1]]
    assert plan.sides == {"base", "head"}


def test_what_feeds_it_runs_once_with_base_s_code_before_the_start_is_recorded() -> None:
    accounts = Subject("accounts", DATES[:1], frozenset({"postgres.accounts"}), frozenset({"snowflake.RAW.ACCOUNTS"}))
    plan = make_plan("ci-a", "seed-1", [CARDS], {}, feeding=[accounts])
    assert names(plan)[:3] == ["run start", "record start", "run base"]
    assert runs_to(plan, "start") == (Run(pipeline="accounts", logical_date=DATES[0]),)
    assert [each for each in plan.steps if isinstance(each, Runs)][0].side == "base"
    assert set(plan.intervals) == {"cards"}, "it is not tried"


def test_every_reset_comes_right_after_a_moment() -> None:
    plan = plan_of(PAYMENTS, STREAM, DBT)
    apart = [step for each in plan.alone for step in (*each.steps, *(step for one in each.then for step in one.steps))]
    for steps in (list(plan.steps), apart):
        for before, step in zip(steps, steps[1:], strict=False):
            assert not isinstance(step, Reset) or isinstance(before, Record)


def test_a_backfill_is_shuffled_in_slices_and_its_last_run_is_interrupted() -> None:
    runs = runs_to(plan_of(PAYMENTS), "backfill")
    assert sorted(run.logical_date for run in runs) == list(DATES)
    assert [run.logical_date for run in runs] != list(DATES)
    assert [run.interrupted for run in runs] == [False, False, True]
    assert [run.after for run in runs] == [(), (), (0, 1)]


def test_a_batch_pipeline_that_drains_a_topic_keeps_its_order_and_is_interrupted() -> None:
    nightly = Subject("nightly", DATES, frozenset({"kafka.events"}), frozenset({"snowflake.RAW.EVENTS"}))
    plan = plan_of(nightly)
    runs = runs_to(plan, "backfill")
    assert [run.logical_date for run in runs] == list(DATES) and [len(run.after) for run in runs] == [0, 1, 2]
    assert [run.interrupted for run in runs] == [False, False, True]
    assert [each.steps[-1].moment for each in plan.alone if isinstance(each.steps[-1], Record)] == [
        "backfill/interrupted"
    ]


def test_each_disturbance_is_tried_alone_where_the_backfill_differs() -> None:
    alone = {each.steps[-1].moment: each for each in plan_of(PAYMENTS).alone if isinstance(each.steps[-1], Record)}
    assert list(alone) == ["backfill/shuffled", "backfill/at-once", "backfill/interrupted"]
    found = {name: each.steps[1] for name, each in alone.items()}
    shuffle, at_once, cut = (step.runs for step in found.values() if isinstance(step, Runs))
    assert [run.after for run in shuffle] == [(), (0,), (0, 1)] and not any(run.interrupted for run in shuffle)
    assert [run.logical_date for run in at_once] == list(DATES) and at_once[1].after == ()
    assert [run.logical_date for run in cut] == list(DATES) and [run.interrupted for run in cut] == [False, False, True]


def test_a_disturbance_that_changes_nothing_is_not_tried() -> None:
    once = Subject("payments", DATES[:1], PAYMENTS.reads, PAYMENTS.writes)
    assert [each.steps[-1].moment for each in plan_of(once).alone if isinstance(each.steps[-1], Record)] == [
        "backfill/interrupted"
    ]


def test_what_is_shuffled_is_always_shuffled_alike_and_begins_with_the_newest() -> None:
    assert shuffled("payments", DATES) == shuffled("payments", DATES)
    assert all(shuffled(name, DATES)[0] == DATES[-1] and sorted(shuffled(name, DATES)) == list(DATES) for name in "abc")
    assert shuffled("a", DATES[:1]) == [DATES[0]] and shuffled("a", ()) == []


def test_what_reads_waits_for_what_writes_of_the_same_date_and_what_is_apart_waits_for_nothing() -> None:
    for run, after in pairs(runs_to(plan_of(DBT, PAYMENTS, CARDS), "head")):
        waits_for = {each.pipeline for each in after}
        if run.pipeline == "dbt":
            same = {each.pipeline for each in after if each.logical_date == run.logical_date}  # all have these dates
            assert {"payments", "cards"} <= same
        else:
            assert not waits_for & {"payments", "cards"} - {run.pipeline}


def test_what_reads_runs_last_wherever_its_intervals_lie() -> None:
    late = Subject("payments", ("2026-01-01T05:00:00Z", "2026-01-03T23:00:00Z"), PAYMENTS.reads, PAYMENTS.writes)
    for moment in ("head", "backfill", "again"):
        assert [run.pipeline for run in runs_to(plan_of(DBT, late), moment)][-1] == "dbt"
    assert [run.pipeline for run in runs_to(plan_of(DBT, late), "head")] == [
        "dbt",
        "payments",
        "dbt",
        "payments",
        "dbt",
    ]


def test_what_writes_one_table_never_goes_side_by_side() -> None:
    other = Subject("more_payments", DATES, PAYMENTS.reads, PAYMENTS.writes)
    for moment in ("head", "backfill"):
        runs = runs_to(plan_of(PAYMENTS, other), moment)
        for at, run in enumerate(runs):
            before = {number for number, each in enumerate(runs[:at]) if each.pipeline != run.pipeline}
            assert before <= set(run.after)


def test_a_stream_is_killed_at_every_point_in_one_chain_and_not_backfilled() -> None:
    plan = plan_of(STREAM)
    assert "run backfill" not in names(plan)
    runs = runs_to(plan, "crashed")
    assert [run.kill_at for run in runs] == [*KILL_POINTS, "", ""]
    assert [run.logical_date for run in runs] == [*[DATES[0]] * 5, DATES[1]]
    assert [len(run.after) for run in runs] == list(range(6))
    assert [each.steps[1].runs[0].kill_at for each in plan.alone if isinstance(each.steps[1], Runs)] == [*KILL_POINTS]


def test_batch_pipelines_and_streams_are_disturbed_at_once_and_streams_one_by_one() -> None:
    other = Subject("other", DATES[:1], frozenset({"kafka.other"}), frozenset({"snowflake.RAW.OTHER"}), streaming=True)
    plan = plan_of(PAYMENTS, STREAM, other, DBT)
    assert names(plan)[-3:] == ["reset", "run disturbed", "record disturbed"]
    last = plan.steps[-1]
    assert isinstance(last, Record) and last.of == ("backfill", "crashed"), "it is the state of both"
    runs = runs_to(plan, "disturbed")
    assert {(run.pipeline, run.moment) for run in runs} == {
        ("payments", "backfill"), ("dbt", "backfill"), ("stream", "crashed"), ("other", "crashed"),
    }  # fmt: skip
    assert [run.kill_at for run in runs if run.pipeline == "stream"] == [*KILL_POINTS, "", ""]
    assert [run.interrupted for run in runs if run.pipeline == "payments"] == [False, False, True]
    for at, (run, after) in enumerate(pairs(runs)):
        if run.pipeline == "payments":
            assert {each.pipeline for each in after} <= {"payments", "dbt"}, "no stream keeps it waiting"
        if run.moment == "crashed":
            streams = {number for number, each in enumerate(runs[:at]) if each.moment == "crashed"}
            assert streams <= set(run.after), "the point to kill at is the environment's"


def test_no_other_job_with_a_checkpoint_runs_while_a_kill_is_ordered() -> None:
    drains = Subject("nightly", DATES, frozenset({"kafka.clicks"}), frozenset({"snowflake.RAW.CLICKS"}))
    runs = runs_to(plan_of(PAYMENTS, STREAM, drains), "disturbed")
    for at, run in enumerate(runs):
        others = {
            number for number, each in enumerate(runs[:at]) if {each.pipeline, run.pipeline} == {"stream", "nightly"}
        }
        assert others <= set(run.after)


def test_where_what_was_disturbed_at_once_differs_each_kind_is_disturbed_apart_and_then_in_each_way_alone() -> None:
    plan = plan_of(PAYMENTS, STREAM)
    assert [(each.moment, each.pipelines) for each in plan.alone] == [
        ("backfill", ("payments",)), ("crashed", ("stream",)),
    ]  # fmt: skip
    backfill, crashed = plan.alone
    for apart, only in ((backfill, plan_of(PAYMENTS)), (crashed, plan_of(STREAM))):
        assert apart.steps == only.steps[-3:] and apart.then == only.alone


def test_a_stream_runs_in_the_backfill_of_what_reads_from_it_undisturbed() -> None:
    _, step, _ = plan_of(STREAM, DBT).alone[0].steps
    assert isinstance(step, Runs) and step.moments == {"backfill"}
    stream = [run for run in step.runs if run.pipeline == "stream"]
    assert [run.logical_date for run in stream] == list(STREAM.intervals) and not any(r.interrupted for r in stream)


def test_what_one_side_has_runs_on_that_side_alone() -> None:
    base, head = {"old": pipeline("old")}, {"new": pipeline("new", outputs=("snowflake.RAW.NEW",))}
    plan = plan_of(*subjects(["old", "new", "dbt"], base, head, {"old": DATES, "new": DATES, "dbt": DATES}))
    assert {run.pipeline for run in runs_to(plan, "base")} == {"old", "dbt"}
    assert {run.pipeline for run in runs_to(plan, "head")} == {"new", "dbt"}
    assert plan.upstream["dbt"] == ("new", "old")


def test_a_pipeline_that_is_gone_leaves_a_head_that_is_the_start() -> None:
    plan = plan_of(*subjects(["old"], {"old": pipeline("old")}, {}, {"old": DATES}))
    assert names(plan) == ["record start", "run base", "record base", "reset", "record head"]


def test_what_a_contract_allows_is_in_the_plan() -> None:
    lenient = contract(ignored="LOADED_AT", tolerance=Tolerance(absolute=1))
    assert make_plan("ci-a", "seed-1", [PAYMENTS], {lenient.id: lenient}).allowed == {
        "snowflake:RAW.PAYMENTS": ("AMOUNT", "LOADED_AT")
    }


def test_pipelines_that_read_from_each_other_are_refused() -> None:
    one = Subject("one", DATES, frozenset({"snowflake.B"}), frozenset({"snowflake.A"}))
    other = Subject("other", DATES, frozenset({"snowflake.A"}), frozenset({"snowflake.B"}))
    with pytest.raises(InvalidCatalog, match="one, other read from each other"):
        plan_of(one, other)


def test_a_plan_survives_being_written() -> None:
    plan = plan_of(PAYMENTS, STREAM, DBT)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_the_catalogue_says_what_streams() -> None:
    stream = pipeline("s", archetype=Archetype.KAFKA, streaming=True, inputs=("kafka.events",))
    [found] = subjects(["s"], {"s": stream}, {"s": stream}, {"s": DATES})
    assert found.streaming and found.reads == {"kafka.events"} and found.sides == {"base", "head"}
