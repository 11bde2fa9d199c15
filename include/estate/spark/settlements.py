"""Flatten a day's settlement files and exchange rates into Parquet.

Settlement files hold one JSON object a line:

    {"settlement_id": "STL-…", "currency": "SEK", "settled_at": "2026-01-02T22:15:00+01:00",
     "merchant": {"id": 17, "name": "…", "iban": "…"},
     "lines": [{"line": 1, "payment_id": 5, "amount": "12.34", "fee": "0.12"}]}

Rate files are CSV with the header `currency,rate_to_eur`. A record that cannot be read, or lacks what the tables need,
goes to the quarantine as JSON with `source_file`, `record` and `reason`. Output folders are replaced whole, so a rerun
is safe.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

SETTLEMENT = """
    settlement_id STRING, currency STRING, settled_at STRING,
    merchant STRUCT<id: BIGINT, name: STRING, iban: STRING>,
    lines ARRAY<STRUCT<line: BIGINT, payment_id: BIGINT, amount: STRING, fee: STRING>>,
    malformed STRING
"""
"""Times and amounts are read as text and cast, so that a bad one is told from a missing one."""

MONEY = "decimal(18,2)"
RATE = "decimal(18,8)"


def file_name() -> Column:
    """The name of the file a row came from, without its folder: the same wherever the landing zone lies."""
    return F.element_at(F.split(F.input_file_name(), "/"), -1)


def utc(text: Column) -> Column:
    """ISO 8601 text with an offset as an instant in UTC without a zone; null if it is none."""
    return F.to_timestamp(text).cast("timestamp_ntz")


def read_settlements(spark: SparkSession, folder: str) -> DataFrame:
    """One row per line of a settlement: its fields, `source_file`, `record` and `reason` (null if the line is good)."""
    documents = (
        spark.read.text(folder)
        .select(F.col("value").alias("record"), file_name().alias("source_file"))
        .where(F.length(F.trim("record")) > 0)
        .withColumn("it", F.from_json("record", SETTLEMENT, {"columnNameOfCorruptRecord": "malformed"}))
    )
    lines = documents.select("record", "source_file", "it", F.explode_outer("it.lines").alias("line"))
    fee = F.col("line.fee").cast(MONEY)
    rows = lines.select(
        "record",
        "source_file",
        F.col("it.malformed").alias("malformed"),
        F.col("it.settlement_id").alias("settlement_id"),
        F.col("line.line").alias("line_no"),
        F.col("it.merchant.id").alias("merchant_id"),
        F.col("it.merchant.name").alias("merchant_name"),
        F.col("it.merchant.iban").alias("merchant_iban"),
        F.col("line.payment_id").alias("payment_id"),
        F.col("line.amount").cast(MONEY).alias("amount"),
        fee.alias("fee"),
        (F.col("line.fee").isNotNull() & fee.isNull()).alias("bad_fee"),
        F.col("it.currency").alias("currency"),
        utc(F.col("it.settled_at")).alias("settled_at"),
    )
    reason = F.when(F.col("malformed").isNotNull(), "not JSON, or of other types")
    for needed in ("settlement_id", "line_no", "amount", "currency", "settled_at"):
        reason = reason.when(F.col(needed).isNull(), f"{needed} is missing or cannot be read")
    reason = reason.when(F.col("bad_fee"), "fee cannot be read")
    return rows.withColumn("reason", reason).drop("malformed", "bad_fee")


def read_rates(spark: SparkSession, folder: str) -> DataFrame:
    """One row per line of a rate file: currency, rate_to_eur, source_file, record and reason (null if it is good)."""
    rows = spark.read.csv(folder, header=True, schema="currency STRING, rate_to_eur STRING")
    rate = F.col("rate_to_eur").cast(RATE)
    return rows.select(
        "currency",
        rate.alias("rate_to_eur"),
        file_name().alias("source_file"),
        F.to_csv(F.struct("currency", "rate_to_eur")).alias("record"),
        F.when(F.col("currency").isNull() | rate.isNull() | (rate <= 0), "no currency with a positive rate").alias(
            "reason"
        ),
    )


def latest(rows: DataFrame, *key: str) -> DataFrame:
    """Good rows, one per key: the one of the last file by name."""
    by_file = Window.partitionBy(*key).orderBy(F.desc("source_file"), F.desc("record"))
    good = rows.where(F.col("reason").isNull()).withColumn("place", F.row_number().over(by_file))
    return good.where("place = 1").drop("place", "record", "reason")


def in_euro(lines: DataFrame, rates: DataFrame) -> DataFrame:
    """`lines` with amount_eur: null where the day has no rate for the currency."""
    rate = F.when(F.col("currency") == "EUR", F.lit(1).cast(RATE)).otherwise(F.col("rate_to_eur"))
    amount = F.round(F.col("amount") * rate, 2).cast(MONEY)
    known = F.broadcast(rates.select("currency", "rate_to_eur"))
    return lines.join(known, "currency", "left").withColumn("amount_eur", amount).drop("rate_to_eur")


def run(spark: SparkSession, args: argparse.Namespace) -> None:
    """Read both inputs, write both outputs and the quarantine."""
    day = F.lit(args.day).cast("date")
    all_lines = read_settlements(spark, args.settlements).persist()
    all_rates = read_rates(spark, args.fx_rates)
    rates = latest(all_rates, "currency")
    lines = in_euro(latest(all_lines, "settlement_id", "line_no"), rates).withColumn("landed_on", day)
    rejected = [
        rows.where(F.col("reason").isNotNull()).select("source_file", "record", "reason")
        for rows in (all_lines, all_rates)
    ]
    lines.write.mode("overwrite").parquet(args.settlements_output)
    rates.drop("source_file").withColumn("landed_on", day).write.mode("overwrite").parquet(args.fx_rates_output)
    rejected[0].unionByName(rejected[1]).distinct().write.mode("overwrite").json(args.quarantine)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", required=True, help="the day of delivery, YYYY-MM-DD")
    parser.add_argument("--settlements", required=True, help="folder of settlement files")
    parser.add_argument("--fx-rates", required=True, help="folder of rate files")
    parser.add_argument("--settlements-output", required=True)
    parser.add_argument("--fx-rates-output", required=True)
    parser.add_argument("--quarantine", required=True, help="folder for what could not be read")
    return parser.parse_args()


if __name__ == "__main__":
    run(SparkSession.builder.appName("settlements").getOrCreate(), arguments())
