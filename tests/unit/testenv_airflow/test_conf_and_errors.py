from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import AirflowException, AirflowFailException

from testenv.core import errors
from testenv.core.errors import TestenvError, Transient, UnknownKey
from testenv.core.naming import EnvId, InvalidName
from testenv_airflow.conf import ENVIRONMENT_PATTERN, refuse_unknown_keys
from testenv_airflow.hooks.testenv import airflow_errors
from testenv_airflow.operators.provision import ReadyOperator

ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TestenvError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_airflow_retries_what_is_transient_and_nothing_else(kind: type[TestenvError]) -> None:
    with pytest.raises(AirflowException, match="what to do") as caught, airflow_errors():
        raise kind("what was wrong, what to do")
    retried = not isinstance(caught.value, AirflowFailException)
    assert retried == (issubclass(kind, Transient) or kind is TestenvError)


def context(conf: dict[str, Any] | None) -> Any:
    return {
        "dag": SimpleNamespace(dag_id="destroy_env", params={"environment": "sbx-a"}),
        "dag_run": SimpleNamespace(conf=conf),
    }


def test_unknown_keys_are_refused_with_the_allowed_ones_named() -> None:
    with pytest.raises(UnknownKey, match=r"destroy_env does not know 'env', 'force'. Allowed keys are environment"):
        refuse_unknown_keys(context({"env": "sbx-a", "force": True, "environment": "sbx-a"}))


@pytest.mark.parametrize("conf", [None, {}, {"environment": "sbx-a"}])
def test_known_keys_pass(conf: dict[str, Any] | None) -> None:
    refuse_unknown_keys(context(conf))


@pytest.mark.parametrize("missing", ["", "None"])
def test_an_operator_without_environment_fails_and_says_how_to_name_one(missing: str) -> None:
    with pytest.raises(AirflowFailException, match="bin/testenv list"):
        _ = ReadyOperator(task_id="drain", environment=missing).env_id


def test_an_operator_refuses_a_hostile_name() -> None:
    with pytest.raises(InvalidName):
        _ = ReadyOperator(task_id="drain", environment="sbx-a; DROP DATABASE FINSIGHT").env_id


@pytest.mark.parametrize("value", ["ci-k3f9q2xa", "sbx-payments-fix", "int-nightly"])
def test_the_forms_pattern_takes_what_is_an_id(value: str) -> None:
    import re

    assert re.match(ENVIRONMENT_PATTERN, value) and EnvId(value)
