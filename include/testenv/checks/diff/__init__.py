"""Whether two tables hold the same rows (`fingerprint`), and how they differ (`diff`). See docs/diff.md."""

from testenv.checks.diff.arrow import ArrowTable
from testenv.checks.diff.compare import diff, fingerprint
from testenv.checks.diff.files import files
from testenv.checks.diff.fingerprint import Fingerprint, Mismatch, mismatches
from testenv.checks.diff.postgres import PostgresTable
from testenv.checks.diff.result import Difference, Example, Thresholds, passes, violations
from testenv.checks.diff.rules import Rules, rules_of, thresholds_of
from testenv.checks.diff.snowflake import SnowflakeTable
from testenv.checks.diff.table import Table
from testenv.checks.diff.topics import topic

__all__ = [
    "ArrowTable",
    "Difference",
    "Example",
    "Fingerprint",
    "Mismatch",
    "PostgresTable",
    "Rules",
    "SnowflakeTable",
    "Table",
    "Thresholds",
    "diff",
    "files",
    "fingerprint",
    "mismatches",
    "passes",
    "rules_of",
    "thresholds_of",
    "topic",
    "violations",
]
