"""What an environment can do to its own things, it can do to nobody else's: the systems themselves refuse it.

Each attempt is made three times: on A's own things, where it succeeds, so that it could succeed elsewhere too; on B's
and on production's, where the vendor's own error says that it was refused; and on B's with the wall taken down, where
it succeeds again, so that a hole in the wall would be seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from tests.isolation import on_aws, on_kafka, on_postgres, on_snowflake
from tests.isolation.attempts import Attempt
from tests.isolation.conftest import OTHER, OWN, PRODUCTION, World, untouched
from tests.isolation.on_kafka import results
from tests.isolation.parties import VENDOR_ERRORS, code_of

ATTEMPTS = [attempt for system in (on_postgres, on_kafka, on_snowflake, on_aws) for attempt in system.ATTEMPTS]
each_attempt = pytest.mark.parametrize("attempt", ATTEMPTS, ids=str)


@pytest.fixture
def session(world: World, request: pytest.FixtureRequest) -> Iterator[None]:
    """A session of whose things are tried, for the attempt that would end it."""
    whose = getattr(request, "param", OWN)
    with world.owners[whose].postgres():
        yield


@each_attempt
def test_on_its_own_it_succeeds(world: World, session: None, attempt: Attempt) -> None:
    attempt(world.a, world.targets[OWN])


class TestOnAnothers:
    @pytest.fixture(scope="class", autouse=True)
    def unchanged(self, world: World) -> Iterator[None]:
        with untouched(world, OTHER, PRODUCTION):
            yield

    @pytest.mark.parametrize(
        ("session", "whose"), [(OTHER, OTHER), (PRODUCTION, PRODUCTION)], ids=[OTHER, PRODUCTION], indirect=["session"]
    )
    @each_attempt
    def test_it_is_refused_by_the_system(self, world: World, session: None, whose: str, attempt: Attempt) -> None:
        with pytest.raises(VENDOR_ERRORS) as caught:
            attempt(world.a, world.targets[whose])
        assert code_of(caught.value) in attempt.refusals, caught.value


class TestWithoutTheWall:
    """As `TestOnAnothers`, but each system's isolation is broken for A: not one attempt may be refused."""

    @pytest.fixture(scope="class", autouse=True)
    def postgres_opened(self, world: World) -> Iterator[None]:
        a, b = world.targets[OWN].postgres_role, world.targets[OTHER].postgres_role
        with world.control.postgres() as cursor:
            cursor.execute(f"GRANT {b} TO {a}")
            yield
            cursor.execute(f"REVOKE {b} FROM {a}")

    @pytest.fixture(scope="class", autouse=True)
    def kafka_opened(self, world: World) -> Iterator[None]:
        admin, prefix = AdminClient(world.control.kafka()), world.targets[OTHER].topic_prefix
        opened = [
            (kind, prefix, ResourcePatternType.PREFIXED, f"User:{world.a.kafka_user}", "*", AclOperation.ALL,
             AclPermissionType.ALLOW)
            for kind in (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID)
        ]  # fmt: skip
        results(admin.create_acls([AclBinding(*each) for each in opened]))
        yield
        results(admin.delete_acls([AclBindingFilter(*each) for each in opened]))

    @pytest.fixture(scope="class", autouse=True)
    def snowflake_opened(self, world: World) -> Iterator[None]:
        a, b = world.targets[OWN], world.targets[OTHER]
        with world.control.snowflake() as cursor:
            cursor.execute(f"GRANT ROLE {b.snowflake_role} TO ROLE {a.snowflake_role}")
            cursor.execute(f"GRANT ROLE {b.snowflake_role} TO USER {a.snowflake_user}")
            cursor.execute(f"GRANT USAGE ON WAREHOUSE {b.warehouse} TO ROLE {a.snowflake_role}")
            cursor.execute(f"DESCRIBE USER {b.snowflake_user}")
            key = {row[0]: row[1] for row in cursor.fetchall()}["RSA_PUBLIC_KEY"]
            cursor.execute(f"DESCRIBE USER {a.snowflake_user}")
            thief = {row[0]: row[1] for row in cursor.fetchall()}["RSA_PUBLIC_KEY"]
            cursor.execute(f"ALTER USER {b.snowflake_user} SET RSA_PUBLIC_KEY = '{thief}'")
            yield
            cursor.execute(f"ALTER USER {b.snowflake_user} SET RSA_PUBLIC_KEY = '{key}'")
            cursor.execute(f"REVOKE USAGE ON WAREHOUSE {b.warehouse} FROM ROLE {a.snowflake_role}")
            cursor.execute(f"REVOKE ROLE {b.snowflake_role} FROM USER {a.snowflake_user}")
            cursor.execute(f"REVOKE ROLE {b.snowflake_role} FROM ROLE {a.snowflake_role}")

    @pytest.fixture(scope="class", autouse=True)
    def aws_opened(self, world: World) -> Iterator[None]:
        iam, role = world.control.aws("iam"), world.targets[OWN].iam_role.rsplit("/", 1)[1]
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        iam.put_role_policy(RoleName=role, PolicyName="sabotage", PolicyDocument=json.dumps(everything))
        yield
        iam.delete_role_policy(RoleName=role, PolicyName="sabotage")

    @pytest.mark.parametrize("session", [OTHER], indirect=True)
    @each_attempt
    def test_it_succeeds(self, world: World, session: None, attempt: Attempt) -> None:
        attempt(world.a, world.targets[OTHER])
