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
