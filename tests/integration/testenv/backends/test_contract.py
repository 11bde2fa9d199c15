"""One contract for every backend: what it means to ensure, observe, destroy and probe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from tests.integration.testenv.conftest import World

from testenv.backends.aws import client
from testenv.backends.kafka import KafkaBackend
from testenv.backends.kafka_rights import bindings_of
from testenv.backends.memory import MemoryBackend
from testenv.backends.postgres import PostgresBackend
from testenv.backends.postgres_server import Server, execute
from testenv.backends.protocol import Backend, Credentials, Site, Vault
from testenv.backends.snowflake import Account, SnowflakeBackend, identifier, run
from testenv.config import Config
from testenv.core.errors import Denied, InvalidName
from testenv.core.naming import EnvId
from testenv.core.resources import Resource, System

SYSTEMS = (*System, "memory")
FOREIGN_NAMES = (
    "FINSIGHT",
    "finsight",
    "finsight-production",
    "finsight_writer",
    "TE_GOLDEN_SEED_1A2B3C4D",
    "te_golden_seed_1a2b3c4d_src",
    "te_template_airflow",
    "datasets/seed-1a2b3c4d/",
    "TESTENV_CONTROL",
    "testenv_ledger",
    "postgres",
    "card_events",
    "te.",
    "env/",
    "env/../datasets/",
    "/testenv/",
    "/finsight/connections/finsight_kafka",
    "te_sbx_a; DROP DATABASE finsight",
    "",
)
DERIVED_ELSEWHERE = (
    "env/sbx-a/lake/",
    "TE_SBX_A_RW_RW",
    "te.sbx-a",
    "/testenv/sbx-a/credentials/s3",
)
"""Begin as an environment's names do, and are no part of it."""


@pytest.fixture(params=SYSTEMS, ids=str)
def tried(request: pytest.FixtureRequest, world: World) -> Iterator[World]:
    """The world with the one backend under test; memory stands in for Postgres, whose resources it then keeps."""
    if request.param == "memory":
        yield replace(world, backends={System.POSTGRES: MemoryBackend(System.POSTGRES)})
    else:
        yield replace(world, backends={request.param: world.backends[request.param]})


@pytest.fixture
def system(tried: World) -> System:
    return next(iter(tried.backends))


@pytest.fixture
def backend(tried: World, system: System) -> Backend:
    return tried.backends[system]


class TestEnsure:
    def test_what_is_ensured_is_observed_and_nothing_else(
        self, tried: World, system: System, backend: Backend, site: Site
    ) -> None:
        made = set()
        assert backend.observe(site.spec.env_id) == made
        for part in tried.parts(site, system):
            backend.ensure(part, site)
            made.add(part)
            assert backend.observe(site.spec.env_id) == made
        assert {part for part in backend.observe() if part in made} == made

    def test_twice_is_once(self, tried: World, system: System, backend: Backend, site: Site) -> None:
        tried.ensure(site, system)
        before, counts = shown(backend, site), backend.probe(site)
        tried.ensure(site, system)
        assert shown(backend, site) == before
        assert backend.probe(site) == counts

    def test_what_was_damaged_is_mended(
        self, tried: World, system: System, backend: Backend, site: Site, damage: Callable[[Site], None]
    ) -> None:
        tried.ensure(site, system)
        before, counts = shown(backend, site), backend.probe(site)
        damage(site)
        tried.ensure(site, system)
        assert shown(backend, site) == before
        assert backend.probe(site) == counts


class TestDestroy:
    def test_nothing_is_left_and_twice_is_once(
        self, tried: World, system: System, backend: Backend, site: Site
    ) -> None:
        tried.ensure(site, system)
        for part in reversed(tried.parts(site, system)):
            backend.destroy(part)
            backend.destroy(part)
            assert part not in backend.observe(site.spec.env_id)
        assert backend.observe(site.spec.env_id) == frozenset()
        assert not {part for part in backend.observe() if str(site.spec.env_id) in part.name.lower().replace("_", "-")}

    def test_what_never_was_is_gone(self, tried: World, system: System, backend: Backend, site: Site) -> None:
        for part in reversed(tried.parts(site, system)):
            backend.destroy(part)
        assert backend.observe(site.spec.env_id) == frozenset()

    def test_a_name_of_no_environment_is_refused(
        self, tried: World, system: System, backend: Backend, site: Site
    ) -> None:
        kinds = {part.kind for part in tried.parts(site, system)}
        for resource in (Resource(system, kind, name) for kind in kinds for name in FOREIGN_NAMES):
            with pytest.raises(InvalidName):
                backend.destroy(resource)
            with pytest.raises(InvalidName):
                backend.ensure(resource, site)


class TestTwoEnvironments:
    def test_they_neither_see_nor_disturb_each_other(
        self, tried: World, system: System, backend: Backend, new_site: Callable[[], Site]
    ) -> None:
        one, other = new_site(), new_site()
        tried.ensure(one, system)
        tried.ensure(other, system)
        before, counts = shown(backend, other), backend.probe(other)
        for part in reversed(tried.parts(one, system)):
            backend.destroy(part)
        assert backend.observe(one.spec.env_id) == frozenset()
        assert shown(backend, other) == before
        assert backend.probe(other) == counts


