"""What a trial recorded, for the checks: read with the environment's own credentials, from outside of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testenv.backends.aws import session_client
from testenv.backends.errors import snowflake_errors
from testenv.checks.diff import SnowflakeTable, Table, topic
from testenv.checks.release import Columns
from testenv.checks.schema.tables import columns_of
from testenv.checks.trial.lake import Lake
from testenv.checks.trial.login import snowflake
from testenv.checks.trial.record import Record
from testenv.checks.trial.tables import copy_of
from testenv.config import Config, KafkaConfig
from testenv.core.contract import Store
from testenv.core.errors import NotFound

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@dataclass
class RecordedTrial:
    """`checks.release.Trial` of an environment that is still there."""

    record: Record
    connection: SnowflakeConnection
    lake: Lake
    kafka: KafkaConfig
    topic_prefix: str
    login: Mapping[str, Any] = field(repr=False)

    def table(self, moment: str, store: Store, name: str) -> Table:
        """An output as it was at a moment; a topic as it is now: of it, what counts is what it has been given.

        Raises `NotFound` where it was not there, or has no rows to compare.
        """
        kept = "" if store is Store.KAFKA else self._kept(moment, f"{store}:{name}")
        match store:
            case Store.SNOWFLAKE:
                return SnowflakeTable(self.connection, copy_of(kept, name))
            case Store.S3:
                return self.lake.kept_table(kept, name)
            case Store.KAFKA:
                return topic(self.kafka, self.topic_prefix + name, self.group)
        raise NotFound(f"{store}:{name}: a trial records no tables of {store}")

    @property
    def group(self) -> str:
        """A consumer group that the environment's user may name, as it is the environment's."""
        return f"{self.topic_prefix}checks"

    def connection_parameters(self) -> Mapping[str, Any]:
        """The environment's login to Snowflake, for a tool that logs in by itself; the key is in PEM."""
        return {name: value for name, value in self.login.items() if value and name != "ca_bundle"}

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query in the environment's Snowflake, as the environment."""
        from snowflake.connector import DictCursor

        with snowflake_errors(), self.connection.cursor(DictCursor) as cursor:
            cursor.execute(sql, timeout=180)
            return [dict(row) for row in cursor.fetchall()]

    def place(self, moment: str, table: str) -> str:
        """`SCHEMA.TABLE` of the copy that holds the table's rows as they were at a moment. Raises `NotFound`."""
        return copy_of(self._kept(moment, f"{Store.SNOWFLAKE}:{table}"), table)

    def columns(self) -> dict[str, Columns]:
        """Columns of every table and copy, by `SCHEMA.TABLE`."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in self.query("SELECT * FROM INFORMATION_SCHEMA.COLUMNS"):
            rows.setdefault(f"{row['TABLE_SCHEMA']}.{row['TABLE_NAME']}", []).append(row)
        return {name: columns_of(each) for name, each in rows.items()}

    def environment(self, side: str) -> RecordedEnvironment:
        """What the schema check sees of a side: tables as they were at `base` or `head`."""
        return RecordedEnvironment(self, side)

    def close(self) -> None:
        """End the session."""
        self.connection.close()

    def _kept(self, moment: str, id_: str) -> str:
        state = self.record.state(moment)
        output = state.output(id_) if state else None
        if state is None or output is None:
            raise NotFound(f"{id_} was not there at {moment}" + ("" if state else ", to which the trial did not come"))
        return output.kept


@dataclass
class RecordedEnvironment:
    """`checks.release.Environment` of one side, at the moment when its code had run."""

    trial: RecordedTrial
    moment: str
    _copies: dict[str, Columns] = field(default_factory=dict)

    @property
    def env_id(self) -> str:
        return self.trial.record.env_id

    @property
    def emulated(self) -> tuple[str, ...]:
        return self.trial.record.emulated

    def columns(self, dataset: str) -> Columns | None:
        """Columns of a contract's table; None where the moment has no such table, or the store no such columns."""
        store, _, name = dataset.partition(".")
        state = self.trial.record.state(self.moment)
        output = state.output(f"{store}:{name}") if state else None
        if output is None or store != Store.SNOWFLAKE:
            return None
        if not self._copies:
            self._copies.update(self.trial.columns())
        return self._copies.get(copy_of(output.kept, name))


@dataclass(frozen=True)
class _Session:
    """What of a boto3 session those ask for who read files: its credentials and region."""

    region_name: str
    credentials: Any

    def get_credentials(self) -> Any:
        return self.credentials


def recorded_trial(record: Record, logins: Mapping[str, Mapping[str, Any]], config: Config) -> RecordedTrial:
    """By the environment's logins, as `backends.access` hands them out."""
    from botocore.credentials import Credentials

    s3 = logins["s3"]
    login = {"AccessKeyId": s3["access_key_id"], "SecretAccessKey": s3["secret_access_key"]}
    client = session_client("s3", config, login | {"SessionToken": s3["session_token"]})
    session = _Session(config.region, Credentials(s3["access_key_id"], s3["secret_access_key"], s3["session_token"]))
    bucket, _, prefix = str(s3["url"]).removeprefix("s3://").partition("/")
    return RecordedTrial(
        record,
        snowflake(logins["snowflake"]),
        Lake(session, client, bucket, prefix),
        _kafka(logins["kafka"]),
        logins["kafka"]["topic_prefix"],
        logins["snowflake"],
    )


def _kafka(login: Mapping[str, Any]) -> KafkaConfig:
    names = ("bootstrap.servers", "sasl.username", "sasl.password", "security.protocol", "sasl.mechanism")
    return KafkaConfig(*(str(login[name]) for name in names))
