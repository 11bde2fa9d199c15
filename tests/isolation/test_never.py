"""What no environment may do at all: become more than it is, take another's parts, learn others' names."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from psycopg2 import Error as PostgresError
from snowflake.connector.errors import ProgrammingError
from tests.isolation import on_aws, on_postgres, on_snowflake
from tests.isolation.conftest import OTHER, OWN, PRODUCTION, World, untouched
from tests.isolation.on_kafka import ask
from tests.isolation.parties import Target, code_of

from testenv.backends import postgres
from testenv.backends.protocol import Site
from testenv.core.naming import EnvId, Names
from testenv.core.plan import desired, in_order
from testenv.core.resources import System
from testenv.engine import Engine

anothers = pytest.mark.parametrize("whose", [OTHER, PRODUCTION])


@pytest.fixture(scope="module", autouse=True)
def unchanged(world: World) -> Iterator[None]:
    with untouched(world, OWN, OTHER, PRODUCTION):
        yield


class TestPostgres:
    @anothers
    @pytest.mark.parametrize("text", on_postgres.NEVER)
    def test_a_statement_beyond_it_is_refused(self, world: World, text: str, whose: str) -> None:
        target = world.targets[whose]
        if "{extension}" in text:
            text = text.format(extension=_untrusted_extension(world))
        with world.a.postgres() as cursor, pytest.raises(PostgresError) as caught:
            cursor.execute(text.format(other=target.postgres_role, database=target.postgres_database))
        assert code_of(caught.value) == on_postgres.INSUFFICIENT, caught.value

    def test_it_may_enter_its_own_databases_and_no_other(self, world: World) -> None:
        """Of all that the server has: the ledger, templates, golden data, others', whatever comes later."""
        with world.control.postgres() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            every = {name for (name,) in cursor.fetchall()}
        mine = {world.targets[OWN].postgres_database, world.targets[OWN].postgres_airflow}
        assert {"testenv_ledger", "airflow_management", "finsight", "postgres", "template1"} < every - mine
        entered, codes = set(), set()
        for database in every:
            try:
                with world.a.postgres(database):
                    entered.add(database)
            except PostgresError as error:
                closed = "is not currently accepting connections" in str(error)  # to nobody: templates
                codes.add("closed" if closed else code_of(error))
        assert entered == mine
        assert codes == {on_postgres.NO_CONNECT, "closed"}

    def test_nobody_enters_a_database_while_it_is_made(
        self, world: World, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """PostgreSQL lets everybody into a new database, and who is in stays in when it is closed."""
        refusals: dict[str, str] = {}
        close = postgres._close_to_others

        def try_then_close(connection: Any, name: str, owner: str) -> None:
            with pytest.raises(PostgresError) as refused, world.a.postgres(name):
                pass
            refusals.setdefault(name, str(refused.value))  # it is closed again, harmlessly, when it is there
            close(connection, name, owner)

        monkeypatch.setattr(postgres, "_close_to_others", try_then_close)
        env_id = EnvId(f"sbx-{secrets.token_hex(4)}")
        spec = engine.ledger.environment(world.ids[1]).spec.model_copy(update={"env_id": env_id})
        # The ledger has no such environment, so it keeps nothing.
        site = Site(spec, engine.datasets.get(spec.dataset, spec.tapes), engine.vault)
        backend = engine.backends[System.POSTGRES]
        try:
            for part in in_order(desired(spec, site.dataset)):
                if part.system is System.POSTGRES:
                    backend.ensure(part, site)
        finally:
            for part in in_order(engine.observe(env_id), reverse=True):
                engine.backends[part.system].destroy(part)
        assert len(refusals) == 2
        assert all("not currently accepting connections" in words for words in refusals.values())

    @anothers
    def test_it_sees_no_statement_of_anothers_session(self, world: World, whose: str) -> None:
        secret = secrets.token_hex(8)
        with world.owners[whose].postgres() as theirs, world.a.postgres() as cursor:
            theirs.execute(f"SELECT '{secret}'")
            cursor.execute("SELECT query FROM pg_stat_activity WHERE usename = %s",
                           [world.targets[whose].postgres_role])  # fmt: skip
            seen = {query for (query,) in cursor.fetchall()}
            assert seen == {"<insufficient privilege>"}
            with world.control.postgres() as all_seeing:
                all_seeing.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s", [f"SELECT '{secret}%'"])
                assert all_seeing.fetchone() == (1,), "the superuser does see it"


def _untrusted_extension(world: World) -> str:
    """One that is there and that only a superuser may create."""
    with world.control.postgres() as cursor:
        cursor.execute("SELECT name FROM pg_available_extension_versions WHERE NOT trusted AND superuser ORDER BY 1")
        found = cursor.fetchone()
    assert found, "there is an extension to try"
    return str(found[0])


class TestSnowflake:
    @anothers
    @pytest.mark.parametrize(("what", "text"), on_snowflake.NEVER, ids=[what for what, _ in on_snowflake.NEVER])
    def test_a_statement_beyond_it_is_refused(
        self, world: World, what: str, text: Callable[[Target], str], whose: str
    ) -> None:
        own = world.targets[OWN].database
        with world.a.snowflake(database=own, schema="RAW") as cursor, pytest.raises(ProgrammingError) as caught:
            cursor.execute(text(world.targets[whose]))
        assert code_of(caught.value) in {"2003", "3001", "3013", "2043"}, caught.value

    @pytest.mark.parametrize("what", ["DATABASES", "TABLES IN ACCOUNT", "SCHEMAS"])
    def test_show_tells_it_of_nothing_of_anothers(self, world: World, what: str) -> None:
        """As Snowflake. Roles are no secret there: every role may list them by name."""
        with world.a.snowflake(database=world.targets[OWN].database) as cursor:
            cells = {cell for row in cursor.execute(f"SHOW {what}").fetchall() for cell in row if isinstance(cell, str)}
        assert world.targets[OWN].database in cells
        foreign = (world.targets[OTHER].database, world.targets[PRODUCTION].database, "TE_GOLDEN")
        assert {cell for cell in cells if cell.startswith(foreign)} == set()

    @anothers
    def test_show_tables_of_anothers_database_shows_none(self, world: World, whose: str) -> None:
        """Snowflake says 2043 instead; neither tells a name."""
        with world.a.snowflake() as cursor:
            try:
                said = cursor.execute(f"SHOW TABLES IN DATABASE {world.targets[whose].database}").fetchall()
            except ProgrammingError as error:
                assert code_of(error) in {"2003", "2043"}
            else:
                assert said == []
        with world.owners[whose].snowflake() as cursor:
            shown = cursor.execute(f"SHOW TABLES IN DATABASE {world.targets[whose].database}").fetchall()
        assert "CANARY" in str(shown)

    @anothers
    def test_another_ones_result_is_not_scanned(self, world: World, whose: str) -> None:
        with world.owners[whose].snowflake(database=world.targets[whose].database, schema="RAW") as theirs:
            query = theirs.execute("SELECT * FROM CANARY").sfqid
            assert theirs.execute(f"SELECT * FROM TABLE(RESULT_SCAN('{query}'))").fetchall()
            with world.a.snowflake(database=world.targets[OWN].database) as cursor, pytest.raises(ProgrammingError):
                cursor.execute(f"SELECT * FROM TABLE(RESULT_SCAN('{query}'))")

    @anothers
    def test_a_path_that_climbs_leads_to_no_file_of_anothers(self, world: World, whose: str) -> None:
        target, own = world.targets[whose], world.targets[OWN]
        with world.a.snowflake(database=own.database, schema="RAW") as cursor:
            assert cursor.execute("LIST @LAKE").fetchall(), "its own files are listed"
            for path in (f"../../../{target.prefix}", f"%2e%2e/%2e%2e/%2e%2e/{target.prefix}"):
                try:
                    found = cursor.execute(f"LIST '@LAKE/{path}'").fetchall()
                except ProgrammingError:
                    continue
                assert found == []


class TestKafka:
    @pytest.mark.parametrize("verb", ["create_acl", "delete_acls", "password", "configuration"])
    def test_rights_and_users_are_the_administrators(self, world: World, verb: str) -> None:
        calls = _administration(world.targets[OTHER], world.a.kafka_user)
        with pytest.raises(KafkaException) as caught:
            ask(world.a, *calls[verb])
        assert code_of(caught.value) == "CLUSTER_AUTHORIZATION_FAILED"

    def test_the_administrator_is_let(self, world: World) -> None:
        [told] = ask(world.control, *_administration(world.targets[OTHER], world.a.kafka_user)["users"])
        assert told.scram_credential_infos

    def test_it_is_told_nobodys_rights(self, world: World) -> None:
        """The broker refuses; confluent_kafka makes an empty list of the refusal."""
        asked = _administration(world.targets[OTHER], world.a.kafka_user)["acls"]
        assert ask(world.a, *asked) == [[]]
        assert len(ask(world.control, *asked)[0]) > 6

    def test_it_is_told_of_its_own_topics_and_groups_alone(self, world: World) -> None:
        admin, own = AdminClient(world.a.kafka()), world.targets[OWN].topic_prefix
        topics = set(admin.list_topics(timeout=20).topics)
        groups = {group.group_id for group in admin.list_consumer_groups().result(20).valid}
        assert topics and groups
        assert {name for name in topics | groups if not name.startswith(own)} == set()

    @pytest.mark.parametrize("name", ["made", "te.made", "{own}made", "te.ci-made.x"])
    def test_it_makes_no_topic_outside_its_prefix(self, world: World, name: str) -> None:
        """Nor one that begins as its prefix does without the dot that ends it."""
        topic = name.format(own=world.targets[OWN].topic_prefix.rstrip("."))
        with pytest.raises(KafkaException) as caught:
            ask(world.a, "create_topics", [NewTopic(topic, 1)])
        assert code_of(caught.value) == "TOPIC_AUTHORIZATION_FAILED"


def _administration(other: Target, user: str) -> dict[str, tuple[Any, ...]]:
    every = (ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
    binding = (ResourceType.TOPIC, other.topic_prefix, ResourcePatternType.PREFIXED, f"User:{user}", "*",
               AclOperation.ALL, AclPermissionType.ALLOW)  # fmt: skip
    entry = ConfigEntry("log.retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    return {
        "acls": ("describe_acls", AclBindingFilter(*every)),
        "create_acl": ("create_acls", [AclBinding(*binding)]),
        "delete_acls": ("delete_acls", [AclBindingFilter(*every)]),
        # For the administrator alone: librdkafka 2.x crashes on the refusal.
        "users": ("describe_user_scram_credentials", [f"te-{other.topic_prefix.split('.')[1]}"]),
        "password": ("alter_user_scram_credentials", [UserScramCredentialUpsertion(user, info, b"mine")]),
        "configuration": (
            "incremental_alter_configs",
            [ConfigResource(ResourceType.BROKER, "1", incremental_configs=[entry])],
        ),
    }


class TestAws:
    @pytest.fixture(scope="class")
    def given(self, world: World) -> Iterator[dict[str, str]]:
        """Things of B that an id alone names: a Spark job, an orchestrator's task."""
        env, b = world.a.stack.env, world.targets[OTHER]
        emr, application = world.control.aws("emr-serverless"), env["TESTENV_EMR_APPLICATION_SANDBOX"]
        job = emr.start_job_run(
            applicationId=application,
            executionRoleArn=b.iam_role,
            clientToken=secrets.token_hex(8),
            jobDriver={"sparkSubmit": {"entryPoint": f"s3://{b.bucket}/{b.key}"}},
        )
        yield {
            "bucket": env["TESTENV_BUCKET"],
            "application": application,
            "job": job["jobRunId"],
            "job_arn": job["arn"],
            "cluster": env["TESTENV_ECS_CLUSTER"],
            "task_definition": env["TESTENV_ECS_TASK_DEFINITION"],
            "task": secrets.token_hex(16),
        }
        if emr.get_job_run(applicationId=application, jobRunId=job["jobRunId"])["jobRun"]["state"] not in _OVER:
            emr.cancel_job_run(applicationId=application, jobRunId=job["jobRunId"])

    @anothers
    @pytest.mark.parametrize(("what", "call"), on_aws.NEVER, ids=[what for what, _ in on_aws.NEVER])
    def test_a_call_beyond_it_is_refused(
        self, world: World, given: dict[str, str], what: str, call: on_aws.Call, whose: str
    ) -> None:
        with pytest.raises(ClientError) as caught:
            call(world.a.aws, world.targets[whose], given)
        assert code_of(caught.value) in on_aws.DENIED, caught.value

    @pytest.mark.parametrize(
        "what",
        [
            "list buckets",
            "list all secrets",
            "list roles",
            "list Spark jobs",
            "read a dataset",
            "list orchestrators",
            "list versions",
            "assume its role",
        ],
    )
    def test_who_may_is_let(self, world: World, given: dict[str, str], what: str) -> None:
        """The call is well formed: the control plane's own user, or root, makes it."""
        env = world.a.stack.env
        keys = {"aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
        from dataclasses import replace

        who = world.control if what == "list buckets" else replace(world.control, aws_keys=keys)
        dict(on_aws.NEVER)[what](who.aws, world.targets[OTHER], given)


_OVER = ("SUCCESS", "FAILED", "CANCELLED")


def test_ids_of_the_two_begin_alike(world: World) -> None:
    """Else a prefix that is cut short would go unnoticed."""
    one, other = (Names(env_id) for env_id in world.ids)
    assert other.iam_role.startswith(one.iam_role) and other.snowflake_database.startswith(one.snowflake_database)
