"""Run dbt's suites (dbt-tests-adapter) against a local Snowflake of their own; write the result into docs/fidelity.md.

``python -m tests.adapter.fidelity`` in the project's environment; the suites themselves run in ``.venv/dbt-tests``.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.integration.local.snowflake.support import ROOT, KeyPair, Server, Sql, running_server

SUITES = Path(__file__).parent
PAGE = ROOT / "docs/fidelity.md"
BEGIN, END = "<!-- dbt suites: written by make fidelity -->", "<!-- end of dbt suites -->"
GRANTEES = ("DBT_TEST_USER_1", "DBT_TEST_USER_2", "DBT_TEST_USER_3")
_WORKERS = int(os.environ.get("TESTENV_SUITES_WORKERS", "2"))


@dataclass
class Area:
    """The tests of one file: names that passed, and the reasons of those that did not, by name."""

    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def prepare(server: Server) -> dict[str, str]:
    """Make the account that the suites expect; the environment variables that lead them to it."""
    key, password, trust = KeyPair(), secrets.token_urlsafe(), {"REQUESTS_CA_BUNDLE": str(server.ca)}
    with patch.dict(os.environ, trust), server.connect(role="ACCOUNTADMIN") as connection:
        sql = Sql(connection)
        sql("CREATE ROLE DBT_TESTER")
        sql(f"CREATE USER DBT_TESTER TYPE = SERVICE DEFAULT_ROLE = DBT_TESTER RSA_PUBLIC_KEY = '{key.public}'")
        sql(f"CREATE USER DBT_TESTER_BY_PASSWORD DEFAULT_ROLE = DBT_TESTER PASSWORD = '{password}'")
        for user in ("DBT_TESTER", "DBT_TESTER_BY_PASSWORD"):
            sql(f"GRANT ROLE DBT_TESTER TO USER {user}")
        for database in ("DBT_TESTS", "DBT_TESTS_ALT"):
            sql(f"CREATE DATABASE {database}")
            sql(f"GRANT OWNERSHIP ON DATABASE {database} TO ROLE DBT_TESTER")
        for warehouse in ("DBT_TESTING", "DBT_TESTING_ALT"):
            sql(f"CREATE WAREHOUSE {warehouse}")
            sql(f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE DBT_TESTER")
        for role in GRANTEES:
            sql(f"CREATE ROLE {role}")
    return {
        **trust,
        "TESTENV_SUITES_PORT": str(server.port),
        "TESTENV_SUITES_KEY": key.private_base64,
        "TESTENV_SUITES_PASSWORD": password,
        **{role: role for role in GRANTEES},
    }


def run_suites(server: Server, junit: Path, *arguments: str) -> int:
    """Run the suites, or those that pytest's arguments select; pytest's exit code."""
    command = [
        ROOT / ".venv/dbt-tests/bin/python", "-m", "pytest", "-c", SUITES / "pytest.ini", "--rootdir", SUITES,
        "-n", _WORKERS, "--dist", "loadscope", "--junitxml", junit, *(arguments or (SUITES,)),
    ]  # fmt: skip
    settings = prepare(server)
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("DBT_", "PYTEST_", "AIRFLOW"))
    }
    return subprocess.run([str(part) for part in command], cwd=SUITES, env=environment | settings).returncode


def read(junit: Path) -> dict[str, Area]:
    """The result, by area.

    Raises:
        SystemExit: if a test failed that reasons.toml does not expect to, or passed that it expects to fail.
    """
    areas: dict[str, Area] = defaultdict(Area)
    unexpected = []
    for case in ET.parse(junit).iter("testcase"):
        module, _, rest = case.attrib["classname"].partition(".")
        area = areas[module.removeprefix("test_").replace("_", " ")]
        name = f"{rest}::{case.attrib['name']}" if rest else case.attrib["name"]
        outcome = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        if outcome is None:
            area.passed.append(name)
        elif outcome.tag == "skipped":
            area.failed[name] = outcome.attrib.get("message", "")
        else:
            unexpected.append(f"{module}::{name}")
    if unexpected:
        raise SystemExit("failed and not in reasons.toml, or the reverse:\n  " + "\n  ".join(unexpected))
    return areas


def report(areas: dict[str, Area]) -> str:
    """The block of the page, in Markdown."""
    reasons = tomllib.loads((SUITES / "reasons.toml").read_text())
    passed = sum(len(area.passed) for area in areas.values())
    total = passed + sum(len(area.failed) for area in areas.values())
    lines = [
        f"{passed} of the {total} tests that apply pass ({100 * passed / total:.1f} %).",
        "",
        "| area | passed | of |",
        "|---|---|---|",
    ]
    for name, area in sorted(areas.items()):
        lines.append(f"| {name} | {len(area.passed)} | {len(area.passed) + len(area.failed)} |")
    lines += ["", "Do not pass:", ""]
    for name, area in sorted(areas.items()):
        lines += [f"- {name}, `{test}`: {reason}" for test, reason in sorted(area.failed.items())]
    lines += ["", "Do not apply:", ""]
    by_reason: dict[str, list[str]] = defaultdict(list)
    for suite, reason in reasons["not_applicable"].items():
        by_reason[reason].append(suite)
    lines += [
        f"- {', '.join(f'`{suite}`' for suite in sorted(suites))}: {reason}" for reason, suites in by_reason.items()
    ]
    return "\n".join(lines)


def write(block: str) -> None:
    """Put the block between its marks in the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{PAGE} lacks the marks {BEGIN} and {END}")
    PAGE.write_text(f"{before}{BEGIN}\n{block}\n{END}{after}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder) / "junit.xml"
        with running_server(Path(folder), "http://localhost:1") as server:
            run_suites(server, junit, *sys.argv[1:])
        areas = read(junit)
    if len(sys.argv) == 1:
        write(report(areas))


if __name__ == "__main__":
    main()
