"""An environment's Snowflake: a role, a service user with a key pair, and a clone of the golden database."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from testenv.backends.errors import snowflake_errors
from testenv.backends.guards import Derived, require_counts, require_derived
from testenv.backends.protocol import Credentials, Site, Vault
from testenv.backends.secrets import public_key
from testenv.config import Config
from testenv.core.errors import Denied, Drifted, InvalidName
from testenv.core.naming import EnvId, Names, owner_of
from testenv.core.resources import Resource, System

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

RAW = "RAW"
"""Schema that pipelines load into; the dataset's golden database has it."""

IDLE_SECONDS = 60
"""How long a session of the control plane may wait to be used again."""

_IDENTIFIER = re.compile(r"[A-Z_][A-Z0-9_]{0,254}")

_DERIVED: Derived = {
    "role": lambda names, name: name == names.snowflake_role,
    "user": lambda names, name: name == names.snowflake_user,
    "database": lambda names, name: name in (names.snowflake_database, names.snowflake_beside),
}


class SnowflakeBackend:
    """Kinds: `role`, `user`, and `database` (setting `clone`).

    A database's comment, JSON of `env` and `clone`, is written last: without it the clone is not whole and is made
    anew. The database stays the control plane's, so that it can drop it; all inside belongs to the environment's role.
    A database beside is a clone with what is kept of the environment's own in it, which is then made a clone of that.
    """

    system = System.SNOWFLAKE

    def __init__(self, config: Config, vault: Vault) -> None:
        self._account = Account(config)
        self._config = config
        self._vault = vault

    @snowflake_errors()
    def ensure(self, resource: Resource, site: Site) -> None:
        names = require_derived(resource, _DERIVED)
        with self._account.control(str(names.env_id)) as connection:
            statements: Iterable[str]
            match resource.kind:
                case "role":
                    statements = _role(names, site)
                case "user":
                    login = self._vault.credentials(names.env_id, self.system)
                    statements = _user(names, site, public_key(login["private_key"]))
                case _ if resource.name == names.snowflake_beside:
                    kept = site.keeping.of(self.system)
                    with self._as_owner(connection, names):
                        for statement in _beside(connection, names, resource.setting["clone"], kept):
                            run(connection, statement)
                    return
                case _:
                    golden, marks = resource.setting["clone"], _marks(connection, names)
                    if marks.get(names.snowflake_database, {}).get("clone") == golden:
                        return
                    carried = marks.get(names.snowflake_beside, {}).get("beside") == golden
                    source = names.snowflake_beside if carried else golden
                    run(connection, _clone(names.snowflake_database, source))
                    statements = chain(_own_views(connection, names, golden), self._database(names, golden))
            for statement in statements:
                run(connection, statement)

    @snowflake_errors()
    def observe(self, env_id: EnvId | None = None) -> frozenset[Resource]:
        pattern = _like(Names(env_id).snowflake_database if env_id else "TE_")
        with self._account.control() as connection:
            found = [
                *(Resource(self.system, "role", row["name"]) for row in run(connection, f"SHOW ROLES LIKE {pattern}")),
                *(Resource(self.system, "user", row["name"]) for row in run(connection, f"SHOW USERS LIKE {pattern}")),
                *(
                    Resource(self.system, "database", row["name"], _made_from(row["comment"]))
                    for row in run(connection, f"SHOW DATABASES LIKE {pattern}")
                ),
            ]
        return frozenset(part for part in found if _is_derived(part, env_id))

    @snowflake_errors()
    def destroy(self, resource: Resource) -> None:
        names = require_derived(resource, _DERIVED)
        with self._account.control(str(names.env_id)) as connection:
            run(connection, f"DROP {resource.kind.upper()} IF EXISTS {identifier(resource.name)}")

    @snowflake_errors()
    def probe(self, site: Site) -> Mapping[str, int]:
        """Count the rows of every table of the dataset as the environment's user."""
        login = self._vault.find(site.spec.env_id, self.system)
        if not login:
            raise Drifted(f"{site.spec.env_id} has no Snowflake credentials. Heal it, or destroy and provision anew")
        names, expected = site.names, site.keeping.others(self.system, site.dataset.snowflake)
        where = {"role": names.snowflake_role, "warehouse": site.spec.warehouse, "database": names.snowflake_database}
        with self._account.connect(login, str(names.env_id), **where) as connection:
            counts = count_rows(connection, names.snowflake_database, expected)
        require_counts(f"Snowflake {names.snowflake_database}", counts, expected)
        return {f"snowflake.{table}": number for table, number in counts.items()}

    @snowflake_errors()
    def holds(self, env_id: EnvId, name: str) -> bool:
        """Whether the database has the table `SCHEMA.TABLE`."""
        names = Names(env_id)
        with self._account.control(str(env_id)) as connection, self._as_owner(connection, names):
            return _has_table(connection, names.snowflake_database, name)

    @contextmanager
    def _as_owner(self, connection: SnowflakeConnection, names: Names) -> Iterator[None]:
        """Let the control plane see and read what belongs to the environment's role, which it does not by itself."""
        role, control = identifier(names.snowflake_role), identifier(self._config.snowflake.role)
        run(connection, f"GRANT ROLE {role} TO ROLE {control}")
        try:
            yield
        finally:
            run(connection, f"REVOKE ROLE {role} FROM ROLE {control}")

    def _database(self, names: Names, golden: str) -> Iterator[str]:
        database, role = identifier(names.snowflake_database), identifier(names.snowflake_role)
        stage = f"{database}.{identifier(RAW)}.LAKE"
        url = literal(f"s3://{self._config.bucket}/{names.prefix}lake/")
        integration = identifier(self._config.snowflake.storage_integration)
        mark = literal(json.dumps({"clone": golden, "env": str(names.env_id)}))
        yield f"CREATE OR REPLACE STAGE {stage} URL = {url} STORAGE_INTEGRATION = {integration}"
        yield f"GRANT USAGE ON STAGE {stage} TO ROLE {role}"
        yield f"GRANT USAGE, MONITOR, CREATE SCHEMA ON DATABASE {database} TO ROLE {role}"
        # Pipelines alter and replace what they load, which takes ownership; what the role makes itself it owns anyway.
        for kind in ("TABLES", "VIEWS", "SCHEMAS"):
            yield f"GRANT OWNERSHIP ON ALL {kind} IN DATABASE {database} TO ROLE {role} COPY CURRENT GRANTS"
        yield f"COMMENT ON DATABASE {database} IS {mark}"


