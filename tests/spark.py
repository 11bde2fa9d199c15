"""How tests start a Spark driver of their own: as quickly as the stand-in for EMR starts its jobs."""

from __future__ import annotations

from tests.conftest import REPO

from local import jars
from local.aws import class_archive

SPARK = REPO / ".venv" / "spark"
HOME = SPARK / "lib" / "python3.11" / "site-packages" / "pyspark"


def quick_start() -> dict[str, str]:
    """Settings of the driver's JVM: Spark's class archive, which asks for the class path that it was made with."""
    bundle = jars.folder("spark")
    options = class_archive.options(SPARK / "bin" / "spark-submit", bundle)
    return {
        "spark.driver.extraClassPath": f"{bundle}/*",
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.ui.enabled": "false",
    }
