from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from estate.production.generators import GENERATORS
from estate.production.history import LOADED_UNTIL, loaded
from estate.production.identifiers import is_iban, passes_luhn
from estate.production.tables import END, START, document
from estate.production.world import World, build
from estate.tables import SOURCE_TABLES
from testenv.core.contract import Store
from testenv.datasets.contracts import load_contracts

REFERENCES = {
    ("customers", "referrer_id"): ("customers", "customer_id"),
    ("accounts", "customer_id"): ("customers", "customer_id"),
    ("cards", "account_id"): ("accounts", "account_id"),
    ("payments", "account_id"): ("accounts", "account_id"),
    ("payments", "card_id"): ("cards", "card_id"),
    ("payments", "merchant_id"): ("merchants", "merchant_id"),
    ("branches", "manager_id"): ("employees", "employee_id"),
    ("employees", "manager_id"): ("employees", "employee_id"),
    ("employees", "branch_id"): ("branches", "branch_id"),
    ("addresses", "customer_id"): ("customers", "customer_id"),
    ("devices", "customer_id"): ("customers", "customer_id"),
    ("logins", "customer_id"): ("customers", "customer_id"),
    ("logins", "device_id"): ("devices", "device_id"),
    ("consents", "customer_id"): ("customers", "customer_id"),
    ("beneficiaries", "customer_id"): ("customers", "customer_id"),
    ("standing_orders", "account_id"): ("accounts", "account_id"),
    ("standing_orders", "beneficiary_id"): ("beneficiaries", "beneficiary_id"),
    ("loans", "customer_id"): ("customers", "customer_id"),
    ("loans", "account_id"): ("accounts", "account_id"),
    ("loans", "officer_id"): ("employees", "employee_id"),
    ("loan_instalments", "loan_id"): ("loans", "loan_id"),
    ("loan_instalments", "payment_id"): ("payments", "payment_id"),
    ("kyc_documents", "customer_id"): ("customers", "customer_id"),
    ("kyc_documents", "reviewer_id"): ("employees", "employee_id"),
    ("support_tickets", "customer_id"): ("customers", "customer_id"),
    ("support_tickets", "agent_id"): ("employees", "employee_id"),
    ("support_tickets", "parent_id"): ("support_tickets", "ticket_id"),
    ("disputes", "payment_id"): ("payments", "payment_id"),
    ("disputes", "ticket_id"): ("support_tickets", "ticket_id"),
    ("chargebacks", "dispute_id"): ("disputes", "dispute_id"),
}


@pytest.fixture(scope="module")
def world() -> World:
    return build(seed=7, scale=0.1)


CORE = ("customers", "merchants", "accounts", "cards", "payments")
FIRST_LOADED = {*map(str.upper, CORE), "SETTLEMENTS", "FX_RATES", "CARD_EVENTS"}


def digest(world: World) -> str:
    feeds = [(path, content.hex()) for path, content in world.landing()]
    return hashlib.sha256(repr((world.tables, feeds, world.card_events, loaded(world))).encode()).hexdigest()


def test_the_same_seed_gives_the_same_world_in_every_process() -> None:
    """A literal: a change of the world, or of Python's random numbers, is then seen and meant."""
    assert digest(build(seed=7, scale=0.02)).startswith("51b480909e13ce90")


def test_a_new_table_changes_no_other() -> None:
    """The literal is older than the tables and feeds that came later."""
    world = build(seed=7, scale=0.02)
    tables = {name: world.tables[name] for name in CORE}
    feeds = [(path, body.hex()) for path, body in world.landing() if path.startswith(("settlements/", "fx_rates/"))]
    history = {name: rows for name, rows in loaded(world).items() if name in FIRST_LOADED}
    text = repr((tables, feeds, world.card_events, history))
    assert hashlib.sha256(text.encode()).hexdigest().startswith("3483b506fe39566d")


def test_another_seed_gives_another_world(world: World) -> None:
    assert digest(world) != digest(build(seed=8, scale=0.1))


def test_scale_is_the_number_of_rows() -> None:
    world = build(seed=1, scale=0.05)
    assert (len(world.tables["customers"]), len(world.tables["payments"]), len(world.card_events)) == (100, 1000, 500)


def test_a_scale_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="scale must be above 0, got 0"):
        build(seed=1, scale=0)


def test_every_table_has_exactly_the_columns_of_its_schema(world: World) -> None:
    assert list(GENERATORS) == [table.name for table in SOURCE_TABLES]
    for table in SOURCE_TABLES:
        assert {tuple(sorted(row)) for row in world.tables[table.name]} == {tuple(sorted(table.columns))}


def test_keys_are_unique(world: World) -> None:
    for table in SOURCE_TABLES:
        keys = [row[table.key] for row in world.tables[table.name]]
        assert len(set(keys)) == len(keys)
    for column, table_name in (("iban", "accounts"), ("pan", "cards")):
        values = [row[column] for row in world.tables[table_name]]
        assert len(set(values)) == len(values)


def test_every_reference_leads_to_a_row(world: World) -> None:
    for (table, column), (target, key) in REFERENCES.items():
        there = {row[key] for row in world.tables[target]}
        assert {row[column] for row in world.tables[table]} - {None} <= there, (table, column)


def test_history_has_no_orphans_either(world: World) -> None:
    history = loaded(world)
    for (table, column), (target, key) in REFERENCES.items():
        there = {row[key] for row in history[target.upper()]}
        assert {row[column] for row in history[table.upper()]} - {None} <= there, (table, column)


