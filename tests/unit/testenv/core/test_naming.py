"""Names are within each system's rules, differ where environments differ, and tell their owner."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testenv.core.errors import InvalidName
from testenv.core.naming import (
    MAX_LENGTH,
    EnvId,
    Names,
    golden_postgres,
    golden_prefix,
    golden_snowflake,
    owner_of,
    require_owned,
)


def valid(value: str) -> bool:
    try:
        EnvId(value)
    except InvalidName:
        return False
    return True


words = st.lists(st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True), min_size=1, max_size=4)
env_ids = (
    st.builds(lambda kind, slug: "-".join([kind, *slug]), st.sampled_from(["ci", "sbx", "int"]), words)
    .filter(valid)
    .map(EnvId)
)

NAMES = [
    "snowflake_database",
    "snowflake_role",
    "snowflake_user",
    "postgres_role",
    "postgres_source",
    "postgres_airflow",
    "prefix",
    "artifacts",
    "iam_role",
    "topic_prefix",
    "kafka_user",
    "parameters",
]

RULES = {
    "snowflake_database": r"[A-Z_][A-Z0-9_]{0,254}",
    "snowflake_role": r"[A-Z_][A-Z0-9_]{0,254}",
    "snowflake_user": r"[A-Z_][A-Z0-9_]{0,254}",
    "postgres_role": r"[a-z_][a-z0-9_]{0,62}",
    "postgres_source": r"[a-z_][a-z0-9_]{0,62}",
    "postgres_airflow": r"[a-z_][a-z0-9_]{0,62}",
    "prefix": r"[a-z0-9/-]{1,200}/",
    "artifacts": r"[a-z0-9/-]{1,200}/",
    "iam_role": r"[\w+=,.@-]{1,64}",
    "topic_prefix": r"[a-zA-Z0-9._-]{1,48}",
    "kafka_user": r"[a-z0-9-]{1,64}",
    "parameters": r"(/[a-zA-Z0-9._-]+)+/",
}


@given(env_ids, st.sampled_from(NAMES))
def test_every_name_keeps_its_systems_rules_and_tells_its_owner(env_id: EnvId, name: str) -> None:
    physical = getattr(Names(env_id), name)
    assert re.fullmatch(RULES[name], physical)
    assert owner_of(physical) == env_id
    assert require_owned(physical) == env_id


@given(env_ids, env_ids, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_two_environments_share_no_name(one: EnvId, other: EnvId, a: str, b: str) -> None:
    if one != other:
        assert getattr(Names(one), a) != getattr(Names(other), b)


near_ids = env_ids.flatmap(
    lambda one: (
        st.sampled_from(
            [f"{one}-b", f"{one}b", f"{one}0", f"{one}"[:-1], f"{one}".replace("-", "", 1), f"{one}".rsplit("-", 1)[0]]
        )
        .filter(valid)
        .map(lambda other: (one, EnvId(other)))
    )
)
"""Pairs whose ids begin alike or differ by a hyphen."""


@given(near_ids, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_ids_that_look_alike_share_no_name(pair: tuple[EnvId, EnvId], a: str, b: str) -> None:
    one, other = pair
    assert getattr(Names(one), a) != getattr(Names(other), b)


GRANTED = ["prefix", "artifacts", "topic_prefix", "parameters"]
"""What rights are granted *below*: policies and ACLs match whatever begins so."""


@given(near_ids, st.sampled_from(GRANTED))
def test_no_prefix_that_rights_are_granted_below_opens_anothers(pair: tuple[EnvId, EnvId], prefix: str) -> None:
    """`env/ci-a` would open `env/ci-a-b/`: each ends with a separator that no id has."""
    one, other = (getattr(Names(env_id), prefix) for env_id in pair)
    assert not one.startswith(other) and not other.startswith(one)


@given(env_ids)
def test_the_longest_names_leave_room_in_every_system(env_id: EnvId) -> None:
    """PostgreSQL cuts names at 63 bytes in silence; IAM, Kafka and SSM refuse at 64, 249 and 1011."""
    names = Names(env_id)
    assert max(len(names.postgres_source), len(names.postgres_airflow)) <= 63
    assert len(names.iam_role) <= 64
    assert len(names.topic("t" * 200)) <= 249
    assert len(names.parameter("connections", "c" * 250)) <= 1011


@given(env_ids, st.sampled_from(NAMES), st.sampled_from(["'", '"', ";", " ", "\n", "\0", "\u202e", "\u0430", "*", "%"]))
def test_a_name_with_anything_foreign_in_it_is_owned_by_nobody_or_stays_its_owners(
    env_id: EnvId, name: str, foreign: str
) -> None:
    """Below a prefix any key, topic or parameter is its owner's; everywhere else nothing may follow."""
    physical = getattr(Names(env_id), name)
    assert owner_of(foreign + physical) is None
    assert owner_of(physical + foreign) == (env_id if name in GRANTED else None)


