"""A job of the usual kind, on files of its own: `spark_training.py FOLDER`. The class archive has what it loads.

File formats, a join, a stream by `foreachBatch`, S3A (which opens no connection yet), and the Kafka source.
"""

from __future__ import annotations

import sys

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def main(folder: str) -> None:
    spark = SparkSession.builder.getOrCreate()
    jvm = spark._jvm
    assert jvm
    jvm.java.lang.Class.forName("org.apache.spark.sql.kafka010.KafkaSourceProvider")
    jvm.org.apache.hadoop.fs.Path("s3a://bucket/").getFileSystem(spark._jsc.hadoopConfiguration())
    rows = spark.range(10).withColumn("text", F.concat(F.lit("a"), "id")).withColumn("at", F.current_timestamp())
    for kind in ("json", "csv", "parquet"):
        rows.write.mode("overwrite").format(kind).save(f"{folder}/{kind}")
        found = spark.read.format(kind).load(f"{folder}/{kind}")
        found.join(found, found.columns[0]).groupBy(found.columns[0]).count().orderBy("count").collect()

    def write(batch: DataFrame, number: int) -> None:
        kept = batch.persist()
        kept.where("id > 1").write.mode("overwrite").parquet(f"{folder}/stream/{number}")
        kept.unpersist()

    stream = spark.readStream.schema(rows.schema).json(f"{folder}/json").writeStream.foreachBatch(write)
    stream.option("checkpointLocation", f"{folder}/log").trigger(availableNow=True).start().awaitTermination()


if __name__ == "__main__":
    main(sys.argv[1])
