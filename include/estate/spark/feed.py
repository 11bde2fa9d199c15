"""Bring a day of a partner's feed into Parquet, its records as documents.

Files are JSON lines, or CSV with a header. A row of the output has `record_id` (the record's key field), `content` (the
record as JSON text), `source_file` and `landed_on`. A key that is delivered twice counts once: in the last file by
name. A record that is no JSON, or has no key, goes to the quarantine with `source_file`, `record` and `reason`. Output
folders are replaced whole, so a rerun is safe.
"""

from __future__ import annotations

import argparse

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F


def file_name() -> Column:
    """The name of the file a row came from, without its folder: the same wherever the landing zone lies."""
    return F.element_at(F.split(F.input_file_name(), "/"), -1)


def read_json(spark: SparkSession, folder: str, key: str) -> DataFrame:
    """A row per line: `record_id`, `content`, `source_file` and `reason` (null if the record is good)."""
    lines = spark.read.text(folder).select(F.trim("value").alias("content"), file_name().alias("source_file"))
    found = F.get_json_object("content", f"$.{key}")
    parsed = F.from_json("content", "MAP<STRING, STRING>")
    return lines.where(F.length("content") > 0).select(
        F.when(F.length(found) > 0, found).alias("record_id"),
        "content",
        "source_file",
        F.when(F.size(parsed) <= 0, "not a JSON object")
        .when(parsed.isNull(), "not a JSON object")
        .when(found.isNull() | (F.length(found) == 0), f"{key} is missing")
        .alias("reason"),
    )


def read_csv(spark: SparkSession, folder: str, key: str) -> DataFrame:
    """As `read_json`; all values are text."""
    rows = spark.read.csv(folder, header=True, inferSchema=False, escape='"')
    content = F.to_json(F.struct(*(F.col(f"`{name}`") for name in rows.columns)), {"ignoreNullFields": "false"})
    found = F.col(f"`{key}`") if key in rows.columns else F.lit(None).cast("string")
    return rows.select(
        found.alias("record_id"),
        content.alias("content"),
        file_name().alias("source_file"),
        F.when(found.isNull(), f"{key} is missing").alias("reason"),
    )


def run(spark: SparkSession, args: argparse.Namespace) -> None:
    """Read the day, write documents and quarantine."""
    read = read_json if args.format == "json" else read_csv
    rows = read(spark, args.input, args.key).persist()
    last = Window.partitionBy("record_id").orderBy(F.desc("source_file"), F.desc("content"))
    good = rows.where(F.col("reason").isNull()).withColumn("place", F.row_number().over(last)).where("place = 1")
    documents = good.drop("place", "reason").withColumn("landed_on", F.lit(args.day).cast("date"))
    documents.write.mode("overwrite").parquet(args.output)
    rejected = rows.where(F.col("reason").isNotNull())
    rejected.select("source_file", F.col("content").alias("record"), "reason").write.mode("overwrite").json(
        args.quarantine
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", required=True, help="the day of delivery, YYYY-MM-DD")
    parser.add_argument("--format", required=True, choices=("json", "csv"))
    parser.add_argument("--key", required=True, help="the field that tells records apart")
    parser.add_argument("--input", required=True, help="folder of the day's files")
    parser.add_argument("--output", required=True)
    parser.add_argument("--quarantine", required=True, help="folder for what could not be read")
    return parser.parse_args()


if __name__ == "__main__":
    run(SparkSession.builder.appName("feed").getOrCreate(), arguments())
