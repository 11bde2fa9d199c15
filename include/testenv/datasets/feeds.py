"""Files of the landing zone, in their own form: JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from testenv.core.contract import Contract
from testenv.core.errors import Failed


def records_of(contract: Contract, body: bytes) -> list[Any]:
    """The rows of a file, or what its lines hold; None for a line that is no JSON."""
    if contract.options["format"] == "csv":
        return list(rows_of(body))
    return [parsed(line) for line in lines_of(contract, body)]


def lines_of(contract: Contract, body: bytes) -> list[bytes]:
    """The lines of a file of JSON. Raises `Failed` for a form that files do not have."""
    if contract.options["format"] != "json":
        raise Failed(
            f"{contract.id}: format: must be csv or json for files, got {contract.options['format']!r}. "
            "Mend the contract"
        )
    return body.splitlines()


def parsed(line: str | bytes) -> Any:
    """None for what is no JSON."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def rows_of(body: bytes) -> Iterable[dict[str, str]]:
    return csv.DictReader(io.StringIO(body.decode(), newline=""))


def to_csv(names: list[str], rows: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue().encode()
