"""What is told of a run of a trial that could not begin."""

from __future__ import annotations

from testenv_airflow.orchestrator.trial_run import told

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
