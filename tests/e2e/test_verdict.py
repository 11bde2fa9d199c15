"""`bin/testenv ci`: a harmless change is a yes, a breaking one a no by the right check; of either nothing is left.

All are of one batch pipeline, which a trial runs in seconds; tests/faults has Spark, dbt and streams.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.commits import commit
from tests.conftest import REPO
from tests.e2e.conftest import Answer, Client
from tests.faults.corpus import changes, named, read_repository

PIPELINE = "disputes_daily"
DAG = f"include/estate/dags/{PIPELINE}.py"
CONTRACT = "include/catalog/contracts/snowflake.RAW.DISPUTES.yaml"

pytestmark = pytest.mark.timeout(1500)


def case(name: str) -> dict[str, str | None]:
    """The files of a case of the corpus."""
    return changes(named(name), read_repository)


@pytest.fixture(scope="module")
def gone(client: Client) -> Iterator[Callable[[Answer], None]]:
    """Says that a verdict's environment is gone: once its run has ended, no system has anything of it."""

    def look(answer: Answer) -> None:
        found = answer.json
        client.wait("validate_release", found["run_id"], 300)
        assert {system: left for system, left in client.inventory(found["env_id"]).items() if left} == {}

    yield look


@pytest.fixture(scope="module")
def harmless(client: Client, tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, Path]:
    """A verdict on a change that a pipeline runs, and that changes nothing of what it does."""
    folder = tmp_path_factory.mktemp("verdict")
    base = commit({})
    head = commit(case("owner-and-sla"))
    files = ("--junit", str(folder / "junit.xml"), "--html", str(folder / "report.html"))
    return client("ci", "--base", base, "--head", head, "--json", *files), folder


def verdicts(answer: Answer) -> dict[str, str]:
    return {each["check"]: each["outcome"] for each in answer.json["verdicts"]}


def breaking(answer: Answer) -> list[dict[str, Any]]:
    found = [finding for verdict in answer.json["verdicts"] for finding in verdict["findings"]]
    return [finding for finding in found if finding["severity"] == "breaking"]


def test_a_harmless_change_is_a_yes_by_every_check(
    harmless: tuple[Answer, Path], gone: Callable[[Answer], None]
) -> None:
    answer, _ = harmless
    assert answer.code == 0, answer.out + answer.err
    assert [each["name"] for each in answer.json["choice"]["selected"]][:1] and PIPELINE in answer.out
    checks = ("trial", "schema", "idempotency", "backfill", "quality", "diff", "streaming", "isolation")
    assert set(verdicts(answer)) == set(checks)
    assert set(verdicts(answer).values()) <= {"passed", "not applicable"}
    assert {run["side"] for run in answer.json["runs"]} == {"base", "head"}
    gone(answer)


def test_both_sides_begin_with_the_models_that_are_released(client: Client, harmless: tuple[Answer, Path]) -> None:
    """Were they head's, what head spoils would be spoiled for base, too. Which models are built, test_models says."""
    made = client.run("provision_env", f"validate_release__{harmless[0].json['env_id']}")
    assert made["conf"]["models"] == "dataset"


def test_the_reports_are_written_and_stay_when_the_environment_is_gone(
    client: Client, harmless: tuple[Answer, Path]
) -> None:
    answer, folder = harmless
    assert "This change may be released" in (folder / "report.html").read_text()
    suites = ElementTree.parse(folder / "junit.xml").getroot()
    assert {suite.get("name") for suite in suites} == set(verdicts(answer))
    page = answer.json["files"]["report.html"]
    with client.browser() as browser:
        shown = browser.get(page)
        assert shown.is_success and "sandbox" in shown.headers["Content-Security-Policy"]
        overview = browser.get(f"/testenv/environments/{answer.json['env_id']}").text
        assert "This change may be released" in overview and page in overview
    run = client.run("validate_release", answer.json["run_id"])
    assert run["note"].startswith("**Verdict: yes.**") and page in run["note"]


def test_the_same_refs_are_the_same_verdict(client: Client, harmless: tuple[Answer, Path]) -> None:
    from testenv.checks.report import Report

    first = harmless[0].json
    again = client("ci", "--base", first["base"]["commit"], "--head", first["head"]["commit"], "--json").json
    said = [Report.model_validate({key: each[key] for key in Report.model_fields}).data() for each in (first, again)]
    assert said[0] == said[1]


