"""Folders of a lake are compared by their rows where their files' form has rows, whatever bytes they are written in."""

from __future__ import annotations

import io
import secrets
from typing import Any

import boto3
import fastavro
import pytest

from testenv.checks.diff import fingerprint
from testenv.checks.trial.lake import OPAQUE, Lake, place_of
from testenv.config import Config
from testenv.core.errors import NotFound

FOLDER = "lake/raw/readings/"


@pytest.fixture
def lake(config: Config) -> Lake:
    """Below a prefix that nobody else has."""
    session = boto3.Session(region_name=config.region)
    s3: Any = session.client("s3", endpoint_url=config.endpoint_url)
    return Lake(session, s3, config.bucket, f"env/sbx-t{secrets.token_hex(4)}/")


def avro(rows: list[dict[str, Any]], **fields: Any) -> bytes:
    """A file. Each has bytes of its own between its blocks, which are drawn."""
    schema = {"type": "record", "name": "r", "fields": [{"name": n, "type": kind} for n, kind in fields.items()]}
    fastavro.writer(file := io.BytesIO(), schema, rows)
    return file.getvalue()


def test_avro_files_with_the_same_rows_are_the_same_output(lake: Lake) -> None:
    found = []
    for moment in ("base", "head"):
        path = f"{FOLDER}{moment}.avro"
        lake.put(path, avro([{"id": 1}, {"id": 2}], id="long"))
        listing = lake.listing(FOLDER)
        found.append((lake.fingerprint(FOLDER, listing), next(iter(listing.values()))))
        lake.keep(moment, listing)
        lake.restore(moment, {}, listing)
    (base, one), (head, other) = found
    assert base == head and base.rows == 2
    assert one != other, "their bytes differ"
    assert fingerprint(lake.kept_table("base", FOLDER)) == base


def test_files_that_have_no_rows_for_us_are_compared_by_their_bytes(lake: Lake) -> None:
    lake.put(f"{FOLDER}a.avro", avro([{"of": {"a": 1}}], of={"type": "map", "values": "long"}))
    found = lake.fingerprint(FOLDER, lake.listing(FOLDER))
    assert (found.method, found.rows) == (OPAQUE, 1)
    lake.keep("head", lake.listing(FOLDER))
    assert lake.listing(place_of("head"))
    with pytest.raises(NotFound, match="cannot be read row by row"):
        lake.kept_table("head", FOLDER)