class Account:
    """The Snowflake account. Sessions carry the tag of the environment they work on; every call has a deadline."""

    def __init__(self, config: Config) -> None:
        self._config = config.snowflake
        self._idle: list[tuple[float, SnowflakeConnection]] = []

    @contextmanager
    def control(self, env_id: str = "") -> Iterator[SnowflakeConnection]:
        """A session as the control plane. One that ended well is kept for the next, as logins take long."""
        login = {"user": self._config.user, "private_key": self._config.private_key}
        connection = self._kept(env_id) or self._open(login, env_id, role=self._config.role)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append((time.monotonic(), connection))

    @contextmanager
    def connect(self, login: Credentials, env_id: str = "", **where: str) -> Iterator[SnowflakeConnection]:
        """A session as `login`, closed at the end. `where` may name a role, a warehouse and a database."""
        connection = self._open(login, env_id, **where)
        try:
            yield connection
        finally:
            connection.close()

    def _kept(self, env_id: str) -> SnowflakeConnection | None:
        """A session that is kept and still there; Snowflake may have ended it meanwhile."""
        from snowflake.connector.errors import Error

        while self._idle:
            since, connection = self._idle.pop()
            if time.monotonic() - since < IDLE_SECONDS:
                with suppress(Error):
                    run(connection, f"ALTER SESSION SET QUERY_TAG = {literal(_tag(env_id))}")
                    return connection
            connection.close()
        return None

    def _open(self, login: Credentials, env_id: str, **where: str) -> SnowflakeConnection:
        import snowflake.connector

        elsewhere = {"host": self._config.host, "port": int(self._config.port)} if self._config.host else {}
        return snowflake.connector.connect(
            account=self._config.account,
            user=login["user"],
            private_key=_der(login),
            login_timeout=30,
            network_timeout=120,
            session_parameters={"QUERY_TAG": _tag(env_id)},
            application="testenv",
            **elsewhere,
            **where,
        )


def run(connection: SnowflakeConnection, statement: str) -> list[dict[str, Any]]:
    """Run one statement; its rows by column name, as Snowflake spells it."""
    from snowflake.connector import DictCursor

    with connection.cursor(DictCursor) as cursor:
        cursor.execute(statement, timeout=180)
        return [dict(row) for row in cursor.fetchall()]


def count_rows(connection: SnowflakeConnection, database: str, tables: Mapping[str, int]) -> dict[str, int]:
    """Number of rows of each of `tables` (`SCHEMA.TABLE`) of a database, in one query."""
    if not tables:
        return {}
    each = (
        f"SELECT {literal(table)} AS NAME, COUNT(*) AS NUMBER FROM {identifier(database, *table.split('.'))}"
        for table in sorted(tables)
    )
    return {row["NAME"]: int(row["NUMBER"]) for row in run(connection, " UNION ALL ".join(each))}


def identifier(*parts: str) -> str:
    """A dotted name, quoted. Raises `InvalidName` for a part that is not capitals, digits and underscores."""
    for part in parts:
        if not _IDENTIFIER.fullmatch(part):
            raise InvalidName(f"{ascii(part)[:60]} is not a Snowflake name of ours: capitals, digits and underscores")
    return ".".join(f'"{part}"' for part in parts)


