"""How fast rows are generated, in process and on Spark. Writes bench/results/synth.json.

Rows per CPU second, of all processes that take part: on Spark the JVM's and the Python workers', from the first task to
the last, after a warm-up. The table has twelve columns: keys, references, decimals, texts, times. Files are Parquet,
zstd, in parts of a million rows, and must come out the same from both. Needs no service.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from testenv.datasets.synthesize.model import (
    After,
    Categories,
    Column,
    Key,
    Profile,
    Quantiles,
    Reference,
    Semantic,
    Table,
)
from testenv.datasets.synthesize.on_spark.job import frame, write_parts
from testenv.datasets.synthesize.write import batches, write

REPO = Path(__file__).resolve().parents[1]
RESULT = REPO / "bench" / "results" / "synth.json"
ROWS, SEED, CORES = 4 << 20, 7, 2

DAY = 86_400 * 10**6
TIME, AMOUNT = "timestamp[us, tz=UTC]", "decimal128(18, 2)"
FAN_OUT = tuple((0.6 / 2**place, 0.4 / 1.5**place) for place in range(12))
PAYMENTS = Table(
    ROWS,
    (
        Column("payment_id", "int64", Key(10**9)),
        Column("account_id", "int64", Reference("accounts.account_id", FAN_OUT[::-1])),
        Column("merchant_id", "int64", Reference("merchants.merchant_id", FAN_OUT[::-1]), 0.3),
        Column("amount", AMOUNT, Quantiles(tuple(place * place * 13 for place in range(65)))),
        Column("currency", "string", Categories(("DKK", "EUR", "PLN", "SEK"), (0.1, 0.4, 0.12, 0.38))),
        Column("method", "string", Categories(("card", "direct_debit", "transfer"), (0.7, 0.1, 0.2))),
        Column("status", "string", Categories(("failed", "pending", "settled"), (0.02, 0.05, 0.93))),
        Column("counterparty_iban", "string", Semantic("iban"), 0.6),
        Column("note", "string", Semantic("free_text"), 0.5),
        Column("booked_at", TIME, Quantiles(tuple(range(20_000, 20_066)), DAY)),
        Column("created_at", TIME, After("booked_at", Quantiles((0, 10**6, 10**8, 10**10)))),
        Column("updated_at", TIME, After("created_at", Quantiles((0, 0, 0, 10**9, DAY, 30 * DAY)))),
    ),
)
PROFILE = Profile(
    {
        "payments": PAYMENTS,
        "accounts": Table(ROWS // 20, (Column("account_id", "int64", Key(10**9)),)),
        "merchants": Table(ROWS // 500, (Column("merchant_id", "int64", Key(10**9)),)),
    }
)


def timed(cpu: Callable[[], float], work: Callable[[], Any]) -> dict[str, float]:
    """Do `work` once to warm up, then measure it thrice: the median, as the machine is shared."""
    work()
    taken = []
    for _ in range(3):
        began, at = cpu(), time.monotonic()
        work()
        taken.append((cpu() - began, time.monotonic() - at))
    seconds, wall = sorted(taken)[1]
    return {"rows_per_core_s": round(ROWS / seconds), "cpu_s": round(seconds, 2), "wall_s": round(wall, 2)}


def in_process(folder: Path) -> dict[str, Any]:
    def generated() -> None:
        for _ in batches(PROFILE, "payments", 0, ROWS, SEED):
            pass

    return {
        "generated": timed(time.process_time, generated),
        "written": timed(time.process_time, lambda: write(PROFILE, "payments", folder, SEED)),
        "parts": [asdict(part) for part in write(PROFILE, "payments", folder, SEED)],
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
    }


def on_spark(folder: Path) -> dict[str, Any]:
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.memory": "1g",
        "spark.log.level": "ERROR",
    }
    builder = SparkSession.builder.master(f"local[{CORES}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    rows = frame(spark, PROFILE, "payments", SEED)
    found = {
        "written": timed(tree_cpu_s, lambda: write_parts(spark, PROFILE, "payments", SEED, str(folder))),
        "frame": timed(tree_cpu_s, lambda: rows.write.format("noop").mode("overwrite").save()),
        "parts": [asdict(part) for part in write_parts(spark, PROFILE, "payments", SEED, str(folder))],
    }
    spark.stop()
    return found


def tree_cpu_s() -> float:
    """CPU seconds of this process and of all that descend from it, those that have ended included."""
    processes = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended since
                continue
            processes[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    ours = {os.getpid()}
    while more := {pid for pid, (parent, _) in processes.items() if parent in ours} - ours:
        ours |= more
    return sum(processes[pid][1] for pid in ours) / os.sysconf("SC_CLK_TCK")


def spark_run(folder: Path) -> dict[str, Any]:
    """`on_spark` in Spark's own environment."""
    python = str(REPO / ".venv" / "spark" / "bin" / "python")
    environment = {**os.environ, "PYTHONPATH": str(REPO / "include"), "PYSPARK_PYTHON": python}
    command = [python, str(Path(__file__)), "--spark", str(folder)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=900)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        here, spark = in_process(Path(home) / "here"), spark_run(Path(home) / "spark")
    result = {
        "rows_per_core_s": here["written"]["rows_per_core_s"],
        "spark_rows_per_core_s": spark["written"]["rows_per_core_s"],
        "generated_rows_per_core_s": here["generated"]["rows_per_core_s"],
        "spark_frame_rows_per_core_s": spark["frame"]["rows_per_core_s"],
        "same_bytes": here["parts"] == spark["parts"],
        "rows": ROWS,
        "columns": {column.name: f"{column.type}, {column.draw.by}" for column in PAYMENTS.columns},
        "file_bytes": here["bytes"],
        "in_process": {name: here[name] for name in ("generated", "written")},
        "spark": {"cores": CORES, **{name: spark[name] for name in ("written", "frame")}},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in result.items() if not isinstance(value, dict)}, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--spark"]:
        print(json.dumps(on_spark(Path(sys.argv[2]))))
    else:
        main()
