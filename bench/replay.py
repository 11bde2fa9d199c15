"""Replay beside Kafka's own producer performance tool, on one broker in one run; writes bench/results/replay.json.

`org.apache.kafka.tools.ProducerPerformance` sends random values; replay reads its records from a tape's Parquet files,
with key and timestamp. Records are of one size (key and value together), `acks` is all and idempotence on for both, and
both may batch alike. Turn about, after a round that does not count; a ratio is the median of the rounds' ratios. The
tool's rate is its own figure, its JVM's start not in it; replay's is of all that `replay` does: the topic made, files
read, every record acknowledged, the ends awaited. What the oracle takes to read it back is beside it.

The exact tape is what production leaves of one topic: partitions that begin at offset 5,000 and have a gap every 10,000
records, of a transaction's marker or of some aborted records. `often` is one with a marker after every 100 records.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import jars
from local.java import find_java
from testenv.backends.kafka_admin import KafkaAdmin
from testenv.config import KafkaConfig
from testenv.datasets.tapes.form import Manifest, Tape, to_batch, write_manifest, write_partition
from testenv.datasets.tapes.oracle import verify
from testenv.datasets.tapes.replay import replay

REPO = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "replay.json"
PARTITIONS = 3
KEY_BYTES = 16
BATCH = {"batch.size": 1 << 18, "linger.ms": 5, "buffer.memory": 1 << 28}
FIRST = 5_000
ROWS = 16_384


# ---------------------------------------------------------------- tapes


def tape(folder: Path, records: int, size: int, gaps: Callable[[int], int], first: int) -> Tape:
    """`records` of `size` bytes over the partitions; `gaps(n)` offsets are missing before the nth of each."""
    folder.mkdir()
    partitions = []
    for number in range(PARTITIONS):
        end: list[int] = []
        batches = list(_batches(number, records // PARTITIONS, size, gaps, first, end))
        partitions.append(write_partition(folder, number, (first, end[0]), batches))
    manifest = Manifest(
        topic="bench", config={}, snapshot=datetime(2026, 1, 1, tzinfo=UTC), partitions=tuple(partitions)
    )
    write_manifest(folder, manifest)
    return Tape(manifest, folder)


def _batches(
    partition: int, records: int, size: int, gaps: Callable[[int], int], first: int, end: list[int]
) -> Iterator[Any]:
    rng, offset, rows = random.Random(partition), first, []
    for number in range(records):
        offset += gaps(number)
        key = b"%016d" % rng.randrange(10**15)
        rows.append((offset, 1_767_225_600_000 + number, 1, key, rng.randbytes(size - KEY_BYTES), []))
        offset += 1
        if len(rows) == ROWS:
            yield to_batch(rows)
            rows = []
    if rows:
        yield to_batch(rows)
    end.append(offset)


def no_gaps(_number: int) -> int:
    return 0


def some_gaps(number: int) -> int:
    """After every 10,000 records; turn about a marker alone, and 50 aborted records."""
    if not number or number % 10_000:
        return 0
    return 1 if number // 10_000 % 2 else 51


def often(number: int) -> int:
    """A marker after every 100 records."""
    return int(bool(number) and number % 100 == 0)


# ---------------------------------------------------------------- runs


class Bench:
    """One broker. `home` takes files."""

    def __init__(self, config: KafkaConfig, home: Path) -> None:
        self.config, self.home = config, home
        self.admin = KafkaAdmin(config, config.user, config.password)
        self._topics = 0

    def topic(self) -> str:
        self._topics += 1
        return f"te.sbx-bench.replay-{os.getpid()}-{self._topics}"

    def tool(self, records: int, size: int) -> dict[str, float]:
        """What ProducerPerformance says of itself."""
        from confluent_kafka.admin import NewTopic

        name = self.topic()
        self.admin.each("create_topics", [NewTopic(name, PARTITIONS, 1, config={"retention.ms": "-1"})])
        self.admin.offsets({name: PARTITIONS})
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            command = [*self._java, "--topic", name, "--num-records", str(records), "--record-size", str(size)]
            command += ["--throughput", "-1", "--producer.config", str(self._properties())]
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode:
                sys.exit(f"ProducerPerformance failed:\n{answer.stdout[-1000:]}{answer.stderr[-2000:]}")
        finally:
            self.admin.delete_topics([name])
        last = next(line for line in reversed(answer.stdout.splitlines()) if "records/sec" in line)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        rate = float(last.split(" records sent, ")[1].split(" records/sec")[0])
        return {"records_per_s": rate, "cpu_s": round(_cpu(ended) - _cpu(began), 2)}

    def ours(self, tape: Tape, exact: bool, *, proven: bool) -> dict[str, float]:
        """Replay, and the oracle if it is to be `proven`."""
        name = self.topic()
        try:
            began, cpu = time.monotonic(), _cpu(resource.getrusage(resource.RUSAGE_SELF))
            records = replay(self.config, name, tape, exact)
            seconds, used = time.monotonic() - began, _cpu(resource.getrusage(resource.RUSAGE_SELF)) - cpu
            found = {"records_per_s": round(records / seconds, 1), "cpu_s": round(used, 2)}
            if proven:
                began = time.monotonic()
                verify(self.config, name, tape, exact)
                found["oracle_records_per_s"] = round(records / (time.monotonic() - began), 1)
        finally:
            self.admin.delete_topics([name])
        return found

    @property
    def _java(self) -> list[str]:
        path = f"{jars.folder('kafka')}/*:{_tools()}/*"
        return [str(find_java(17)), "-Xmx512m", "-cp", path, "org.apache.kafka.tools.ProducerPerformance"]

    def _properties(self) -> Path:
        config = self.config
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        login = f'{module} required username="{config.user}" password="{config.password}";'
        settings = {
            "bootstrap.servers": config.bootstrap,
            "security.protocol": config.security_protocol,
            "sasl.mechanism": config.sasl_mechanism,
            "sasl.jaas.config": login,
            "acks": "all",
            "enable.idempotence": "true",
            **BATCH,
        }
        file = self.home / "producer.properties"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return file


def _tools() -> Path:
    """The jar of Kafka's tools, which the broker does not need; brought once."""
    version = next(jars.folder("kafka").glob("kafka_2.13-*.jar")).stem.rpartition("-")[2]
    folder = REPO / ".cache" / "bench" / f"kafka-tools-{version}"
    if not folder.is_dir():
        draft = Path(f"{folder}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        artifact = f"org.apache.kafka:kafka-tools:{version}"
        copy = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
        command = ["mvn", "-q", "-B", "-ntp", copy, f"-Dartifact={artifact}", f"-DoutputDirectory={draft}"]
        subprocess.run(command, check=True, cwd=tempfile.gettempdir())
        draft.rename(folder)
    return folder


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def measure(bench: Bench, records: int, size: int, rounds: int) -> dict[str, Any]:
    tapes = {
        "rebased": (tape(bench.home / "rebased", records, size, no_gaps, 0), False),
        "exact": (tape(bench.home / "exact", records, size, some_gaps, FIRST), True),
        "often": (tape(bench.home / "often", records // 10, size, often, FIRST), True),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ("tool", *tapes)}
    oracle: dict[str, float] = {}
    for number in range(rounds + 1):
        for name in runs:
            proven = not number
            found = bench.tool(records, size) if name == "tool" else bench.ours(*tapes[name], proven=proven)
            print(f"round {number}: {name}: {found}", file=sys.stderr)
            if number:
                runs[name].append(found)
            else:
                oracle |= {name: found["oracle_records_per_s"]} if name in tapes else {}
    ratios = {
        f"{name}_ratio": round(
            statistics.median(
                ours["records_per_s"] / tool["records_per_s"]
                for ours, tool in zip(runs[name], runs["tool"], strict=True)
            ),
            2,
        )
        for name in tapes
    }
    gaps = {name: sum(len(part.gaps) for part in made.manifest.partitions) for name, (made, _) in tapes.items()}
    return {
        "rebased_ratio": ratios["rebased_ratio"],
        "exact_ratio": ratios["exact_ratio"],
        "exact_often_ratio": ratios["often_ratio"],
        "records": records,
        "record_bytes": size,
        "partitions": PARTITIONS,
        "gaps": gaps,
        "oracle_records_per_s": oracle,
        "runs": runs,
    }


def broker() -> KafkaConfig:
    names = ("BOOTSTRAP", "USER", "PASSWORD", "SECURITY_PROTOCOL", "SASL_MECHANISM")
    return KafkaConfig(*(os.environ[f"TESTENV_KAFKA_{name}"] for name in names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=600_000)
    parser.add_argument("--size", type=int, default=400, help="bytes of a record's key and value")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="testenv-bench-") as home:
        found = measure(Bench(broker(), Path(home)), asked.records, asked.size, asked.rounds)
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    print(f"rebased {found['rebased_ratio']} × the tool, exact {found['exact_ratio']} ×: {RESULT}")


if __name__ == "__main__":
    main()
