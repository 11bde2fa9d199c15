"""Values of production and of a version, side by side: by dataset, field and row, whatever the store."""

from __future__ import annotations

import base64
import io
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from testenv.core.contract import Contract, Contracts, Store
from testenv.datasets.avro import NotAvro, Registry
from testenv.datasets.feeds import records_of
from testenv.datasets.refresh.selection import Selection, at
from testenv.datasets.refresh.snapshot import Snapshot

Record = dict[str, Any] | None
"""None for what cannot be read."""

ALIKE = {"person_name", "phone", "street", "city", "postal_code", "ip_address"}
"""Types of which several values may be given one token: docs/masking.md."""

NO_TOKENS = {"birth_date", "free_text"}
"""What is moved by entity, and what is replaced by its length."""


@dataclass(frozen=True)
class Side:
    """A dataset's records, in the order of production."""

    contract: Contract
    records: list[Record]

    def values(self, path: str) -> list[list[Any]]:
        """Of each record, what stands at a path: nothing, one value, or those of a list."""
        found = [[] if record is None else at(record, path) for record in self.records]
        return [each if isinstance(each, list) else [each] for each in found]


def production(snapshot: Snapshot) -> dict[str, Side]:
    """All of it."""
    return {id_: Side(contract, list(_real(snapshot, contract))) for id_, contract in snapshot.contracts.items()}


def tier_of(real: dict[str, Side], selection: Selection, tier: str) -> dict[str, Side]:
    """Production's records that a tier takes."""
    return {
        id_: Side(
            side.contract, [each for each, taken in zip(side.records, selection.rows[tier][id_], strict=True) if taken]
        )
        for id_, side in real.items()
    }


def masked(contracts: Contracts, files: dict[str, bytes], registry: Registry) -> dict[str, Side]:
    """What a tier's files hold, before the seed was put to them."""
    return {id_: Side(each, list(_masked(each, files, registry))) for id_, each in contracts.items()}


def canonical(value: Any) -> str:
    """Values that mean the same are the same: docs/masking.md."""
    return unicodedata.normalize("NFC", str(value)).rstrip(" ")


def _real(snapshot: Snapshot, contract: Contract) -> Iterator[Record]:
    if contract.store is Store.S3:
        for path in snapshot.files[contract.id]:
            yield from _documents(contract, snapshot.file(path))
        return
    for batch in snapshot.batches(contract):
        for row in batch.to_pylist():
            if contract.store is Store.KAFKA:
                headers = [(name, content) for name, content in _pairs(row["headers"])]
                yield _record(contract, snapshot.registry, row["key"], row["value"], headers)
            else:
                yield _row(contract, row)


def _masked(contract: Contract, files: dict[str, bytes], registry: Registry) -> Iterator[Record]:
    match contract.store:
        case Store.POSTGRES | Store.SNOWFLAKE:
            table = pq.read_table(io.BytesIO(files[f"{contract.store}/{contract.name}.parquet"]))
            yield from (_row(contract, row) for row in table.to_pylist())
        case Store.S3:
            folder = f"landing/{str(contract.options['location']).split('/')[0]}/"
            for path in sorted(path for path in files if path.startswith(folder)):
                yield from _documents(contract, files[path])
        case Store.KAFKA:
            for line in files[f"kafka/{contract.name}.jsonl"].splitlines():
                held = json.loads(line)
                headers = [(name, _bytes(content)) for name, content in held["headers"]]
                yield _record(contract, registry, _bytes(held["key"]), _bytes(held["value"]), headers)


def _documents(contract: Contract, body: bytes) -> Iterator[Record]:
    return (each if isinstance(each, dict) else None for each in records_of(contract, body))


def _row(contract: Contract, row: dict[str, Any]) -> Record:
    nested = {field.column for field in contract.fields if field.path != field.column}
    return {name: _parsed(value) if name in nested else value for name, value in row.items()}


def _record(
    contract: Contract, registry: Registry, key: bytes | None, value: bytes | None, headers: list[tuple[str, Any]]
) -> Record:
    plain = any(field.path == "key" for field in contract.fields)
    if contract.options.get("format") == "avro":
        try:
            body = None if value is None else registry.read(value)
        except NotAvro:
            return None
    else:
        body = _parsed(value)
        if value is not None and not isinstance(body, dict):
            return None
    return {
        "key": _text(key) if plain else _parsed(key),
        "value": body,
        "headers": {name: _text(content) for name, content in headers},
    }


def _pairs(headers: list[Any] | None) -> Iterator[tuple[str, Any]]:
    for each in headers or ():
        yield (each["name"], each["value"]) if isinstance(each, dict) else each


def _parsed(text: Any) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "replace")


def _bytes(content: Any) -> bytes | None:
    if isinstance(content, dict):
        return base64.b64decode(content["base64"])
    return None if content is None else str(content).encode()
