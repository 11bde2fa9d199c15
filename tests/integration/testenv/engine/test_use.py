"""An environment is used while it may be, and extended within its bounds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.testenv.engine.support import NOON, provisioned, request

from testenv.core.errors import Conflict, Invalid
from testenv.core.resources import System
from testenv.engine import Engine, parse_logical_date


def test_an_environment_may_be_extended_within_its_kinds_bound(engine: Engine) -> None:
    env_id = provisioned(engine, ttl_hours=1)
    assert engine.extend(env_id, 5).expires_at == NOON + timedelta(hours=6)
    with pytest.raises(Conflict, match="336 hours from its creation"):
        engine.extend(env_id, 336)


def test_a_run_needs_a_ready_environment_a_dag_id_and_a_date(engine: Engine) -> None:
    env_id = request(engine)
    with pytest.raises(Conflict, match="can be used when it is ready"):
        engine.start_run(env_id, "payments", "2026-01-02")
    ready = provisioned(engine)
    with pytest.raises(Invalid, match="dag_id"):
        engine.start_run(ready, "../etc", "2026-01-02")
    with pytest.raises(Invalid, match="logical_date"):
        engine.start_run(ready, "payments", "yesterday")
    task = engine.start_run(ready, "payments", "2026-01-02T01:00+01:00")
    assert engine.run_status(task).command == ("run", "payments", "2026-01-02T00:00:00Z")


def test_it_may_be_waited_for_until_it_is_ready_and_no_longer_once_it_ends(engine: Engine) -> None:
    env_id = request(engine)
    assert not engine.usable(env_id)
    engine.admit(env_id)
    assert not engine.usable(env_id)
    engine.ensure(env_id, set(System))
    engine.ready(env_id)
    assert engine.usable(env_id)
    engine.drain(env_id)
    with pytest.raises(Conflict, match="is destroying: it cannot be used"):
        engine.usable(env_id)


def test_a_ci_environment_has_no_web_ui(engine: Engine) -> None:
    env_id = provisioned(engine, kind="ci")
    with pytest.raises(Conflict, match="without scheduler"):
        engine.start_serving(env_id)


def test_a_sandbox_serves_once(engine: Engine) -> None:
    env_id = provisioned(engine)
    assert engine.start_serving(env_id) == engine.start_serving(env_id)
    assert engine.connections(env_id)["airflow"]["url"] == "http://127.0.0.1:1"
    engine.stop_serving(env_id)
    assert engine.connections(env_id)["airflow"]["url"] == ""


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-01-02", "2026-01-02T00:00:00Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-03-29T02:30+02:00", "2026-03-29T00:30:00Z"),
    ],
)
def test_a_logical_date_has_one_form(text: str, date: str) -> None:
    assert parse_logical_date(text) == date
