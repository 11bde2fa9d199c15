"""What each of the seven modes forbids, and which versions it counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from testenv.checks.protocol import Outcome, Severity
from testenv.core.contract import Compatibility
from testenv.datasets.avro import Registry, Schema

from .conftest import Verdicts
from .shop import AVRO, TABLE, TOPIC, Shop

JSON = "schema/orders-value.schema.json"
CONTRACTS = "include/catalog/contracts"


def record(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": fields})


ID = {"name": "order_id", "type": "long"}
NOTE = {"name": "note", "type": "string"}
NOTE_OR_NOT = {**NOTE, "default": ""}

CLOSED = {"type": "object", "additionalProperties": False}
WITHOUT = {**CLOSED, "properties": {"id": {"type": "integer"}}, "required": ["id"]}
OPTIONAL = {**WITHOUT, "properties": {**WITHOUT["properties"], "note": {"type": "string"}}}
REQUIRED = {**OPTIONAL, "required": ["id", "note"]}


def modes(backward: bool, forward: bool) -> set[str]:
    """Those under which a change that breaks these directions fails."""
    return {
        mode.value
        for mode in Compatibility
        if backward and mode.startswith(("BACKWARD", "FULL")) or forward and mode.startswith(("FORWARD", "FULL"))
    }


def to(text: str, path: str = AVRO) -> Callable[[Shop], None]:
    def edit(shop: Shop) -> None:
        shop.schemas = {path: text}

    return edit


@pytest.mark.parametrize("mode", [*Compatibility])
@pytest.mark.parametrize(
    ("before", "after", "failing"),
    [
        (record(ID), record(ID, NOTE), modes(backward=True, forward=False)),
        (record(ID, NOTE), record(ID), modes(backward=False, forward=True)),
        (record(ID), record(ID, NOTE_OR_NOT), set()),
        (record(ID, NOTE_OR_NOT), record(ID), set()),
        (record({**ID, "type": "int"}), record(ID), modes(backward=False, forward=True)),
        (record(ID), record({**ID, "type": "string"}), modes(backward=True, forward=True)),
    ],
)
def test_avro_by_mode(mode: str, before: str, after: str, failing: set[str], verdict: Verdicts) -> None:
    found = verdict(to(after), lambda shop: (shop.mode(str(mode), "topic"), to(before)(shop)))
    assert (found.outcome is Outcome.FAILED) == (mode in failing)


@pytest.mark.parametrize("mode", [*Compatibility])
@pytest.mark.parametrize(
    ("before", "after", "failing"),
    [
        (WITHOUT, OPTIONAL, modes(backward=False, forward=True)),
        (OPTIONAL, REQUIRED, modes(backward=True, forward=False)),
        (WITHOUT, REQUIRED, modes(backward=True, forward=True)),
        (OPTIONAL, {**OPTIONAL, "title": "Order"}, set()),
    ],
)
def test_json_by_mode(mode: str, before: Any, after: Any, failing: set[str], verdict: Verdicts) -> None:
    old, new = json.dumps(before), json.dumps(after)
    found = verdict(to(new, JSON), lambda shop: (shop.mode(str(mode), "topic"), to(old, JSON)(shop)))
    breaking = [each for each in found.findings if each.severity is Severity.BREAKING]
    assert bool(breaking) == (mode in failing)
    assert all(each.witness and each.witness.proved for each in breaking)


@pytest.mark.parametrize(("mode", "outcome"), [("BACKWARD", Outcome.PASSED), ("BACKWARD_TRANSITIVE", Outcome.FAILED)])
def test_a_transitive_mode_counts_what_stood_there_before_base(mode: str, outcome: Outcome, verdict: Verdicts) -> None:
    """Each step can be read by the next, and the first cannot be read by the last."""
    first, base, head = record(ID), record(ID, NOTE_OR_NOT), record(ID, NOTE)
    before = lambda shop: (shop.mode(mode, "topic"), to(base)(shop))  # noqa: E731
    assert verdict(to(head), before, past={AVRO: [first, base]}).outcome is outcome


@pytest.mark.parametrize(("mode", "outcome"), [("BACKWARD", Outcome.PASSED), ("BACKWARD_TRANSITIVE", Outcome.FAILED)])
def test_the_registry_has_earlier_versions_too(mode: str, outcome: Outcome, verdict: Verdicts) -> None:
    first, base, head = record(ID), record(ID, NOTE_OR_NOT), record(ID, NOTE)
    versions = {("orders-value", 1): Schema(1, first), ("orders-value", 2): Schema(2, base)}
    registry = Registry({1: versions["orders-value", 1], 2: versions["orders-value", 2]}, versions)
    before = lambda shop: (shop.mode(mode, "topic"), to(base)(shop))  # noqa: E731
    assert verdict(to(head), before, registry=registry).outcome is outcome


def test_each_new_version_is_held_against_the_one_before_it(verdict: Verdicts) -> None:
    def head(shop: Shop) -> None:
        shop.schemas = {
            "s/1-orders-value-v1.avsc": record(ID),
            "s/2-orders-value-v2.avsc": record(ID, NOTE_OR_NOT),
            "s/3-orders-value-v3.avsc": record(ID, NOTE_OR_NOT, {"name": "shop", "type": "int"}),
        }

    found = verdict(head, to(record(ID), "s/1-orders-value-v1.avsc"))
    breaking = [each for each in found.findings if each.severity is Severity.BREAKING]
    assert [(each.where.file, each.where.column) for each in breaking] == [("s/3-orders-value-v3.avsc", "shop")]


def test_an_edit_of_a_version_that_was_followed_is_warned_of(verdict: Verdicts) -> None:
    def base(shop: Shop) -> None:
        shop.schemas = {"s/orders-value-v1.avsc": record(ID), "s/orders-value-v2.avsc": record(ID, NOTE_OR_NOT)}

    found = verdict(lambda shop: shop.schemas.update({"s/orders-value-v1.avsc": record(NOTE)}), base)
    assert [(each.rule, each.severity) for each in found.findings] == [("version-edited", Severity.WARNING)]


def _drop_email(shop: Shop) -> None:
    columns = shop.table["schema"][0]["properties"]
    columns.remove(shop.column("EMAIL"))


def _status(*values: str) -> Callable[[Shop], None]:
    return lambda shop: shop.column("STATUS").update(enum=[{"value": each} for each in values])


@pytest.mark.parametrize("mode", [*Compatibility])
@pytest.mark.parametrize(
    ("edit", "failing"),
    [
        (_drop_email, {mode.value for mode in Compatibility} - {"NONE"}),
        (_status("open"), modes(backward=True, forward=False)),
        (_status("open", "paid", "refunded"), modes(backward=False, forward=True)),
        (lambda shop: shop.column("SHOP").update(required=False), {m.value for m in Compatibility} - {"NONE"}),
        (lambda shop: shop.column("EMAIL").update(classification="public"), {m.value for m in Compatibility}),
    ],
    ids=["readers", "data", "values", "promise", "people"],
)
def test_tables_by_mode(mode: str, edit: Any, failing: set[str], verdict: Verdicts) -> None:
    found = verdict(edit, lambda shop: shop.mode(str(mode)))
    assert (found.outcome is Outcome.FAILED) == (mode in failing)


def test_a_transitive_mode_counts_earlier_contracts(verdict: Verdicts) -> None:
    """A value that base had given up comes from rows that are still there."""
    import yaml

    earlier = Shop()
    _status("open", "paid", "held")(earlier)
    past = {f"{CONTRACTS}/{TABLE}.yaml": ["no contract: [", yaml.safe_dump(earlier.table)]}
    change = lambda shop: shop.table.update(version="2", domain="x")  # noqa: E731
    for mode, outcome in (("BACKWARD", Outcome.PASSED), ("BACKWARD_TRANSITIVE", Outcome.FAILED)):
        assert verdict(change, lambda shop, mode=mode: shop.mode(mode), past=past).outcome is outcome


def test_head_cannot_loosen_the_mode_that_it_is_judged_by(verdict: Verdicts) -> None:
    found = verdict(lambda shop: (shop.mode("NONE", "topic"), to(record(NOTE))(shop)))
    assert {each.rule for each in found.findings if each.severity is Severity.BREAKING} >= {
        "avro-field-missing",
        "mode-loosened",
    }
    assert TOPIC in {each.where.dataset for each in found.findings}


def test_a_stricter_mode_of_head_counts_at_once(verdict: Verdicts) -> None:
    def head(shop: Shop) -> None:
        shop.mode("BACKWARD", "topic")
        to(record(ID, NOTE))(shop)

    found = verdict(head, lambda shop: (shop.mode("NONE", "topic"), to(record(ID))(shop)))
    assert [each.rule for each in found.findings if each.severity is Severity.BREAKING] == ["avro-field-missing"]
