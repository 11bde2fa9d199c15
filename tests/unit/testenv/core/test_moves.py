"""Who is moved first, and by which steps, so that nothing kept is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.testenv.core.test_plan import DATASET, spec

from testenv.core.dataset import Topic
from testenv.core.kept import Keeping, Kept
from testenv.core.moves import Follower, in_order_of_need, plan_move
from testenv.core.naming import EnvId, Names
from testenv.core.plan import desired
from testenv.core.resources import Action, Resource, Step, System

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NAMES = Names(EnvId("sbx-a"))
NEW = DATASET.model_copy(
    update={"version": "seed-99999999", "topics": (*DATASET.topics, Topic(name="empty", partitions=1, records=0))}
)
THERE, WANTED = desired(spec(), DATASET), desired(spec(), NEW)
KEEP_ALL = Keeping(frozenset(map(Kept.parse, ("snowflake:RAW.A", "postgres:a", "kafka:card_events", "s3:landing/a"))))
BESIDE = {
    Resource(System.POSTGRES, "database", NAMES.postgres_beside),
    Resource(System.SNOWFLAKE, "database", NAMES.snowflake_beside),
}


def said(steps: tuple[Step, ...]) -> list[str]:
    return [f"{step.action} {step.resource.name}" for step in steps]


def follower(name: str, **more: object) -> Follower:
    return replace(Follower(EnvId(name), False, NOON, NOON), **more)  # type: ignore[arg-type]


def test_who_always_follows_is_moved_first_then_the_oldest_data_then_who_lives_longest() -> None:
    in_order = [
        follower("int-a", always=True),
        follower("sbx-seed", snapshot=None),
        follower("sbx-old", snapshot=NOON - timedelta(days=3)),
        follower("sbx-endless", expires_at=None),
        follower("sbx-long", expires_at=NOON + timedelta(days=3)),
        follower("sbx-b"),
        follower("sbx-c"),
    ]
    assert in_order_of_need(reversed(in_order)) == [one.env_id for one in in_order]


def test_a_move_replaces_what_is_the_dataset_s_and_leaves_the_rest() -> None:
    """Neither credentials, rights, roles, code nor Airflow's own database are the dataset's."""
    assert said(plan_move(WANTED, THERE, Keeping(), NAMES)) == [
        "destroy te.sbx-a.card_events",
        "ensure env/sbx-a/landing/",
        "ensure te_sbx_a_src",
        "ensure TE_SBX_A",
        "ensure te.sbx-a.card_events",
        "ensure te.sbx-a.empty",
        "ensure te.sbx-a.card_events",
    ]


def test_what_is_kept_goes_through_a_database_beside_and_a_kept_topic_is_not_touched() -> None:
    assert said(plan_move(WANTED, THERE, KEEP_ALL, NAMES)) == [
        "ensure te_sbx_a_beside",
        "ensure TE_SBX_A_BESIDE",
        "ensure env/sbx-a/landing/",
        "ensure te_sbx_a_src",
        "ensure TE_SBX_A",
        "ensure te.sbx-a.empty",
        "destroy te_sbx_a_beside",
        "destroy TE_SBX_A_BESIDE",
    ]


def test_a_database_beside_is_made_from_the_version_that_is_moved_to() -> None:
    steps = {step.resource: step.resource.setting for step in plan_move(WANTED, THERE, KEEP_ALL, NAMES)}
    assert [steps[beside] for beside in sorted(BESIDE)] == [
        {"template": "te_golden_seed_99999999_src"},
        {"clone": "TE_GOLDEN_SEED_99999999"},
    ]


def test_a_database_beside_that_was_left_may_hold_the_only_copy_so_it_goes_last() -> None:
    source = Resource(System.POSTGRES, "database", NAMES.postgres_source)
    left = {resource for resource in THERE if resource != source} | BESIDE
    steps = plan_move(WANTED, left, KEEP_ALL, NAMES)
    assert said(steps)[-2:] == ["destroy te_sbx_a_beside", "destroy TE_SBX_A_BESIDE"]
    assert [step.resource for step in steps if step.action is Action.DESTROY] == sorted(BESIDE)


def test_a_move_that_was_cut_after_all_was_done_only_cleans_up() -> None:
    keeping = Keeping(KEEP_ALL.things | {Kept.parse("kafka:empty")})
    assert said(plan_move(WANTED, WANTED | BESIDE, keeping, NAMES)) == [
        "destroy te_sbx_a_beside",
        "destroy TE_SBX_A_BESIDE",
    ]


things = st.sets(st.sampled_from(sorted(KEEP_ALL.things)))


@given(st.sets(st.sampled_from(sorted(THERE | BESIDE))), things)
def test_from_wherever_a_move_was_cut_its_plan_leads_to_the_new_version(there: set[Resource], kept: set[Kept]) -> None:
    keeping, state = Keeping(frozenset(kept)), {resource: resource.settings for resource in there}
    for step in plan_move(WANTED, there, keeping, NAMES):
        if step.action is Action.DESTROY:
            state.pop(step.resource, None)
            if step.resource.kind == "topic":
                state.pop(Resource(System.KAFKA, "records", step.resource.name), None)
        else:
            state[step.resource] = step.resource.settings
    wanted, got = (keeping.without_topics(each, NAMES) for each in (WANTED, set(state)))
    assert got == wanted
    assert {r: r.settings for r in wanted} == {r: state[r] for r in wanted}
