"""Masks a dataset on Spark, Parquet to Parquet: the same kernel in `mapInArrow`, so the same tokens.

    spark-submit --py-files testenv.zip include/testenv/datasets/mask/spark.py \\
        --policy POLICY.json --contract postgres.customers --epoch e0001 --source s3a://… --target s3a://…

The policy is the compiled one (`Policy.to_json`), which holds no secret. Each worker fetches the epoch's key from SSM
under its own role.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession  # type: ignore[import-not-found]

    from testenv.datasets.mask.keyed import Key
    from testenv.datasets.mask.rules import DatasetPolicy

BATCH_ROWS = 32_768


def masked(frame: DataFrame, policy: DatasetPolicy, key: Callable[[], Key]) -> DataFrame:
    """`frame`, masked, with its schema but for `__entity__`. `key` is called in the worker, once for each task."""
    from testenv.datasets.mask.rules import ENTITY

    schema = frame.drop(ENTITY).schema
    return frame.mapInArrow(functools.partial(_mask, policy=policy, key=key), schema)


def _mask(batches: Iterator[pa.RecordBatch], policy: DatasetPolicy, key: Callable[[], Key]) -> Iterator[pa.RecordBatch]:
    from testenv.datasets.mask.masker import mask_batches

    yield from mask_batches(batches, policy, key())


def from_ssm(root: str, epoch: str) -> Key:
    """The epoch's key, fetched by whoever calls this."""
    from testenv.datasets.mask.keys import Keys

    return Keys(root).fetch(epoch)


def session(name: str) -> SparkSession:
    """A session as masking wants it."""
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.appName(name)
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", BATCH_ROWS)
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )


def main() -> None:
    from testenv.datasets.mask.keys import ROOT
    from testenv.datasets.mask.rules import Policy

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("policy", "contract", "epoch", "source", "target"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--keys", default=ROOT, help="folder of the keys' SSM parameters")
    asked = parser.parse_args()
    key = functools.partial(from_ssm, asked.keys, asked.epoch)
    spark = session(f"mask {asked.contract}")
    text = "\n".join(row.value for row in spark.read.text(asked.policy, wholetext=True).collect())
    policy = Policy.from_json(text)[asked.contract]
    masked(spark.read.parquet(asked.source), policy, key).write.mode("overwrite").parquet(asked.target)
    spark.stop()


if __name__ == "__main__":
    main()
