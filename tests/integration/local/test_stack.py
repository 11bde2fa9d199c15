"""The embedded stack's frame, on stacks of one or two parts: coming up, going down, staying up, keeping secrets."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import psycopg2
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from tests.conftest import REPO, RunningStack, local, new_home, read_env

from local import envfile, ports
from local.home import Home
from local.launch import MARK
from local.parts.kafka import PLACEHOLDER
from local.secret_store import SecretStore
from local.settings import Settings


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that a stack in HOME started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


def kafka_admin(home: Path) -> AdminClient:
    env = read_env(home / "stack.env")
    return AdminClient(
        {
            "bootstrap.servers": env["TESTENV_KAFKA_BOOTSTRAP"],
            "security.protocol": env["TESTENV_KAFKA_SECURITY_PROTOCOL"],
            "sasl.mechanism": env["TESTENV_KAFKA_SASL_MECHANISM"],
            "sasl.username": env["TESTENV_KAFKA_USER"],
            "sasl.password": env["TESTENV_KAFKA_PASSWORD"],
            "log_level": 0,
        }
    )


def status_line(home: Path, part: str) -> str:
    return next(line for line in local("status", home).stdout.splitlines() if line.startswith(part))


@pytest.fixture(scope="module")
def small() -> Iterator[RunningStack]:
    """PostgreSQL and Kafka."""
    home = new_home()
    up = local("up", home, "--free-ports", "--only", "postgres", "kafka")
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield RunningStack(home, read_env(home / "stack.env"))
    finally:
        local("down", home)
        shutil.rmtree(home, ignore_errors=True)


class TestUpAndDown:
    def test_up_twice_changes_nothing(self, small: RunningStack) -> None:
        before = local("status", small.home).stdout
        again = local("up", small.home, "--only", "postgres", "kafka")
        assert again.returncode == 0, again.stderr
        assert local("status", small.home).stdout == before
        assert "ready  pid" in status_line(small.home, "kafka")

    def test_down_leaves_no_process_and_no_open_port(self, own_home: Path) -> None:
        assert local("up", own_home, "--free-ports", "--only", "postgres").returncode == 0
        assert processes_of(own_home)
        down = local("down", own_home)
        assert (down.returncode, down.stdout, down.stderr) == (0, "", "")
        assert processes_of(own_home) == []
        chosen = ports.recall(own_home / "ports.json")
        assert chosen
        assert not ports.is_open(chosen["postgres"])

    def test_down_of_nothing_is_harmless(self, own_home: Path) -> None:
        assert local("down", own_home).returncode == 0

    def test_down_finds_what_a_killed_supervisor_left(self, own_home: Path) -> None:
        assert local("up", own_home, "--free-ports", "--only", "postgres").returncode == 0
        psutil.Process(int((own_home / "run/supervisord.pid").read_text())).kill()
        assert processes_of(own_home), "PostgreSQL should have outlived its supervisor"
        down = local("down", own_home)
        assert down.returncode == 0
        assert "killed" in down.stdout
        assert processes_of(own_home) == []

    def test_data_and_secrets_outlive_down_and_up(self, own_home: Path) -> None:
        assert local("up", own_home, "--free-ports", "--only", "postgres").returncode == 0
        with psycopg2.connect(read_env(own_home / "stack.env")["TESTENV_LEDGER_URL"].replace("+psycopg2", "")) as first:
            first.cursor().execute("CREATE TABLE outliving AS SELECT 1 AS one")
        local("down", own_home)
        assert local("up", own_home, "--free-ports", "--only", "postgres").returncode == 0
        second = psycopg2.connect(read_env(own_home / "stack.env")["TESTENV_LEDGER_URL"].replace("+psycopg2", ""))
        with second.cursor() as cursor:
            cursor.execute("SELECT one FROM outliving")
            assert cursor.fetchall() == [(1,)]
        second.close()

    def test_kafka_knows_its_users_after_many_others_came_and_went(self, own_home: Path) -> None:
        """Of the names, one comes first among them all as Kafka orders them."""
        assert local("up", own_home, "--free-ports", "--only", "kafka").returncode == 0
        settings = (own_home / "conf/kafka.properties").read_text()
        assert PLACEHOLDER not in settings, "it may do nothing"
        names = [f"te-ci-b40-{number}" for number in range(100)]
        secret = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        admin = kafka_admin(own_home)
        for kind in (partial(UserScramCredentialUpsertion, scram_credential_info=secret, password=b"a password"),
                     partial(UserScramCredentialDeletion, mechanism=ScramMechanism.SCRAM_SHA_512)):  # fmt: skip
            for future in admin.alter_user_scram_credentials([kind(name) for name in names]).values():
                future.result(30)
        assert local("down", own_home).returncode == 0
        again = local("up", own_home, "--free-ports", "--only", "kafka")
        assert again.returncode == 0, again.stderr
        assert not set(names) & kafka_admin(own_home).describe_user_scram_credentials().result(30).keys()

    def test_unknown_part_is_refused_by_name(self, own_home: Path) -> None:
        up = local("up", own_home, "--free-ports", "--only", "postgress")
        assert up.returncode == 1
        assert "no part is called postgress" in up.stderr
        assert "postgres" in up.stderr


class TestWhatGoesWrong:
    def test_port_in_use_names_port_listener_and_remedy(self, own_home: Path) -> None:
        port = Settings.load().ports["postgres"]
        with socket.socket() as taken:
            if ports.is_free(port):  # else somebody's own stack holds it, which serves as well
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                taken.bind((ports.LOOPBACK, port))
                taken.listen()
            up = local("up", own_home, "--only", "postgres")
        assert up.returncode == 1
        assert f"port {port}, wanted for postgres, is in use by pid" in up.stderr
        assert "--free-ports" in up.stderr
        assert processes_of(own_home) == []

    def test_missing_java_names_the_remedy(self, own_home: Path) -> None:
        environ = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
        up = local("up", own_home, "--free-ports", env={**environ, "PATH": str(own_home)})
        assert up.returncode == 1
        assert "no java found on PATH. Install Java 17 or newer" in up.stderr
        assert processes_of(own_home) == []

    def test_crash_while_starting_shows_the_end_of_the_log(self, own_home: Path) -> None:
        assert local("up", own_home, "--free-ports", "--only", "postgres").returncode == 0
        local("down", own_home)
        (own_home / "data/postgres/PG_VERSION").write_text("9.0\n")
        up = local("up", own_home, "--free-ports", "--only", "postgres")
        assert up.returncode == 1
        assert "postgres stopped while it started" in up.stderr
        assert "database files are incompatible with server" in up.stderr

    def test_killed_part_comes_back_ready(self, small: RunningStack) -> None:
        before = status_line(small.home, "postgres")
        pid = int(before.split("pid ")[1].split()[0])
        psutil.Process(pid).kill()
        wait_for(lambda: "ready  pid" in status_line(small.home, "postgres"))
        assert status_line(small.home, "postgres") != before

    def test_two_at_once_in_one_home_are_refused(self, small: RunningStack) -> None:
        import fcntl

        with (small.home / "run/lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            up = local("up", small.home)
        assert up.returncode == 1
        assert "another `up` or `down` is at work" in up.stderr


class TestSecrets:
    def test_files_with_secrets_are_for_their_owner_only(self, small: RunningStack) -> None:
        store = SecretStore(small.home / "secrets.json")
        holders = [
            path
            for path in small.home.rglob("*")
            if path.is_file() and any(value.encode() in path.read_bytes() for value in store.values())
        ]
        names = {path.name for path in holders}
        assert {"secrets.json", "stack.env", "production.env", "supervisord.conf", "kafka.properties"} <= names
        assert [path for path in holders if path.stat().st_mode & 0o077] == []

    def test_no_secret_stands_in_a_command_line(self, small: RunningStack) -> None:
        store = SecretStore(small.home / "secrets.json")
        lines = [" ".join(process.cmdline()) for process in processes_of(small.home)]
        assert any("kafka.Kafka" in line for line in lines)
        assert [line for line in lines if any(value in line for value in store.values())] == []

    def test_no_secret_stands_in_a_log(self, small: RunningStack) -> None:
        store = SecretStore(small.home / "secrets.json")
        logs = list(Home(small.home).logs.iterdir())
        assert logs
        assert [log for log in logs if any(value in log.read_text() for value in store.values())] == []

    def test_two_stacks_share_no_secret(self, small: RunningStack, own_home: Path) -> None:
        assert local("up", own_home, "--free-ports", "--only", "postgres").returncode == 0
        first, second = (SecretStore(home / "secrets.json").values() for home in (small.home, own_home))
        assert set(first).isdisjoint(second)


class TestPostgres:
    def test_production_may_be_read_and_not_written(self, small: RunningStack) -> None:
        reader_url = small.env["TESTENV_PRODUCTION_POSTGRES_URL"].replace("+psycopg2", "")
        writer_url = small.production["PRODUCTION_POSTGRES_URL"].replace("+psycopg2", "")
        writer, reader = psycopg2.connect(writer_url), psycopg2.connect(reader_url)
        writer.autocommit = reader.autocommit = True
        with writer.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS account AS SELECT 1 AS id")
        with reader.cursor() as cursor:
            cursor.execute("SELECT id FROM account")
            assert cursor.fetchall() == [(1,)]
            for statement in (
                "INSERT INTO account VALUES (2)",
                "UPDATE account SET id = 2",
                "DELETE FROM account",
                "DROP TABLE account",
                "CREATE TABLE mine (id int)",
                "CREATE SCHEMA mine",
            ):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(statement)
        writer.close()
        reader.close()

    def test_control_plane_is_no_superuser_and_cannot_reach_production(self, small: RunningStack) -> None:
        url = small.env["TESTENV_LEDGER_URL"].replace("+psycopg2", "")
        connection = psycopg2.connect(url)
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user")
            assert cursor.fetchone() == (False, True, True)
        connection.close()
        for database in ("finsight", "postgres", "template1"):
            with pytest.raises(psycopg2.OperationalError, match="permission denied"):
                psycopg2.connect(url.replace("testenv_ledger", database))

    def test_wrong_password_is_refused(self, small: RunningStack) -> None:
        url = small.env["TESTENV_LEDGER_URL"].replace("+psycopg2", "")
        wrong = url.replace(small.env["TESTENV_POSTGRES_PASSWORD"], "wrong")
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(wrong)


class TestKafka:
    def client(self, small: RunningStack, prefix: str = "TESTENV_KAFKA", **changes: str) -> AdminClient:
        values = small.env | small.production
        return AdminClient(
            {
                "bootstrap.servers": small.env["TESTENV_KAFKA_BOOTSTRAP"],
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": values[f"{prefix}_USER"],
                "sasl.password": values[f"{prefix}_PASSWORD"],
                "log_level": 0,
                **changes,
            }
        )

    def create(self, client: AdminClient, topic: str) -> None:
        client.create_topics([NewTopic(topic, 1, 1)], request_timeout=10)[topic].result()

    def test_who_has_no_login_is_refused(self, small: RunningStack) -> None:
        anonymous = AdminClient({"bootstrap.servers": small.env["TESTENV_KAFKA_BOOTSTRAP"], "log_level": 0})
        with pytest.raises(KafkaException):
            anonymous.list_topics(timeout=4)

    def test_wrong_password_is_refused(self, small: RunningStack) -> None:
        with pytest.raises(KafkaException):
            self.client(small, **{"sasl.password": "wrong"}).list_topics(timeout=4)

    def test_writer_may_create_topics_of_production_and_none_of_environments(self, small: RunningStack) -> None:
        writer = self.client(small, "PRODUCTION_KAFKA")
        self.create(writer, "card_events")
        with pytest.raises(KafkaException, match="TOPIC_AUTHORIZATION_FAILED"):
            self.create(writer, "te.ci-abc.card_events")

    def test_reader_sees_topics_and_may_not_change_them(self, small: RunningStack) -> None:
        self.create(self.client(small), "seen")
        reader = self.client(small, "TESTENV_PRODUCTION_KAFKA")
        assert "seen" in reader.list_topics(timeout=10).topics
        with pytest.raises(KafkaException, match="AUTHORIZATION_FAILED"):
            reader.delete_topics(["seen"], request_timeout=10)["seen"].result()
        with pytest.raises(KafkaException, match="AUTHORIZATION_FAILED"):
            self.create(reader, "mine")


def test_what_a_killed_part_leaves_is_gone_when_it_comes_back(tmp_path: Path) -> None:
    """A part that forks workers and is killed leaves them; the next of its kind must not live beside them."""
    environ = envfile.write(tmp_path / "part.env", {"PATH": os.environ["PATH"]})
    launch = [REPO / ".venv/local/bin/python", "-m", "local.launch", environ]
    mark = {MARK: str(tmp_path), "PYTHONPATH": str(REPO / "include")}
    in_a_group_of_its_own = "setsid sh -c 'echo $$; exec sleep 300' & wait"
    first = subprocess.Popen([*launch, "sh", "-c", in_a_group_of_its_own], env=mark, process_group=0, stdout=-1)
    assert first.stdout
    worker = psutil.Process(int(first.stdout.readline()))
    first.kill()
    first.wait()
    assert worker.is_running()
    subprocess.run([*launch, "true"], env=mark, process_group=0, check=True)
    psutil.wait_procs([worker], timeout=10)
    assert not worker.is_running()
