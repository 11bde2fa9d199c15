"""Logging in. Each docstring says whether the real Snowflake does the same."""

import datetime

import httpx
import jwt
import pytest
from snowflake.connector.errors import DatabaseError
from tests.integration.local.snowflake.support import KeyPair, Server, Sql, User, refused


def test_key_pair_logs_in(server: Server, user: User) -> None:
    """As Snowflake: the connector's token, signed with the user's key, is a login."""
    assert user.sql("SELECT CURRENT_USER(), CURRENT_ROLE()") == [(user.name, user.role)]


def test_unknown_user_is_refused(server: Server) -> None:
    """As Snowflake: 390144, the same as for a wrong key, so that names cannot be probed."""
    with refused(390144, "JWT token is invalid"):
        server.connect("NOBODY")


def test_wrong_key_is_refused(server: Server, user: User) -> None:
    """As Snowflake: 390144."""
    with refused(390144, "JWT token is invalid"):
        server.connect(user.name, KeyPair())


def test_wrong_password_is_refused(server: Server, admin: Sql, name: str) -> None:
    """As Snowflake: 390100 for a wrong password and for an unknown user alike."""
    admin(f"CREATE USER {name} PASSWORD = 'right-and-long'")
    for user, password in ((name, "wrong"), ("NOBODY", "right-and-long")):
        with refused(390100, "Incorrect username or password"):
            server.connect_with(user=user, password=password)
    with server.connect_with(user=name, password="right-and-long") as connection:
        assert Sql(connection).value("SELECT CURRENT_USER()") == name


def test_no_user_has_a_password_by_default(server: Server, user: User) -> None:
    """As Snowflake: a user made without PASSWORD cannot log in with any, an empty one included."""
    for password in ("snow", user.name, "None"):
        with refused(390100):
            server.connect_with(user=user.name, password=password)


def test_service_user_takes_no_password(admin: Sql, name: str) -> None:
    """As Snowflake: TYPE = SERVICE and PASSWORD exclude each other."""
    with refused(1008, "TYPE=SERVICE"):
        admin(f"CREATE USER {name} TYPE = SERVICE PASSWORD = 'secret-enough'")
    assert admin(f"SHOW USERS LIKE '{name}'") == []