@given(st.text(max_size=300))
def test_whatever_is_no_name_is_refused_with_a_message_that_can_be_shown(text: str) -> None:
    """And a text that is an environment's name is its only owner's."""
    try:
        owner = require_owned(text)
    except InvalidName as refusal:
        said = str(refusal)
        assert len(said) < 400 and said.isprintable()
    else:
        assert str(owner) in text.lower().replace("_", "-")


@given(st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True).filter(lambda v: len(v) <= 40), env_ids)
def test_golden_names_are_no_environments(version: str, env_id: EnvId) -> None:
    for golden in (golden_snowflake, golden_postgres, golden_prefix):
        assert owner_of(golden(version)) is None


@given(env_ids, st.from_regex(r"[A-Za-z0-9._-]{1,60}", fullmatch=True))
def test_a_topic_tells_its_owner(env_id: EnvId, topic: str) -> None:
    assert owner_of(Names(env_id).topic(topic)) == env_id


@given(env_ids)
def test_an_id_is_its_kind_and_slug(env_id: EnvId) -> None:
    assert EnvId.of(env_id.kind, env_id.slug) == env_id


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "sbx",
        "sbx-",
        "-sbx-a",
        "sbx--a",
        "SBX-A",
        "prod-finsight",
        "sbx-a'; DROP DATABASE finsight; --",
        'sbx-"a"',
        "sbx-../../etc",
        "sbx-a/b",
        "sbx-a.b",
        "sbx-a b",
        "sbx-a\n",
        "sbx-а",
        "sbx-ａ",
        "sbx-" + "a" * 300,
        "sbx-" + "a" * (MAX_LENGTH - 3),
        "sbx-x-src",
        "sbx-x-airflow",
        "sbx-x-rw",
        "sbx-a\0",
    ],
)
def test_hostile_ids_are_refused_with_what_is_allowed(hostile: str) -> None:
    with pytest.raises(InvalidName, match=r"KIND-SLUG|another last word") as refusal:
        EnvId(hostile)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("slug", ["", "A", "a_b", "a--b", "-a", "a" * 300, "a;b", "é", "../a"])
def test_hostile_slugs_are_refused(slug: str) -> None:
    with pytest.raises(InvalidName):
        EnvId.of("sandbox", slug)


@pytest.mark.parametrize(
    "name",
    [
        "FINSIGHT",
        "finsight",
        "postgres",
        "te_template_airflow",
        golden_snowflake("seed-1a2b3c4d"),
        golden_postgres("seed-1a2b3c4d"),
        golden_prefix("seed-1a2b3c4d"),
        "TESTENV_CONTROL",
        "testenv",
        "card_events",
        "te.card_events",
        "landing/settlements/",
        "env/",
        "/testenv/",
        "te-",
        "TE_WH_CI",
        "TE_PROD_X",
    ],
)
def test_what_is_no_environments_is_never_owned(name: str) -> None:
    assert owner_of(name) is None
    with pytest.raises(InvalidName, match="will not touch it"):
        require_owned(name)


@pytest.mark.parametrize("version", ["", "Seed", "seed_1", "seed-1; drop", "a" * 41, "../seed"])
def test_a_malformed_dataset_version_names_nothing(version: str) -> None:
    for golden in (golden_snowflake, golden_postgres, golden_prefix):
        with pytest.raises(InvalidName):
            golden(version)


@pytest.mark.parametrize("topic", ["", "a b", "a/b", "x" * 201, "é"])
def test_a_malformed_topic_is_refused(topic: str) -> None:
    with pytest.raises(InvalidName):
        Names(EnvId("sbx-a")).topic(topic)
