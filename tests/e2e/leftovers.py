"""Everything that may hold what a refresh had in its hands, as plain files, and a search of it for production's values.

Left out is production itself, which one stack keeps beside the rest: its database, its topics, its bucket, its tables,
and PostgreSQL's log of writes, which all databases share.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
from tests.conftest import RunningStack
from tests.integration.testenv.datasets.refresh.cells import production

from local.parts import postgres
from local.site import Site
from local.stack import Stack
from testenv.backends.aws import client
from testenv.backends.postgres_server import query
from testenv.backends.snowflake import Account, run
from testenv.config import Config
from testenv.datasets.contracts import load_contracts
from testenv.datasets.refresh.snapshot import Snapshot
from testenv.datasets.seed import read_seed
from testenv.production import Production

LONG = 9
"""Letters of a value at least: shorter ones are met by chance."""

SHARED = {"city", "postal_code", "street", "ip_address"}
"""What many share: the public list of branches names places, and the addresses of production's generator are those of
documentation (RFC 5737), as the synthetic tier's are."""


def values(stack: RunningStack, config: Config) -> set[str]:
    """What stands in any sensitive text field of production, and neither in the hand-made seed nor in the text of what
    makes this production, which is code that every environment has."""
    with Snapshot(config, Production.from_environ(config, stack.env), load_contracts()) as snapshot:
        sides = production(snapshot).values()
    found = {
        value
        for side in sides
        for field in side.contract.fields
        if field.is_sensitive and field.type == "string" and field.semantic_type not in SHARED
        for values in side.values(field.path)
        for value in values
        if isinstance(value, str) and len(value) >= LONG and "\n" not in value and not value.isalpha()
    }
    seed = read_seed(config.repo)
    generator = [path.read_bytes() for path in (config.repo / "include/estate/production").glob("**/*.py")]
    made = b"\n".join([*seed.files.values(), *seed.objects().values(), *generator]).decode()
    return {value for value in found if value not in made}


def search(wanted: Iterable[str], *places: Path, folder: Path, without: Iterable[Path] = ()) -> list[str]:
    """The files below `places` that hold one of the values, as it is or as JSON writes it."""
    forms = {form for value in wanted for form in (value, json.dumps(value)[1:-1])}
    (folder / "forms").write_text("\n".join(sorted(forms)))
    files = [path for place in places for path in _files(place, {*without, folder / "forms"})]
    (folder / "files").write_bytes(b"\0".join(os.fsencode(path) for path in files))
    done = subprocess.run(
        ["xargs", "-0", "-a", folder / "files", "grep", "-laF", "-f", folder / "forms", "--"],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 123), done.stderr
    return done.stdout.splitlines()


def _files(place: Path, without: set[Path]) -> Iterator[Path]:
    for path in sorted(place.iterdir()):
        if path in without or path.is_symlink():
            continue
        if path.is_dir():
            yield from _files(path, without)
        elif path.is_file():
            yield path


def of_production(stack: RunningStack) -> list[Path]:
    """Where it lies below the stack's home."""
    site, data = Stack(stack.home).site, stack.home / "data"
    with closing(postgres.connect(site)) as connection:
        name = site.settings.names["production_database"]
        [(oid,)] = query(connection, "SELECT oid FROM pg_database WHERE datname = %s", name)
    topics = [path for path in (data / "kafka").iterdir() if path.is_dir() and not path.name.startswith(("te.", "__"))]
    # The books of the AWS stand-in, and Snowflake's databases, hold production's beside others: they are asked instead.
    books = [*(data / "aws").glob("account.db*"), *(data / "snowflake").glob("*.duckdb*")]
    return [data / f"postgres/base/{oid}", data / "postgres/pg_wal", *topics, *books]


def ask_everyone(stack: RunningStack, config: Config, folder: Path) -> None:
    """What the services hold, as text in files: databases, objects (unpacked), parameters, and their statements."""
    _databases(Stack(stack.home).site, folder / "postgres")
    _objects(config, folder / "s3")
    _tables(config, folder / "snowflake")


