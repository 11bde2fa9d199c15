"""Contracts are read whole, and all that is wrong with them is told at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from testenv.core.contract import Classification, Compatibility, Contract, Store
from testenv.core.errors import InvalidCatalog
from testenv.datasets.contracts import load_contracts, parse_contract

HEAD = """
apiVersion: v3.1.0
kind: DataContract
version: 1.2.0
status: active
domain: sales
"""
ORDERS = f"""{HEAD}
id: postgres.orders
customProperties:
  - {{property: entity, value: customer}}
  - {{property: entityPath, value: [customer_id]}}
  - {{property: compatibility, value: FULL_TRANSITIVE}}
  - {{property: partitions, value: 3}}
slaProperties:
  - {{property: frequency, value: 15, unit: m}}
  - {{property: latency, value: 2, unit: h}}
schema:
  - name: orders
    quality: [{{metric: rowCount, mustBeGreaterThan: 0}}]
    properties:
      - {{name: order_id, logicalType: integer, physicalType: bigint, primaryKey: true, classification: internal}}
      - name: customer_id
        logicalType: integer
        classification: pseudonym
        semanticType: customer_id
        relationships: [{{to: postgres.customers.customer_id}}]
        quality: [{{metric: nullValues, mustBe: 0, dimension: completeness}}]
      - {{name: status, logicalType: string, classification: internal, enum: [{{value: open}}, {{value: done}}]}}
      - name: lines
        logicalType: array
        items:
          logicalType: object
          properties:
            - {{name: amount, logicalType: number}}
            - name: to
              logicalType: object
              properties: [{{name: email, logicalType: string, classification: identifier, semanticType: email}}]
      - {{name: tags, logicalType: array, items: {{logicalType: string, classification: public}}}}
"""
CUSTOMERS = f"""{HEAD}
id: postgres.customers
schema:
  - name: customers
    properties:
      - name: customer_id
        logicalType: integer
        primaryKey: true
        classification: pseudonym
        semanticType: customer_id
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "postgres.orders.yaml").write_text(ORDERS)
    (tmp_path / "postgres.customers.yaml").write_text(CUSTOMERS)
    return tmp_path


@pytest.fixture
def orders() -> Contract:
    return parse_contract(ORDERS)


def told(folder: Path) -> list[str]:
    with pytest.raises(InvalidCatalog) as raised:
        load_contracts(folder)
    return str(raised.value).splitlines()


def refused(text: str) -> list[str]:
    with pytest.raises(InvalidCatalog) as raised:
        parse_contract(text)
    return str(raised.value).splitlines()


def test_a_folder_of_contracts_is_read_by_id(folder: Path) -> None:
    assert set(load_contracts(folder)) == {"postgres.orders", "postgres.customers"}


def test_a_contract_says_what_and_whose_it_is(orders: Contract) -> None:
    assert (orders.id, orders.version, orders.store, orders.name) == (
        "postgres.orders",
        "1.2.0",
        Store.POSTGRES,
        "orders",
    )
    assert (orders.owner, orders.entity, orders.entity_path) == ("sales", "customer", ("customer_id",))
    assert orders.compatibility is Compatibility.FULL_TRANSITIVE
    assert (orders.every, orders.late_by) == (timedelta(minutes=15), timedelta(hours=2))
    assert orders.options == {"partitions": 3}


def test_every_leaf_is_a_field_with_its_path(orders: Contract) -> None:
    assert [field.path for field in orders.fields] == [
        "order_id", "customer_id", "status", "lines[].amount", "lines[].to.email", "tags[]",
    ]  # fmt: skip
    assert orders.field("lines[].to.email").column == "lines"
    assert orders.field("tags[]").classification is Classification.PUBLIC
    assert orders.field("status").allowed == ("open", "done")
    with pytest.raises(KeyError):
        orders.field("lines[].iban")


def test_a_leaf_that_says_nothing_of_its_sensitivity_has_no_classification(orders: Contract) -> None:
    assert orders.field("lines[].amount").classification is None


def test_a_reference_leads_to_a_column_of_the_operational_database(orders: Contract) -> None:
    assert orders.field("customer_id").references == "customers.customer_id"


def test_the_only_column_of_a_key_is_unique_and_required(orders: Contract) -> None:
    key = orders.field("order_id")
    assert orders.key == ("order_id",)
    assert key.unique and key.required and key.primary_key


def test_of_a_key_of_several_columns_none_is_unique(orders: Contract) -> None:
    both = parse_contract(ORDERS.replace("name: status,", "name: status, primaryKey: true,"))
    assert both.key == ("order_id", "status")
    assert not any(field.unique for field in both.fields)


