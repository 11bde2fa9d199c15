"""Small changes as people make them, each with the verdict that it must have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from testenv.checks.protocol import Outcome, Severity
from testenv.checks.release import Column

from .conftest import Verdicts
from .shop import AVRO, Shop

Edit = Callable[[Shop], Any]


def table(shop: Shop) -> dict[str, Any]:
    return shop.table["schema"][0]


def drop(name: str) -> Edit:
    def edit(shop: Shop) -> None:
        table(shop)["properties"] = [each for each in table(shop)["properties"] if each["name"] != name]

    return edit


def add(**column: Any) -> Edit:
    return lambda shop: table(shop)["properties"].append(
        {"classification": "internal", "logicalType": "string", **column}
    )


def alter(name: str, /, **values: Any) -> Edit:
    return lambda shop: shop.column(name).update(values)


def avro(name: str, /, **values: Any) -> Edit:
    return lambda shop: shop.avro_field(name).update(values)


def avro_new(**field: Any) -> Edit:
    return lambda shop: shop.schemas[AVRO]["fields"].append(field)


def avro_drop(name: str) -> Edit:
    return lambda shop: shop.schemas[AVRO]["fields"].remove(shop.avro_field(name))


def sla(name: str, value: int) -> Edit:
    def edit(shop: Shop) -> None:
        next(each for each in shop.table["slaProperties"] if each["property"] == name)["value"] = value

    return edit


def model(name: str, /, **values: Any) -> Edit:
    return lambda shop: shop.model["columns"][name].update(values)


def status(*values: str) -> Edit:
    return alter("STATUS", enum=[{"value": each} for each in values])


def topic_column(name: str, /, **values: Any) -> Edit:
    def edit(shop: Shop) -> None:
        value = next(each for each in shop.topic["schema"][0]["properties"] if each["name"] == "value")
        next(each for each in value["properties"] if each["name"] == name).update(values)

    return edit


STATUSES = {"type": "enum", "name": "Status", "symbols": ["open"]}

FAULTS: dict[str, tuple[Edit, str]] = {
    "column dropped": (drop("EMAIL"), "column-dropped"),
    "column renamed": (alter("EMAIL", name="EMAIL_ADDRESS"), "column-renamed"),
    "text narrowed": (alter("SHOP", physicalType="VARCHAR(10)"), "type-narrowed"),
    "digits narrowed": (alter("AMOUNT", physicalType="NUMBER(10,2)"), "type-narrowed"),
    "scale narrowed": (alter("AMOUNT", physicalType="NUMBER(18,1)"), "type-narrowed"),
    "scale grown at the cost of digits": (alter("AMOUNT", physicalType="NUMBER(18,4)"), "type-narrowed"),
    "seconds' digits narrowed": (alter("PLACED_AT", physicalType="TIMESTAMP_NTZ(3)"), "type-narrowed"),
    "number made text": (alter("AMOUNT", physicalType="VARCHAR"), "type-changed"),
    "time zone added": (alter("PLACED_AT", physicalType="TIMESTAMP_TZ"), "type-changed"),
    "optional made required": (alter("EMAIL", required=True), "column-required"),
    "required made optional": (alter("SHOP", required=False), "column-nullable"),
    "required column added": (add(name="REGION", physicalType="VARCHAR", required=True), "column-added-required"),
    "enum value removed": (status("open"), "value-removed"),
    "list of values given up": (alter("STATUS", enum=[]), "values-freed"),
    "key extended": (alter("SHOP", primaryKey=True), "key-changed"),
    "key moved": (
        lambda s: (alter("ORDER_ID", primaryKey=False)(s), alter("EMAIL", primaryKey=True)(s)),
        "key-changed",
    ),
    "key given up": (alter("ORDER_ID", primaryKey=False, required=True), "key-changed"),
    "classification loosened": (alter("EMAIL", classification="public"), "classification-loosened"),
    "classification removed": (alter("EMAIL", classification=None), "classification-loosened"),
    "quality rule removed": (lambda shop: table(shop).pop("quality"), "rule-removed"),
    "column's quality rule removed": (lambda shop: shop.column("AMOUNT").pop("quality"), "rule-removed"),
    "quality rule loosened": (lambda s: table(s)["quality"][0].update(mustBeGreaterThan=0), "rule-loosened"),
    "rule lets more values pass": (
        lambda s: s.column("STATUS")["quality"][0]["arguments"].update(validValues=["open", "paid", "odd"]),
        "rule-loosened",
    ),
    "may come later": (sla("latency", 24), "freshness-loosened"),
    "comes more rarely": (sla("frequency", 24), "freshness-loosened"),
    "freshness given up": (lambda shop: shop.table.pop("slaProperties"), "freshness-loosened"),
    "mode loosened": (lambda shop: shop.mode("NONE"), "mode-loosened"),
    "mode loosened, and what it forbade": (lambda shop: (shop.mode("NONE"), drop("EMAIL")(shop)), "column-dropped"),
    "dataset removed": (lambda shop: shop.table.clear(), "dataset-removed"),
    "format changed": (lambda s: s.topic["customProperties"][3].update(value="json"), "format-changed"),
    "guard of a topic's field lowered": (topic_column("merchant", classification="public"), "classification-loosened"),
    "Avro field renamed without an alias": (avro("merchant", name="merchant_name"), "avro-field-missing"),
    "Avro field added without a default": (avro_new(name="region", type="string"), "avro-field-missing"),
    "Avro type narrowed": (avro("order_id", type="int"), "avro-type-changed"),
    "Avro type changed": (avro("merchant", type="long"), "avro-type-changed"),
    "Avro symbol removed": (avro("status", type=STATUSES), "avro-symbol-missing"),
    "Avro record renamed": (lambda s: s.schemas[AVRO].update(name="Purchase"), "avro-type-renamed"),
    "Avro schema that is none": (avro("merchant", type="text"), "no-schema"),
    "Avro schema removed": (lambda shop: shop.schemas.clear(), "schema-removed"),
    "dbt column removed": (lambda shop: shop.model["columns"].pop("shop"), "column-dropped"),
    "dbt type changed": (model("shop", data_type="number(38,0)"), "type-changed"),
    "dbt constraint added": (model("shop", constraints=[{"type": "not_null"}]), "constraint-added"),
    "dbt constraint removed": (model("order_id", constraints=[]), "constraint-removed"),
    "dbt contract not enforced": (lambda s: s.model.update(contract={"enforced": False}), "contract-disabled"),
    "dbt model removed": (lambda shop: setattr(shop, "model", None), "model-removed"),
}

UNPROVABLE = {
    "list of values given up",
    "key given up",
    "classification loosened",
    "classification removed",
    "guard of a topic's field lowered",
    "may come later",
    "comes more rarely",
    "freshness given up",
    "mode loosened",
    "dataset removed",
    "format changed",
    "Avro schema that is none",
    "Avro schema removed",
    "dbt constraint removed",
    "dbt contract not enforced",
    "dbt model removed",
}
"""Of which there is no row to show: they lower a promise, or take all away."""

HARMLESS: dict[str, Edit] = {
    "nothing": lambda shop: None,
    "optional column added": add(name="REGION", physicalType="VARCHAR"),
    "text widened": alter("SHOP", physicalType="VARCHAR(40)"),
    "text widened without end": alter("SHOP", physicalType="STRING"),
    "digits widened": alter("AMOUNT", physicalType="NUMBER(38,2)"),
    "scale and digits widened": alter("AMOUNT", physicalType="NUMBER(20,4)"),
    "a type by its other name": alter("ORDER_ID", physicalType="INTEGER"),
    "columns reordered": lambda shop: table(shop)["properties"].reverse(),
    "description changed": lambda shop: shop.table.update(description={"purpose": "Orders of all shops"}),
    "version raised": lambda shop: shop.table.update(version="1.1.0"),
    "owner changed": lambda shop: shop.table.update(domain="shops"),
    "classification tightened": alter("SHOP", classification="pseudonym", semanticType="shop"),
    "quality rule added": lambda s: s.column("SHOP").update(quality=[{"metric": "nullValues", "mustBe": 0}]),
    "quality rule tightened": lambda s: table(s)["quality"][0].update(mustBeGreaterThan=100),
    "quality rule named": lambda s: table(s)["quality"][0].update(name="enough rows"),
    "comes sooner": sla("latency", 1),
    "mode tightened": lambda shop: shop.mode("FULL"),
    "enum value added": status("open", "paid", "refunded"),
    "Avro field added with a default": avro_new(name="region", type=["null", "string"], default=None),
    "Avro field renamed with an alias": avro("merchant", name="merchant_name", aliases=["merchant"]),
    "Avro type widened": avro("merchant", type=["null", "string"]),
    "Avro field dropped": avro_drop("merchant"),
    "Avro doc changed": lambda s: s.schemas[AVRO].update(doc="An order"),
    "Avro fields reordered": lambda s: s.schemas[AVRO]["fields"].reverse(),
    "new subject": lambda s: s.schemas.update({"schema/2-refunds-value-v1.avsc": '"string"'}),
    "dbt column added": lambda s: s.model["columns"].update(region={"name": "region", "data_type": "varchar"}),
    "dbt size changed": model("shop", data_type="varchar(40)"),
    "dbt type in other letters": model("shop", data_type="VARCHAR(20)"),
    "dbt columns reordered": lambda s: s.model.update(columns=dict(reversed(s.model["columns"].items()))),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught(name: str, verdict: Verdicts) -> None:
    edit, rule = FAULTS[name]
    found = verdict(edit)
    assert found.outcome is Outcome.FAILED
    caught = [each for each in found.findings if each.rule == rule and each.severity is Severity.BREAKING]
    assert caught, [each.rule for each in found.findings]
    proved = any(each.witness and each.witness.proved for each in caught)
    assert proved == (name not in UNPROVABLE), caught


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_passes(name: str, verdict: Verdicts) -> None:
    found = verdict(HARMLESS[name])
    assert found.outcome is Outcome.PASSED, [each for each in found.findings if each.severity is Severity.BREAKING]
    assert not [each for each in found.findings if each.severity is Severity.WARNING and name != "enum value added"]


TABLE = (Column("ORDER_ID", "NUMBER(38,0)", False), Column("SHOP", "VARCHAR(20)"), Column("AMOUNT", "NUMBER(18,2)"))


@pytest.mark.parametrize(
    ("after", "rule"),
    [
        (TABLE[:2], "column-dropped"),
        ((*TABLE[:1], Column("SHOP", "VARCHAR(10)"), *TABLE[2:]), "type-narrowed"),
        ((*TABLE[:1], Column("SHOP", "VARCHAR(20)", False), *TABLE[2:]), "column-required"),
        ((*TABLE[:2], Column("AMOUNT", "FLOAT")), "type-changed"),
        (TABLE[::-1], ""),
        ((*TABLE, Column("NOTE", "VARCHAR")), ""),
        ((*TABLE[:1], Column("SHOP", "VARCHAR(40)"), *TABLE[2:]), ""),
    ],
)
def test_real_tables_are_compared(after: tuple[Column, ...], rule: str, verdict: Verdicts) -> None:
    found = verdict(lambda shop: setattr(shop, "columns", after), lambda shop: setattr(shop, "columns", TABLE))
    assert found.outcome is (Outcome.FAILED if rule else Outcome.PASSED)
    breaking = [each for each in found.findings if each.severity is Severity.BREAKING]
    assert [each.rule for each in breaking] == ([rule] if rule else [])
    assert all(each.witness and each.witness.proved for each in breaking)
    assert found.emulated == ("Snowflake by fakesnow",)
