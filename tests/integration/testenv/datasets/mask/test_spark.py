"""The job on Spark says what the kernel says in process, and leaves no key behind."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tests.conftest import REPO
from tests.spark import quick_start

from testenv.backends.aws import client
from testenv.config import Config
from testenv.datasets.mask.keys import Keys
from testenv.datasets.mask.parquet import mask_parquet
from testenv.datasets.mask.rules import DatasetPolicy, Policy, Rule

PAN = {"bins": {"411111": "424242"}, "rest": "999999"}
RULES = (
    Rule("id", "number", "customer_id", unique=True),
    Rule("email", "email", "email"),
    Rule("name", "person_name", "person_name"),
    Rule("pan", "pan", "pan", PAN),
    Rule("born", "date_shift", "birth_date"),
    Rule("lines[].iban", "iban", "iban"),
    Rule("lines[].amount", "keep"),
)
POLICY = DatasetPolicy("postgres.people", RULES, "customer", "id")


def people(rows: int) -> pa.Table:
    return pa.table(
        {
            "id": range(rows),
            "email": [None if n % 7 == 0 else f"jane.{n}@bank.test" for n in range(rows)],
            "name": [f"Jürgen Groß {n % 50}" for n in range(rows)],
            "pan": ["4111111111111111" if n % 2 else "5555555555554444" for n in range(rows)],
            "born": [date(1980, 1, 1 + n % 28) for n in range(rows)],
            "lines": [[{"iban": "DE89370400440532013000", "amount": n}] * (n % 3) for n in range(rows)],
        }
    )


def test_the_same_values_in_process_and_on_spark(config: Config, tmp_path: Path) -> None:
    root = f"/testenv/masking-test-{secrets.token_hex(4)}"
    ssm = client("ssm", config)
    keys = Keys(root, ssm)
    epoch = keys.ensure()
    secret = keys.fetch(epoch).secret
    source, policy, logs = tmp_path / "source.parquet", tmp_path / "policy.json", tmp_path / "logs"
    pq.write_table(people(5000), source)
    policy.write_text(Policy({POLICY.contract: POLICY}).to_json())
    logs.mkdir()
    try:
        mask_parquet(source, tmp_path / "here.parquet", POLICY, keys.fetch(epoch))
        spark = REPO / ".venv/spark/bin"
        done = subprocess.run(
            [spark / "spark-submit", "--master", "local[2]"]
            + [word for name, value in quick_start().items() for word in ("--conf", f"{name}={value}")]
            + ["--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir=file://{logs}"]
            + [REPO / "include/testenv/datasets/mask/spark.py", "--policy", str(policy), "--contract", POLICY.contract]
            + ["--epoch", epoch, "--keys", root, "--source", str(source), "--target", str(tmp_path / "there")],
            env={**os.environ, "PYTHONPATH": str(REPO / "include"), "PYSPARK_PYTHON": str(spark / "python")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    finally:
        ssm.delete_parameters(Names=[f"{root}/epoch", f"{root}/keys/{epoch}"])
    here = pq.read_table(tmp_path / "here.parquet").sort_by("id").to_pylist()
    there = pq.read_table(tmp_path / "there").sort_by("id").to_pylist()
    assert here == there
    left = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != source]
    left.append((done.stdout + done.stderr).encode())
    assert len(left) > 4
    for form in (secret, base64.b64encode(secret), secret.hex().encode(), b"jane."):
        assert not any(form in each for each in left)