def test_rules_say_what_they_are_about_and_what_must_hold(orders: Contract) -> None:
    assert [(rule.name, rule.path, rule.dimension, rule.must) for rule in orders.rules] == [
        ("rowCount", "", "", {"mustBeGreaterThan": 0}),
        ("nullValues customer_id", "customer_id", "completeness", {"mustBe": 0}),
    ]


def test_a_dataset_without_an_entity_is_reference_data() -> None:
    contract = parse_contract(CUSTOMERS)
    assert (contract.entity, contract.entity_path) == ("", ())
    assert (contract.every, contract.late_by) == (None, None)
    assert contract.compatibility is Compatibility.NONE


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "holds no contract" in told(tmp_path)[0]


def test_what_is_no_yaml_is_one_line(folder: Path) -> None:
    (folder / "postgres.orders.yaml").write_text("a: [")
    assert any(line.startswith("postgres.orders.yaml: cannot be read as YAML: ") for line in told(folder))


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("id: postgres.orders", "id: mysql.orders", "id: must be STORE.NAME with STORE one of ['postgres', 's3', "),
        ("id: postgres.orders", "id: postgres", "id: must be STORE.NAME"),
        ("version: 1.2.0", "version: [1]", "version: Input should be a valid string, got [1]"),
        ("value: FULL_TRANSITIVE", "value: SOMETIMES", "compatibility: Input should be 'NONE', "),
        ("unit: m}", "unit: fortnights}", "slaProperties: frequency: must be a number and a unit of ['s', 'm', "),
        ("value: 2, unit: h", "value: soon, unit: h", "slaProperties: latency: must be a number"),
        (
            "classification: pseudonym",
            "classification: secret",
            "customer_id: classification: must be one of [",
        ),
        ("name: status, logicalType: string", "name: status", "status: logicalType: is missing"),
        ("name: status", "name: order_id", "order_id: name: stands there twice"),
        ("{name: amount, ", "{", "lines[].: name: each property needs one"),
        ("  - name: orders\n", "  - name: more\n  - name: orders\n", "schema: must have one object, got ['more', "),
    ],
)
def test_what_is_wrong_is_named_with_what_was_got(right: str, wrong: str, message: str) -> None:
    assert right in ORDERS
    (line,) = refused(ORDERS.replace(right, wrong, 1))
    assert line.startswith(message)


def test_a_contract_without_properties_is_refused() -> None:
    assert refused(f"{HEAD}\nid: s3.x\nschema: [{{name: x}}]") == [
        "schema: properties: must name every column or path, got none"
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("customers.customer_id}", "clients.id}", "customer_id: relationships: 'clients.id' stands in no contract"),
        ("value: [customer_id]", "value: [buyer]", "entityPath: begins with 'buyer', which is none of its fields"),
        ("value: [customer_id]", "value: [order_id, a.b]", "entityPath: 'a.b' stands in no contract"),
        ("id: postgres.orders", "id: postgres.order", "id: must be the file's name without .yaml"),
    ],
)
def test_what_leads_nowhere_is_named_with_its_file(folder: Path, right: str, wrong: str, message: str) -> None:
    (folder / "postgres.orders.yaml").write_text(ORDERS.replace(right, wrong, 1))
    assert any(line.startswith(f"postgres.orders.yaml: {message}") for line in told(folder))


def test_all_that_is_wrong_in_all_files_is_told_at_once(folder: Path) -> None:
    broken = ORDERS
    for right, wrong in (
        ("classification: pseudonym", "classification: secret"),
        ("classification: identifier", "classification: mine"),
        ("unit: m}", "unit: fortnights}"),
        ("value: FULL_TRANSITIVE", "value: SOMETIMES"),
    ):
        broken = broken.replace(right, wrong, 1)
    (folder / "postgres.orders.yaml").write_text(broken)
    (folder / "s3.lines.yaml").write_text("id: s3.lines")
    (folder / "kafka.events.yaml").write_text(CUSTOMERS.replace("postgres.customers", "kafka.event"))
    found = told(folder)
    for beginning in (
        "postgres.orders.yaml: customer_id: classification:",
        "postgres.orders.yaml: lines[].to.email: classification:",
        "postgres.orders.yaml: slaProperties: frequency:",
        "postgres.orders.yaml: compatibility:",
        "s3.lines.yaml: schema: must have one object, got []",
        "kafka.events.yaml: id: must be the file's name",
    ):
        assert any(line.startswith(beginning) for line in found), beginning
