"""The feeds of partners whose records stay documents in the warehouse: one row a record, its content as JSON text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Feed:
    """A file a day: JSON lines, or CSV with a header. `key` is the field that tells its records apart."""

    format: str
    key: str

    @property
    def file(self) -> str:
        return f"partner.{'jsonl' if self.format == 'json' else self.format}"


FEEDS: Mapping[str, Feed] = {
    "bureau_scores": Feed("json", "report_id"),
    "sanctions_hits": Feed("json", "hit_id"),
    "direct_debit_returns": Feed("csv", "return_id"),
    "atm_withdrawals": Feed("csv", "withdrawal_id"),
}
"""By name: the folder below the landing zone, and the table of `RAW`."""
