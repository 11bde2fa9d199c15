"""`plan` is the difference between what shall be and what is, in an order that works."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from testenv.core.dataset import Dataset, Topic
from testenv.core.naming import EnvId, owner_of
from testenv.core.plan import desired, in_order, plan
from testenv.core.resources import Action, Resource, Step, System
from testenv.core.spec import EnvironmentSpec, OnFailure

DATASET = Dataset(
    version="seed-1a2b3c4d",
    files={"landing/a.json": "00"},
    postgres={"customers": 3},
    snowflake={"RAW.PAYMENTS": 2},
    topics=(Topic(name="card_events", partitions=3, records=4),),
)


def spec(env_id: str = "sbx-a") -> EnvironmentSpec:
    return EnvironmentSpec(
        env_id=EnvId(env_id),
        kind="sandbox",
        owner="ada",
        ref="working-tree",
        dataset=DATASET.version,
        ttl_hours=None,
        on_failure=OnFailure.DESTROY,
        warehouse="TE_WH_SANDBOX",
    )


WANTED = desired(spec(), DATASET)
subsets = st.sets(st.sampled_from(sorted(WANTED)))


def test_every_desired_resource_belongs_to_its_environment() -> None:
    assert {owner_of(resource.name) for resource in WANTED} == {EnvId("sbx-a")}


def test_every_system_has_a_part() -> None:
    assert {resource.system for resource in WANTED} == set(System)


def test_what_is_made_from_something_else_or_not_whole_is_ensured_again() -> None:
    database = next(resource for resource in WANTED if resource.kind == "database" and resource.settings)
    for settings in ((), (("template", "te_golden_other_src"), ("clone", "TE_GOLDEN_OTHER"))):
        observed = Resource(database.system, database.kind, database.name, settings)
        assert plan({database}, {observed}) == (Step(Action.ENSURE, database),)


def test_two_environments_desire_nothing_in_common() -> None:
    assert not WANTED & desired(spec("sbx-b"), DATASET)


def test_what_is_as_it_shall_be_needs_no_step() -> None:
    assert plan(WANTED, WANTED) == ()


def test_provision_is_a_plan_from_nothing_and_destroy_a_plan_to_nothing() -> None:
    assert {step.resource for step in plan(WANTED, ())} == WANTED
    assert {step.action for step in plan(WANTED, ())} == {Action.ENSURE}
    assert [step.resource for step in plan((), WANTED)] == [step.resource for step in reversed(plan(WANTED, ()))]


@given(subsets, subsets)
def test_applying_a_plan_reaches_the_goal(wanted: set[Resource], observed: set[Resource]) -> None:
    state = set(observed)
    for step in plan(wanted, observed):
        (state.add if step.action is Action.ENSURE else state.discard)(step.resource)
    assert state == wanted


@given(subsets)
def test_parts_come_before_what_is_put_into_them(resources: set[Resource]) -> None:
    ordered = in_order(resources)
    for resource in ordered:
        if resource.kind == "records":
            earlier = ordered[: ordered.index(resource)]
            topic = Resource(System.KAFKA, "topic", resource.name)
            assert topic not in resources or topic in earlier


def test_what_runs_is_stopped_before_what_it_runs_on_goes() -> None:
    task = Resource(System.ORCHESTRATOR, "task", "te-sbx-a/1")
    job = Resource(System.SPARK, "job", "te-sbx-a/2")
    order = [step.resource for step in plan((), WANTED | {task, job})]
    assert order[0] == task
    assert order.index(job) < order.index(next(r for r in order if r.system is System.S3))
