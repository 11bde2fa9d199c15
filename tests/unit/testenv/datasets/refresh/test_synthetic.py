"""Where the rows of a tier that is of nobody come from, and that they are the same each time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests.unit.testenv.datasets.synthesize.contracts_of_a_shop import CONTRACTS, HEAD, ORDERS, PEOPLE, orders, people

from testenv.core.contract import Contracts
from testenv.datasets.contracts import load_contracts, parse_contract
from testenv.datasets.refresh.synthetic import Generation, Synthesis, synthesis
from testenv.datasets.subset import Tiers, load_tiers
from testenv.datasets.synthesize.profile import profile

TIERS = Tiers(entity="person", fractions={"ci": "1/10"}, generated={"some": 300, "many": 5000})
NAMES = ("postgres.people", "postgres.orders")


def mirror(text: str, table: str, key: str) -> str:
    """The contract of a copy in the warehouse."""
    return (
        text.replace(f"id: postgres.{table}", f"id: snowflake.RAW.{table.upper()}")
        .replace(f"- name: {table}", f"- name: RAW.{table.upper()}")
        .replace("name: id,", f"name: id, relationships: [{{to: {table}.{key}}}],")
    )


RATES = f"""{HEAD}
id: snowflake.RAW.RATES
customProperties: [{{property: entity, value: none}}]
schema:
  - name: RAW.RATES
    properties:
      - {{name: currency, logicalType: string, primaryKey: true, classification: public}}
      - {{name: rate, logicalType: number, classification: public}}
"""
PAIRS = f"""{HEAD}
id: postgres.pairs
customProperties: [{{property: entity, value: person}}, {{property: entityPath, value: [one]}}]
schema:
  - name: pairs
    properties:
      - {{name: one, logicalType: integer, primaryKey: true, classification: pseudonym, semanticType: person_id}}
      - {{name: two, logicalType: integer, primaryKey: true, classification: pseudonym, semanticType: person_id}}
"""
TELLS = RATES.replace("RATES", "RATERS").replace(
    "classification: public}", "classification: identifier, semanticType: x}"
)


@pytest.fixture(scope="module")
def shop() -> Contracts:
    texts = (mirror(PEOPLE, "people", "id"), mirror(ORDERS, "orders", "id"), RATES, PAIRS, TELLS)
    return {**CONTRACTS, **{each.id: each for each in map(parse_contract, texts)}}


def test_every_table_of_the_estate_s_database_is_generated_and_so_is_each_copy_of_it() -> None:
    found = synthesis(load_contracts(), load_tiers())
    assert len(found.generated) == len(found.mirrors) == 19
    assert all(name.startswith("postgres.") for name in found.generated)
    assert found.mirrors["snowflake.RAW.KYC_DOCUMENTS"] == "postgres.kyc_documents"
    assert found.copied == ("snowflake.RAW.FX_RATES",)
    everything = {*found.generated, *found.mirrors, *found.copied, *found.left}
    assert everything == load_contracts().keys()


def test_what_is_copied_from_production_tells_of_nobody(shop: Contracts) -> None:
    assert synthesis(shop, TIERS).copied == ("snowflake.RAW.RATES",)
    assert "snowflake.RAW.RATERS" in synthesis(shop, TIERS).left


def test_a_table_with_a_key_of_two_columns_holds_the_seed_alone_and_so_does_what_refers_to_it(shop: Contracts) -> None:
    field = shop["postgres.orders"].field("pieces").model_copy(update={"references": "pairs.one"})
    fields = tuple(field if each.path == "pieces" else each for each in shop["postgres.orders"].fields)
    refers = {**shop, "postgres.orders": shop["postgres.orders"].model_copy(update={"fields": fields})}
    assert "postgres.pairs" in synthesis(shop, TIERS).left
    assert synthesis(shop, TIERS).generated == ("postgres.orders", "postgres.people")
    assert synthesis(refers, TIERS).generated == ("postgres.people",)
    assert "snowflake.RAW.ORDERS" in synthesis(refers, TIERS).left


@pytest.fixture(scope="module")
def masked() -> Callable[[str], bytes]:
    """Files of a tier of masked rows."""

    def file(name: str) -> bytes:
        assert "RAW.RATE" in name or "pairs" in name, "no other file is asked for"
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"currency": ["EUR", "SEK"], "rate": [1.0, 0.09]}), sink)
        return sink.getvalue().to_pybytes()

    return file


def write(shop: Contracts, version: str, tier: str, folder: Path, masked: Callable[[str], bytes]) -> dict[str, str]:
    rows = profile(CONTRACTS, {NAMES[0]: [people()], NAMES[1]: [orders()]})
    todo: Synthesis = synthesis(shop, TIERS)
    Generation(shop, rows, version).sized(TIERS, tier).write(todo, folder, masked)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_version_gives_the_same_bytes_and_another_gives_others(
    shop: Contracts, masked: Callable[[str], bytes], tmp_path: Path
) -> None:
    one, again, other = (
        write(shop, version, "some", tmp_path / str(number), masked)
        for number, version in enumerate(("d20260102-aaaaaa", "d20260102-aaaaaa", "d20260103-aaaaaa"))
    )
    assert one == again
    assert {name for name in one if one[name] != other[name]} == {
        *("postgres/people.parquet", "postgres/orders.parquet"),
        *("snowflake/RAW.PEOPLE.parquet", "snowflake/RAW.ORDERS.parquet"),
    }


def test_a_tier_has_as_many_entities_as_it_is_to_have_and_the_rest_in_proportion(
    shop: Contracts, masked: Callable[[str], bytes], tmp_path: Path
) -> None:
    for tier, entities in TIERS.generated.items():
        write(shop, "d20260102-aaaaaa", tier, tmp_path / tier, masked)
        made, bought = (pq.read_table(tmp_path / tier / f"postgres/{table}.parquet") for table in ("people", "orders"))
        assert (made.num_rows, bought.num_rows) == (entities, 3 * entities)
        assert pc.all(pc.is_in(bought.column("person_id"), made.column("id"))).as_py()


def test_a_copy_in_the_warehouse_has_the_same_rows_with_times_in_utc(
    shop: Contracts, masked: Callable[[str], bytes], tmp_path: Path
) -> None:
    write(shop, "d20260102-aaaaaa", "some", tmp_path, masked)
    original, copy = (
        pq.read_table(tmp_path / name) for name in ("postgres/orders.parquet", "snowflake/RAW.ORDERS.parquet")
    )
    assert copy.schema.field("ORDERED_AT").type == pa.timestamp("us")
    for name in original.column_names:
        ours, theirs = original.column(name), copy.column(name.upper())
        assert (pc.local_timestamp(ours) if name.endswith("_at") else ours).equals(theirs), name


def test_a_table_that_holds_the_seed_alone_has_its_columns_and_no_rows(
    shop: Contracts, masked: Callable[[str], bytes], tmp_path: Path
) -> None:
    write(shop, "d20260102-aaaaaa", "some", tmp_path, masked)
    raters, rates = (pq.read_table(tmp_path / f"snowflake/RAW.{name}.parquet") for name in ("RATERS", "RATES"))
    assert (raters.num_rows, raters.column_names) == (0, ["currency", "rate"])
    assert rates.to_pylist() == [{"currency": "EUR", "rate": 1.0}, {"currency": "SEK", "rate": 0.09}]
