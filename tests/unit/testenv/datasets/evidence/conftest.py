"""A small bank: customers and their payments, and what an honest masking makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from testenv.core.contract import Contracts
from testenv.datasets.contracts import parse_contract
from testenv.datasets.evidence.canaries import Canaries
from testenv.datasets.evidence.evidence import About, Evidence, Pair, judge

CUSTOMERS = """
apiVersion: v3.1.0
kind: DataContract
id: postgres.customers
version: 1.0.0
status: active
schema:
  - name: customers
    properties:
      - name: customer_id
        logicalType: integer
        primaryKey: true
        classification: pseudonym
        semanticType: customer_id
      - {name: email, logicalType: string, classification: identifier, semanticType: email}
      - {name: name, logicalType: string, classification: identifier, semanticType: person_name}
      - {name: country, logicalType: string, classification: public}
"""
PAYMENTS = """
apiVersion: v3.1.0
kind: DataContract
id: postgres.payments
version: 1.0.0
status: active
schema:
  - name: payments
    properties:
      - name: customer_id
        logicalType: integer
        classification: pseudonym
        semanticType: customer_id
        relationships: [{to: customers.customer_id}]
      - {name: pan, logicalType: string, classification: identifier, semanticType: pan}
      - {name: amount, logicalType: number, classification: internal}
      - {name: notes, logicalType: string, classification: internal}
      - name: meta
        logicalType: object
        properties:
          - {name: contacts, logicalType: array, items: {logicalType: string, classification: internal}}
"""

SIZE = 1_200
ABOUT = About(
    snapshot=datetime(2026, 1, 2, tzinfo=UTC),
    made_at=datetime(2026, 1, 2, 3, tzinfo=UTC),
    policy_digest="sha256:0",
    key_epoch="2026-01",
)

Rows = list[dict[str, Any]]


@dataclass(frozen=True, repr=False)
class Bank:
    """Rows by contract, before and after. Tests change what came out."""

    contracts: Contracts
    canaries: Canaries
    source: dict[str, Rows]
    masked: dict[str, Rows] = field(default_factory=dict)

    def judged(self, change: Callable[[dict[str, Rows]], object] = lambda _: None) -> Evidence:
        """The evidence, after `change` was made to what masking wrote."""
        masked = {name: [dict(row) for row in rows] for name, rows in self.masked.items()}
        change(masked)
        pairs = {name: Pair(_batches(self.source[name]), _batches(masked[name])) for name in masked}
        return judge("v1", pairs, self.contracts, ABOUT, self.canaries)

    def with_contract(self, text: str) -> Bank:
        contract = parse_contract(text)
        return replace(self, contracts={**self.contracts, contract.id: contract})


def _batches(rows: Rows) -> Callable[[], list[pa.RecordBatch]]:
    return lambda: pa.Table.from_pylist(rows).to_batches(max_chunksize=700)


@pytest.fixture(scope="session")
def bank() -> Bank:
    contracts = {contract.id: contract for contract in map(parse_contract, (CUSTOMERS, PAYMENTS))}
    canaries = Canaries("unit")
    draw = np.random.default_rng(1)
    ids = list(range(1_000, 1_000 + SIZE))
    countries = draw.choice(["DE", "FR", "PL"], SIZE, p=[0.6, 0.3, 0.1]).tolist()
    customers = [
        {"customer_id": i, "email": f"kim{i}.lee@real-mail.net", "name": f"Kim{chr(97 + i % 26)}o Lee{i}", "country": c}
        for i, c in zip(ids, countries, strict=True)
    ]
    payments = [
        {
            "customer_id": int(owner),
            "pan": f"4539{int(owner):08}{row % 10_000:04}",
            "amount": float(amount),
            "notes": "order shipped",
            "meta": {"contacts": ["front desk"]},
        }
        for row, (owner, amount) in enumerate(zip(draw.choice(ids, 2 * SIZE), draw.gamma(2, 50, 2 * SIZE), strict=True))
    ]
    source = {"postgres.customers": customers, "postgres.payments": payments}
    for name, rows in source.items():
        rows += canaries.rows(contracts[name])
    return Bank(contracts, canaries, source, {name: [_mask(row) for row in rows] for name, rows in source.items()})


def _mask(row: dict[str, Any]) -> dict[str, Any]:
    key = row["customer_id"] * 7_919 % 999_999_999_989
    letters = "".join(chr(97 + int(digit)) for digit in str(key))
    made = {
        "customer_id": key,
        "email": f"{letters}@example.com",
        "name": f"Quilby {letters}",
        "pan": f"411111{int(row.get('pan', 0)) * 7_919 % 9_999_999_967:010}",
    }
    return {**row, **{name: value for name, value in made.items() if name in row}}
