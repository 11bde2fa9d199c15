"""What the leak scan costs: its CPU seconds against those of the same engine's unmasked rewrite of the same file.

10 M rows of eight columns, four of them texts, are searched in every form for the sensitive values of 70,000 people
(210,000 values). `python bench/leak_scan.py [ROWS]`, with `include` on PYTHONPATH; writes `leak_scan` and
`leak_scan_ratio` into bench/results/mask.json. CPU seconds are of this process and its threads; the scan's include
reading the file. The rewrite is that of bench/mask.py; Polars' own, with the same compression, stands beside. All three
are done to few rows first, and then turn about.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from testenv.datasets.evidence.leaks import Identifiers, Known, LeakScan
from testenv.datasets.evidence.leaves import leaves, read
from testenv.datasets.mask.parquet import read_parquet, write_parquet

RESULT = Path(__file__).parent / "results" / "mask.json"
PEOPLE = 70_000
CHUNK = 500_000
SMALL = 1_000
TURNS = 3


def write(file: Path, rows: int) -> None:
    """Masked-looking rows: e-mails and names that repeat, phones, a sentence."""
    parts = file.with_suffix("")
    parts.mkdir()
    letters = np.array(list("abcdefghijklmnop"))
    for start in range(0, rows, CHUNK):
        rng = np.random.default_rng(start)
        n = min(CHUNK, rows - start)
        mail = pl.Series(rng.choice(letters, (200_000, 12)).view("<U12").ravel())
        who = rng.integers(0, 200_000, n)
        number = pl.Series(rng.integers(0, 10**4, n).astype(str)).str.zfill(4)
        pl.DataFrame(
            {
                "id": np.arange(start, start + n),
                "account_id": rng.integers(0, 10**6, n),
                "email": mail.gather(who) + "@example.com",
                "name": pl.Series([f"Given{i % 100} Family{i % 997}" for i in range(5000)]).gather(who % 5000),
                "phone": "+1 (555) 555-01" + number.str.tail(2) + " x" + number,
                "note": "order " + pl.Series(who.astype(str)) + " shipped, delivered after " + number + " days",
                "amount": rng.integers(0, 10**6, n) / 100,
                "at": 1_760_000_000_000 + rng.integers(0, 10**10, n),
            }
        ).write_parquet(parts / f"{start:012}.parquet")
    pl.scan_parquet(parts / "*.parquet").sink_parquet(file)


def identifiers() -> Known:
    """Three values of each person."""
    held = Identifiers(allowed=[f"Given{i} Family{j}" for i in range(100) for j in range(997)][:1000])
    people = [f"{i:05}" for i in range(PEOPLE)]
    held.add(pa.array([f"person{i}.surname@mail{i[:2]}.org" for i in people]), "customers.email", "email")
    held.add(pa.array([f"+4930{i}{i[::-1]}" for i in people]), "customers.phone", "phone")
    held.add(pa.array([f"40001234{i}{i[:3]}" for i in people]), "cards.pan", "pan")
    return held.known()


def cpu_seconds() -> float:
    """Of this process and all of its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def scanned(file: Path, known: Known) -> LeakScan:
    scan, row = LeakScan(known), 0
    for batch in read(file):
        for leaf in leaves(batch):
            scan.look("postgres.rows", leaf, row)
        row += batch.num_rows
    return scan


def measure(rows: int) -> dict[str, float | int]:
    """Seconds are CPU seconds: the fewest of the turns; ratios are their medians."""
    with tempfile.TemporaryDirectory() as folder:
        small, file, copy = (Path(folder, f"{name}.parquet") for name in ("small", "rows", "copy"))
        write(small, SMALL)
        write(file, rows)
        known, scans = identifiers(), list[LeakScan]()
        tasks: dict[str, Callable[[Path], object]] = {
            "rewrite": lambda each: write_parquet(copy, read_parquet(each)),
            "scan": lambda each: scans.append(scanned(each, known)),
            "polars_rewrite": lambda each: pl.scan_parquet(each).sink_parquet(
                copy, compression="zstd", compression_level=1
            ),
        }
        took: dict[str, list[float]] = {name: [] for name in tasks}
        for task in tasks.values():
            task(small)
        for _ in range(TURNS):
            for name, task in tasks.items():
                start = cpu_seconds()
                task(file)
                took[name].append(cpu_seconds() - start)
        return {
            "rows": rows,
            "identifiers": 3 * PEOPLE,
            "forms": known.size,
            "values": scans[-1].values,
            "hits": sum(hit.count for hit in scans[-1].hits()),
            "mb": round(file.stat().st_size / 1e6),
            **{f"{name}_cpu_s": round(min(each), 2) for name, each in took.items()},
            "leak_scan_ratio": ratio(took["scan"], took["rewrite"]),
            "ratio_to_polars_rewrite": ratio(took["scan"], took["polars_rewrite"]),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


def ratio(above: list[float], below: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(above, below, strict=True)), 2)


def main() -> None:
    found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
    print(json.dumps(found, indent=2))
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    result |= {"leak_scan_ratio": found.pop("leak_scan_ratio"), "leak_scan": found}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
