"""Runs a Python job of Spark in a JVM that is there already, and leaves the JVM as it found it.

    python spark_driver.py JOB.py ARGUMENTS… < order.json

It is started by Spark's Python, in the environment of a driver with `PYSPARK_GATEWAY_PORT` and `_SECRET`; the order is
`{"conf": {…}, "clean": FILE}`. To the job all is as `spark-submit` would have it: `__main__`, its arguments and folder,
and settings that a new SparkContext takes up. FILE is made when the job has succeeded and nothing of it is left in the
JVM: only then may another job have it. The job's exit code is this program's.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

from pyspark import SparkContext


def main() -> None:
    order = json.load(sys.stdin)
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    SparkContext._ensure_initialized()
    jvm: Any = SparkContext._jvm
    for name, value in order["conf"].items():
        jvm.java.lang.System.setProperty(name, value)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as done:
        if done.code:
            raise
    _clean(jvm, Path(order["clean"]))


def _clean(jvm: Any, told: Path) -> None:
    """Nothing is left of the job: no context, no setting, no file system with its credentials.

    A metastore of Hive, which lives as long as its JVM, cannot be taken away.
    """
    context = SparkContext._active_spark_context
    hive = context and context.getConf().get("spark.sql.catalogImplementation", "") == "hive"
    if context:
        context.stop()
    jvm.org.apache.hadoop.fs.FileSystem.closeAll()
    jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure()
    system = jvm.java.lang.System
    for name in list(system.getProperties().stringPropertyNames()):
        if name.startswith("spark."):
            system.clearProperty(name)
    if not hive:
        told.touch()


if __name__ == "__main__":
    main()