def test_a_merge_that_inserts_again_is_a_no_by_idempotency_with_the_rows(
    client: Client, gone: Callable[[Answer], None]
) -> None:
    head = commit(case("merge-by-a-key-that-may-be-null"))
    answer = client("ci", "--base", commit({}), "--head", head, "--json")
    assert answer.code == 1, answer.out + answer.err
    assert verdicts(answer)["idempotency"] == "failed"
    assert answer.json["things"][0]["state"] == "bad"
    found = [finding["where"] for finding in breaking(answer) if finding["rule"] == "not-idempotent"]
    assert found and "DISPUTES" in json.dumps(found) and found[0]["rows"]
    gone(answer)


def test_a_column_that_goes_is_a_no_by_schema(client: Client, gone: Callable[[Answer], None]) -> None:
    lines = (REPO / CONTRACT).read_text().splitlines(keepends=True)
    contract = "".join(line for line in lines if "name: STATEMENT" not in line)
    head = commit({CONTRACT: contract})
    answer = client("ci", "--base", commit({}), "--head", head, "--check", "schema", "--json")
    assert answer.code == 1, answer.out + answer.err
    assert {finding["rule"] for finding in breaking(answer)} == {"column-dropped"}
    gone(answer)


def test_a_change_of_words_needs_no_environment(client: Client) -> None:
    answer = client("ci", "--base", commit({}), "--head", commit({"README.md": "other words\n"}), "--json")
    assert answer.code == 0, answer.out + answer.err
    assert answer.json["choice"]["selected"] == [] and answer.json["runs"] == []
    run = client.wait("validate_release", answer.json["run_id"])
    assert run["state"] == "success"
    states = {task["task_id"]: task["state"] for task in client.get(_tasks(answer))["task_instances"]}
    assert states["provision"] == states["trial"] == "skipped"
    assert client("show", answer.json["env_id"]).code == 3


def _tasks(answer: Answer) -> str:
    return f"/dags/validate_release/dagRuns/{answer.json['run_id']}/taskInstances"


@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        (CONTRACT, "id: [nonsense", "cannot be read as YAML"),
        ("testenv.yaml", "dags: 7\n", "testenv.yaml: dags"),
    ],
    ids=["contract", "layout"],
)
def test_a_repository_that_cannot_be_read_is_an_error_that_says_so(
    client: Client, path: str, content: str, told: str
) -> None:
    answer = client("ci", "--base", commit({}), "--head", commit({path: content}), "--json")
    assert answer.code == 7, answer.out + answer.err
    assert answer.json["answer"] == "error" and told in answer.json["reason"]
    assert client("show", answer.json["env_id"]).code == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise RuntimeError('not on my machine')\n", "RuntimeError: not on my machine"),
        ("__import__('time').sleep(3600)\n", "import timeout"),  # Airflow's own limit for a file
    ],
    ids=["does not import", "hangs"],
)
def test_code_that_cannot_be_run_is_an_error_within_its_limit_and_leaves_nothing(
    client: Client, gone: Callable[[Answer], None], text: str, told: str
) -> None:
    own = case("disputes-get-a-dag-of-their-own")
    head = commit(own | {DAG: f"{own[DAG]}\n{text}"})
    answer = client("ci", "--base", commit({}), "--head", head, "--trial-minutes", "3", "--json")
    assert answer.code == 7, answer.out + answer.err
    assert "cannot be imported" in answer.json["reason"] and told in answer.json["reason"]
    gone(answer)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--base", "no-such-branch"), "names no commit"),
        (("--dataset", "seed-00000000"), "no published version"),
    ],
)
def test_a_wrong_request_is_a_bad_request(client: Client, arguments: tuple[str, str], told: str) -> None:
    answer = client("ci", *arguments)
    assert answer.code == 2, answer.err
    assert told in answer.err


def test_an_environment_cannot_write_what_is_said_of_it(client: Client, shared: dict[str, Any]) -> None:
    import boto3
    from botocore.exceptions import ClientError

    login = client("connect", shared["id"], "--json").json["s3"]
    s3 = boto3.client(
        "s3",
        aws_access_key_id=login["access_key_id"],
        aws_secret_access_key=login["secret_access_key"],
        aws_session_token=login["session_token"],
        region_name=login["region"],
        endpoint_url=login["endpoint_url"] or None,
    )
    bucket = str(login["url"]).removeprefix("s3://").partition("/")[0]
    key = f"artifacts/{shared['id']}/verdict/report.json"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key=key, Body=b'{"answer": "yes"}')
