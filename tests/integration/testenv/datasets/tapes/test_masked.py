"""A captured segment is masked before anything of it is written: Avro values, keys and headers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.testenv.datasets.tapes.conftest import NewTopicOf, Production

from testenv.config import Config
from testenv.core.contract import Classification, Contract, Field, Store
from testenv.core.errors import Drifted
from testenv.datasets.avro import Registry, fetch_registry
from testenv.datasets.tapes.capture import record_tape
from testenv.datasets.tapes.form import Tape, open_tape, to_rows
from testenv.datasets.tapes.oracle import verify
from testenv.datasets.tapes.records import RecordMask
from testenv.datasets.tapes.replay import replay

SNAPSHOT = datetime(2026, 1, 1, tzinfo=UTC)
CANARY = f"canary{secrets.token_hex(8)}"
SCHEMA = {
    "type": "record",
    "name": "Event",
    "fields": [{"name": "owner", "type": "string"}, {"name": "kind", "type": ["null", "string"], "default": None}],
}
FIELDS = {
    "key": Classification.IDENTIFIER,
    "value.owner": Classification.IDENTIFIER,
    "value.kind": Classification.INTERNAL,
    "headers.user": Classification.IDENTIFIER,
    "headers.source": Classification.INTERNAL,
}


def mask_value(path: str, values: Sequence[Any], _entities: object) -> list[str]:
    return [f"token of {path}" for _ in values]


def mask(name: str, registry: Registry) -> RecordMask:
    fields = tuple(Field(path=path, type="string", classification=given) for path, given in FIELDS.items())
    options = {"format": "avro", "keyFormat": "text"}
    contract = Contract(
        id=f"kafka.{name}", version="1", store=Store.KAFKA, name=name, owner="o", fields=fields, options=options
    )
    return RecordMask(contract, mask_value, registry, policy="digest", key_epoch="1")


@pytest.fixture(scope="module")
def registry(production: Production, new_topic: NewTopicOf) -> Registry:
    """Read from a topic that is compacted as the registry's is."""
    name = new_topic(cleanup_policy="compact")
    key = {"keytype": "SCHEMA", "subject": "event-value", "version": 1, "magic": 1}
    value = {"subject": "event-value", "version": 1, "id": 41, "schema": json.dumps(SCHEMA), "deleted": False}
    production.produce(name, [{"key": json.dumps(key), "value": json.dumps(value)}])
    return fetch_registry(production.source, name)


@pytest.fixture(scope="module")
def tape(
    production: Production, new_topic: NewTopicOf, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Tape:
    topic, canary = new_topic(2), CANARY.encode()
    whole = registry.encode(41, {"owner": CANARY, "kind": "login"})
    records = [
        {"key": canary, "value": whole, "headers": [("user", canary), ("source", b"app"), ("user", None)]},
        {"key": canary, "value": None},
        {"value": whole, "partition": 1},
        {"value": canary},
        {"value": whole + canary},
        {"value": b"\x00\x00\x00\x00\x63" + canary},
        {"key": canary + b"\xff", "value": None, "headers": [("source", canary + b"\xff")]},
    ]
    production.produce(topic, records)
    return record_tape(
        production.source, topic, tmp_path_factory.mktemp("tape"), mask(topic, registry), snapshot=SNAPSHOT
    )


def test_key_value_and_headers_are_masked(tape: Tape, registry: Registry) -> None:
    first, tombstone, *_ = [row for batch in tape.batches(0) for row in to_rows(batch)]
    assert first[3] == b"token of key"
    assert registry.decode(first[4]) == (41, {"owner": "token of value.owner", "kind": "login"})
    assert first[5] == [("user", b"token of headers.user"), ("source", b"app"), ("user", None)]
    assert tombstone[3:5] == (b"token of key", None)


def test_nothing_of_what_was_masked_or_broken_is_on_disk(tape: Tape) -> None:
    for path in tape.folder.iterdir():
        assert CANARY.encode() not in path.read_bytes()
    for partition in (0, 1):
        for batch in tape.batches(partition):
            assert CANARY not in str(list(to_rows(batch)))


def test_the_manifest_tells_how_it_was_masked(tape: Tape) -> None:
    about = open_tape(tape.folder).manifest.about
    assert (about.policy, about.key_epoch) == ("digest", "1")
    assert about.broken == {"headers": 1, "key": 1, "value": 3}
    assert {number: json.loads(text)["name"] for number, text in about.schemas.items()} == {41: "Event"}


@pytest.mark.parametrize("exact", [True, False])
def test_broken_records_are_replayed_as_well(config: Config, tape: Tape, new_name: Any, exact: bool) -> None:
    name = new_name()
    assert replay(config.kafka, name, tape, exact) == verify(config.kafka, name, tape, exact) == 7


def test_a_header_that_no_contract_names_blocks_the_capture(
    production: Production, new_topic: NewTopicOf, registry: Registry, tmp_path: Path
) -> None:
    topic = new_topic()
    production.produce(topic, [{"value": None, "headers": [("author", CANARY.encode())]}])
    with pytest.raises(Drifted, match="below headers a record has a field"):
        record_tape(production.source, topic, tmp_path / "t", mask(topic, registry), snapshot=SNAPSHOT)
    assert not (tmp_path / "t" / "manifest.json").exists()
