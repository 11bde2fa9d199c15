"""A hostile request is refused before anything is touched: not the ledger, not a system."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import RunningStack
from tests.isolation.conftest import World

from local.inventory import inventory
from testenv.core.errors import Invalid
from testenv.core.resources import Resource, System
from testenv.engine import Engine

HOSTILE: list[dict[str, Any]] = [
    {"name": "a'; DROP DATABASE finsight; --"},
    {"name": 'a"'},
    {"name": "../../finsight"},
    {"name": "a\0"},
    {"name": "раy"},  # Cyrillic
    {"name": "x" * 300},
    {"name": "pay-src"},
    {"name": {"$ne": ""}},
    {"kind": "production"},
    {"kind": ["sandbox"]},
    {"owner": "<script>alert(1)</script>"},
    {"owner": "a\r\nSet-Cookie: x"},
    {"ref": "--upload-pack=touch /tmp/isolation"},
    {"ref": "HEAD; touch /tmp/isolation"},
    {"ref": "../../etc/passwd"},
    {"ref": "HEAD\0"},
    {"dataset": "../env/sbx-a"},
    {"dataset": "seed-1'; --"},
    {"dataset": "x" * 300},
    {"ttl_hours": 10**30},
    {"on_failure": {"a": 1}},
    {"credentials": "x"},
]

NAMES = [
    (System.POSTGRES, "database", "finsight"),
    (System.POSTGRES, "database", "te_sbx_a_src'; DROP DATABASE finsight; --"),
    (System.POSTGRES, "role", "te_sbx_a_src"),
    (System.SNOWFLAKE, "database", "FINSIGHT"),
    (System.SNOWFLAKE, "database", 'TE_SBX_A" CASCADE; DROP DATABASE FINSIGHT; --'),
    (System.SNOWFLAKE, "user", "TE_SBX_A_RW"),
    (System.KAFKA, "topic", "card_events"),
    (System.KAFKA, "user", "te-sbx-a/x"),
    (System.S3, "prefix", ""),
    (System.S3, "prefix", "env/"),
    (System.S3, "prefix", "env/sbx-a/../"),
    (System.S3, "role", "finsight-spark"),
    (System.SECRETS, "credentials", "/finsight/credentials/postgres"),
    (System.SECRETS, "credentials", "/testenv/sbx-a/credentials/../x"),
    (System.SPARK, "code", "datasets/"),
    (System.SPARK, "code", "env/sbx-a/"),
    (System.ORCHESTRATOR, "settings", "/finsight/orchestrator"),
    (System.ORCHESTRATOR, "code", "datasets/current"),
    (System.ORCHESTRATOR, "code", "artifacts/sbx-a/x"),
]


def rows(engine: Engine) -> int:
    """Of every table of the ledger."""
    with engine.ledger._transaction() as connection:
        tables = connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").scalars()
        return sum(connection.exec_driver_sql(f'SELECT count(*) FROM "{table}"').scalar() or 0 for table in tables)


@pytest.fixture(scope="module", autouse=True)
def untouched(engine: Engine, world: World, stack: RunningStack) -> Any:
    before = rows(engine), inventory(stack.env)
    yield
    assert (rows(engine), inventory(stack.env)) == before


@pytest.mark.parametrize("conf", HOSTILE, ids=lambda conf: ascii(conf)[:50])
def test_a_hostile_request_is_refused(engine: Engine, conf: dict[str, Any]) -> None:
    before = rows(engine)
    with pytest.raises(Invalid):
        engine.request(conf, run_id="hostile", fallback_name="hostile")
    assert rows(engine) == before


@pytest.mark.parametrize(("system", "kind", "name"), NAMES)
def test_a_hostile_name_is_not_destroyed(engine: Engine, system: System, kind: str, name: str) -> None:
    with pytest.raises(Invalid):
        engine.backends[system].destroy(Resource(system, kind, name))
