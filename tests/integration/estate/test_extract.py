from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg2.extensions import connection

from estate.extract import extract_interval
from estate.tables import SOURCE_TABLES, SourceTable

DAY = datetime(2026, 1, 2, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)
TABLES = {table.name: table for table in SOURCE_TABLES}
PAYMENTS = TABLES["payments"]


def extract(conn: connection, table: SourceTable, path: Path, start: datetime = DAY, end: datetime = NEXT) -> pa.Table:
    rows = extract_interval(conn, table, start, end, path)
    read = pq.read_table(path)
    assert read.num_rows == rows
    return read


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("customers", [7, 8, 9]),
        ("merchants", [5]),
        ("accounts", [8, 9, 10]),
        ("cards", [6, 7]),
        ("payments", [13, 14, 15, 16, 17, 18, 19, 20]),
    ],
)
def test_the_interval_has_its_start_and_not_its_end(
    finsight: connection, tmp_path: Path, name: str, keys: list[int]
) -> None:
    """Payments 13 and 22 stand on the two midnights, 19 a microsecond before the second."""
    assert extract(finsight, TABLES[name], tmp_path / "f")[TABLES[name].key].to_pylist() == keys


def test_a_rerun_writes_the_same_bytes(finsight: connection, tmp_path: Path) -> None:
    extract(finsight, PAYMENTS, tmp_path / "first")
    extract(finsight, PAYMENTS, tmp_path / "second")
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_neighbouring_intervals_share_and_miss_nothing(finsight: connection, tmp_path: Path) -> None:
    beginning, end = datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    borders = [beginning, *(DAY + timedelta(hours=hour) for hour in range(-24, 49, 6)), end]
    found = [
        key
        for start, stop in zip(borders, borders[1:], strict=False)
        for key in extract(finsight, PAYMENTS, tmp_path / "f", start, stop)["payment_id"].to_pylist()
    ]
    assert sorted(found) == list(range(1, 25))


def test_an_interval_without_rows_is_an_empty_file_with_all_columns(finsight: connection, tmp_path: Path) -> None:
    read = extract(
        finsight, PAYMENTS, tmp_path / "f", datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
    )
    assert (read.num_rows, tuple(read.column_names)) == (0, PAYMENTS.columns)
    assert read.schema.field("amount").type == pa.decimal128(18, 2)


def test_values_arrive_as_they_are(finsight: connection, tmp_path: Path) -> None:
    """The server's time zone is Auckland's: instants are in UTC all the same."""
    everything = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    payments = {row["payment_id"]: row for row in extract(finsight, PAYMENTS, tmp_path / "p", *everything).to_pylist()}
    assert payments[8]["amount"] == Decimal("9999999999999999.99")
    assert payments[7]["amount"] == -payments[8]["amount"]
    assert (payments[4]["note"], payments[12]["note"], payments[3]["note"]) == ("", "   ", None)
    assert payments[3]["booked_at"] - payments[2]["booked_at"] == timedelta(hours=1)
    assert payments[2]["booked_at"] == datetime(2025, 10, 26, 0, 30)
    assert payments[19]["updated_at"] == datetime(2026, 1, 2, 23, 59, 59, 999999)
    customers = {
        row["customer_id"]: row
        for row in extract(finsight, TABLES["customers"], tmp_path / "c", *everything).to_pylist()
    }
    assert customers[3]["full_name"] == "Zoe\u0308 Krau\u0301s"
    assert customers[3]["birth_date"] == date(2000, 2, 29)
    assert customers[5]["notes"] == "Quotes, commas, a backslash\nand a line break."
    assert [customers[number]["marketing_opt_in"] for number in (1, 2, 3)] == [True, False, None]


def test_json_is_the_text_that_the_seed_has(finsight: connection, tmp_path: Path) -> None:
    """So that a row that was loaded before is the same row when it comes again."""
    read = extract(finsight, TABLES["kyc_documents"], tmp_path / "f")
    (content,) = read["content"].to_pylist()
    assert read["document_id"].to_pylist() == [3]
    assert content == '{"holder": {}, "number": ""}'


def test_a_column_type_without_a_counterpart_is_refused(finsight: connection, tmp_path: Path) -> None:
    with finsight.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE odd (id BIGINT, place POINT, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ)")
    with pytest.raises(TypeError, match="column 'place' has the Postgres type 600"):
        extract_interval(finsight, SourceTable("odd", "id", ("place",)), DAY, NEXT, tmp_path / "f")
