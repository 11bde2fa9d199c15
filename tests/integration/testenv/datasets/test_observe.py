"""What production has is as its contracts say; what it should not have is found, without a value leaving its store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import boto3
import psycopg2
import pytest
from confluent_kafka import Producer
from tests.conftest import REPO, RunningStack

from testenv.config import Config
from testenv.core.contract import Contracts, Store
from testenv.core.drift import Observed, differences
from testenv.datasets import observe, observe_kafka
from testenv.datasets.contracts import load_contracts
from testenv.production import Production

CONTRACTS = load_contracts()


@pytest.fixture(scope="module")
def production(stack: RunningStack, config: Config) -> Production:
    """Filled, at a small scale."""
    command = [sys.executable, "-m", "estate.production", "fill", "--scale", "0.02", "--home", str(stack.home)]
    environ = {**os.environ, **stack.env, "PYTHONPATH": str(REPO / "include")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Production.from_environ(config, stack.env)


def of(store: Store) -> Contracts:
    return {id_: contract for id_, contract in CONTRACTS.items() if contract.store is store}


def told(store: Store, observed: dict[str, Observed]) -> list[str]:
    return [str(each) for each in differences(of(store), observed)]


class TestPostgres:
    @pytest.fixture
    def run(self, stack: RunningStack) -> Iterator[psycopg2.extensions.cursor]:
        url = stack.production["PRODUCTION_POSTGRES_URL"].replace("postgresql+psycopg2://", "postgresql://")
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            yield cursor

    def test_it_is_as_its_contracts_say(self, production: Production) -> None:
        assert told(Store.POSTGRES, observe.postgres(production)) == []

    @pytest.mark.parametrize(
        ("change", "back", "words"),
        [
            (
                "ALTER TABLE cards ADD COLUMN cvc text",
                "ALTER TABLE cards DROP COLUMN cvc",
                ["postgres.cards: cvc: is new (text)"],
            ),
            (
                "ALTER TABLE cards ALTER COLUMN network TYPE varchar(20)",
                "ALTER TABLE cards ALTER COLUMN network TYPE text",
                ["postgres.cards: network: is character varying(20), the contract says text"],
            ),
            (
                "ALTER TABLE cards RENAME COLUMN holder_name TO holder",
                "ALTER TABLE cards RENAME COLUMN holder TO holder_name",
                [
                    "postgres.cards: holder: is new (text), and 'holder_name' is gone: is it renamed?",
                    "postgres.cards: holder_name: is missing",
                ],
            ),
            (
                "CREATE TABLE salaries (employee_id bigint)",
                "DROP TABLE salaries",
                ["postgres.salaries: *: is in production and has no contract"],
            ),
            (
                'UPDATE kyc_documents SET content = content || \'{"mother": {"name": "x"}}\' '
                "WHERE document_id = (SELECT min(document_id) FROM kyc_documents)",
                "UPDATE kyc_documents SET content = content - 'mother'",
                ["postgres.kyc_documents: content.mother.name: is new (string)"],
            ),
        ],
        ids=["new column", "type", "renamed column", "new table", "new JSON path"],
    )
    def test_a_change_is_named_with_its_contract(
        self, production: Production, run: psycopg2.extensions.cursor, change: str, back: str, words: list[str]
    ) -> None:
        run.execute(change)
        try:
            found = told(Store.POSTGRES, observe.postgres(production))
        finally:
            run.execute(back)
        assert [message.split(". ", 1)[0] for message in found] == words

    def test_its_reader_may_not_write(self, production: Production) -> None:
        with closing(psycopg2.connect(production.postgres_url)) as connection, connection.cursor() as cursor:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("DELETE FROM cards")


class TestS3:
    @contextmanager
    def put(self, stack: RunningStack, key: str, body: bytes) -> Iterator[None]:
        env = stack.production
        s3 = boto3.client(
            "s3",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=env["PRODUCTION_AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["PRODUCTION_AWS_SECRET_ACCESS_KEY"],
        )
        s3.put_object(Bucket=env["PRODUCTION_BUCKET"], Key=key, Body=body)
        try:
            yield
        finally:
            s3.delete_object(Bucket=env["PRODUCTION_BUCKET"], Key=key)

    def test_it_is_as_its_contracts_say(self, config: Config, production: Production) -> None:
        assert told(Store.S3, observe.s3(config, production, CONTRACTS)) == []

    def test_a_new_path_in_one_line_of_one_file_is_named(
        self, stack: RunningStack, config: Config, production: Production
    ) -> None:
        line = (
            b'{"settlement_id": "x", "settled_at": "2026-01-01", "lines": [{"line": 1, "amount": "1", "payer": "A"}]}'
        )
        with self.put(stack, "landing/settlements/dt=2026-01-01/odd.json", b"no json\n" + line):
            (found,) = told(Store.S3, observe.s3(config, production, CONTRACTS))
        assert found.startswith("s3.settlements: lines[].payer: is new (string)")

    def test_a_feed_without_a_contract_is_named(
        self, stack: RunningStack, config: Config, production: Production
    ) -> None:
        with self.put(stack, "landing/payroll/2026.csv", b"name,salary\n"):
            (found,) = told(Store.S3, observe.s3(config, production, CONTRACTS))
        assert found.startswith("s3.payroll: *: is in production and has no contract")


class TestKafka:
    @pytest.fixture
    def register(self, stack: RunningStack, production: Production) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Registers one more version of the schema of `login_events`, as the registry does; it goes after the test."""
        env = stack.production
        producer = Producer(
            {
                "bootstrap.servers": env["PRODUCTION_KAFKA_BOOTSTRAP"],
                "security.protocol": env["PRODUCTION_KAFKA_SECURITY_PROTOCOL"],
                "sasl.mechanism": env["PRODUCTION_KAFKA_SASL_MECHANISM"],
                "sasl.username": env["PRODUCTION_KAFKA_USER"],
                "sasl.password": env["PRODUCTION_KAFKA_PASSWORD"],
            }
        )
        place = {"subject": "login_events-value", "version": 99}
        key = json.dumps({"keytype": "SCHEMA", **place, "magic": 1})

        def write(value: str | None) -> None:
            producer.produce("_schemas", key=key, value=value)
            assert producer.flush(20) == 0

        yield lambda schema: write(json.dumps({**place, "id": 99, "schema": json.dumps(schema), "deleted": False}))
        write(None)

    def told(self, production: Production) -> list[str]:
        """Of production's topics; those of other tests stand beside them."""
        observed = observe_kafka.kafka(production, CONTRACTS)
        return told(Store.KAFKA, {id_: each for id_, each in observed.items() if id_ in CONTRACTS})

    def test_it_is_as_its_contracts_say(self, production: Production) -> None:
        assert self.told(production) == []

    def test_a_renamed_avro_field_is_named(
        self, production: Production, register: Callable[[dict[str, Any]], None]
    ) -> None:
        schema = json.loads((REPO / "include/estate/schema/avro/3-login_events-value-v1.avsc").read_text())
        for field in schema["fields"]:
            if field["name"] == "ip":
                field["name"] = "address"
        register(schema)
        (found,) = self.told(production)
        assert found.startswith("kafka.login_events: value.address: is new (string)")


def test_snowflake_is_as_its_contracts_say(config: Config, production: Production) -> None:
    assert told(Store.SNOWFLAKE, observe.snowflake(config, production, CONTRACTS)) == []
