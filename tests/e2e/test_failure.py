"""A provision that fails leaves nothing, or what was asked to be kept; and says why."""

from __future__ import annotations

from tests.commits import commit
from tests.e2e.conftest import Client

MODEL = "include/dbt/finsight/models/staging/stg_payments.sql"
BROKEN = {MODEL: "select no_such_column from {{ source('raw', 'payments') }}\n"}


def test_a_failed_provision_leaves_nothing_and_the_run_says_why(client: Client, slug: str) -> None:
    answer = client("up", "--name", slug, "--ref", commit(BROKEN))
    assert answer.code == 1
    assert "stg_payments" in answer.err and "nothing is left" in answer.err
    environment = client("show", f"sbx-{slug}", "--json").json
    assert environment["state"] == "destroyed"
    assert {system: left for system, left in client.inventory(f"sbx-{slug}").items() if left} == {}
    run = client.get(f"/dags/provision_env/dagRuns/{environment['run_id']}")
    assert run["state"] == "failed"
    assert "stg_payments" in run["note"]


def test_a_failed_provision_is_kept_for_a_day_when_asked(client: Client, slug: str) -> None:
    answer = client("up", "--name", slug, "--ref", commit(BROKEN), "--on-failure", "keep")
    assert answer.code == 1
    assert "kept for inspection" in answer.err
    environment = client("show", f"sbx-{slug}", "--json").json
    assert environment["state"] == "quarantined"
    assert "stg_payments" in environment["reason"]
    assert client("connect", f"sbx-{slug}", "--json").code == 0, "it is kept to be looked into"
    assert client("down", f"sbx-{slug}").code == 0
    assert {system: left for system, left in client.inventory(f"sbx-{slug}").items() if left} == {}