def test_history_ends_where_the_pipelines_have_not_run(world: World) -> None:
    history = loaded(world)
    end = LOADED_UNTIL.replace(tzinfo=None)
    assert all(row["updated_at"] < end for table in SOURCE_TABLES for row in history[table.name.upper()])
    assert all(row["kafka_timestamp"] < end for row in history["CARD_EVENTS"])
    assert max(row["landed_on"] for row in history["SETTLEMENTS"]) == (end - timedelta(days=1)).date()


def test_times_are_in_order_and_in_the_world(world: World) -> None:
    for table in SOURCE_TABLES:
        assert all(row["created_at"] <= row["updated_at"] < END for row in world.tables[table.name])
    assert all(row["booked_at"] >= START for row in world.tables["payments"])


def test_account_and_card_numbers_are_valid(world: World) -> None:
    assert all(is_iban(row["iban"]) for row in world.tables["accounts"])
    assert all(passes_luhn(row["pan"]) for row in world.tables["cards"])
    assert all(is_iban(row["counterparty_iban"]) for row in world.tables["payments"] if row["counterparty_iban"])


def test_nobody_can_be_reached(world: World) -> None:
    emails = [row["email"] for row in world.tables["customers"] if row["email"]]
    assert all(email.isascii() and email.endswith(".test") for email in emails)
    assert len(set(emails)) == len(emails)
    assert all(" 555 " in row["phone"] for row in world.tables["customers"] if row["phone"])


def test_names_have_letters_beyond_ascii_and_some_values_are_missing(world: World) -> None:
    rows = world.tables["customers"]
    assert sum(not row["full_name"].isascii() for row in rows) > len(rows) / 3
    assert 0 < sum(row["email"] is None for row in rows) < len(rows) / 4
    assert {None, ""} < {row["notes"] for row in rows}


def test_references_are_all_that_the_contracts_name() -> None:
    contracts = load_contracts().values()
    tables = [contract for contract in contracts if contract.store is Store.POSTGRES]
    named = {(table.name, field.path): tuple(field.references.split(".")) for table in tables for field in table.fields}
    assert {place: target for place, target in named.items() if target != ("",)} == REFERENCES


def test_json_is_written_as_postgres_writes_it(world: World) -> None:
    """Shorter names first: so that what is extracted equals what was generated."""
    assert document(number="x", on=1, at={"bb": None, "a": [True]}) == (
        '{"at": {"a": [true], "bb": null}, "on": 1, "number": "x"}'
    )
    contents = [json.loads(row["content"]) for row in world.tables["kyc_documents"]]
    assert all(list(content) == ["holder", "issued", "number"] for content in contents)


def test_tables_of_json_have_exactly_the_paths_of_their_contracts(world: World) -> None:
    contracts = load_contracts()
    for table, column in (
        ("devices", "details"),
        ("consents", "scope"),
        ("loans", "terms"),
        ("kyc_documents", "content"),
    ):
        known = {field.path for field in contracts[f"postgres.{table}"].fields if field.column == column}
        found = {path for row in world.tables[table] for path in leaves(json.loads(row[column]), column)}
        assert found <= known, table
        assert known - found <= {"consents.scope.partner.name"}, table


def leaves(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            if each is not None:
                yield from leaves(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, f"{path}[]")
    else:
        yield path


def test_free_text_mentions_people(world: World) -> None:
    names = {row["customer_id"]: row["full_name"] for row in world.tables["customers"]}
    bodies = [(row["body"] or "", names[row["customer_id"]]) for row in world.tables["support_tickets"]]
    assert sum(name in body for body, name in bodies) > len(bodies) / 5


def test_few_customers_ask_and_log_in_often(world: World) -> None:
    for table in ("support_tickets", "logins"):
        counts = sorted(Counter(row["customer_id"] for row in world.tables[table]).values(), reverse=True)
        assert sum(counts[: max(1, len(counts) // 10)]) > sum(counts) / 5, table


def test_few_accounts_make_many_payments() -> None:
    rows = build(seed=7, scale=0.2).tables["payments"]
    counts = sorted(Counter(row["account_id"] for row in rows).values(), reverse=True)
    assert sum(counts[: len(counts) // 10]) > len(rows) / 4


def test_settlement_files_pay_each_settled_card_payment_once(world: World) -> None:
    paid = [
        line["payment_id"]
        for path, content in world.landing()
        if path.startswith("settlements/")
        for document in content.decode().splitlines()
        for line in json.loads(document)["lines"]
    ]
    settled = [
        row["payment_id"] for row in world.tables["payments"] if row["method"] == "card" and row["status"] == "settled"
    ]
    assert sorted(paid) == sorted(settled)


def test_a_card_keeps_its_partition_and_some_records_are_no_events(world: World) -> None:
    partitions: dict[str, set[int]] = {}
    for record in world.card_events:
        partitions.setdefault(record.key, set()).add(record.partition)
    assert all(len(each) == 1 for each in partitions.values())
    assert {record.partition for record in world.card_events} == {0, 1, 2}
    assert sum(record.value is None for record in world.card_events) == 3
    assert len(world.card_events) - sum(map(_is_json, world.card_events)) == 2


def _is_json(record: object) -> bool:
    try:
        json.loads(record.value or "null")  # type: ignore[attr-defined]
    except ValueError:
        return False
    return True
