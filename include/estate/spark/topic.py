"""Drain a Kafka topic of JSON or Avro into Parquet, exactly once, its records as documents, and stop.

Reads from the checkpoint to what the topic held at the start (`availableNow`). A micro-batch is written to the folder
`batch=N` of the output, replacing it, so a batch that is repeated after a crash leaves the same files. A row has
`kafka_partition`, `kafka_offset`, `kafka_timestamp`, `record_key`, `record_value` and `record_headers`, the last two as
JSON text. A value in the schema registry's format (the byte 0, the schema's id, an Avro body) is read by the schemas in
the topic `--schemas`; its times stay numbers. A null value stays null. What cannot be read goes to the quarantine.

Login and group as in `card_events.py`, whose functions are written out here: a job is one file.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

READ = "text STRING, reason STRING"

PASSED_ON = {
    "bootstrap.servers": "kafka.bootstrap.servers",
    "security.protocol": "kafka.security.protocol",
    "sasl.mechanism": "kafka.sasl.mechanism",
    "sasl.mechanisms": "kafka.sasl.mechanism",
}


class Body:
    """Reads the body of an Avro message by its schema: <https://avro.apache.org/docs/1.11.1/specification/>.

    Raises `ValueError` or `IndexError` for a body that is none, or a schema with what the bank does not use.
    """

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place, self._named = data, place, {}  # type: ignore[var-annotated]

    def value(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return self.value(schema[self._long()])
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(schema, dict) and "name" in schema:
            self._named[schema["name"]] = schema
        match kind:
            case "null":
                return None
            case "boolean":
                return self._take(1) == b"\x01"
            case "int" | "long":
                return self._long()
            case "double":
                return struct.unpack("<d", self._take(8))[0]
            case "string":
                return self._take(self._long()).decode()
            case "enum":
                return schema["symbols"][self._long()]
            case "record":
                return {field["name"]: self.value(field["type"]) for field in schema["fields"]}
            case "array":
                return [
                    each for size in iter(self._block, 0) for each in [self.value(schema["items"]) for _ in range(size)]
                ]
        if kind in self._named:
            return self.value(self._named[kind])
        raise ValueError(f"Avro type {kind!r} is not read here")

    def ended(self) -> bool:
        return self._place == len(self._data)

    def _block(self) -> int:
        size = self._long()
        if size < 0:  # then the block's length in bytes follows
            self._long()
        return abs(size)

    def _long(self) -> int:
        number = shift = 0
        while True:
            byte = self._data[self._place]
            self._place += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)

    def _take(self, size: int) -> bytes:
        taken = self._data[self._place : self._place + size]
        if size < 0 or len(taken) < size:
            raise ValueError("the message ends too early")
        self._place += size
        return taken


def reader(schemas: dict[int, str]) -> Callable[[bytes | None], tuple[str | None, str | None]]:
    """A function from a record's value to its JSON text and the reason why it cannot be read, one of them null."""
    parsed = {id_: json.loads(schema) for id_, schema in schemas.items()}

    def read(value: bytes | None) -> tuple[str | None, str | None]:
        if value is None:
            return None, None
        data = bytes(value)
        try:
            if data[:1] != b"\0":
                json.loads(data)
                return data.decode(), None
            (id_,) = struct.unpack_from(">I", data, 1)
            if id_ not in parsed:
                return None, f"schema {id_} is not registered"
            body = Body(data, 5)
            found = body.value(parsed[id_])
            if not body.ended():
                return None, "longer than its schema says"
            return json.dumps(found, ensure_ascii=False, separators=(",", ":")), None
        except (ValueError, IndexError, struct.error):
            return None, "neither JSON nor what its schema says"

    return read


def read_schemas(spark: SparkSession, topic: str, options: dict[str, str]) -> dict[int, str]:
    """Schemas by id, from the registry's topic."""
    records = spark.read.format("kafka").options(**options).option("subscribe", topic).load()
    ordered = records.orderBy("partition", "offset").select(F.col("key").cast("string"), F.col("value").cast("string"))
    latest = {key: json.loads(value) if value else {"deleted": True} for key, value in ordered.collect()}
    return {each["id"]: each["schema"] for each in latest.values() if "schema" in each and not each.get("deleted")}


