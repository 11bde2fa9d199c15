"""An environment's own Airflow lets in who has its password; and with the environment every login of it ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from psycopg2 import Error as PostgresError
from snowflake.connector.errors import Error as SnowflakeError
from tests.conftest import RunningStack
from tests.isolation.conftest import World, destroy, login_of, provision
from tests.isolation.parties import Login, code_of

from testenv.backends.waiting import wait_until
from testenv.core.naming import EnvId, Names
from testenv.engine import Engine


@dataclass(frozen=True)
class Doomed:
    """An environment that is about to end, with sessions open in it."""

    env_id: EnvId
    login: Login
    url: str


def postgres(login: Login) -> None:
    with login.postgres() as cursor:
        cursor.execute("SELECT 1")


def snowflake(login: Login) -> None:
    with login.snowflake() as cursor:
        cursor.execute("SELECT 1")


def kafka(login: Login) -> None:
    heard: list[Any] = []
    admin = AdminClient(login.kafka(error_cb=heard.append))
    try:
        admin.list_topics(timeout=3)
    except KafkaException:
        admin.poll(0)
        raise KafkaException(next(error for error in heard if error.name() == "_AUTHENTICATION")) from None


def s3(login: Login) -> None:
    login.aws("s3").list_objects_v2(Bucket=login.stack.env["TESTENV_BUCKET"], Prefix=f"env/{_id(login)}/")


def ssm(login: Login) -> None:
    login.aws("ssm").get_parameters_by_path(Path=f"/testenv/{_id(login)}/connections")


def _id(login: Login) -> str:
    return login.kafka_user.removeprefix("te-")


LOGINS: dict[Callable[[Login], None], set[str]] = {
    postgres: {"no login"},
    snowflake: {"390144"},
    kafka: {"_AUTHENTICATION"},
    s3: {"InvalidAccessKeyId"},
    ssm: {"UnrecognizedClientException"},
}
each_login = pytest.mark.parametrize("log_in", LOGINS, ids=lambda log_in: log_in.__name__)


@pytest.fixture(scope="module")
def doomed(engine: Engine, stack: RunningStack, world: World) -> Iterator[Doomed]:
    """It serves its Airflow."""
    env_id = provision(engine, f"gone{secrets.token_hex(3)}")
    task = engine.start_serving(env_id)

    def answers() -> bool:
        address = engine.run_status(task).address
        try:
            return bool(address) and httpx.get(f"http://{address}/health", timeout=5).is_success
        except httpx.TransportError:
            return False

    wait_until(answers, "its Airflow answers", seconds=180)
    yield Doomed(env_id, login_of(engine, stack, env_id), f"http://{engine.run_status(task).address}")
    if engine.observe(env_id):
        destroy(engine, env_id)


def answer(url: str, user: str, password: str) -> int:
    """Of Airflow's REST API: 403 is what it says to a wrong password."""
    return httpx.get(f"{url}/api/v1/dags", auth=(user, password), timeout=60).status_code


def _web(login: Login) -> tuple[str, str]:
    return login.airflow["user"], login.airflow["password"]


class TestWhileItLives:
    @each_login
    def test_it_is_let_in(self, doomed: Doomed, log_in: Callable[[Login], None]) -> None:
        log_in(doomed.login)

    def test_its_airflow_takes_its_own_password_and_no_others(self, world: World, doomed: Doomed) -> None:
        managers = (world.a.stack.env["TESTENV_AIRFLOW_USER"], world.a.stack.env["TESTENV_AIRFLOW_PASSWORD"])
        answers = [answer(doomed.url, *login) for login in (_web(doomed.login), _web(world.a), managers)]
        assert answers == [200, 403, 403]

    def test_the_management_airflow_takes_no_environments_password(self, world: World) -> None:
        url, env = world.a.stack.env["TESTENV_AIRFLOW_URL"], world.a.stack.env
        managers = (env["TESTENV_AIRFLOW_USER"], env["TESTENV_AIRFLOW_PASSWORD"])
        answers = [answer(url, *login) for login in (managers, _web(world.a))]
        assert answers == [200, 403]
        mine = httpx.get(f"{url}/testenv/api/v1/environments", auth=_web(world.a)).status_code
        assert mine == 401

    def test_no_two_airflows_share_a_key(self, world: World, doomed: Doomed) -> None:
        """Who knows the secret key of a web server can forge its sessions."""
        keys = [login.airflow[key] for login in (world.a, world.owners["other"], doomed.login)
                for key in ("secret_key", "fernet_key", "password")]  # fmt: skip
        assert len(set(keys)) == 9


def test_destroying_ends_the_sessions_that_are_open(engine: Engine, doomed: Doomed) -> None:
    login, names = doomed.login, Names(doomed.env_id)
    admin = AdminClient(login.kafka())
    assert admin.list_topics(timeout=20).topics
    with pytest.raises(PostgresError), login.postgres() as rows:
        rows.execute("SELECT 1")
        with login.snowflake(database=names.snowflake_database) as cursor:
            cursor.execute("SELECT 1")
            destroy(engine, doomed.env_id)
            with pytest.raises(SnowflakeError):
                cursor.execute("SELECT * FROM RAW.CUSTOMERS")
        rows.execute("SELECT 1")
    try:
        assert admin.list_topics(timeout=5).topics == {}
    except KafkaException as error:
        assert code_of(error) in {"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT"}


class TestWhenItIsGone:
    @pytest.fixture(scope="class", autouse=True)
    def gone(self, engine: Engine, doomed: Doomed) -> None:
        if engine.observe(doomed.env_id):
            destroy(engine, doomed.env_id)

    @each_login
    def test_its_login_is_refused(self, doomed: Doomed, log_in: Callable[[Login], None]) -> None:
        with pytest.raises((PostgresError, SnowflakeError, KafkaException, ClientError)) as caught:
            log_in(doomed.login)
        assert code_of(caught.value) in LOGINS[log_in], caught.value

    def test_its_secrets_are_gone(self, world: World, doomed: Doomed) -> None:
        path = Names(doomed.env_id).parameters
        assert world.control.aws("ssm").get_parameters_by_path(Path=path, Recursive=True)["Parameters"] == []

    def test_its_airflow_answers_no_more(self, doomed: Doomed) -> None:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{doomed.url}/health", timeout=5)
