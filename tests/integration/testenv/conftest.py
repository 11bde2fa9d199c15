"""What tests of the engine on real services share: the stack's settings, and environments that are gone afterwards."""

from __future__ import annotations

import gc
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
from snowflake.connector import SnowflakeConnection
from tests.conftest import RunningStack

from testenv.backends.protocol import Backend, Site, Vault
from testenv.backends.registry import backends
from testenv.backends.secrets import SsmVault
from testenv.config import Config
from testenv.core.naming import EnvId
from testenv.core.plan import desired, in_order
from testenv.core.resources import Resource, System
from testenv.core.spec import WORKING_TREE, EnvironmentSpec, OnFailure
from testenv.datasets.store import DatasetStore
from testenv.source import Repository


@dataclass(frozen=True)
class World:
    """The systems as the engine sees them, and environments to try them with."""

    config: Config
    vault: Vault
    backends: Mapping[System, Backend]
    store: DatasetStore

    def site(self, env_id: str) -> Site:
        version = self.store.resolve("latest")
        spec = EnvironmentSpec(
            env_id=EnvId(env_id),
            kind="sandbox",
            owner="a test",
            ref=WORKING_TREE,
            dataset=version,
            ttl_hours=None,
            on_failure=OnFailure.DESTROY,
            warehouse="TE_WH_SANDBOX",
        )
        return Site(spec, self.store.get(version), self.vault)

    def parts(self, site: Site, system: System) -> list[Resource]:
        """What `site` shall have in `system`, in the order of creation."""
        return [part for part in in_order(desired(site.spec, site.dataset)) if part.system is system]

    def ensure(self, site: Site, system: System) -> None:
        for part in self.parts(site, system):
            self.backends[system].ensure(part, site)

    def destroy(self, site: Site) -> None:
        """Destroy whatever is there of the environment, in every system."""
        env_id = site.spec.env_id
        found = [part for backend in self.backends.values() for part in backend.observe(env_id)]
        for part in in_order(found, reverse=True):
            self.backends[part.system].destroy(part)


def _close_sessions() -> None:
    """End the Snowflake sessions that the control plane keeps, while there is still a server to be told."""
    for kept in gc.get_objects():
        if isinstance(kept, SnowflakeConnection) and not kept.is_closed():
            kept.close()


@pytest.fixture(scope="session")
def config(stack: RunningStack) -> Iterator[Config]:
    """The stack's settings; boto3 and the TLS libraries read theirs from the environment."""
    before = dict(os.environ)
    os.environ.update(stack.env)
    yield Config.from_environ(stack.env)
    _close_sessions()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def unreaped(stack: RunningStack) -> None:
    """`reap_environments` rests: it would end what these tests make behind the ledger's back, as it should."""
    login = (stack.env["TESTENV_AIRFLOW_USER"], stack.env["TESTENV_AIRFLOW_PASSWORD"])
    url = f"{stack.env['TESTENV_AIRFLOW_URL']}/api/v1/dags/reap_environments"
    with httpx.Client(auth=login, timeout=60) as airflow:

        def rest(paused: bool) -> None:
            airflow.patch(url, json={"is_paused": paused}).raise_for_status()

        def is_active() -> bool:
            answer = airflow.get(f"{url}/dagRuns", params={"state": ["queued", "running"]})
            return bool(answer.raise_for_status().json()["total_entries"])

        deadline = time.monotonic() + 300
        rest(True)
        while is_active():  # a run of a DAG that rests would go on whenever it is woken
            assert time.monotonic() < deadline, "reap_environments did not end within 300 s"
            rest(False)
            time.sleep(1)
            if not is_active():
                rest(True)


@pytest.fixture(scope="session")
def world(config: Config, unreaped: None) -> World:
    vault = SsmVault(config)
    made = backends(config, vault, Repository(config.repo))
    return World(config, vault, made, DatasetStore(config))


@pytest.fixture
def new_site(world: World) -> Iterator[Callable[[], Site]]:
    """Makes sites of environments that nobody had before; all that a test makes of them is destroyed after it."""
    made: list[Site] = []

    def new() -> Site:
        made.append(world.site(f"sbx-t{secrets.token_hex(4)}"))
        return made[-1]

    yield new
    for site in made:
        world.destroy(site)


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Site:
    return new_site()
