"""A backend touches only what an environment's id derives, and says which counts differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testenv.backends import kafka, postgres, s3, secrets, snowflake
from testenv.backends.guards import require_counts, require_derived
from testenv.core.dataset import Dataset, Topic
from testenv.core.errors import Drifted, InvalidName
from testenv.core.naming import EnvId
from testenv.core.plan import desired
from testenv.core.resources import Resource, System
from testenv.core.spec import EnvironmentSpec, OnFailure

DERIVED = {
    System.SECRETS: secrets._DERIVED,
    System.S3: s3._DERIVED,
    System.POSTGRES: postgres._DERIVED,
    System.SNOWFLAKE: snowflake._DERIVED,
    System.KAFKA: kafka._DERIVED,
}
DATASET = Dataset(
    version="seed-1", files={}, postgres={}, snowflake={}, topics=(Topic(name="t.x", partitions=1, records=1),)
)


def parts(env_id: str) -> list[Resource]:
    spec = EnvironmentSpec(
        env_id=EnvId(env_id),
        kind="sandbox",
        owner="x",
        ref="working-tree",
        dataset="seed-1",
        ttl_hours=None,
        on_failure=OnFailure.DESTROY,
        warehouse="TE_WH_SANDBOX",
    )
    return [part for part in desired(spec, DATASET) if part.system in DERIVED]


def test_everything_that_an_environment_shall_have_is_its_own() -> None:
    for part in parts("sbx-pay-fix"):
        assert require_derived(part, DERIVED[part.system]).env_id == EnvId("sbx-pay-fix")


def test_a_name_under_another_kind_is_refused() -> None:
    """The role's name is no database's, nor the landing folder a prefix."""
    for part in parts("sbx-a"):
        for kind in DERIVED[part.system]:
            if kind == part.kind or {kind, part.kind} in ({"user", "acls"}, {"topic", "records"}, {"user", "database"}):
                continue
            with pytest.raises(InvalidName, match="Nothing was touched"):
                require_derived(Resource(part.system, kind, part.name), DERIVED[part.system])


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InvalidName):
        require_derived(Resource(System.POSTGRES, "tablespace", "te_sbx_a"), DERIVED[System.POSTGRES])


@given(st.sampled_from(list(DERIVED)), st.text(max_size=30))
def test_no_text_but_a_derived_name_passes(system: System, text: str) -> None:
    for kind in DERIVED[system]:
        try:
            names = require_derived(Resource(system, kind, text), DERIVED[system])
        except InvalidName:
            continue
        assert str(names.env_id) in text.lower().replace("_", "-")


def test_equal_counts_pass() -> None:
    require_counts("Postgres x", {"a": 1, "more": 9}, {"a": 1})


def test_every_count_that_differs_is_named() -> None:
    with pytest.raises(Drifted, match="Postgres x .*a has 2, not 1; b has None, not 3"):
        require_counts("Postgres x", {"a": 2}, {"a": 1, "b": 3})
