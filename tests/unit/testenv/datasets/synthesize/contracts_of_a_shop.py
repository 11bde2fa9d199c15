"""Two small tables that refer to each other and to themselves, with every kind of column that is profiled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa

from testenv.datasets.contracts import parse_contract

HEAD = """
apiVersion: v3.1.0
kind: DataContract
version: 1.0.0
status: active
domain: sales
"""

PEOPLE = f"""{HEAD}
id: postgres.people
customProperties: [{{property: entity, value: person}}, {{property: entityPath, value: [id]}}]
schema:
  - name: people
    properties:
      - {{name: id, logicalType: integer, primaryKey: true, classification: pseudonym, semanticType: person_id}}
      - {{name: friend_id, logicalType: integer, classification: pseudonym, semanticType: person_id,
          relationships: [{{to: people.id}}]}}
      - {{name: email, logicalType: string, unique: true, classification: identifier, semanticType: email}}
      - {{name: iban, logicalType: string, unique: true, classification: identifier, semanticType: iban}}
      - {{name: born, logicalType: date, classification: quasi-identifier, semanticType: birth_date}}
      - {{name: salary, logicalType: number, classification: identifier, semanticType: salary}}
      - {{name: kind, logicalType: string, required: true, classification: internal,
          enum: [{{value: private}}, {{value: firm}}, {{value: club}}]}}
      - {{name: city, logicalType: string, classification: internal}}
"""

ORDERS = f"""{HEAD}
id: postgres.orders
customProperties: [{{property: entity, value: person}}, {{property: entityPath, value: [person_id, people.id]}}]
schema:
  - name: orders
    properties:
      - {{name: id, logicalType: string, primaryKey: true, classification: internal}}
      - {{name: person_id, logicalType: integer, required: true, classification: pseudonym, semanticType: person_id,
          relationships: [{{to: people.id}}]}}
      - {{name: amount, logicalType: number, required: true, classification: internal}}
      - {{name: weight, logicalType: number, classification: internal}}
      - {{name: pieces, logicalType: integer, classification: internal}}
      - {{name: gift, logicalType: boolean, classification: internal}}
      - {{name: code, logicalType: string, unique: true, classification: internal}}
      - {{name: ordered_at, logicalType: timestamp, required: true, classification: internal}}
      - {{name: sent_at, logicalType: timestamp, classification: internal}}
      - {{name: note, logicalType: string, classification: free-text, semanticType: free_text}}
"""

CONTRACTS = {contract.id: contract for contract in map(parse_contract, (PEOPLE, ORDERS))}

SECRETS = ("anna@real.example", "DE00123", "Atlantis", 987_654, "a word about Anna")
"""What stands in one row alone, or in a sensitive column."""


def people(rows: int = 2000) -> pa.RecordBatch:
    random = np.random.default_rng(1)
    ids = np.arange(5_000, 5_000 + rows)
    friends = [int(ids[random.integers(0, rows) // 20]) if random.random() < 0.6 else None for _ in range(rows)]
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(ids, pa.int64()),
            "friend_id": pa.array(friends, pa.int64()),
            "email": [f"anna{row}@real.example" for row in range(rows - 1)] + [SECRETS[0]],
            "iban": [f"DE00{row}" for row in range(rows)],
            "born": pa.array([row % 20_000 for row in range(rows)], pa.date32()),
            "salary": pa.array([Decimal(row) for row in range(rows)], pa.decimal128(9, 2)),
            "kind": ["private" if row % 5 else "firm" for row in range(rows)],
            "city": [SECRETS[2]] + [("Oslo", "Bergen", "Tromsø")[row % 10 // 5 + row % 2] for row in range(rows - 1)],
        }
    )


def orders(rows: int = 6000, people: int = 2000) -> pa.RecordBatch:
    """One person has a third of the orders, ten have a quarter, and of the others most have none, one or two."""
    random = np.random.default_rng(2)
    whose = np.concatenate(
        [
            np.zeros(rows // 3, dtype=int),
            random.integers(1, 11, rows // 4),
            random.integers(11, people, rows - rows // 3 - rows // 4),
        ]
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ordered = [start + timedelta(seconds=int(each)) for each in random.integers(0, 10**7, rows)]
    sent = [at + timedelta(hours=row % 72) if row % 10 else None for row, at in enumerate(ordered)]
    amounts = [Decimal(int(each)) / 100 for each in random.lognormal(8, 1, rows)]
    amounts[17] = Decimal(SECRETS[3]) / 100
    time = pa.timestamp("us", "UTC")
    return pa.RecordBatch.from_pydict(
        {
            "id": [f"order-{row}" for row in range(rows)],
            "person_id": pa.array(random.permutation(whose) + 5_000, pa.int64()),
            "amount": pa.array(amounts, pa.decimal128(12, 2)),
            "weight": pa.array(random.normal(10, 3, rows), pa.float64()),
            "pieces": pa.array([1 + row % 3 for row in range(rows)], pa.int32()),
            "gift": [row % 4 == 0 for row in range(rows)],
            "code": [f"c{row:07d}" for row in range(rows)],
            "ordered_at": pa.array(ordered, time),
            "sent_at": pa.array(sent, time),
            "note": [SECRETS[4]] * rows,
        }
    )
