"""One look at production as its reader: Arrow batches by contract, the same at every call. Nothing is written.

Postgres is read in one transaction, Kafka to where its partitions ended, S3 by the objects that were listed first.
Snowflake is read as it is: its tables are those that pipelines load, and no pipeline's half can be seen in one.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from testenv.backends.aws import session_client, translate
from testenv.backends.errors import kafka_errors, postgres_errors, snowflake_errors
from testenv.backends.postgres_server import query
from testenv.backends.snowflake import Account, identifier
from testenv.config import Config
from testenv.core.contract import Contract, Contracts, Store
from testenv.core.errors import Drifted, Failed
from testenv.datasets.avro import Registry, fetch_registry
from testenv.datasets.observe import LANDING, pattern, reader
from testenv.datasets.tapes.capture import Segment, segment
from testenv.datasets.tapes.clients import consumer
from testenv.datasets.tapes.reading import batches
from testenv.production import Production

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.connector import SnowflakeConnection

_COPY_SECONDS = 4 * 3600
"""The longest that a table may be read, which is as slowly as it is masked."""

_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod)
FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


class Snapshot:
    """Production between `__enter__` and `__exit__`; `taken_at` is when the look was taken (UTC)."""

    def __init__(self, config: Config, production: Production, contracts: Contracts) -> None:
        self._config, self._production, self.contracts = config, production, contracts
        self._open = ExitStack()
        self.taken_at = datetime.now(UTC)

    def __enter__(self) -> Snapshot:
        self._postgres = self._open.enter_context(closing(self._begin()))
        account = Account(replace(self._config, snowflake=self._production.snowflake))
        self._snowflake = self._open.enter_context(account.control())
        self.files = self._list_files()
        self.segments = {
            contract.name: segment(self._production.kafka, contract.name) for contract in self._of(Store.KAFKA)
        }
        self.registry: Registry = fetch_registry(self._production.kafka)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def _of(self, store: Store) -> list[Contract]:
        return [contract for contract in self.contracts.values() if contract.store is store]

    def batches(self, contract: Contract) -> Iterator[pa.RecordBatch]:
        """The rows of a table, or the records of a topic in the columns of a tape. Files are read by `file`."""
        match contract.store:
            case Store.POSTGRES:
                return self._postgres_rows(contract)
            case Store.SNOWFLAKE:
                return self._snowflake_rows(contract)
            case Store.KAFKA:
                return self._records(contract)
            case _:
                raise Failed(f"{contract.id} is of files, which are read one by one")

    # ---------------------------------------------------------------- Postgres

    @postgres_errors()
    def _begin(self) -> Any:
        connection = reader(self._production, _COPY_SECONDS)
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        return connection

    def _postgres_rows(self, contract: Contract) -> Iterator[pa.RecordBatch]:
        """By COPY through a pipe: never more than some blocks of it in memory."""
        import pyarrow as pa
        from psycopg2 import sql
        from pyarrow import csv

        with postgres_errors():
            columns = {name: arrow_type(kind) for name, kind in query(self._postgres, _COLUMNS, contract.name)}
        order = sql.SQL(", ").join(map(sql.Identifier, contract.key)) or sql.SQL("1")
        copy = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT (FORMAT csv)").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(contract.name), order
        )
        reading, writing = os.pipe()
        failures: list[BaseException] = []

        def send() -> None:
            with os.fdopen(writing, "wb") as pipe:
                try:
                    with postgres_errors(), self._postgres.cursor() as cursor:
                        cursor.copy_expert(copy, pipe)
                except BaseException as error:  # noqa: BLE001 - told where the rows are read
                    failures.append(error)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            with (
                os.fdopen(reading, "rb") as pipe,
                csv.open_csv(
                    pa.PythonFile(pipe, mode="r"),
                    read_options=csv.ReadOptions(column_names=list(columns), block_size=4 << 20),
                    parse_options=csv.ParseOptions(newlines_in_values=True),
                    convert_options=csv.ConvertOptions(
                        column_types=columns,
                        null_values=[""],
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=False,
                        true_values=["t"],
                        false_values=["f"],
                    ),
                ) as rows,
            ):
                yield from rows
        except pa.ArrowInvalid as error:
            if "Empty CSV file" not in str(error):  # Arrow's word for a table without rows
                raise Failed(f"{contract.id}: its rows are not of the types that its columns have") from None
            yield pa.RecordBatch.from_pylist([], schema=pa.schema(columns.items()))
        finally:
            sender.join()
        if failures:
            raise failures[0]

    # ---------------------------------------------------------------- Snowflake

    @snowflake_errors()
    def _snowflake_rows(self, contract: Contract) -> Iterator[pa.RecordBatch]:
        connection: SnowflakeConnection = self._snowflake
        where = identifier(self._production.snowflake_database, *contract.name.split("."))
        order = ", ".join(map(identifier, contract.key)) or "1"
        connection.arrow_number_to_decimal_setter = True  # sic: numbers with a scale would come as floats
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {where} ORDER BY {order}")
            table = cursor.fetch_arrow_all(force_return_table=True, force_microsecond_precision=True)
        yield from table.to_batches()

    # ---------------------------------------------------------------- S3

    @functools.cached_property
    def _s3(self) -> Any:
        return session_client("s3", self._config, self._production.aws)

    @translate
    def _list_files(self) -> Mapping[str, list[str]]:
        """Contract → paths below the landing zone, sorted. Raises `Drifted` for files that no contract has."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._production.bucket, Prefix=LANDING)
        found: dict[str, list[str]] = {contract.id: [] for contract in self._of(Store.S3)}
        for path in sorted(each["Key"].removeprefix(LANDING) for page in pages for each in page.get("Contents", ())):
            owners = [contract.id for contract in self._of(Store.S3) if fnmatchcase(path, pattern(contract))]
            if not owners:
                raise Drifted(f"s3: {path.split('/')[0]}/ has files that no contract's location has. Write one for it")
            found[owners[0]].append(path)
        return found

    @translate
    def file(self, path: str) -> bytes:
        """The bytes of a file of the landing zone."""
        return bytes(self._s3.get_object(Bucket=self._production.bucket, Key=LANDING + path)["Body"].read())

    # ---------------------------------------------------------------- Kafka

    def _records(self, contract: Contract) -> Iterator[pa.RecordBatch]:
        part: Segment = self.segments[contract.name]
        with kafka_errors(), consumer(self._production.kafka) as client:
            for number, bounds in enumerate(part.spans):
                yield from batches(client, part.topic, number, bounds)


def arrow_type(declared: str) -> Any:
    """The Arrow type of a column that Postgres declares so. Raises `Failed` for one that is not known here."""
    import pyarrow as pa

    name, _, size = declared.partition("(")
    if name == "numeric" and size:
        precision, _, scale = size.rstrip(")").partition(",")
        return pa.decimal128(int(precision), int(scale or 0))
    plain = {
        "bigint": pa.int64(),
        "integer": pa.int32(),
        "smallint": pa.int16(),
        "double precision": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp with time zone": pa.timestamp("us", "UTC"),
        "timestamp without time zone": pa.timestamp("us"),
    }
    texts = {"text", "jsonb", "json", "uuid", "character", "character varying", "inet"}
    if declared in plain:
        return plain[declared]
    if name in texts:
        return pa.string()
    raise Failed(f"a column of Postgres is {declared}, which a refresh does not read. Add it to arrow_type")
