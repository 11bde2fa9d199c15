"""The canary of a verdict: the golden copy of its dataset, which its environment was made of and may never touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from testenv.backends.aws import client, translate
from testenv.backends.snowflake import Account, identifier, run
from testenv.checks.trial.tables import Tables
from testenv.core.naming import golden_prefix, golden_snowflake

if TYPE_CHECKING:
    from testenv.config import Config

Look = Callable[[], Mapping[str, str]]
"""Takes fingerprints, by name."""


@dataclass(frozen=True)
class LateCanary:
    """`release.Canary`: what was before, and what is when someone asks, which is after the trial."""

    before: Mapping[str, str]
    look: Look

    @cached_property
    def after(self) -> Mapping[str, str]:
        return self.look()


@translate
def of_golden(config: Config, version: str) -> dict[str, str]:
    """Fingerprints of each table of the golden database, and of each file, of a dataset version."""
    database, prefix = golden_snowflake(version), golden_prefix(version)
    with Account(config).control() as connection:
        run(connection, "USE WAREHOUSE TE_WH_CI")
        run(connection, f"USE DATABASE {identifier(database)}")
        tables = Tables(connection, database).fingerprints(())
    found = {f"snowflake {database}.{name}": f"{each.rows} rows, {each.hash}" for name, each in tables.items()}
    pages = client("s3", config).get_paginator("list_objects_v2").paginate(Bucket=config.bucket, Prefix=prefix)
    files = [entry for page in pages for entry in page.get("Contents", ())]
    return found | {f"s3 {entry['Key']}": str(entry["ETag"]) for entry in files}
