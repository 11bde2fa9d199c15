"""Canaries as records of a topic, in the topic's own format: they go through masking, and never into a tape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from testenv.datasets.tapes.form import CREATE_TIME, to_batch

if TYPE_CHECKING:
    import pyarrow as pa

    from testenv.core.contract import Contract
    from testenv.datasets.avro import Registry
    from testenv.datasets.evidence.canaries import Canaries


def planted_records(contract: Contract, canaries: Canaries, registry: Registry) -> pa.RecordBatch:
    """A record for each canary."""
    rows = []
    for number, row in enumerate(canaries.rows(contract)):
        body = _written(row["value"])
        if contract.options.get("format") == "avro":
            body = registry.encode(registry.newest(f"{contract.name}-value"), row["value"])
        headers = [(name, str(text).encode()) for name, text in row.get("headers", {}).items()]
        rows.append((number, 0, CREATE_TIME, _written(row["key"]), body, headers))
    return to_batch(rows)


def _written(value: Any) -> bytes:
    """A canary's value as a record holds it: a document as JSON, anything else as text."""
    return (json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict) else str(value)).encode()
