"""What a run of a trial does otherwise than a scheduler's, and what is told of one that could not begin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.dag import DAG
from airflow.operators.empty import EmptyOperator
from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator

from testenv_airflow.orchestrator import trial_run
from testenv_airflow.orchestrator.dag_run import Outcome
from testenv_airflow.orchestrator.trial_run import LOOK_SECONDS, Order, look_often, told

NOT_FOUND = "the code under test cannot be imported, and 'x' was not found"


def test_of_a_traceback_the_exception_is_told() -> None:
    said = f"{NOT_FOUND}\nx.py: Traceback (most recent call last):\n  File 'x.py', line 1\nValueError: no such day"
    assert told(said) == f"{NOT_FOUND}: ValueError: no such day"


def test_advice_after_it_is_left_out() -> None:
    timeout = "airflow.exceptions.AirflowTaskTimeout: DagBag import timeout for x.py after 30.0s."
    said = f"{NOT_FOUND}\nx.py: Traceback (most recent call last):\n{timeout}\nPlease look:\n* https://a.b, PID: 7"
    assert told(said) == f"{NOT_FOUND}: {timeout}"


def test_one_line_stays_as_it_is() -> None:
    assert told("there is no DAG 'x'; the DAGs are: y") == "there is no DAG 'x'; the DAGs are: y"


def waiting(**said: Any) -> EmrServerlessStartJobOperator:
    names = {"application_id": "a", "execution_role_arn": "r", "job_driver": {}, "configuration_overrides": {}}
    return EmrServerlessStartJobOperator(task_id="job", **names, **said)


@pytest.mark.parametrize(
    ("said", "looks"),
    [
        ({}, (LOOK_SECONDS, 300)),  # the provider's: 25 times, a minute apart
        ({"waiter_delay": 7, "waiter_max_attempts": 3}, (LOOK_SECONDS, 5)),
        ({"waiter_delay": 2, "waiter_max_attempts": 1800}, (2, 1800)),
    ],
)
def test_a_task_that_waits_for_a_job_looks_often_and_waits_as_long(
    said: dict[str, int], looks: tuple[int, int]
) -> None:
    task = waiting(**said)
    look_often(task)
    assert (task.waiter_delay, task.waiter_max_attempts) == looks


@pytest.mark.parametrize("retried", [True, False])
def test_every_run_of_a_trial_has_its_tasks_look_often(retried: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[DAG] = []

    def execute(dag: DAG, *_: object, **__: object) -> Outcome:
        ran.append(dag)
        return Outcome(False, [], "it failed")

    with DAG("payments", schedule=None, default_args={"retries": 3}) as dag:
        waiting()
    monkeypatch.setattr(trial_run, "load_dag", lambda *_: dag)
    monkeypatch.setattr(trial_run, "execute", execute)
    monkeypatch.setattr(trial_run, "_spark_seconds", lambda *_: ())
    side: Any = SimpleNamespace(dags="dags")
    report = trial_run._attempt(Order("payments", "2026-01-02", retried=retried), side)
    assert (report.state, report.error) == ("failed", "it failed")
    [task] = ran[0].tasks
    assert (task.waiter_delay, task.retries) == (LOOK_SECONDS, 3 if retried else 0)


def test_a_task_that_waits_for_nothing_stays_as_it_is() -> None:
    task = EmptyOperator(task_id="nothing")
    look_often(task)
    assert not hasattr(task, "waiter_delay")
