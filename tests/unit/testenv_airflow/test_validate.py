"""What the tasks of `validate_release` say, and to whom. The validator itself is tested on its own."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from airflow.exceptions import AirflowFailException, AirflowSkipException
from airflow.models import Connection
from tests.unit.testenv.checks.report import sample

from testenv.checks.plan import Plan, verdict_id
from testenv.checks.protocol import Verdict
from testenv.checks.report import Affected, Choice, Report, Side
from testenv.core.errors import Denied, Invalid, NotFound, Unavailable
from testenv.core.lifecycle import State
from testenv_airflow import notes
from testenv_airflow.github import post_verdict
from testenv_airflow.operators.validate import DiscardOperator, GateOperator, ReportOperator, TrialOperator

RUN = "manual__2026-01-02T12:00:00+00:00"
ENV = verdict_id(RUN)


class Namespace:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def context(**conf: object) -> Any:
    return {"run_id": RUN, "dag_run": Namespace(id=1, conf=conf, run_id=RUN)}


class Told:
    """A validator that says what the test wants, and remembers what it was told."""

    def __init__(self, report: Report | None = None, **more: Any) -> None:
        self.said, self.problems = report, []
        self.__dict__.update(more)

    def kept(self, env_id: object) -> Any:
        assert env_id == ENV
        return Namespace(report=lambda: self.said)

    def report(self, env_id: object, problem: str) -> Report:
        self.problems.append(problem)
        if self.said is None:
            raise NotFound("no plan")
        return self.said


@pytest.fixture
def note(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The run's note: what it says at last."""
    kept = [""]
    monkeypatch.setattr(notes, "note_run", lambda _, text: kept.append(text))
    monkeypatch.setattr(notes, "read_note", lambda _: kept[-1])
    return kept


def test_a_no_fails_the_gate_with_the_three_things() -> None:
    gate = GateOperator(task_id="gate")
    gate.environment = str(ENV)
    with pytest.raises(AirflowFailException, match="Verdict: no") as caught:
        gate.say(Told(sample.report()), context())  # type: ignore[arg-type]
    assert "RAW.PAYMENTS" in str(caught.value) and "RAW.SETTLEMENTS" in str(caught.value)
    gate.say(Told(sample.report(wrong=False)), context())  # type: ignore[arg-type]


def test_what_could_not_be_judged_does_not_pass() -> None:
    gate = GateOperator(task_id="gate")
    gate.environment = str(ENV)
    with pytest.raises(AirflowFailException, match="could not be judged"):
        gate.say(Told(sample.report(verdicts=(), reason="it hangs", answer="error")), context())  # type: ignore[arg-type]


def report_task() -> ReportOperator:
    task = ReportOperator(task_id="report")
    task.environment = str(ENV)
    return task


def test_the_report_tells_why_a_stage_did_not_end(note: list[str]) -> None:
    note.append(f"{notes.FAILED}trial: the pipelines could not be run: exit 3")
    validator = Told(sample.report())
    report_task().say(validator, context())  # type: ignore[arg-type]
    assert validator.problems == ["Failed in trial: the pipelines could not be run: exit 3"]
    assert note[-1].startswith("**Verdict: no.**")


def test_a_trial_that_took_too_long_is_told_by_its_minutes(note: list[str]) -> None:
    note.append(f"{notes.FAILED}trial: Trigger/execution timeout")
    validator = Told(sample.report())
    report_task().say(validator, context(trial_minutes=7))  # type: ignore[arg-type]
    assert "within 7 minutes" in validator.problems[0]


def test_a_note_that_is_no_failure_is_no_problem(note: list[str]) -> None:
    note.append("affects 3 of 120 pipelines")
    validator = Told(sample.report(wrong=False))
    report_task().say(validator, context())  # type: ignore[arg-type]
    assert validator.problems == [""]


def test_without_a_plan_the_report_fails_and_so_the_run(note: list[str]) -> None:
    with pytest.raises(AirflowFailException, match="no verdict"):
        report_task().say(Told(), context())  # type: ignore[arg-type]


def test_a_verdict_stays_in_the_note_when_the_gate_fails_for_it(note: list[str]) -> None:
    note.append(notes.judged(sample.report()))
    notes.note_failure({"task_instance": Namespace(task_id="gate"), "exception": ValueError("no")})  # type: ignore[typeddict-item]
    assert note[-1].startswith("**Verdict: no.**")


@pytest.mark.parametrize("length", [10, 4000])
def test_a_note_has_three_things_and_the_links_however_long_they_are(length: int) -> None:
    found = [sample.finding(f"r{n}", what="w" * length, dataset=f"d.{n}") for n in range(5)]
    text = notes.judged(sample.report(verdicts=(Verdict.of("schema", found, ["x"]),)))
    assert len(text) <= notes.LENGTH and text.count("\n- ") == 3
    assert text.endswith(f"[JSON](/testenv/environments/{sample.report().env_id}/report/report.json)")


