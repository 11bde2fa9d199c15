"""Diff and fingerprint of large tables beside reladiff and beside a full scan; writes bench/results/diff.json.

Two stores. *Parquet files*: ours read and hashed by Polars; reladiff looks at them through views of DuckDB, by both of
its algorithms, of which the better counts: joindiff, its own choice here, in every case; hashdiff on equal tables,
which is the least that it ever costs. *Postgres*: base and head in two databases of one server, as two environments
are; there reladiff has one algorithm. Turn about in one run; seconds of the processor, those of the server included;
the speedup is of all cases together, and of each beside it. A full scan is max() of each column, by Polars or the
server: every value is touched.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "diff.json"
KEY = "payment_id"
CASES = {  # rows that differ: changed, only in base, only in head
    "equal": lambda rows: (0, 0, 0),
    "ten": lambda rows: (10, 0, 0),
    "percent": lambda rows: (rows // 100, 0, 0),
    "missing": lambda rows: (0, 1000, 1000),
}


# ---------------------------------------------------------------- tables


def make(folder: Path, rows: int) -> None:
    """`base.parquet` and, for each case, `CASE.parquet`: ten columns of payments."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    writers: dict[str, Any] = {}
    for at in range(0, rows, 500_000):
        batch = _payments(at, min(500_000, rows - at))
        place = np.arange(at, at + len(batch))
        for name in ("base", *CASES):
            changed, gone, _ = CASES.get(name, CASES["equal"])(rows)
            out = batch
            if changed:
                fees = np.array(batch["fee"]) + (place % (rows // changed) == 7)
                out = batch.set_column(batch.schema.get_field_index("fee"), "fee", pa.array(fees))
            if gone:  # other keys: as many rows gone as new
                keys = np.array(batch[KEY]) + 10**9 * (place % (rows // gone) == 3)
                out = batch.set_column(0, KEY, pa.array(keys))
            if name not in writers:
                writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", batch.schema, compression="zstd")
            writers[name].write_batch(out)
    for writer in writers.values():
        writer.close()


def _payments(at: int, count: int) -> Any:
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng([11, at])
    number = np.arange(at + 1, at + count + 1)
    booked = 1_767_225_600_000_000 + number * 1_500_000
    return pa.RecordBatch.from_pydict(
        {
            KEY: number,
            "account_id": rng.integers(1, 10**6, count),
            "amount": pa.array(rng.integers(1, 10**7, count) / 100).cast(pa.decimal128(18, 2)),
            "currency": rng.choice(["EUR", "USD", "SEK", "PLN"], count),
            "status": rng.choice(["booked", "pending", "failed"], count),
            "fee": rng.integers(0, 4000, count) / 8,
            "booked_at": pa.array(booked, pa.timestamp("us", "UTC")),
            "updated_at": pa.array(booked + rng.integers(0, 10**9, count), pa.timestamp("us", "UTC")),
            "note": [f"payment of order {each}" for each in number],
            "flagged": pa.array(number % 7 == 0),
        }
    )


# ---------------------------------------------------------------- tasks, each in a process of its own


def ours(base: str, head: str) -> Any:
    from testenv.checks.diff import Rules, diff

    with _table(base) as one, _table(head) as other:
        found = diff(one, other, Rules((KEY,)))
    return [found.changed, found.only_in_base, found.only_in_head]


def fingerprints(base: str, head: str) -> Any:
    """Rows and one hash each, as `diff` takes first."""
    with _table(base) as one, _table(head) as other:
        found = [each.sums(sorted(each.types), ()) for each in (one, other)]
    return found[0] == found[1]


def fingerprints_by_column(base: str, head: str) -> Any:
    from testenv.checks.diff import fingerprint

    with _table(base) as one, _table(head) as other:
        return fingerprint(one) == fingerprint(other)


def scan(base: str, head: str) -> Any:
    for place in (base, head):
        with _table(place) as table:
            if _is_file(place):
                import polars as pl

                table._lazy().select(pl.all().max()).collect(engine="streaming")
            else:
                each = (f"max({'flagged::int' if name == 'flagged' else name})" for name in table.types)
                table._rows(f"SELECT {', '.join(each)} FROM payments")
    return True


def hashdiff(base: str, head: str) -> Any:
    return _reladiff(base, head, "hashdiff")


def joindiff(base: str, head: str) -> Any:
    return _reladiff(base, head, "joindiff")


def _reladiff(base: str, head: str, algorithm: str) -> Any:
    import reladiff
    from reladiff.table_segment import TableSegment

    columns = ("account_id", "amount", "currency", "status", "fee", "booked_at", "updated_at", "note", "flagged")
    if _is_file(base):
        import duckdb

        catalog = tempfile.mkdtemp() + "/views.duckdb"
        with duckdb.connect(catalog) as views:
            for name, file in (("base", base), ("head", head)):
                views.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{file}')")
        databases = [reladiff.connect(f"duckdb://main:@{catalog}")] * 2
        tables = [(databases[0], ("main", name)) for name in ("base", "head")]
    else:
        databases = [reladiff.connect(url, 2) for url in (base, head)]
        tables = [(database, ("payments",)) for database in databases]
    one, other = (TableSegment(database, path, (KEY,), extra_columns=columns) for database, path in tables)
    signs: dict[Any, set[str]] = {}
    with reladiff.diff_tables(one, other, algorithm=algorithm) as found:
        for sign, row in found:
            signs.setdefault(row[0], set()).add(sign)
    for database in databases:
        database.close()
    both = sum(len(each) == 2 for each in signs.values())
    return [both, sum(each == {"-"} for each in signs.values()), sum(each == {"+"} for each in signs.values())]


def _is_file(place: str) -> bool:
    return not place.startswith("postgresql:")


@contextmanager
def _table(place: str) -> Iterator[Any]:
    from testenv.checks.diff import PostgresTable, files

    if _is_file(place):
        yield files(place, "parquet")
        return
    import psycopg2

    connection = psycopg2.connect(place)
    connection.autocommit = True
    yield PostgresTable(connection, "payments")
    connection.close()


TASKS = {each.__name__: each for each in (ours, fingerprints, fingerprints_by_column, scan, hashdiff, joindiff)}


def measure(task: str, base: str, head: str, server: int) -> None:
    """The child: what the task found and took. Imports do not count."""
    if not task.endswith("diff"):
        import polars  # noqa: F401 - so that what follows is the work alone
        import pyarrow.dataset  # noqa: F401

        import testenv.checks.diff  # noqa: F401

    before, start = _cpu(server), time.monotonic()
    found = TASKS[task](base, head)
    wall = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    taken = {"cpu_s": round(_cpu(server) - before, 2), "wall_s": round(wall, 2), "peak_mb": round(peak)}
    print(json.dumps(taken | {"found": found}))


def _cpu(server: int) -> float:
    """Seconds of this process and, with a server, of all that descend from it, those that have ended included."""
    own = time.process_time()
    if not server:
        return own
    known, taken = _descent(server)
    while True:  # whoever ended between two looks at /proc would be counted nowhere, or twice
        before, (known, taken) = known, _descent(server)
        if known == before:
            return own + taken


def _descent(server: int) -> tuple[set[int], float]:
    processes = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has ended since
                continue
            processes[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    known = {server}
    while more := {pid for pid, (parent, _) in processes.items() if parent in known} - known:
        known |= more
    return known, sum(processes[pid][1] for pid in known) / os.sysconf("SC_CLK_TCK")


def run(task: str, base: str, head: str, server: int, peers: str) -> dict[str, Any]:
    python = peers if task.endswith("diff") else sys.executable
    path = os.pathsep.join(filter(None, (str(REPO / "include"), os.environ.get("BENCH_DIFF_PACKAGES"))))
    command = [python, __file__, "--task", task, "--base", base, "--head", head, "--server", str(server)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{task}: {done.stderr.strip().splitlines()[-1:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


# ---------------------------------------------------------------- Postgres, of this run alone


@contextmanager
def postgres(folder: Path, source: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """A server with a database for each table; its process, and the databases' addresses."""
    import psycopg2
    from pyarrow import csv, parquet

    find = "from local.parts.postgres import binaries; print(binaries())"
    environment = {**os.environ, "PYTHONPATH": str(REPO / "include")}
    local = str(REPO / ".venv/local/bin/python")
    bin_ = Path(subprocess.check_output([local, "-c", find], env=environment, text=True).strip())
    user = ["setpriv", "--reuid=65534", "--clear-groups"] if os.getuid() == 0 else []
    data, port = folder / "pg", _free_port()
    data.mkdir()
    folder.chmod(0o755)
    if user:
        shutil.chown(data, 65534)
    subprocess.run(
        [*user, bin_ / "initdb", "-D", data, "-U", "postgres", "-A", "trust"], check=True, capture_output=True
    )
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    settings |= {"full_page_writes": "off", "shared_buffers": "256MB", "max_wal_size": "8GB"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen([*user, bin_ / "postgres", "-D", data, *options], stderr=subprocess.DEVNULL)
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}/"
        while subprocess.run([bin_ / "pg_isready", "-q", "-d", url + "postgres"], check=False).returncode:
            time.sleep(0.2)
        for name in ("base", *CASES):
            with (folder / f"{name}.csv").open("wb") as out:
                with csv.CSVWriter(out, parquet.read_schema(source / f"{name}.parquet")) as writer:
                    for batch in parquet.ParquetFile(source / f"{name}.parquet").iter_batches():
                        writer.write_batch(batch)
            for database, statement in (("postgres", f"CREATE DATABASE {name}"), (name, _CREATE), (name, None)):
                connection = psycopg2.connect(url + database)
                connection.autocommit = True
                with connection.cursor() as cursor:
                    if statement:
                        cursor.execute(statement)
                    else:
                        with (folder / f"{name}.csv").open() as rows:
                            cursor.copy_expert("COPY payments FROM STDIN (FORMAT csv, HEADER)", rows)
                        cursor.execute(f"ALTER TABLE payments ADD PRIMARY KEY ({KEY})")
                        cursor.execute("VACUUM ANALYZE payments")
                connection.close()
            (folder / f"{name}.csv").unlink()
        yield server.pid, {name: url + name for name in ("base", *CASES)}
    finally:
        server.terminate()
        server.wait()


_CREATE = f"""
CREATE TABLE payments ({KEY} bigint, account_id bigint, amount numeric(18, 2), currency text, status text,
fee double precision, booked_at timestamptz, updated_at timestamptz, note text, flagged boolean)
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---------------------------------------------------------------- the whole


def compare(places: dict[str, str], rows: int, server: int, algorithms: list[str], asked: Any) -> dict[str, Any]:
    """Each task `turns` times, turn about, so that what else the machine does falls on all alike."""
    seconds: dict[str, Any] = {}
    for case, planted in CASES.items():
        tasks = ["ours", algorithms[0]]
        if case == "equal":
            tasks += [*algorithms[1:], "scan", "fingerprints", "fingerprints_by_column"]
        runs: dict[str, list[Any]] = {task: [] for task in tasks}
        for _ in range(asked.turns):
            for task in tasks:
                taken = run(task, places["base"], places[case], server, asked.peers)
                print(case, task, taken, flush=True)
                wanted = list(planted(rows)) if task in ("ours", *algorithms) else True
                taken["right"] = taken.pop("found") == wanted
                runs[task].append(taken)
        seconds[case] = runs
    return _figures(seconds, rows, algorithms)


def _figures(seconds: dict[str, Any], rows: int, algorithms: list[str]) -> dict[str, Any]:
    """Medians over turns of ratios within a turn."""

    def ratio(above: list[Any], below: list[Any]) -> float:
        return round(statistics.median(a / max(b, 0.01) for a, b in zip(above, below, strict=True)), 2)

    def each(case: str, task: str) -> list[float]:
        return [taken["cpu_s"] for taken in seconds[case][task]]

    others = [each("equal", name) for name in algorithms[1:]]
    best = {case: [min(turn) for turn in zip(each(case, algorithms[0]), *others, strict=True)] for case in CASES}
    all_of_ours = [sum(turn) for turn in zip(*(each(case, "ours") for case in CASES), strict=True)]
    return {
        "rows": rows,
        "speedup": ratio([sum(turn) for turn in zip(*best.values(), strict=True)], all_of_ours),
        "speedup_by_case": {case: ratio(best[case], each(case, "ours")) for case in CASES},
        "fingerprint_vs_scan": ratio(each("equal", "fingerprints"), each("equal", "scan")),
        "fingerprint_by_column_vs_scan": ratio(each("equal", "fingerprints_by_column"), each("equal", "scan")),
        "all_right": {
            task: all(taken["right"] for case in CASES for taken in seconds[case].get(task, ()))
            for task in ("ours", "fingerprints", *algorithms)
        },
        "peak_mb": max(taken["peak_mb"] for case in CASES for taken in seconds[case]["ours"]),
        "runs": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the files; 0: keep what was measured")
    parser.add_argument("--postgres-rows", type=int, default=2_000_000, help="as --rows, in Postgres")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--peers", default=str(REPO / ".venv/bench/bin/python"), help="the Python that has reladiff")
    parser.add_argument("--server", type=int, default=0)
    for name in ("task", "base", "head"):
        parser.add_argument(f"--{name}")
    asked = parser.parse_args()
    if asked.task:
        measure(asked.task, asked.base, asked.head, asked.server)
        return
    result: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    with tempfile.TemporaryDirectory(prefix="bench-diff-") as home:
        folder = Path(home)
        if asked.rows:
            make(folder, asked.rows)
            places = {name: str(folder / f"{name}.parquet") for name in ("base", *CASES)}
            files = compare(places, asked.rows, 0, ["joindiff", "hashdiff"], asked)
            result["speedup_vs_reladiff"] = files["speedup"]
            result["fingerprint_vs_scan"] = files["fingerprint_vs_scan"]
            result["files"] = files
        if asked.postgres_rows:
            if asked.postgres_rows != asked.rows:
                make(folder, asked.postgres_rows)
            with postgres(folder, folder) as (server, addresses):
                result["postgres"] = compare(addresses, asked.postgres_rows, server, ["hashdiff"], asked)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({name: value for name, value in result.items() if not isinstance(value, dict)}, indent=2))


if __name__ == "__main__":
    main()
