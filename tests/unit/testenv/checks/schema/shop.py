"""A small repository with one table, one topic and one dbt model, and ways to change it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from testenv.checks.impact.trees import tree_at
from testenv.checks.release import Columns, NoHistory, Tree, Version
from testenv.datasets.contracts import load_contracts

TABLE = "snowflake.RAW.ORDERS"
TOPIC = "kafka.orders"
AVRO = "schema/1-orders-value-v1.avsc"

_TABLE = """
apiVersion: v3.1.0
kind: DataContract
id: snowflake.RAW.ORDERS
version: 1.0.0
status: active
domain: sales
description: {purpose: Orders}
customProperties:
  - {property: entity, value: none}
  - {property: compatibility, value: BACKWARD}
slaProperties:
  - {property: frequency, value: 1, unit: h}
  - {property: latency, value: 2, unit: h}
schema:
  - name: RAW.ORDERS
    physicalType: table
    quality:
      - {metric: rowCount, mustBeGreaterThan: 10}
    properties:
      - {name: ORDER_ID, logicalType: integer, physicalType: 'NUMBER(38,0)', primaryKey: true, classification: internal}
      - {name: SHOP, logicalType: string, physicalType: VARCHAR(20), required: true, classification: internal}
      - {name: EMAIL, logicalType: string, physicalType: VARCHAR, classification: identifier, semanticType: email}
      - name: STATUS
        logicalType: string
        physicalType: VARCHAR
        required: true
        classification: internal
        enum: [{value: open}, {value: paid}]
        quality: [{metric: invalidValues, arguments: {validValues: [open, paid]}, mustBe: 0}]
      - name: AMOUNT
        logicalType: number
        physicalType: NUMBER(18,2)
        required: true
        classification: internal
        quality: [{metric: nullValues, mustBe: 0}]
      - {name: PLACED_AT, logicalType: timestamp, physicalType: TIMESTAMP_NTZ, classification: internal}
"""

_TOPIC = """
apiVersion: v3.1.0
kind: DataContract
id: kafka.orders
version: 1.0.0
status: active
domain: sales
customProperties:
  - {property: entity, value: none}
  - {property: compatibility, value: BACKWARD}
  - {property: partitions, value: 3}
  - {property: format, value: avro}
schema:
  - name: orders
    physicalType: topic
    properties:
      - {name: key, logicalType: string, required: true, classification: internal}
      - name: value
        logicalType: object
        properties:
          - {name: order_id, logicalType: integer, physicalType: long, required: true, classification: internal}
          - {name: merchant, logicalType: string, physicalType: string, required: true, classification: internal}
"""

_AVRO = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "order_id", "type": "long"},
        {"name": "merchant", "type": "string"},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["open", "paid"]}},
    ],
}

_MODEL = {
    "resource_type": "model",
    "name": "fct_orders",
    "schema": "MARTS",
    "original_file_path": "models/fct_orders.sql",
    "config": {"materialized": "table"},
    "contract": {"enforced": True},
    "columns": {
        "order_id": {"name": "order_id", "data_type": "number(38,0)", "constraints": [{"type": "not_null"}]},
        "shop": {"name": "shop", "data_type": "varchar(20)", "constraints": []},
    },
    "constraints": [],
}


@dataclass
class Shop:
    """One side: what a test changes before it is written."""

    table: dict[str, Any] = field(default_factory=lambda: yaml.safe_load(_TABLE))
    topic: dict[str, Any] = field(default_factory=lambda: yaml.safe_load(_TOPIC))
    schemas: dict[str, Any] = field(default_factory=lambda: {AVRO: json.loads(json.dumps(_AVRO))})
    model: dict[str, Any] | None = field(default_factory=lambda: json.loads(json.dumps(_MODEL)))
    columns: Columns | None = None

    def column(self, name: str) -> dict[str, Any]:
        return next(each for each in self.table["schema"][0]["properties"] if each["name"] == name)

    def avro_field(self, name: str) -> dict[str, Any]:
        return next(each for each in self.schemas[AVRO]["fields"] if each["name"] == name)

    def mode(self, mode: str, contract: str = "table") -> None:
        for each in getattr(self, contract)["customProperties"]:
            if each["property"] == "compatibility":
                each["value"] = mode

    def tree(self, root: Path, ref: str) -> Tree:
        contracts = root / "include/catalog/contracts"
        contracts.mkdir(parents=True)
        for id_, content in ((TABLE, self.table), (TOPIC, self.topic)):
            if content:
                (contracts / f"{id_}.yaml").write_text(yaml.safe_dump(content))
        for path, schema in self.schemas.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(schema if isinstance(schema, str) else json.dumps(schema))
        nodes = {"model.shop.fct_orders": self.model} if self.model else {}
        environment = None if self.columns is None else _Ran(self.columns)
        loaded = load_contracts(contracts)
        return Tree(ref, tree_at(root), loaded, manifest={"nodes": nodes}, environment=environment)


@dataclass(frozen=True)
class _Ran:
    table: Columns
    env_id: str = "ci-shop"
    emulated: tuple[str, ...] = ("Snowflake by fakesnow",)

    def columns(self, dataset: str) -> Columns | None:
        return self.table if dataset == TABLE else None


@dataclass(frozen=True)
class Past(NoHistory):
    """A history given by hand."""

    texts: dict[str, list[str]]

    def versions(self, path: str) -> list[Version]:
        return [Version(f"{number:040x}", text) for number, text in enumerate(self.texts.get(path, []))]