@pytest.mark.parametrize("system", [System.SECRETS, System.S3, System.POSTGRES, System.SNOWFLAKE, System.KAFKA])
def test_a_name_that_only_begins_as_an_environments_is_refused(world: World, site: Site, system: System) -> None:
    for kind in {part.kind for part in world.parts(site, system)}:
        for name in DERIVED_ELSEWHERE:
            with pytest.raises(InvalidName):
                world.backends[system].destroy(Resource(system, kind, name))


class OthersVault:
    """Hands out another environment's credentials for everyone."""

    def __init__(self, vault: Vault, other: EnvId) -> None:
        self._vault, self._other = vault, other

    def credentials(self, env_id: EnvId, system: System) -> Credentials:
        return self._vault.credentials(self._other, system)

    def find(self, env_id: EnvId, system: System) -> Credentials | None:
        return self._vault.find(self._other, system)


@pytest.mark.parametrize("make", [PostgresBackend, SnowflakeBackend, KafkaBackend])
def test_a_probe_with_anothers_credentials_is_denied(
    world: World, new_site: Callable[[], Site], make: Callable[[Config, Vault], Backend]
) -> None:
    one, other = new_site(), new_site()
    system = make(world.config, world.vault).system
    world.ensure(one, system)
    world.ensure(other, system)
    assert world.backends[system].probe(one)
    with pytest.raises(Denied):
        make(world.config, OthersVault(world.vault, other.spec.env_id)).probe(one)


def shown(backend: Backend, site: Site) -> dict[Resource, Mapping[str, str]]:
    """What is observed, settings too, which do not take part in a resource's equality."""
    return {part: part.setting for part in backend.observe(site.spec.env_id)}


# ---------------------------------------------------------------- damage


@pytest.fixture
def damage(tried: World, system: System, backend: Backend) -> Callable[[Site], None]:
    if isinstance(backend, MemoryBackend):
        return lambda site: backend.resources.clear()
    return lambda site: _DAMAGE[system](tried.config, site)


def damage_secrets(config: Config, site: Site) -> None:
    client("ssm", config).delete_parameter(Name=site.names.parameter("credentials", "kafka"))


def damage_s3(config: Config, site: Site) -> None:
    s3, iam = client("s3", config), client("iam", config)
    landing = site.names.prefix + "landing/"
    first = s3.list_objects_v2(Bucket=config.bucket, Prefix=landing)["Contents"][0]["Key"]
    s3.put_object(Bucket=config.bucket, Key=first, Body=b"changed")
    s3.put_object(Bucket=config.bucket, Key=landing + "extra.json", Body=b"{}")
    s3.delete_object(Bucket=config.bucket, Key=site.names.prefix + ".testenv")
    iam.delete_role_policy(RoleName=site.names.iam_role, PolicyName="environment")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName=site.names.iam_role, PolicyName="more", PolicyDocument=document)


def damage_postgres(config: Config, site: Site) -> None:
    """As if the control plane had died while it made the copy; and the role may more than it should."""
    server = Server(config)
    with server.control(site.names.postgres_source) as inside:
        execute(inside, "DROP TABLE {} CASCADE", sorted(site.dataset.postgres)[0])
    with server.control() as connection:
        execute(connection, "COMMENT ON DATABASE {} IS NULL", site.names.postgres_source)
        execute(connection, "GRANT CONNECT ON DATABASE {} TO PUBLIC", site.names.postgres_airflow)
        execute(connection, "ALTER ROLE {} NOLOGIN PASSWORD 'another' CREATEDB", site.names.postgres_role)


def damage_snowflake(config: Config, site: Site) -> None:
    database, role = identifier(site.names.snowflake_database), identifier(site.names.snowflake_role)
    with Account(config).control() as connection:
        run(connection, f"COMMENT ON DATABASE {database} IS ''")
        run(connection, f"REVOKE USAGE ON DATABASE {database} FROM ROLE {role}")
        run(connection, f"DROP USER {identifier(site.names.snowflake_user)}")


def damage_kafka(config: Config, site: Site) -> None:
    login = config.kafka.client(config.kafka.user, config.kafka.password)
    topic = site.names.topic(site.dataset.topics[0].name)
    producer = Producer({**login, "log_level": 0})
    producer.produce(topic, b"not the dataset's")
    assert producer.flush(10) == 0
    admin = AdminClient(login)
    for future in admin.delete_acls([bindings_of(site.names.kafka_user)]).values():
        future.result(10)


def damage_code(config: Config, site: Site) -> None:
    s3 = client("s3", config)
    for entry in s3.list_objects_v2(Bucket=config.bucket, Prefix=site.names.prefix + "code/")["Contents"]:
        s3.delete_object(Bucket=config.bucket, Key=entry["Key"])


_DAMAGE: dict[System, Callable[[Config, Site], None]] = {
    System.SECRETS: damage_secrets,
    System.S3: damage_s3,
    System.POSTGRES: damage_postgres,
    System.SNOWFLAKE: damage_snowflake,
    System.KAFKA: damage_kafka,
    System.SPARK: damage_code,
    System.ORCHESTRATOR: damage_code,
}
