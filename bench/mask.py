"""What masking costs. Writes bench/results/mask.json.

10 M rows of 8 columns (`--rows`), three of them masked by HMAC-SHA256 (e-mail, name, phone), Parquet to Parquet,
against the same engine's rewrite of the same file without masking, in the same run, turn about. Seconds are of the
processor, of the process and all its children: on a shared machine ratios are to be trusted more than seconds. Each
measurement is a process of its own, which first does the same to 1,000 rows: starting, importing and compiling are not
what is measured. Polars' own rewrite stands beside, as a check on the choice of engine. What peers are measured on is
said with each; one that is not installed is named as not measured. `leak_scan_ratio` is written by the leak scan's own
benchmark, and kept.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROC = Path("/proc")
REPO = Path(__file__).resolve().parents[1]
RESULT = REPO / "bench" / "results" / "mask.json"
SECRET = bytes(range(32))
PEERS = {
    "duckdb_sql_hmac": (1_000_000, "HMAC-SHA256 of the 3 columns written out in SQL"),
    "faker_lookup": (10_000, "made once for each value, kept in a dict; multiplied up by the distinct values"),
    "presidio": (500, "finds, does not mask; recognizers of patterns and no model of names, which would cost more"),
}
"""Rows that a peer is measured on, from the first; its seconds are multiplied up to all of them. And what it does."""
SMALL = 1_000


def policy() -> Any:
    from testenv.datasets.mask.rules import DatasetPolicy, Rule

    masked = {"email": "email", "full_name": "person_name", "phone": "phone"}
    names = ("id", "email", "full_name", "phone", "merchant_id", "amount", "country", "at")
    return DatasetPolicy("bench", tuple(Rule(name, masked.get(name, "keep"), name) for name in names))


def bench_key() -> Any:
    from testenv.datasets.mask.keyed import Key

    return Key("e0001", SECRET)


def make_source(target: Path, rows: int) -> None:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    writer = None

    def texts(*parts: object) -> pa.Array:
        columns = [pa.array(each).cast(pa.string()) if isinstance(each, np.ndarray) else each for each in parts]
        return pc.binary_join_element_wise(*columns, "")

    for at in range(0, rows, 500_000):
        n = min(500_000, rows - at)
        columns = {
            "id": np.arange(at, at + n),
            "email": texts("kund.", rng.integers(0, 10**7, n), "@post.test"),
            "full_name": texts("Given", rng.integers(0, 100, n), " Family", rng.integers(0, 5000, n)),
            "phone": texts("+46 555 ", rng.integers(10**6, 10**7, n)),
            "merchant_id": rng.integers(0, 10**6, n),
            "amount": rng.normal(50, 10, n).round(2),
            "country": rng.choice(["SE", "DE", "PL"], n),
            "at": pa.array(rng.integers(1_600_000_000_000, 1_700_000_000_000, n), pa.timestamp("ms")),
        }
        batch = pa.RecordBatch.from_pydict(columns)
        writer = writer or pq.ParquetWriter(target, batch.schema, compression="zstd", compression_level=1)
        writer.write_batch(batch, row_group_size=500_000)
    if writer:
        writer.close()


# ---------------------------------------------------------------- each a process of its own


def rewrite(source: Path, target: Path) -> None:
    from testenv.datasets.mask.parquet import read_parquet, write_parquet

    write_parquet(target, read_parquet(source))


def mask(source: Path, target: Path) -> None:
    from testenv.datasets.mask.parquet import mask_parquet

    mask_parquet(source, target, policy(), bench_key())


def polars_rewrite(source: Path, target: Path) -> None:
    import polars as pl

    pl.scan_parquet(source).sink_parquet(target, compression="zstd", compression_level=1)


def spark_rewrite(source: Path, target: Path) -> None:
    _spark(lambda frame: frame, source, target)


def spark_mask(source: Path, target: Path) -> None:
    from testenv.datasets.mask.spark import masked

    # A worker makes the bench's own key: what SSM costs is a call for each task.
    _spark(lambda frame: masked(frame, policy(), bench_key), source, target)


def _spark(change: Callable[[Any], Any], source: Path, target: Path) -> None:
    from testenv.datasets.mask.spark import session

    spark = session("bench")
    change(spark.read.parquet(str(source))).write.mode("overwrite").parquet(str(target))


def duckdb_sql_hmac(source: Path, target: Path) -> None:
    import duckdb

    pads = (bytes(each ^ pad for each in SECRET.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    inner, outer = ("".join(f"\\x{each:02X}" for each in pad) for pad in pads)
    hmac = f"sha256('{outer}'::BLOB || unhex(sha256('{inner}'::BLOB || encode({{0}}))))"
    chosen = ", ".join(f"{hmac.format(name)} AS {name}" for name in ("email", "full_name", "phone"))
    duckdb.sql(
        f"COPY (SELECT * REPLACE ({chosen}) FROM '{source}' LIMIT {PEERS['duckdb_sql_hmac'][0]}) "
        f"TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
    )


def faker_lookup(source: Path, target: Path) -> None:
    from faker import Faker

    fake = Faker()
    made: dict[str, dict[str, str]] = {"email": {}, "full_name": {}, "phone": {}}
    make = {"email": fake.email, "full_name": fake.name, "phone": fake.phone_number}
    _sample(source, target, "faker_lookup", lambda name, text: made[name].setdefault(text, make[name]()))


def presidio(source: Path, target: Path) -> None:
    """Its recognizers of patterns alone: a model that knows names costs more, and cannot be had without a download."""
    import spacy
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from tldextract import TLDExtract, tldextract

    tldextract.TLD_EXTRACTOR = TLDExtract(suffix_list_urls=())  # the list that it brings, without a download
    engine = SpacyNlpEngine()
    engine.nlp = {"en": spacy.blank("en")}
    analyzer = AnalyzerEngine(nlp_engine=engine)
    _sample(source, target, "presidio", lambda name, text: str(analyzer.analyze(text=text, language="en")))


def _sample(source: Path, target: Path, peer: str, change: Callable[[str, str], str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = next(pq.ParquetFile(source).iter_batches(PEERS[peer][0]))
    columns = table.to_pydict()
    for name in ("email", "full_name", "phone"):
        columns[name] = [change(name, text) for text in columns[name]]
    pq.write_table(pa.table(columns), target)


TASKS = {
    each.__name__: each
    for each in (rewrite, mask, polars_rewrite, spark_rewrite, spark_mask, duckdb_sql_hmac, faker_lookup, presidio)
}


def run(task: str, source: Path, target: Path, venv: str = "airflow") -> dict[str, float]:
    """Seconds of the processor and of the wall clock, and MB at the peak, of `task` in a process of its own.

    Beside the source must stand one of few rows, `small.parquet`, which it does first.
    """
    python = str(REPO / ".venv" / venv / "bin" / "python") if "/" not in venv else venv
    environment = {**os.environ, "PYTHONPATH": str(REPO / "include"), "PYSPARK_PYTHON": python}
    command = [python, __file__, "--task", task, "--source", str(source), "--target", str(target)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{task}: {done.stderr.strip().splitlines()[-1:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(task: str, source: Path, target: Path) -> None:
    """The child: `task`, and what it took once it has been done to few rows."""
    TASKS[task](source.with_name("small.parquet"), target.with_name(f"{target.name}-small"))
    before, start = _cpu(), time.monotonic()
    TASKS[task](source, target)
    taken, wall = _cpu() - before, time.monotonic() - start
    print(json.dumps({"cpu_s": round(taken, 2), "wall_s": round(wall, 2), "peak_mb": round(_peak_mb())}))


def _cpu() -> float:
    """Seconds of the processor of this process and of all that descend from it, those that have ended included."""
    return sum(sum(map(int, fields[11:15])) for fields in _family().values()) / os.sysconf("SC_CLK_TCK")


def _peak_mb() -> float:
    """Sum of the most that each of them held, at whatever time: what all held at once is no more."""
    peaks = (re.search(r"VmHWM:\s+(\d+)", (PROC / pid / "status").read_text()) for pid in _family())
    return sum(int(each[1]) for each in peaks if each) / 1024


def _family() -> dict[str, list[str]]:
    """The fields of /proc/PID/stat from the third on, of this process and of all that descend from it."""
    processes = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended since
                processes[entry.name] = (entry / "stat").read_text().rpartition(")")[2].split()
    ours = {str(os.getpid())}
    while more := {pid for pid, fields in processes.items() if fields[1] in ours} - ours:
        ours |= more
    return {pid: processes[pid] for pid in ours}


def turns(tasks: dict[str, str], source: Path, folder: Path, count: int) -> dict[str, list[dict[str, float]]]:
    """Each task `count` times, turn about, so that what else the machine does falls on all alike."""
    found: dict[str, list[dict[str, float]]] = {task: [] for task in tasks}
    for _ in range(count):
        for task, venv in tasks.items():
            found[task].append(run(task, source, folder / task, venv))
            print(task, found[task][-1], flush=True)
    return found


def typical(runs: list[dict[str, float]]) -> float:
    return round(statistics.median(each["cpu_s"] for each in runs), 2)


def ratios(above: list[dict[str, float]], below: list[dict[str, float]]) -> list[float]:
    """Of each turn."""
    return [round(a["cpu_s"] / b["cpu_s"], 2) for a, b in zip(above, below, strict=True)]


def peers(source: Path, folder: Path, rows: int, python: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (most, how) in PEERS.items():
        sample = min(most, rows)
        try:
            taken = run(name, source, folder / name, python)
        except RuntimeError as error:
            found[name] = {"not_measured": str(error)}
            continue
        times = rows / sample if name != "faker_lookup" else distinct(source, rows) / distinct(source, sample)
        found[name] = {
            "cpu_s": round(taken["cpu_s"] * times, 1),
            "measured_on_rows": sample,
            "extrapolated": sample < rows,
            "is": how,
        }
    return found


def distinct(source: Path, rows: int) -> int:
    """Distinct values of the masked columns in the first `rows`."""
    import polars as pl

    names = ("email", "full_name", "phone")
    return sum(pl.scan_parquet(source).head(rows).select(pl.col(name).n_unique()).collect().item() for name in names)


def benchmark(folder: Path, rows: int, count: int, python: str, spark: bool) -> dict[str, Any]:
    source, fifth = folder / "source.parquet", folder / "fifth.parquet"
    make_source(source, rows)
    make_source(fifth, rows // 5)
    make_source(folder / "small.parquet", SMALL)
    arrow_mb = memory_size(source, rows)
    here = turns(dict.fromkeys(("rewrite", "mask", "polars_rewrite"), "airflow"), source, folder, count)
    peaks = {rows // 5: run("mask", fifth, folder / "fifth_masked")["peak_mb"], rows: here["mask"][0]["peak_mb"]}
    of_turns = {each: ratios(here["mask"], here[each]) for each in ("rewrite", "polars_rewrite")}
    result: dict[str, Any] = {
        "rows": rows,
        "columns": 8,
        "masked_columns": 3,
        "source_mb": round(source.stat().st_size / 1e6, 1),
        "arrow_mb": arrow_mb,
        "mask_ratio": statistics.median(of_turns["rewrite"]),
        "mask_ratio_to_polars_rewrite": statistics.median(of_turns["polars_rewrite"]),
        "mb_per_core_s": round(arrow_mb / typical(here["mask"]), 1),
        "peak_mb": max(peaks.values()),
        "peak_mb_by_rows": peaks,
        "cpu_s": {task: typical(runs) for task, runs in here.items()},
    }
    if spark:
        there = turns(dict.fromkeys(("spark_rewrite", "spark_mask"), "spark"), source, folder, count)
        of_turns["spark_rewrite"] = ratios(there["spark_mask"], there["spark_rewrite"])
        result["spark_mask_ratio"] = statistics.median(of_turns["spark_rewrite"])
        result["spark_peak_mb"] = max(each["peak_mb"] for each in there["spark_mask"])
        result["cpu_s"] |= {task: typical(runs) for task, runs in there.items()}
        result["emr_500gb"] = emr(typical(there["spark_mask"]), arrow_mb)
    result["ratios_of_turns"] = of_turns
    return result | {"peers": peers(source, folder, rows, python)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--peers", default="bench", help="the Python that has duckdb, faker and presidio-analyzer")
    parser.add_argument("--no-spark", action="store_true")
    for name in ("task", "source", "target"):
        parser.add_argument(f"--{name}")
    asked = parser.parse_args()
    if asked.task:
        measure(asked.task, Path(asked.source), Path(asked.target))
        return
    with tempfile.TemporaryDirectory(prefix="bench-mask-") as home:
        result = benchmark(Path(home), asked.rows, asked.turns, asked.peers, not asked.no_spark)
    RESULT.parent.mkdir(exist_ok=True)
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    result |= {name: kept[name] for name in ("leak_scan_ratio", "leak_scan") if name in kept}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def memory_size(source: Path, rows: int) -> float:
    """MB of the rows as Arrow has them, from a sample: what 500 GB a day are counted in."""
    import pyarrow.parquet as pq

    batch = next(pq.ParquetFile(source).iter_batches(100_000))
    return round(batch.nbytes / len(batch) * rows / 1e6, 1)


def emr(cpu_s: float, mb: float) -> dict[str, Any]:
    """500 GB, uncompressed, projected from Spark's seconds here: a core here is taken for a vCPU there, always busy."""
    from testenv.core.prices import load_prices

    hours, price = cpu_s / mb * 500_000 / 3600, load_prices().emr
    prices = price.model_dump(exclude={"source"})
    return {"core_hours": round(hours, 2), "dollars": round(hours * price.hour, 2), "prices": prices}


if __name__ == "__main__":
    main()