def _databases(site: Site, folder: Path) -> None:
    folder.mkdir()
    with closing(postgres.connect(site)) as connection:
        names = query(connection, "SELECT datname, datallowconn FROM pg_database WHERE datname <> 'template0'")
    for name, is_open in names:
        if name == site.settings.names["production_database"]:
            continue
        copy = name if is_open else f"te_looked_at_{len(name)}"
        with closing(postgres.connect(site)) as connection, connection.cursor() as cursor:
            if not is_open:  # a template
                cursor.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
        try:
            with closing(postgres.connect(site, database=copy)) as inside, inside.cursor() as cursor:
                cursor.execute("SELECT quote_ident(schemaname), quote_ident(relname) FROM pg_stat_user_tables")
                for schema, table in cursor.fetchall():
                    with (folder / f"{name}.{schema}.{table}").open("wb") as file:
                        cursor.copy_expert(f"COPY {schema}.{table} TO STDOUT (FORMAT csv)", file)
        finally:
            if not is_open:
                with closing(postgres.connect(site)) as connection, connection.cursor() as cursor:
                    cursor.execute(f'DROP DATABASE "{copy}" WITH (FORCE)')


def _objects(config: Config, folder: Path) -> None:
    folder.mkdir()
    s3, ssm = client("s3", config), client("ssm", config)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=config.bucket)
    for number, key in enumerate(each["Key"] for page in pages for each in page.get("Contents", ())):
        body = s3.get_object(Bucket=config.bucket, Key=key)["Body"].read()
        file = folder / f"{number}.{key.replace('/', '%')[-200:]}"
        file.write_bytes(key.encode() + b"\n" + _unpacked(key, body))
    names = [
        each["Name"] for page in ssm.get_paginator("describe_parameters").paginate() for each in page["Parameters"]
    ]
    held = [ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] for name in names]
    (folder / "parameters").write_text("\n".join([*names, *held]))


def _unpacked(key: str, body: bytes) -> bytes:
    """A Parquet file as its values and the bytes of its footer, whose statistics are no values of the pages."""
    if body[:4] == b"PAR1":
        rows = pq.read_table(io.BytesIO(body)).to_pylist()
        footer = body[-8 - int.from_bytes(body[-8:-4], "little") :]
        return footer + b"\n".join(_text(value) for row in rows for value in _leaves(row))
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _text(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _tables(config: Config, folder: Path) -> None:
    folder.mkdir()
    with Account(config).control() as connection:
        run(connection, "USE WAREHOUSE TE_WH_CI")
        control = config.snowflake.role
        roles = [row["name"] for row in run(connection, "SHOW ROLES") if row["owner"] == control]
        for role in roles:  # what stands in an environment is its role's, and nobody's beside
            run(connection, f"GRANT ROLE {role} TO ROLE {control}")
        for name in (row["name"] for row in run(connection, "SHOW DATABASES")):
            if not name.startswith("TE_"):
                continue
            views = f'"{name}".INFORMATION_SCHEMA.TABLES'
            where = "TABLE_SCHEMA <> 'INFORMATION_SCHEMA' AND TABLE_TYPE = 'BASE TABLE'"
            for table in run(connection, f"SELECT TABLE_SCHEMA AS S, TABLE_NAME AS T FROM {views} WHERE {where}"):
                with connection.cursor() as cursor:
                    cursor.execute(f'SELECT * FROM "{name}"."{table["S"]}"."{table["T"]}"')
                    file = folder / f"{name}.{table['S']}.{table['T']}"
                    file.write_bytes(b"\n".join(_text(value) for row in cursor for value in row))
        statements = run(connection, "SELECT * FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY")
        assert len(statements) > 100
        for role in roles:
            run(connection, f"REVOKE ROLE {role} FROM ROLE {control}")
        (folder / "statements").write_text("\n".join(str(value) for row in statements for value in row.values()))
