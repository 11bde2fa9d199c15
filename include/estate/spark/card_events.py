"""Drain the Kafka topic of card events into Parquet, exactly once, and stop.

Reads from the checkpoint to what the topic held at the start (`availableNow`). A micro-batch is written to the folder
`batch=N` of the output, replacing it: a batch that is repeated after a crash has the same records, by the checkpoint's
offset log, and so leaves the same files. Values are JSON:

    {"event_id": "…", "type": "authorization", "occurred_at": "2026-01-02T12:00:00.000Z", "amount": "12.34",
     "currency": "EUR", "merchant": {"id": 17, "country": "SE"}, "ip": "192.0.2.7", "note": "…"}

The key is the card's id. A null value is a tombstone and is kept as such; a value that is no event goes to the
quarantine as JSON. The Kafka login is read from an SSM parameter that holds an Airflow connection as JSON, whose extra
is a librdkafka configuration: it stands in no argument and no plan.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

EVENT = """
    event_id STRING, type STRING, occurred_at STRING, amount STRING, currency STRING,
    merchant STRUCT<id: BIGINT, country: STRING>, ip STRING, note STRING, malformed STRING
"""

PASSED_ON = {
    "bootstrap.servers": "kafka.bootstrap.servers",
    "security.protocol": "kafka.security.protocol",
    "sasl.mechanism": "kafka.sasl.mechanism",
    "sasl.mechanisms": "kafka.sasl.mechanism",
}
"""librdkafka's settings that Kafka's Java client knows under the same meaning."""


def read_connection(secret: str) -> dict[str, Any]:
    """The librdkafka configuration in the SSM parameter `secret`. Raises `ValueError` if it holds none."""
    import boto3

    # EMR sets AWS_REGION, which boto3 does not read.
    client = boto3.client("ssm", region_name=os.environ.get("AWS_REGION"))
    parameter = client.get_parameter(Name=secret, WithDecryption=True)["Parameter"]["Value"]
    try:
        extra = json.loads(parameter)["extra"]
        config = json.loads(extra) if isinstance(extra, str) else dict(extra)
        config["bootstrap.servers"]
    except (ValueError, TypeError, KeyError):
        # The content is a secret, so the message says nothing of it.
        raise ValueError(
            f"the SSM parameter {secret!r} holds no Kafka connection: expected an Airflow connection as JSON, "
            "its extra a librdkafka configuration with bootstrap.servers"
        ) from None
    return config


def kafka_options(config: dict[str, Any]) -> dict[str, str]:
    """A librdkafka configuration as options of Spark's Kafka source."""
    options = {java: str(config[ours]) for ours, java in PASSED_ON.items() if ours in config}
    mechanism = options.get("kafka.sasl.mechanism", "")
    if "sasl.username" in config:
        scram = mechanism.startswith("SCRAM")
        module = "scram.ScramLoginModule" if scram else "plain.PlainLoginModule"
        user, password = (_quoted(str(config[f"sasl.{part}"])) for part in ("username", "password"))
        options["kafka.sasl.jaas.config"] = (
            f"org.apache.kafka.common.security.{module} required username={user} password={password};"
        )
    if authority := config.get("ssl.ca.location"):
        options |= {"kafka.ssl.truststore.location": authority, "kafka.ssl.truststore.type": "PEM"}
    return options


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def header(name: str) -> Column:
    """The last value of a record's header `name`; null if there is none."""
    named = F.filter("headers", lambda each: each["key"] == name)
    return F.when(F.size(named) > 0, F.element_at(named, -1)["value"].cast("string"))


def events(records: DataFrame) -> DataFrame:
    """Kafka records as rows of RAW.CARD_EVENTS, and `record`, `reason` (null for an event or a tombstone)."""
    value = F.col("value").cast("string")
    read = records.withColumn("it", F.from_json(value, EVENT, {"columnNameOfCorruptRecord": "malformed"}))
    occurred_at = F.to_timestamp(F.col("it.occurred_at")).cast("timestamp_ntz")
    amount = F.col("it.amount").cast("decimal(18,2)")
    tombstone = F.col("value").isNull()
    rows = read.select(
        F.col("partition").cast("bigint").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").cast("timestamp_ntz").alias("kafka_timestamp"),
        F.col("key").cast("string").cast("bigint").alias("card_id"),
        tombstone.alias("is_tombstone"),
        F.col("it.event_id").alias("event_id"),
        F.col("it.type").alias("event_type"),
        occurred_at.alias("occurred_at"),
        amount.alias("amount"),
        F.col("it.currency").alias("currency"),
        F.col("it.merchant.id").alias("merchant_id"),
        F.col("it.merchant.country").alias("merchant_country"),
        F.col("it.ip").alias("ip_address"),
        F.col("it.note").alias("note"),
        header("trace-id").alias("trace_id"),
        value.alias("record"),
        F.col("it.malformed").isNotNull().alias("malformed"),
        (F.col("it.amount").isNotNull() & amount.isNull()).alias("bad_amount"),
    )
    reason = (
        F.when(F.col("is_tombstone"), None)
        .when(F.col("malformed"), "not JSON, or of other types")
        .when(F.col("event_id").isNull(), "event_id is missing")
        .when(F.col("event_type").isNull(), "type is missing")
        .when(F.col("occurred_at").isNull(), "occurred_at is missing or no time")
        .when(F.col("bad_amount"), "amount is no number of at most 16 digits before the point")
    )
    return rows.withColumn("reason", reason).drop("malformed", "bad_amount")


def write_batch(batch: DataFrame, batch_id: int, output: str, quarantine: str) -> None:
    """Write one micro-batch, replacing what an earlier attempt at it left."""
    rows = events(batch).persist()
    good = rows.where(F.col("reason").isNull()).drop("record", "reason")
    bad = rows.where(F.col("reason").isNotNull()).select("kafka_partition", "kafka_offset", "record", "reason")
    folder = f"batch={batch_id:09d}"
    bad.write.mode("overwrite").json(f"{quarantine.rstrip('/')}/{folder}")
    good.write.mode("overwrite").parquet(f"{output.rstrip('/')}/{folder}")
    rows.unpersist()


def drain(records: DataFrame, checkpoint: str, output: str, quarantine: str) -> None:
    """Run the stream `records` to the end of what is there now. Raises what a batch raised."""
    query = (
        records.writeStream.foreachBatch(lambda batch, batch_id: write_batch(batch, batch_id, output, quarantine))
        .option("checkpointLocation", checkpoint)
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka-secret", required=True, help="SSM parameter with the Kafka connection")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--group-prefix", required=True, help="beginning of the consumer group's name")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--quarantine", required=True, help="folder for what is no event")
    parser.add_argument("--batch-records", default="100000", help="the most records of a micro-batch")
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    spark = SparkSession.builder.appName("card_events").getOrCreate()
    source = {
        "subscribe": args.topic,
        "startingOffsets": "earliest",
        "includeHeaders": "true",
        "groupIdPrefix": args.group_prefix,
        "maxOffsetsPerTrigger": args.batch_records,
    }
    options = kafka_options(read_connection(args.kafka_secret)) | source
    records = spark.readStream.format("kafka").options(**options).load()
    drain(records, args.checkpoint, args.output, args.quarantine)


if __name__ == "__main__":
    main(arguments())
