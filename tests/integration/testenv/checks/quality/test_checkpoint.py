"""Great Expectations finds planted rows in an environment's Snowflake, and leaves its data docs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.integration.testenv.conftest import World

from testenv.backends.protocol import Site
from testenv.backends.snowflake import Account, run
from testenv.checks.diff import Fingerprint, SnowflakeTable, Table
from testenv.checks.impact.trees import tree_of
from testenv.checks.protocol import Outcome, Severity, Verdict
from testenv.checks.quality import QualityCheck
from testenv.checks.release import Release, Tree
from testenv.checks.trial.record import Moment, Output, Record, State
from testenv.core.contract import Contracts, Store
from testenv.core.errors import NotFound
from testenv.core.resources import System
from testenv.datasets.contracts import load_contracts

PAYMENTS, EVENTS, CHATS = (f'TESTENV_HEAD."3_RAW_{name}"' for name in ("PAYMENTS", "PAYMENT_EVENTS", "SUPPORT_CHATS"))

PLANTED = [
    # No METHOD of the list, no CURRENCY, changed before it was made, and one row twice.
    f"UPDATE {PAYMENTS} SET METHOD = 'barter' WHERE PAYMENT_ID = 2",
    f"UPDATE {PAYMENTS} SET METHOD = 'cash' WHERE PAYMENT_ID = 1",
    f"UPDATE {PAYMENTS} SET UPDATED_AT = DATEADD(day, -1, CREATED_AT) WHERE PAYMENT_ID = 3",
    f"INSERT INTO {PAYMENTS} SELECT * FROM {PAYMENTS} WHERE PAYMENT_ID = 4",
]


@dataclass
class OneTrial:
    """A trial of copies that a test made: the moments base and head of some tables."""

    connection: Any
    login: Mapping[str, Any]
    tables: tuple[str, ...]
    record: Record = field(init=False)

    def __post_init__(self) -> None:
        outputs = tuple(
            Output(store=Store.SNOWFLAKE, name=name, dataset=f"snowflake.{name}", fingerprint=Fingerprint("", 0, 0))
            for name in self.tables
        )
        states = tuple(
            State(moment=moment, outputs=tuple(each.model_copy(update={"writers": ("a",)}) for each in outputs))
            for moment in (Moment.BASE, Moment.HEAD)
        )
        self.record = Record(env_id="sbx-x", dataset="", intervals={}, runs=(), states=states, emulated=("a stand-in",))

    def connection_parameters(self) -> Mapping[str, Any]:
        return self.login

    def place(self, moment: str, name: str) -> str:
        """Copies of single tables have a number before their names, those of a whole schema have none."""
        if name not in self.tables:
            raise NotFound(name)
        copy = "CUSTOMERS" if name == "RAW.CUSTOMERS" else f"3_{name.replace('.', '_')}"
        return f"TESTENV_{moment.upper()}.{copy}"

    def table(self, moment: str, store: Store, name: str) -> Table:
        return SnowflakeTable(self.connection, self.place(moment, name))

    def query(self, sql: str) -> list[dict[str, Any]]:
        return [dict(row) for row in run(self.connection, sql)]


@pytest.fixture
def make_trial(world: World, site: Site) -> Iterator[Any]:
    """Makes a trial of tables that are copied as they are, and at `head` changed by statements."""
    world.ensure(site, System.SNOWFLAKE)
    login, names, config = world.vault.credentials(site.spec.env_id, System.SNOWFLAKE), site.names, world.config
    where = {"role": names.snowflake_role, "warehouse": site.spec.warehouse, "database": names.snowflake_database}
    settings = {
        "account": config.snowflake.account,
        "host": config.snowflake.host,
        "port": config.snowflake.port,
        **login,
        **where,
    }
    with Account(config).connect(login, str(site.spec.env_id), **where) as connection:

        def make(tables: tuple[str, ...], statements: list[str]) -> OneTrial:
            trial = OneTrial(connection, settings, tables)
            for moment in (Moment.BASE, Moment.HEAD):
                run(connection, f"CREATE TRANSIENT SCHEMA TESTENV_{moment.upper()}")
                for name in tables:
                    place = ".".join(f'"{part}"' for part in trial.place(moment, name).split("."))
                    run(connection, f"CREATE TRANSIENT TABLE {place} CLONE {name}")
            for statement in statements:
                run(connection, statement)
            return trial

        yield make


def verdict(trial: OneTrial, base: Contracts, head: Contracts, docs: dict[str, bytes]) -> Verdict:
    release = Release(
        Tree("b", tree_of({}), base),
        Tree("h", tree_of({}), head),
        trial=trial,
        keep=lambda path, body: docs.update({path: body}),
    )
    return QualityCheck().check(release)


def test_planted_rows_are_found_and_the_data_docs_are_kept(make_trial: Any) -> None:
    contracts = load_contracts()
    tables = ("RAW.PAYMENTS", "RAW.CUSTOMERS", "RAW.CARD_EVENTS")
    wanted = {f"snowflake.{name}": contracts[f"snowflake.{name}"] for name in tables}
    docs: dict[str, bytes] = {}
    found = verdict(make_trial(tables, PLANTED), wanted, wanted, docs)
    assert found.outcome is Outcome.FAILED
    told = {(each.rule, each.where.column): each for each in found.findings if each.severity is Severity.BREAKING}
    assert not [each.what for each in found.findings if each.unsure]
    assert set(told) == {("invalidValues", "METHOD"), ("query", ""), ("duplicateValues", "PAYMENT_ID")}
    assert told["invalidValues", "METHOD"].where.rows == (
        {"PAYMENT_ID": "1", "METHOD": "cash"},
        {"PAYMENT_ID": "2", "METHOD": "barter"},
    )
    assert [row["PAYMENT_ID"] for row in told["query", ""].where.rows] == ["3"]
    assert len(found.ran) == 3 and found.emulated == ("a stand-in",)
    assert "quality/index.html" in docs
    pages = [body for path, body in docs.items() if path.endswith(".html") and "RAW.PAYMENTS" in path]
    assert any(b"barter" in page for page in pages)


def test_rules_within_documents_see_what_is_in_them(make_trial: Any) -> None:
    contracts = load_contracts()
    wanted = {id_: contracts[id_] for id_ in ("snowflake.RAW.PAYMENT_EVENTS", "snowflake.RAW.SUPPORT_CHATS")}
    good = {
        "payment_id": 1,
        "account_id": 1,
        "status": "settled",
        "amount": "1",
        "currency": "EUR",
        "occurred_at": "2026",
    }
    records: list[dict[str, Any] | None] = [good, None, {**good, "status": "lost"}, {**good, "currency": None}]
    records.append({name: value for name, value in good.items() if name != "account_id"})
    rows = ", ".join(
        f"(0, {offset}, '2026-01-02', '1', {'NULL' if each is None else repr(json.dumps(each))}, NULL)"
        for offset, each in enumerate(records)
    )
    chats = [{"messages": [{"from": "customer"}, {"from": "bot"}]}, {"messages": []}]
    more = ", ".join(f"(0, {at}, '2026-01-02', '1', '{json.dumps(each)}', NULL)" for at, each in enumerate(chats))
    planted = [f"INSERT INTO {EVENTS} VALUES {rows}", f"INSERT INTO {CHATS} VALUES {more}"]
    found = verdict(make_trial(tuple(each.name for each in wanted.values()), planted), wanted, wanted, {})
    told = {
        (each.rule, each.where.column): [row["KAFKA_OFFSET"] for row in each.where.rows]
        for each in found.findings
        if each.severity is Severity.BREAKING
    }
    assert (
        told.items()
        >= {
            ("invalidValues", "RECORD_VALUE.status"): ["2"],
            ("nullValues", "RECORD_VALUE.currency"): ["3"],
            ("nullValues", "RECORD_VALUE.account_id"): ["4"],
            ("invalidValues", "RECORD_VALUE.messages[].from"): ["0"],
        }.items()
    )
    assert ("nullValues", "RECORD_VALUE.status") not in told


def test_rules_within_documents_are_kept_by_the_seed(make_trial: Any) -> None:
    documents = {
        id_: each
        for id_, each in load_contracts().items()
        if each.store is Store.SNOWFLAKE and any("." in one.path for one in each.fields)
    }
    assert len(documents) > 5
    found = verdict(make_trial(tuple(each.name for each in documents.values()), []), documents, documents, {})
    assert [each.what for each in found.findings if each.severity is Severity.BREAKING or each.unsure] == []
    assert len(found.ran) == len(documents)
