"""The server itself: many sessions at once, restarts, crashes, its settings file."""

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from snowflake.connector.errors import ProgrammingError
from tests.integration.local.snowflake.support import PYTHON, ROOT, KeyPair, Server, Sql, refused, running_server


def test_health(server: Server) -> None:
    """The stand-in's own: 200 when it takes statements."""
    assert httpx.get(f"https://localhost:{server.port}/healthz", verify=server.tls).status_code == 200


def test_twenty_sessions_create_clone_write_and_drop_at_once(server: Server, admin: Sql, db: str) -> None:
    """As Snowflake: none disturbs another, and nothing is left."""
    admin("CREATE TABLE t AS SELECT seq4() AS n FROM TABLE(GENERATOR(ROWCOUNT => 1000))")
    admin("CREATE TABLE log (who NUMBER)")
    before = set((server.folder / "data").glob("*.duckdb"))

    def work(i: int) -> tuple[int, int]:
        with server.connect() as connection:
            sql, own = Sql(connection), f"{db}_{i}"
            sql(f"CREATE DATABASE {own} CLONE {db}")
            sql("CREATE SCHEMA s")
            sql(f"CREATE TABLE u AS SELECT n + {i} AS n FROM {own}.PUBLIC.t")
            sql(f"INSERT INTO {own}.PUBLIC.t VALUES (1), (2)")
            sql(f"INSERT INTO {db}.PUBLIC.log VALUES ({i})")
            sql(f"UPDATE {db}.PUBLIC.log SET who = who WHERE who = {i}")
            found = sql.value("SELECT sum(n) FROM u"), sql.value(f"SELECT count(*) FROM {own}.PUBLIC.t")
            sql(f"DROP DATABASE {own}")
            return found

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(work, range(20)))
    assert found == [(499_500 + 1000 * i, 1002) for i in range(20)]
    assert admin("SELECT count(*), count(DISTINCT who) FROM log") == [(20, 20)]
    assert admin(f"SHOW DATABASES LIKE '{db}_%'") == []
    assert set((server.folder / "data").glob("*.duckdb")) == before


def test_one_of_many_creates(server: Server, admin: Sql, name: str) -> None:
    """As Snowflake: of sessions that create one name, one does and the others are told 2002."""

    def create(_: int) -> bool:
        with server.connect() as connection:
            try:
                Sql(connection)(f"CREATE DATABASE {name}")
            except ProgrammingError as e:
                assert e.errno == 2002, e
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(create, range(6))) == 1
    admin(f"DROP DATABASE {name}")


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that a test may stop."""
    with running_server(tmp_path, "http://localhost:1") as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.ca))
        yield server


@pytest.mark.parametrize("kill", [False, True])
def test_restart_keeps_everything(own_server: Server, shared_key: KeyPair, kill: bool) -> None:
    """As Snowflake, which never restarts: data, users, grants, comments and history outlive a stop, and a kill."""
    with own_server.connect() as connection:
        sql = Sql(connection)
        for statement in (
            "CREATE ROLE r", f"CREATE USER u RSA_PUBLIC_KEY = '{shared_key.public}' DEFAULT_ROLE = r",
            "GRANT ROLE r TO USER u", "CREATE DATABASE d", "CREATE TABLE t (a NUMBER(5,1), b VARCHAR(3)) COMMENT = 'c'",
            "INSERT INTO t VALUES (1.5, 'x')", "CREATE VIEW v AS SELECT a FROM t", "CREATE DATABASE gone",
            "GRANT USAGE ON DATABASE d TO ROLE r", "GRANT USAGE ON SCHEMA d.PUBLIC TO ROLE r",
            "GRANT SELECT ON VIEW d.PUBLIC.v TO ROLE r", "GRANT SELECT ON FUTURE TABLES IN SCHEMA d.PUBLIC TO ROLE r",
            "CREATE WAREHOUSE w", "DROP DATABASE gone",
        ):  # fmt: skip
            sql(statement)
        if kill:
            own_server.stop(kill=True)
    if not kill:
        own_server.stop()
    (own_server.folder / "data/half-made-clone.duckdb").touch()
    own_server.start()
    assert not (own_server.folder / "data/half-made-clone.duckdb").exists()
    with own_server.connect("U", shared_key, database="d", schema="PUBLIC") as connection:
        user = Sql(connection)
        assert float(user.value("SELECT a FROM v")) == 1.5
        with refused(2003):
            user("SELECT * FROM t")
    with own_server.connect() as connection:
        sql = Sql(connection)
        sql("USE DATABASE d")
        assert [row[1] for row in sql("DESCRIBE TABLE t")] == ["NUMBER(5,1)", "VARCHAR(3)"]
        assert sql.dicts("SHOW TABLES")[0]["comment"] == "c"
        assert [row["name"] for row in sql.dicts("SHOW DATABASES")] == ["D"]
        assert len(sql("SHOW WAREHOUSES LIKE 'w'")) == 1
        sql("CREATE TABLE later AS SELECT 1 AS a")
    with own_server.connect("U", shared_key, database="d", schema="PUBLIC") as connection:
        assert Sql(connection)("SELECT a FROM later") == [(1,)]


def test_clone_cut_off_by_a_crash_leaves_nothing(own_server: Server) -> None:
    """The stand-in's own: a server killed while it clones has, when it is back, the source and no trace of a clone."""
    with own_server.connect() as connection:
        sql = Sql(connection)
        sql("CREATE DATABASE big")
        sql("CREATE TABLE t AS SELECT seq4() AS n, uuid_string() AS s FROM TABLE(GENERATOR(ROWCOUNT => 800000))")
    data = own_server.folder / "data"
    before = set(data.glob("*.duckdb"))
    connection = own_server.connect()
    with ThreadPoolExecutor(1) as pool:
        clone = pool.submit(_clone, own_server, str(connection.rest.token))
        deadline = time.monotonic() + 20
        while set(data.glob("*.duckdb")) == before and time.monotonic() < deadline:
            time.sleep(0.002)
        own_server.stop(kill=True)
        cut_off = clone.result()
    own_server.start()
    connection.close()
    with own_server.connect() as connection:
        sql = Sql(connection)
        if cut_off:
            assert [row["name"] for row in sql.dicts("SHOW DATABASES")] == ["BIG"]
            assert set(data.glob("*.duckdb")) == before
        assert sql.value("SELECT count(*) FROM big.PUBLIC.t") == 800_000
        sql("CREATE DATABASE copy2 CLONE big")


def _clone(server: Server, token: str) -> bool:
    """Whether a clone was cut off. Without the connector, which would go on trying."""
    url = f"https://localhost:{server.port}/queries/v1/query-request"
    headers = {"Authorization": f'Snowflake Token="{token}"'}
    try:
        httpx.post(
            url, json={"sqlText": "CREATE DATABASE copy CLONE big"}, headers=headers, verify=server.tls, timeout=60
        )
    except httpx.TransportError:
        return True
    return False


def test_bad_settings_stop_the_server_with_the_remedy(server: Server, tmp_path: Path) -> None:
    """The stand-in's own: it does not start on a settings file that others can read."""
    settings = tmp_path / "settings.json"
    settings.write_text((server.folder / "settings.json").read_text())
    settings.chmod(0o644)
    command = [PYTHON, "-m", "local.snowflake", "--port", "1", "--data", tmp_path, "--certfile", "x", "--keyfile", "x"]
    environment = {"PYTHONPATH": str(ROOT / "include"), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [*command, "--settings", settings], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"chmod 600 {settings}" in done.stderr
