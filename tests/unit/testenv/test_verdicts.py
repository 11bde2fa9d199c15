"""A verdict from request to report, over a small repository in git, with a trial that is told and not run."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from tests.unit.testenv import shop

from testenv.backends.memory import MemoryArtifacts
from testenv.checks.plan import Asked, Plan
from testenv.checks.protocol import Outcome, Verdict
from testenv.checks.registry import known
from testenv.checks.release import Columns, Release
from testenv.checks.report import Answer
from testenv.checks.trial.record import Record, Run
from testenv.core.contract import Contracts
from testenv.core.errors import Failed, NotFound, Unavailable, UnknownRef
from testenv.core.kinds import load_kinds
from testenv.core.naming import EnvId
from testenv.core.pipelines import Pipelines
from testenv.core.prices import load_prices
from testenv.datasets.avro import Registry
from testenv.engine import Engine
from testenv.source import Repository
from testenv.verdicts import Validator

ENV = EnvId("ci-v1")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass
class ToldTrial:
    """A trial that left `record`."""

    record: Record

    def table(self, moment: str, store: object, name: str) -> Any:
        raise NotFound(f"{name} is not recorded")

    def query(self, sql: str) -> list[dict[str, Any]]:
        return []

    def environment(self, side: str) -> Any:
        return SimpleNamespace(env_id=self.record.env_id, emulated=("Snowflake",), columns=self._columns)

    def _columns(self, dataset: str) -> Columns | None:
        return None


@dataclass
class ToldTrials:
    """Trials that leave what the test says."""

    left: Record | None = None
    asked: list[Any] = field(default_factory=list)

    def plan(
        self,
        env_id: EnvId,
        affected: Collection[str],
        base: Pipelines,
        head: Pipelines,
        contracts: Contracts,
        by_data: Collection[str] = (),
    ) -> Any:
        self.asked = [sorted(affected), sorted(base), sorted(head), sorted(contracts)]
        return Plan.model_construct(seconds=1)

    def start(self, env_id: EnvId, plan: Any, base_ref: str) -> str:
        self.asked += [plan.seconds, plan.batches, base_ref]
        return "task-1"

    def record(self, env_id: EnvId) -> Record:
        if self.left is None:
            raise NotFound("no record")
        return self.left

    @contextmanager
    def open(self, env_id: EnvId) -> Iterator[ToldTrial]:
        yield ToldTrial(self.record(env_id))


class FailsCheck:
    """Fails on what it finds in the release; so it shows what a check gets."""

    name = "own"

    def check(self, release: Release) -> Verdict:
        assert "pipelines.yaml" in release.base.files and "pipelines.yaml" in release.head.files
        assert release.trial is not None and sorted(release.pipelines) == ["orders_stream"]
        assert release.base.environment and release.head.environment
        raise Failed("the rows differ too much")


def record(*runs: Run, **more: Any) -> Record:
    said = {"env_id": str(ENV), "dataset": "seed-1", "intervals": {"orders_stream": ("d",)}, "states": ()}
    return Record.model_validate({**said, "runs": runs, "seconds": 60.0, "cpu_seconds": 40.0, **more})


def run(side: str = "head", state: str = "success", error: str = "") -> Run:
    values = {"pipeline": "orders_stream", "logical_date": "d", "side": side, "moment": side, "state": state}
    return Run.model_validate({**values, "error": error, "spark_seconds": 10.0})


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return shop.make(tmp_path / "repo")


@pytest.fixture
def trials() -> ToldTrials:
    return ToldTrials()


@pytest.fixture
def validator(repo: Path, trials: ToldTrials) -> Validator:
    def no_environment(env_id: EnvId) -> None:
        raise NotFound(f"{env_id} is not there")

    def no_dbt(project: Path) -> dict[str, Any]:
        raise Failed("dbt cannot read the project: a cycle")

    engine = SimpleNamespace(
        source=Repository(repo),
        kinds=load_kinds(),
        datasets=SimpleNamespace(resolve=lambda version, tier: f"seed-1-{tier}"),
        ledger=SimpleNamespace(environment=no_environment),
        clock=lambda: NOON,
    )
    artifacts = MemoryArtifacts()
    return Validator(
        engine=cast(Engine, engine),
        repo=repo,
        artifacts=artifacts,
        trials=trials,
        prices=load_prices(),
        registry=lambda version: Registry(),
        parse=no_dbt,
        outside=lambda version: {"golden": version},
    )


def touched(retries: int) -> dict[str, str]:
    return {"dags/orders_stream.py": shop.DAG.format(name="orders_stream", retries=retries)}


def without_a_column(repo: Path) -> dict[str, str]:
    path = "include/catalog/contracts/snowflake.RAW.ORDERS.yaml"
    text = (repo / path).read_text()
    assert "name: SHOP" in text
    return {path: text.replace("name: SHOP", "name: STORE")}


def ask(validator: Validator, *checks: str) -> Plan:
    return validator.begin(ENV, Asked(base="base", head="head", checks=checks))


def test_refs_and_dataset_are_resolved_before_anything_else(validator: Validator, repo: Path) -> None:
    head = shop.commit(repo, "head", touched(2))
    plan = ask(validator)
    assert (plan.head.asked, plan.head.commit, plan.dataset) == ("head", head, "seed-1-ci")
    assert validator.kept(ENV).plan() == plan
    with pytest.raises(UnknownRef):
        validator.begin(EnvId("ci-v2"), Asked(base="no-such"))
    with pytest.raises(NotFound):
        validator.kept(EnvId("ci-v2")).plan()


def test_only_what_is_affected_is_run_with_its_reason(validator: Validator, repo: Path, trials: ToldTrials) -> None:
    shop.commit(repo, "head", touched(2))
    plan = ask(validator)
    assert [(each.name, each.chain[0]) for each in plan.choice.selected] == [("orders_stream", "dags/orders_stream.py")]
    assert validator.start_trial(ENV, 300) == "task-1"
    assert trials.asked == [
        ["orders_stream"],
        ["orders_stream", "other"],
        ["orders_stream", "other"],
        ["kafka.orders", "snowflake.RAW.ORDERS"],
        300,
        ("batch",),
        plan.base.commit,
    ]


def test_a_change_without_effect_is_a_yes_without_a_trial(validator: Validator, repo: Path) -> None:
    shop.commit(repo, "head", {"README.md": "words"})
    plan = ask(validator)
    assert not plan.needs_trial and plan.static == ("schema",)
    assert validator.judge(ENV, "schema").outcome is Outcome.PASSED
    report = validator.report(ENV)
    assert report.answer is Answer.YES
    outcomes = {verdict.check: verdict.outcome for verdict in report.verdicts}
    assert outcomes.pop("schema") is Outcome.PASSED
    assert set(outcomes.values()) == {Outcome.NOT_APPLICABLE}
    assert [stage.name for stage in report.stages] == ["select", "checks", "report"]


def test_a_breaking_contract_is_a_no_that_names_the_column(
    validator: Validator, repo: Path, trials: ToldTrials
) -> None:
    shop.commit(repo, "head", without_a_column(repo))
    ask(validator, "schema")
    validator.judge(ENV, "schema")
    report = validator.report(ENV)
    assert report.answer is Answer.NO
    assert report.verdicts[-1].findings[0].where.column == "SHOP"
    page, junit = validator.kept(ENV).file("report.html"), validator.kept(ENV).file("junit.xml")
    assert b"must not be released" in page and b"SHOP" in page
    assert ElementTree.fromstring(junit).get("failures") == "1"
    assert validator.kept(ENV).report() == report


def test_the_same_refs_are_the_same_verdict_to_the_byte(validator: Validator, repo: Path) -> None:
    shop.commit(repo, "head", without_a_column(repo))
    said = []
    for env_id in (ENV, EnvId("ci-v2")):
        validator.begin(env_id, Asked(base="base", head="head", checks=("schema",)))
        validator.judge(env_id, "schema")
        said.append(validator.report(env_id).data())
    assert said[0] == said[1]


def own(validator: Validator, repo: Path, *checks: str) -> Plan:
    layout = f"{shop.LAYOUT}checks: {{own: '{__name__}:FailsCheck'}}\n"
    shop.commit(repo, "base2", {"testenv.yaml": layout})
    shop.commit(repo, "head", touched(2))
    return validator.begin(ENV, Asked(base="base2", head="head", checks=checks))


def test_a_check_gets_both_trees_and_the_trial_and_its_error_is_its_verdict(
    validator: Validator, repo: Path, trials: ToldTrials
) -> None:
    trials.left = record(run("base"), run())
    assert "own" in own(validator, repo, "own").checks
    verdict = validator.judge(ENV, "own")
    assert (verdict.outcome, verdict.why) == (Outcome.ERROR, "Failed: the rows differ too much")
    assert validator.report(ENV).answer is Answer.ERROR


def test_a_change_takes_no_check_away(validator: Validator, repo: Path) -> None:
    own(validator, repo)
    shop.commit(repo, "without", {"testenv.yaml": shop.LAYOUT})
    plan = validator.begin(ENV, Asked(base="base2", head="without"))
    assert list(plan.checks) == [*known(), "own"]


def test_what_a_trial_took_has_its_price(validator: Validator, repo: Path, trials: ToldTrials) -> None:
    shop.commit(repo, "head", touched(2))
    ask(validator)
    trials.left = record(run("base"), run())
    assert validator.end_trial(ENV) == ""
    [stage] = [each for each in validator.report(ENV).stages if each.name == "trial"]
    prices = load_prices()
    expected = (20 * prices.emr.hour + 60 * prices.snowflake.hour + 60 * prices.fargate.hour) / 3600
    assert (stage.seconds, stage.cpu_seconds) == (60.0, 40.0)
    assert stage.dollars == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (None, "died before it could write its record"),
        (record(run("base"), error="OutOfTime: the trial took longer than its 60 s"), "took longer than its 60 s"),
        (
            record(run("base"), run(state="failed", error="the code under test cannot be imported: SyntaxError: x")),
            "orders_stream: the code under test cannot be imported: SyntaxError: x",
        ),
        (
            record(run("base"), run(state="failed", error="it ran longer than 300 s, and was ended")),
            "longer than 300 s",
        ),
    ],
    ids=["died", "out of time", "import", "hangs"],
)
def test_code_that_cannot_be_run_is_an_error_that_says_so(
    validator: Validator, repo: Path, trials: ToldTrials, left: Record | None, why: str
) -> None:
    shop.commit(repo, "head", touched(2))
    ask(validator)
    validator.judge(ENV, "schema")
    trials.left = left
    told = validator.end_trial(ENV)
    assert why in told
    report = validator.report(ENV, f"Failed in trial: {told}")
    assert report.answer is Answer.ERROR and why in report.reason
    assert {each.check: each.outcome for each in report.verdicts}["diff"] is Outcome.ERROR


def test_a_pipeline_that_fails_with_heads_code_alone_is_a_no(
    validator: Validator, repo: Path, trials: ToldTrials
) -> None:
    shop.commit(repo, "head", touched(2))
    ask(validator, "schema", "diff")
    trials.left = record(run("base"), run(state="failed", error="KeyError: 'x'"))
    assert validator.end_trial(ENV) == ""
    report = validator.report(ENV)
    assert report.answer is Answer.NO
    assert report.verdicts[0].check == "trial" and "KeyError" in report.verdicts[0].findings[0].what


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"include/catalog/contracts/kafka.orders.yaml": "id: [nonsense"}, "head: kafka.orders.yaml: cannot be read"),
        ({"pipelines.yaml": "pipelines: {p: {owner: 3}}"}, "head: pipelines.yaml: p.owner: Input should be"),
        ({"testenv.yaml": "dags: 7"}, "head: testenv.yaml: dags"),
        ({"testenv.yaml": shop.LAYOUT + "checks: {diff: 'os:x'}"}, "'diff' is a check already"),
    ],
    ids=["contract", "catalogue", "layout", "check"],
)
def test_a_repository_that_cannot_be_read_is_a_verdict_that_says_so(
    validator: Validator, repo: Path, files: dict[str, str], told: str
) -> None:
    shop.commit(repo, "head", files)
    plan = ask(validator)
    assert told in plan.reason and not plan.needs_trial
    report = validator.report(ENV)
    assert report.answer is Answer.ERROR and told in report.reason
    assert told.encode() in validator.kept(ENV).file("report.json")


def test_a_dbt_project_with_a_cycle_is_a_verdict_that_says_so(validator: Validator, repo: Path) -> None:
    for tag, sql in (("base2", "select 1"), ("head", "select 2")):
        shop.commit(repo, tag, {"dbt/dbt_project.yml": "name: shop", "dbt/models/a.sql": sql})
    plan = validator.begin(ENV, Asked(base="base2", head="head"))
    assert "base: dbt: dbt cannot read the project: a cycle" in plan.reason


def test_a_selection_that_was_cut_off_is_an_error(validator: Validator, repo: Path, monkeypatch: Any) -> None:
    shop.commit(repo, "head", touched(2))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("testenv.verdicts.read_repository", killed)
    with pytest.raises(KeyboardInterrupt):
        ask(validator)
    report = validator.report(ENV, "Failed in select: Timeout, PID: 7")
    assert (report.answer, report.reason) == (Answer.ERROR, "Failed in select: Timeout, PID: 7")


def test_what_may_pass_is_left_to_be_tried_again(validator: Validator, repo: Path) -> None:
    shop.commit(repo, "head", touched(2))
    ask(validator)

    def away(env_id: EnvId, path: str) -> bytes | None:
        raise Unavailable("S3 does not answer")

    real = validator.artifacts.get
    cast(MemoryArtifacts, validator.artifacts).get = (  # type: ignore[method-assign]
        lambda env_id, path: away(env_id, path) if "contracts" in path else real(env_id, path)
    )
    with pytest.raises(Unavailable):
        validator.judge(ENV, "schema")


def test_of_an_earlier_try_of_the_same_run_nothing_counts(validator: Validator, repo: Path, trials: ToldTrials) -> None:
    shop.commit(repo, "head", without_a_column(repo))
    ask(validator)
    validator.judge(ENV, "schema")
    validator.report(ENV)
    ask(validator)
    with pytest.raises(NotFound):
        validator.kept(ENV).report()
    assert validator.kept(ENV).verdicts(known()) == {}


def test_files_of_others_are_not_to_be_had_by_a_path(validator: Validator, repo: Path) -> None:
    shop.commit(repo, "head", touched(2))
    ask(validator)
    assert json.loads(validator.kept(ENV).file("plan.json"))["env_id"] == "ci-v1"
    for path in ("../trial/record.json", "a/../../x", "no-such"):
        with pytest.raises(NotFound):
            validator.kept(ENV).file(path)


def test_a_check_that_is_not_there_is_an_error_of_its_own(validator: Validator, repo: Path) -> None:
    shop.commit(repo, "base2", {"testenv.yaml": f"{shop.LAYOUT}checks: {{own: 'no.such:Check'}}\n"})
    shop.commit(repo, "head", touched(2))
    validator.begin(ENV, Asked(base="base2", head="head", checks=("own",)))
    verdict = validator.judge(ENV, "own")
    assert verdict.outcome is Outcome.ERROR and "cannot be imported" in verdict.why
