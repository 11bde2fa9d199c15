"""Runs the card events job's stream on files that hold Kafka records, in place of a broker.

    drain_files.py RECORDS CHECKPOINT OUTPUT QUARANTINE [CRASH_IN_BATCH]

RECORDS is a folder of JSON lines with the columns of Spark's Kafka source (`key`, `value`, headers' values in base64);
each file is a micro-batch. The stream is drained twice. With CRASH_IN_BATCH the process dies when that batch is written
and not yet committed.
"""

from __future__ import annotations

import os
import sys

import card_events
from pyspark.sql import DataFrame, SparkSession

SCHEMA = """
    key BINARY, value BINARY, topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP,
    headers ARRAY<STRUCT<key: STRING, value: BINARY>>
"""

records, checkpoint, output, quarantine, *crash = sys.argv[1:]
write_batch = card_events.write_batch


def write_and_die(batch: DataFrame, batch_id: int, *folders: str) -> None:
    write_batch(batch, batch_id, *folders)
    if batch_id == int(crash[0]):
        os._exit(9)


if crash:
    card_events.write_batch = write_and_die
spark = SparkSession.builder.getOrCreate()
stream = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).json(records)
for _ in range(2):
    card_events.drain(stream, checkpoint, output, quarantine)