@pytest.mark.parametrize(
    ("claims", "algorithm"),
    [
        ({"exp": -3600}, "RS256"),
        ({"iat": -7200}, "RS256"),
        ({"sub": "LOCAL.SOMEONE_ELSE"}, "RS256"),
        ({"iss": "OTHER.ACCOUNT"}, "RS256"),
        ({}, "RS512"),
        ({}, "none"),
    ],
)
def test_token_must_be_fresh_and_ours(server: Server, user: User, claims: dict[str, int | str], algorithm: str) -> None:
    """As Snowflake: an expired, old, foreign or otherwise signed token is 390144."""
    now = datetime.datetime.now(datetime.UTC)
    fingerprint = {row[0]: row[1] for row in user.sql(f"DESCRIBE USER {user.name}")}
    good = {
        "iss": f"LOCAL.{user.name}.{fingerprint['RSA_PUBLIC_KEY_FP']}", "sub": f"LOCAL.{user.name}",
        "iat": now, "exp": now + datetime.timedelta(minutes=1),
    }  # fmt: skip
    changed = {k: now + datetime.timedelta(seconds=v) if isinstance(v, int) else v for k, v in claims.items()}

    def login(payload: dict[str, object], algorithm: str) -> dict[str, object]:
        token = jwt.encode(payload, None if algorithm == "none" else user.key.key, algorithm=algorithm)
        data = {"LOGIN_NAME": user.name, "ACCOUNT_NAME": "local", "AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}
        url = f"https://localhost:{server.port}/session/v1/login-request"
        return dict(httpx.post(url, json={"data": data}, verify=server.tls).json())

    assert login(good, "RS256")["success"] is True
    answer = login(good | changed, algorithm)
    assert (answer["success"], answer["code"]) == (False, "390144")


def test_second_key_allows_rotation(server: Server, admin: Sql, user: User) -> None:
    """As Snowflake: RSA_PUBLIC_KEY and RSA_PUBLIC_KEY_2 both log in; an unset one no longer does."""
    new = KeyPair()
    admin(f"ALTER USER {user.name} SET RSA_PUBLIC_KEY_2 = '{new.public}'")
    server.connect(user.name, new).close()
    server.connect(user.name, user.key).close()
    admin(f"ALTER USER {user.name} UNSET RSA_PUBLIC_KEY")
    server.connect(user.name, new).close()
    with refused(390144):
        server.connect(user.name, user.key)


def test_key_that_is_none_is_refused(admin: Sql, name: str) -> None:
    """As Snowflake: CREATE USER checks the key."""
    with refused(390422, "New public key rejected"):
        admin(f"CREATE USER {name} RSA_PUBLIC_KEY = 'bm8ga2V5'")


def test_disabled_user_is_refused(server: Server, admin: Sql, user: User) -> None:
    """As Snowflake: 390101."""
    admin(f"ALTER USER {user.name} SET DISABLED = TRUE")
    with refused(390101):
        server.connect(user.name, user.key)


def test_role_not_granted_is_refused_at_login(server: Server, user: User) -> None:
    """As Snowflake: 390189; ACCOUNTADMIN is no exception."""
    for role in ("ACCOUNTADMIN", "SYSADMIN", "NO_SUCH_ROLE"):
        with refused(390189, role):
            server.connect(user.name, user.key, role=role)


def test_role_not_granted_cannot_be_used(user: User) -> None:
    """As Snowflake: USE ROLE of a role the user was not granted is refused, and the role stays."""
    with refused(3013, "not assigned to the executing user"):
        user.sql("USE ROLE ACCOUNTADMIN")
    assert user.sql.value("SELECT CURRENT_ROLE()") == user.role


def test_inherited_role_can_be_used(server: Server, admin: Sql, user: User, name: str) -> None:
    """As Snowflake: a role granted to a role of the user's is the user's too."""
    admin(f"CREATE ROLE CHILD_{name}")
    admin(f"GRANT ROLE CHILD_{name} TO ROLE {user.role}")
    user.sql(f"USE ROLE CHILD_{name}")
    assert user.sql.value("SELECT CURRENT_ROLE()") == f"CHILD_{name}"


def test_default_role_of_another_is_not_taken(server: Server, admin: Sql, user: User) -> None:
    """As Snowflake: a DEFAULT_ROLE that is not granted is not activated; the session has PUBLIC."""
    admin(f"ALTER USER {user.name} SET DEFAULT_ROLE = ACCOUNTADMIN")
    with server.connect(user.name, user.key) as connection:
        assert Sql(connection).value("SELECT CURRENT_ROLE()") == "PUBLIC"


def test_default_warehouse_and_connection_parameters_apply(
    server: Server, admin: Sql, user: User, db: str, name: str
) -> None:
    """As Snowflake: DEFAULT_WAREHOUSE, database, schema and QUERY_TAG are those of the new session."""
    admin(f"CREATE WAREHOUSE WH_{name}")
    admin(f"ALTER USER {user.name} SET DEFAULT_WAREHOUSE = WH_{name}")
    admin(f"GRANT USAGE ON WAREHOUSE WH_{name} TO ROLE {user.role}")
    admin(f"GRANT USAGE ON DATABASE {db} TO ROLE {user.role}")
    admin(f"GRANT USAGE ON SCHEMA {db}.PUBLIC TO ROLE {user.role}")
    options = {"database": db, "schema": "public", "session_parameters": {"QUERY_TAG": "from the connection"}}
    with server.connect(user.name, user.key, **options) as connection:
        sql = Sql(connection)
        assert sql("SELECT CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SCHEMA()") == [(f"WH_{name}", db, "PUBLIC")]
        assert sql.dicts("SHOW PARAMETERS LIKE 'query_tag' IN SESSION")[0]["value"] == "from the connection"


def test_hidden_database_is_not_entered(server: Server, user: User, db: str) -> None:
    """As Snowflake: connecting with a database the role may not use succeeds, with none current."""
    with server.connect(user.name, user.key, database=db) as connection:
        assert Sql(connection).value("SELECT CURRENT_DATABASE()") is None


def test_ended_session_is_refused(server: Server) -> None:
    """Snowflake answers 390111 or 390112; here it is 390104. Never an HTTP error, which a client would retry."""
    url = f"https://localhost:{server.port}/queries/v1/query-request"
    headers = {"Authorization": 'Snowflake Token="unknown"'}
    answer = httpx.post(url, json={"sqlText": "SELECT 1"}, headers=headers, verify=server.tls)
    assert (answer.status_code, answer.json()["code"]) == (200, "390104")


def test_connections_without_the_ca_are_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Snowflake: clients check the certificate."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(DatabaseError, match="CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        server.connect()
