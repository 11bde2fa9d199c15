"""What records a trial's moments has what the plan states."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testenv.checks.trial.plan import make_plan
from testenv_airflow.orchestrator import trial_login


def test_it_knows_which_folders_are_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"database": "TE_CI_A"}
    monkeypatch.setattr(trial_login, "_connection", lambda deployment, name: {})
    monkeypatch.setattr(trial_login, "of_connection", lambda connection: login)
    monkeypatch.setattr(trial_login, "snowflake", lambda login: None)
    monkeypatch.setattr(
        trial_login, "boto3", SimpleNamespace(Session=lambda: SimpleNamespace(client=lambda name: None))
    )
    deployment: Any = SimpleNamespace(env_id="ci-a", bucket="b", home=Path())
    plan = make_plan("ci-a", "seed-1", [], {}).model_copy(update={"batches": ("batch",)})
    assert trial_login.moments(deployment, plan).batches == ("batch",)
