"""What is wrong is refused with the remedy named, and changes nothing in any system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.conftest import Client

from testenv.core.lifecycle import State
from testenv.engine import Engine


@pytest.fixture(autouse=True, scope="module")
def nothing_changes(client: Client, engine: Engine) -> Iterator[None]:
    """Looked at before the first request and after the last: what one of them changed says so by its name."""

    def everything() -> tuple[object, ...]:
        ledger = {(e.env_id, e.state) for e in engine.ledger.environments(states=frozenset(State))}
        return ledger, client.inventory("")

    before = everything()
    yield
    assert everything() == before


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--name", "Payments_Fix"), "lower-case letters"),
        (("--name", "../../etc/passwd"), "lower-case letters"),
        (("--name", "x'; DROP DATABASE FINSIGHT; --"), "lower-case letters"),
        (("--name", "a" * 21), "at most 20 characters"),
        (("--name", "pay-src"), "Choose another last word"),
        (("--ref", "no-such-branch"), "use a branch, tag or commit that is there"),
        (("--ref", "--upload-pack=touch /tmp/x"), "use a branch, tag or commit that is there"),
        (("--dataset", "seed-00000000"), "'latest' names the newest"),
        (("--dataset", "../current"), "latest"),
        (("--kind", "production"), "sandbox"),
        (("--ttl-hours", "9999"), "72 hours at most"),
        (("--owner", "<script>"), "letters, digits"),
        (("--on-failure", "panic"), "keep"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_a_wrong_request_is_a_bad_request_that_names_the_remedy(
    client: Client, arguments: tuple[str, str], remedy: str
) -> None:
    answer = client("up", *arguments)
    assert answer.code == 2, answer.err
    assert remedy in answer.err


def test_unknown_keys_are_refused_by_the_first_task_with_the_allowed_ones_named(client: Client) -> None:
    started = client.http.post("/api/v1/dags/provision_env/dagRuns", json={"conf": {"knid": "ci"}}).json()
    run = client.wait("provision_env", started["dag_run_id"])
    assert run["state"] == "failed"
    assert "does not know 'knid'" in run["note"] and "kind, name, owner" in run["note"]


@pytest.mark.parametrize("dag_id", ["destroy_env", "run_pipeline", "serve_env"])
def test_unknown_keys_are_refused_by_every_dag(client: Client, dag_id: str) -> None:
    conf = {"environment": "sbx-none", "dag_id": "x", "force": True}
    if dag_id != "run_pipeline":
        del conf["dag_id"]
    started = client.http.post(f"/api/v1/dags/{dag_id}/dagRuns", json={"conf": conf}).json()
    run = client.wait(dag_id, started["dag_run_id"])
    assert run["state"] == "failed"
    assert "does not know 'force'" in run["note"]


@pytest.mark.parametrize("name", ["FINSIGHT", "finsight", "te_golden_seed_src", "sbx-a; DROP", "ci-", "sbx-x-src"])
def test_what_is_no_environment_cannot_be_destroyed(client: Client, name: str) -> None:
    """By the command, and by the DAG itself for whoever goes around the command."""
    answer = client("down", name)
    assert answer.code in (2, 3)
    started = client.http.post("/api/v1/dags/destroy_env/dagRuns", json={"conf": {"environment": name}})
    if started.is_success:
        assert client.wait("destroy_env", started.json()["dag_run_id"])["state"] == "failed"
    else:
        assert started.status_code == 400


def test_an_environment_that_never_was_is_not_found(client: Client) -> None:
    for command in (["show"], ["down"], ["connect"], ["logs"], ["serve"]):
        answer = client(*command, "sbx-never-was")
        assert answer.code == 3, command
        assert "bin/testenv list" in answer.err
