"""Quotas: ci waits in a queue and is told its place, sandboxes are refused with the holders named."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

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


def test_a_ci_environment_waits_for_a_place_is_told_it_everywhere_and_gets_it(
    client: Client, engine: Engine, slug: str, fill: Callable[[str], list[EnvId]]
) -> None:
    """Of two that wait the first dies: its run is deleted, with it who cleans up, and its questions end."""
    holders = fill("ci")
    dead, env_id = f"ci-{slug}-dead", f"ci-{slug}"
    first = ask(client, f"{slug}-dead")
    client.until(lambda: "place 1 of the ci queue" in note(client, first))
    started = ask(client, slug)
    client.until(lambda: "place 2 of the ci queue" in note(client, started))
    assert client("show", env_id, "--json").json["queue_place"] == 2
    assert {one["id"]: one["queue_place"] for one in client("list", "--json").json if one["queue_place"]} == {
        dead: 1,
        env_id: 2,
    }
    listed = client("list").out
    assert "queued at place 2" in next(line for line in listed.splitlines() if f"{env_id} " in line)
    with client.browser() as browser:
        assert "place 2" in browser.get("/testenv/environments").text
        assert "place 2 of the queue" in browser.get(f"/testenv/environments/{env_id}").text
    admit = client.get(f"/dags/provision_env/dagRuns/{started}/taskInstances/admit")
    assert admit["state"] == "deferred", "it waits without a worker"

    deleted = client.http.delete(f"/api/v1/dags/provision_env/dagRuns/{first}")
    assert deleted.is_success, deleted.text
    long_ago = engine.clock() - timedelta(hours=1)  # the lease of who asks no more, an hour later
    client.until(lambda: lapses(client, engine, EnvId(dead), long_ago))
    client.until(lambda: "place 1 of the ci queue" in note(client, started))
    give_up(engine, holders[0])
    client.until(lambda: client("show", env_id, "--json").json["state"] == "ready", seconds=180)
    ended = client("show", dead, "--json").json
    assert ended["state"] == "refused" and "no sign of life" in ended["reason"]
    assert client("down", env_id).code == 0


def ask(client: Client, name: str) -> str:
    return str(client("up", "--kind", "ci", "--name", name, "--no-wait", "--json").json["run_id"])


def note(client: Client, run_id: str) -> str:
    return client.run("provision_env", run_id)["note"] or ""


def lapses(client: Client, engine: Engine, env_id: EnvId, then: datetime) -> bool:
    """Whether the environment's lease, set to have been renewed `then`, stays so: no one asks for it any more."""
    engine.ledger.wait(env_id, engine.kinds, then)
    time.sleep(4)  # longer than who waits takes to ask again
    lease = engine.ledger.environment(env_id).lease_until
    return lease is not None and lease < engine.clock()