def documents(records: DataFrame, schemas: dict[int, str]) -> DataFrame:
    """Kafka records as rows, and `record` (base64) and `reason`, null for what can be read."""
    read = F.udf(reader(schemas), READ)("value")
    headers = F.map_from_entries(
        F.transform(
            F.coalesce("headers", F.array().cast("array<struct<key: string, value: binary>>")),
            lambda each: F.struct(each["key"], each["value"].cast("string")),
        )
    )
    return records.withColumn("it", read).select(
        F.col("partition").cast("bigint").alias("kafka_partition"),
        F.col("offset").alias("kafka_offset"),
        F.col("timestamp").cast("timestamp_ntz").alias("kafka_timestamp"),
        F.col("key").cast("string").alias("record_key"),
        F.col("it.text").alias("record_value"),
        F.to_json(headers).alias("record_headers"),
        F.base64("value").alias("record"),
        F.col("it.reason").alias("reason"),
    )


def write_batch(batch: DataFrame, batch_id: int, schemas: dict[int, str], output: str, quarantine: str) -> None:
    """Write one micro-batch, replacing what an earlier attempt at it left."""
    # A header may stand there several times: the last counts.
    batch.sparkSession.conf.set("spark.sql.mapKeyDedupPolicy", "LAST_WIN")
    rows = documents(batch, schemas).persist()
    good = rows.where(F.col("reason").isNull()).drop("record", "reason")
    bad = rows.where(F.col("reason").isNotNull()).select("kafka_partition", "kafka_offset", "record", "reason")
    folder = f"batch={batch_id:09d}"
    bad.write.mode("overwrite").json(f"{quarantine.rstrip('/')}/{folder}")
    good.write.mode("overwrite").parquet(f"{output.rstrip('/')}/{folder}")
    rows.unpersist()


def drain(records: DataFrame, schemas: dict[int, str], checkpoint: str, output: str, quarantine: str) -> None:
    """Run the stream `records` to the end of what is there now. Raises what a batch raised."""
    query = (
        records.writeStream.foreachBatch(lambda batch, id_: write_batch(batch, id_, schemas, output, quarantine))
        .option("checkpointLocation", checkpoint)
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()


def kafka_options(secret: str) -> dict[str, str]:
    """Options of Spark's Kafka source, from the SSM parameter that holds the connection."""
    import boto3

    client = boto3.client("ssm", region_name=os.environ.get("AWS_REGION"))
    try:
        extra = json.loads(client.get_parameter(Name=secret, WithDecryption=True)["Parameter"]["Value"])["extra"]
        config = json.loads(extra) if isinstance(extra, str) else dict(extra)
        config["bootstrap.servers"]
    except (ValueError, TypeError, KeyError):
        # The content is a secret, so the message says nothing of it.
        raise ValueError(f"the SSM parameter {secret!r} holds no Kafka connection with bootstrap.servers") from None
    options = {java: str(config[ours]) for ours, java in PASSED_ON.items() if ours in config}
    if "sasl.username" in config:
        scram = options.get("kafka.sasl.mechanism", "").startswith("SCRAM")
        module = "scram.ScramLoginModule" if scram else "plain.PlainLoginModule"
        user, password = (json.dumps(str(config[f"sasl.{part}"])) for part in ("username", "password"))
        options["kafka.sasl.jaas.config"] = (
            f"org.apache.kafka.common.security.{module} required username={user} password={password};"
        )
    if authority := config.get("ssl.ca.location"):
        options |= {"kafka.ssl.truststore.location": authority, "kafka.ssl.truststore.type": "PEM"}
    return options


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka-secret", required=True, help="SSM parameter with the Kafka connection")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--schemas", help="the schema registry's topic; without it there is no Avro")
    parser.add_argument("--group-prefix", required=True, help="beginning of the consumer groups' names")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--quarantine", required=True, help="folder for what cannot be read")
    parser.add_argument("--batch-records", default="100000", help="the most records of a micro-batch")
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    spark = SparkSession.builder.appName("topic").getOrCreate()
    login = kafka_options(args.kafka_secret) | {"groupIdPrefix": args.group_prefix, "startingOffsets": "earliest"}
    schemas = read_schemas(spark, args.schemas, login) if args.schemas else {}
    source = {"subscribe": args.topic, "includeHeaders": "true", "maxOffsetsPerTrigger": args.batch_records}
    records = spark.readStream.format("kafka").options(**login, **source).load()
    drain(records, schemas, args.checkpoint, args.output, args.quarantine)


if __name__ == "__main__":
    main(arguments())
