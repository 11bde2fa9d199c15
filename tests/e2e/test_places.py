"""Quotas: ci waits in a queue and is told its place, sandboxes are refused with the holders named."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
from tests.e2e.conftest import Client

from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.engine import Engine


@pytest.fixture
def fill(engine: Engine) -> Iterator[Callable[[str], list[EnvId]]]:
    """Takes every place of a kind, in the ledger alone: nothing is made."""
    taken: list[EnvId] = []

    def take(kind: str) -> list[EnvId]:
        holding = [e for e in engine.ledger.living() if e.spec.kind == kind]
        for _ in range(engine.kinds[kind].at_once - len(holding)):
            name = f"f{secrets.token_hex(4)}"
            asked = engine.request({"kind": kind, "name": name, "owner": "holder"}, run_id=name, fallback_name=name)
            engine.ledger.admit(asked.env_id, engine.kinds, engine.clock())
            taken.append(asked.env_id)
        return taken

    yield take
    for env_id in taken:
        if engine.ledger.environment(env_id).state is State.PROVISIONING:
            give_up(engine, env_id)


def give_up(engine: Engine, env_id: EnvId) -> None:
    engine.ledger.move(env_id, State.DESTROYING, "the test is over", engine.clock())
    engine.ledger.move(env_id, State.DESTROYED, "the test is over", engine.clock())


def test_a_sandbox_over_quota_is_refused_and_told_who_holds_the_places(
    client: Client, slug: str, fill: Callable[[str], list[EnvId]]
) -> None:
    holders = fill("sandbox")
    answer = client("up", "--name", slug)
    assert answer.code == 4
    assert str(holders[0]) in answer.err and "of holder" in answer.err and "bin/testenv down" in answer.err
    assert client("show", f"sbx-{slug}", "--json").json["state"] == "refused"


def test_a_ci_environment_waits_for_a_place_and_gets_it(
    client: Client, engine: Engine, slug: str, fill: Callable[[str], list[EnvId]]
) -> None:
    holders = fill("ci")
    env_id = f"ci-{slug}"
    started = client("up", "--kind", "ci", "--name", slug, "--no-wait", "--json").json
    client.until(lambda: "place 1 of the ci queue" in (client.run("provision_env", started["run_id"])["note"] or ""))
    assert client("show", env_id, "--json").json["queue_place"] == 1
    admit = client.get(f"/dags/provision_env/dagRuns/{started['run_id']}/taskInstances/admit")
    assert admit["state"] == "deferred", "it waits without a worker"
    give_up(engine, holders[0])
    client.until(lambda: client("show", env_id, "--json").json["state"] == "ready", seconds=180)
    assert client("down", env_id).code == 0