def test_the_first_note_says_what_is_affected() -> None:
    names = tuple(Affected(name=f"p{n}", chain=("f",)) for n in range(12))
    plan = Plan(
        env_id="ci-v1",
        base=Side(asked="main", commit="a" * 40),
        head=Side(asked="fix", commit="b" * 40),
        dataset="seed-1",
        checks={},
        choice=Choice(selected=names, excluded=("q",)),
    )
    assert notes.selected(plan).startswith(f"{'b' * 12} against {'a' * 12} affects 12 of 13 pipelines: p0, ")
    assert "cannot be judged: a bad contract" in notes.selected(plan.model_copy(update={"reason": "a bad contract"}))


def test_a_trial_that_ended_well_but_could_not_run_the_code_fails_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = TrialOperator(task_id="trial")
    trial.__dict__["hook"] = Namespace(validator=Namespace(end_trial=lambda env_id: "x: cannot be imported"))
    with pytest.raises(AirflowFailException, match="could not be run: x: cannot be imported"):
        trial.finish(context(), {"task": "t", "state": "succeeded"})
    trial.__dict__["hook"] = Namespace(validator=Namespace(end_trial=lambda env_id: ""))
    trial.finish(context(), {"task": "t", "state": "succeeded"})
    with pytest.raises(AirflowFailException, match="could not be run: exit 137"):
        trial.finish(context(), {"task": "t", "state": "failed", "reason": "exit 137"})


def discard(state: State | None, **conf: object) -> list[str]:
    """What is destroyed of an environment in `state`; None for one that was never asked for."""
    destroyed: list[str] = []

    def environment(env_id: object) -> Any:
        if state is None:
            raise NotFound("none")
        return Namespace(state=state)

    engine = Namespace(
        ledger=Namespace(environment=environment),
        drain=lambda env_id: destroyed.append("drain"),
        destroy=lambda env_id, systems: destroyed.append("destroy"),
        verify_gone=lambda env_id: destroyed.append("look"),
    )
    task = DiscardOperator(task_id="destroy")
    task.environment = str(ENV)
    task.say(Namespace(engine=engine), context(**conf))  # type: ignore[arg-type]
    return destroyed


@pytest.mark.parametrize("state", [State.READY, State.PROVISIONING, State.QUARANTINED, State.QUEUED])
def test_the_environment_is_ended_in_whatever_state_it_is(state: State) -> None:
    assert discard(state) == ["drain", "destroy", "look"]


@pytest.mark.parametrize(("state", "conf"), [(None, {}), (State.DESTROYED, {}), (State.READY, {"keep": True})])
def test_nothing_is_ended_that_is_not_there_or_is_kept(state: State | None, conf: dict[str, object]) -> None:
    with pytest.raises(AirflowSkipException):
        discard(state, **conf)


# ---------------------------------------------------------------- the commit's status

GITHUB = Connection(conn_id="testenv_github", conn_type="http", password="t0k3n", extra='{"repository": "o/r"}')


def posted(report: Report, status: int = 201, connection: Connection = GITHUB) -> httpx.Request:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, json={"message": "said"})

    post_verdict(report, connection, httpx.Client(transport=httpx.MockTransport(answer)))
    return seen[0]


@pytest.mark.parametrize(("answer", "state"), [("yes", "success"), ("no", "failure"), ("error", "error")])
def test_a_commit_gets_the_verdict_as_its_status(answer: str, state: str) -> None:
    request = posted(sample.report(answer=answer))
    assert str(request.url) == f"https://api.github.com/repos/o/r/statuses/{sample.HEAD}"
    assert request.headers["Authorization"] == "Bearer t0k3n"
    body = json.loads(request.content)
    assert (body["state"], body["context"]) == (state, "testenv")
    assert len(body["description"]) <= 140
    assert body["target_url"].endswith(f"/testenv/environments/{sample.report().env_id}/report/report.html")


@pytest.mark.parametrize(("status", "error"), [(401, Denied), (404, NotFound), (422, NotFound), (502, Unavailable)])
def test_what_github_refuses_is_told_and_the_token_is_not(status: int, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        posted(sample.report(), status)
    assert "t0k3n" not in str(caught.value)


def test_a_connection_that_lacks_something_and_a_head_that_is_no_commit_are_told() -> None:
    with pytest.raises(Invalid, match="repository"):
        posted(sample.report(), connection=Connection(conn_id="x", conn_type="http", password="t"))
    with pytest.raises(Invalid, match="no commit"):
        posted(sample.report(head=Side(asked="working-tree", commit="working-tree")))
