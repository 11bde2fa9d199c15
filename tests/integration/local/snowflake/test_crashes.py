"""The server killed in the middle of a statement: a database is whole or not there, a table as before or after."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.integration.local.snowflake.support import PYTHON, Server, Sql, running_server

_ROWS = 200_000
_MOMENTS = (0.0, 0.04, 0.12, 0.4)  # seconds after the statement was sent: before, in and after the copying


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a database BIG: a table, a view, a grant on each to the role R."""
    with pytest.MonkeyPatch.context() as patch, running_server(tmp_path_factory.mktemp("c"), "http://localhost:1") as s:
        patch.setenv("REQUESTS_CA_BUNDLE", str(s.ca))
        with s.connect() as connection:
            sql = Sql(connection)
            for statement in (
                "CREATE ROLE r", "CREATE DATABASE big", "CREATE TABLE log (n NUMBER) COMMENT = 'noted'",
                f"CREATE TABLE t AS SELECT seq4() AS n, uuid_string() AS s FROM TABLE(GENERATOR(ROWCOUNT => {_ROWS}))",
                "CREATE VIEW v AS SELECT n FROM t",
                "GRANT SELECT ON TABLE t TO ROLE r", "GRANT SELECT ON VIEW v TO ROLE r",
            ):  # fmt: skip
                sql(statement)
        yield s


def _kill_during(server: Server, statement: str, moment: float) -> None:
    """Send a statement, kill the server that many seconds later, start it again."""
    with server.connect() as connection, ThreadPoolExecutor(1) as pool:
        headers = {"Authorization": f'Snowflake Token="{connection.rest.token}"'}
        url = f"https://localhost:{server.port}/queries/v1/query-request"

        def send() -> None:
            try:
                httpx.post(url, json={"sqlText": statement}, headers=headers, verify=server.tls, timeout=60)
            except httpx.TransportError:
                return  # cut off, as it should be

        sent = pool.submit(send)
        time.sleep(moment)  # the moment is the point of the test
        server.stop(kill=True)
        sent.result()
        server.start()


def _databases(server: Server, sql: Sql) -> list[str]:
    """Names of the databases, each found whole, and no file left that is none's."""
    names = [row["name"] for row in sql.dicts("SHOW DATABASES")]
    for name in names:
        assert sql(f"SELECT (SELECT count(*) FROM {name}.PUBLIC.t), (SELECT count(*) FROM {name}.PUBLIC.v)") == [
            (_ROWS, _ROWS)
        ]
        for kind, relation in (("TABLE", "t"), ("VIEW", "v")):
            grants = {(row["privilege"], row["grantee_name"]) for row in sql.dicts(
                f"SHOW GRANTS ON {kind} {name}.PUBLIC.{relation}")}  # fmt: skip
            assert grants == {("OWNERSHIP", "ACCOUNTADMIN"), ("SELECT", "R")}
    granted = {row["name"].partition(".")[0] for row in sql.dicts("SHOW GRANTS TO ROLE r")}
    assert granted == set(names)
    assert len(list((server.folder / "data").glob("*.duckdb"))) == len(names) + 1  # and the account's
    return names


@pytest.mark.parametrize("moment", _MOMENTS)
@pytest.mark.parametrize(
    ("statement", "possible"),
    [
        ("CREATE DATABASE copy CLONE big", (["BIG"], ["BIG", "COPY"])),
        ("CREATE OR REPLACE DATABASE copy CLONE big", (["BIG", "COPY"],)),
        ("DROP DATABASE copy", (["BIG"], ["BIG", "COPY"])),
    ],
)
def test_a_database_is_whole_or_not_there(
    crashing: Server, statement: str, possible: tuple[list[str], ...], moment: float
) -> None:
    """As Snowflake: of a statement cut off all is there or nothing, and what it replaces stays until all is."""
    with crashing.connect() as connection:
        sql = Sql(connection)
        sql("DROP DATABASE IF EXISTS copy")
        if not statement.startswith("CREATE DATABASE"):
            sql("CREATE DATABASE copy CLONE big")
    _kill_during(crashing, statement, moment)
    with crashing.connect() as connection:
        assert _databases(crashing, Sql(connection)) in possible


def test_what_was_not_committed_is_undone(crashing: Server) -> None:
    """As Snowflake: of a transaction that a crash cuts off nothing stays, of one that committed all."""
    with crashing.connect(database="BIG", schema="PUBLIC") as connection:
        sql = Sql(connection)
        for statement in ("BEGIN", "INSERT INTO log VALUES (1), (2)", "COMMIT", "BEGIN", "DELETE FROM log",
                          "INSERT INTO log SELECT n FROM t"):  # fmt: skip
            sql(statement)
        crashing.stop(kill=True)
        crashing.start()
    with crashing.connect(database="BIG", schema="PUBLIC") as connection:
        sql = Sql(connection)
        assert sql("SELECT n FROM log ORDER BY n") == [(1,), (2,)]
        assert sql.dicts("SHOW TABLES LIKE 'log'")[0]["comment"] == "noted"


def test_what_nobody_owns_goes_to_the_owner_of_its_schema(crashing: Server) -> None:
    """The stand-in's own: an object whose making a crash cut off before its owner was noted has one after a restart."""
    with crashing.connect(database="BIG", schema="PUBLIC") as connection:
        sql = Sql(connection)
        sql("CREATE TABLE newest (n NUMBER)")
        sql("GRANT SELECT ON TABLE newest TO ROLE r")
    crashing.stop()
    _forget_owner(crashing, "NEWEST")
    crashing.start()
    with crashing.connect(database="BIG", schema="PUBLIC") as connection:
        sql = Sql(connection)
        grants = [(row["privilege"], row["grantee_name"]) for row in sql.dicts("SHOW GRANTS ON TABLE newest")]
        assert grants == [("OWNERSHIP", "ACCOUNTADMIN")]
        sql("DROP TABLE newest")


def _forget_owner(server: Server, table: str) -> None:
    """Undo in the stopped server's catalog what is noted of a table."""
    account = server.folder / "data/account.duckdb"
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); "
        "c.execute('DELETE FROM _account.grants WHERE list_contains(on_name, ?)', [sys.argv[2]])"
    )
    subprocess.run([PYTHON, "-c", code, account, table], check=True)