def literal(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _tag(env_id: str) -> str:
    return json.dumps({"app": "testenv", "env": env_id})


def _der(login: Credentials) -> bytes:
    try:
        return base64.b64decode(login["private_key"], validate=True)
    except ValueError as error:
        raise Denied(f"the private key of {login['user']} is no base64 of a PKCS#8 DER in one line") from error


def _role(names: Names, site: Site) -> Iterator[str]:
    role = identifier(names.snowflake_role)
    yield f"CREATE ROLE IF NOT EXISTS {role} COMMENT = {literal(json.dumps({'env': str(names.env_id)}))}"
    yield f"GRANT USAGE ON WAREHOUSE {identifier(site.spec.warehouse)} TO ROLE {role}"


def _user(names: Names, site: Site, key: str) -> Iterator[str]:
    user, role = identifier(names.snowflake_user), identifier(names.snowflake_role)
    settings = {
        "RSA_PUBLIC_KEY": key,
        "DEFAULT_ROLE": names.snowflake_role,
        "DEFAULT_WAREHOUSE": site.spec.warehouse,
        "DEFAULT_NAMESPACE": f"{names.snowflake_database}.{RAW}",
        "COMMENT": json.dumps({"env": str(names.env_id)}),
    }
    properties = " ".join(f"{key} = {literal(value)}" for key, value in settings.items())
    yield f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE {properties}"
    yield f"ALTER USER {user} SET {properties}"
    yield f"GRANT ROLE {role} TO USER {user}"


def _clone(name: str, source: str) -> str:
    return (
        f"CREATE OR REPLACE TRANSIENT DATABASE {identifier(name)} CLONE {identifier(source)} "
        "DATA_RETENTION_TIME_IN_DAYS = 0"
    )


def _beside(connection: SnowflakeConnection, names: Names, golden: str, kept: Sequence[str]) -> Iterator[str]:
    """A clone of the golden database with the environment's kept tables in the place of its own.

    It is marked otherwise than an environment's database, as a clone may have the mark of what it was cloned from.
    Until then the environment's database is as it was, so that it can be done again from the beginning.
    """
    database, beside = names.snowflake_database, names.snowflake_beside
    marks = _marks(connection, names)
    if marks.get(database, {}).get("clone") == golden or marks.get(beside, {}).get("beside") == golden:
        return
    mark = {"env": str(names.env_id)}
    yield _clone(beside, golden)
    yield f"COMMENT ON DATABASE {identifier(beside)} IS {literal(json.dumps(mark))}"
    for table in kept:
        schema, name = table.split(".")
        if database not in marks or not _has_table(connection, database, table):
            continue  # it was kept, and its owner has dropped it since
        yield f"CREATE SCHEMA IF NOT EXISTS {identifier(beside, schema)}"
        copy, source = identifier(beside, schema, name), identifier(database, schema, name)
        yield f"CREATE OR REPLACE TRANSIENT TABLE {copy} CLONE {source}"
    yield f"COMMENT ON DATABASE {identifier(beside)} IS {literal(json.dumps(mark | {'beside': golden}))}"


def _has_table(connection: SnowflakeConnection, database: str, table: str) -> bool:
    schema, name = table.split(".")
    statement = f"SHOW TABLES LIKE {_like(name)} IN DATABASE {identifier(database)}"
    return any((row["schema_name"], row["name"]) == (schema, name) for row in run(connection, statement))


def _own_views(connection: SnowflakeConnection, names: Names, golden: str) -> Iterator[str]:
    """A cloned view still reads the tables that its text names: those of the database that it was cloned from."""
    for view in run(connection, f"SHOW VIEWS IN DATABASE {identifier(names.snowflake_database)}"):
        if golden in view["text"].upper():
            text = re.sub(rf"\b{golden}\b", names.snowflake_database, view["text"], flags=re.IGNORECASE)
            yield f"USE SCHEMA {identifier(names.snowflake_database, view['schema_name'])}"
            yield re.sub(r"^\s*create\s+(or\s+replace\s+)?", "CREATE OR REPLACE ", text, flags=re.IGNORECASE)


def _marks(connection: SnowflakeConnection, names: Names) -> dict[str, dict[str, str]]:
    """What the comments of the environment's databases say, of those that are there."""
    own = (names.snowflake_database, names.snowflake_beside)
    rows = run(connection, f"SHOW DATABASES LIKE {_like(names.snowflake_database)}")
    return {row["name"]: _mark_in(row["comment"]) for row in rows if row["name"] in own}


def _mark_in(comment: str | None) -> dict[str, str]:
    try:
        mark = json.loads(comment or "{}")
    except json.JSONDecodeError:
        return {}
    return {key: str(value) for key, value in mark.items()} if isinstance(mark, dict) else {}


def _made_from(comment: str | None) -> tuple[tuple[str, str], ...]:
    """The setting `clone`; nothing where a database is not whole."""
    clone = _mark_in(comment).get("clone")
    return (("clone", clone),) if clone else ()


def _like(prefix: str) -> str:
    """A pattern for names that begin with `prefix`, whose underscores stand for themselves."""
    return literal(prefix.replace("_", "\\_") + "%")


def _is_derived(part: Resource, env_id: EnvId | None) -> bool:
    owner = owner_of(part.name)
    return owner is not None and env_id in (None, owner) and _DERIVED[part.kind](Names(owner), part.name)
