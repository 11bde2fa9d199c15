"""Runs the topic job's stream on files that hold Kafka records, in place of a broker.

    drain_topic_files.py RECORDS SCHEMAS CHECKPOINT OUTPUT QUARANTINE

RECORDS is a folder of JSON lines with the columns of Spark's Kafka source (`key`, `value`, headers' values in base64);
SCHEMAS is a file with a JSON object of schemas by id. The stream is drained twice.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import topic
from pyspark.sql import SparkSession

SCHEMA = """
    key BINARY, value BINARY, topic STRING, partition INT, offset BIGINT, timestamp TIMESTAMP,
    headers ARRAY<STRUCT<key: STRING, value: BINARY>>
"""

records, schemas, checkpoint, output, quarantine = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
known = {int(id_): schema for id_, schema in json.loads(Path(schemas).read_text()).items()}
stream = spark.readStream.schema(SCHEMA).json(records)
for _ in range(2):
    topic.drain(stream, known, checkpoint, output, quarantine)
