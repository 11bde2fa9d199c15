"""Files of the lake and of the checkpoints: copies of them at moments, and back.

A folder that directly holds data files is one output, or the one that its folders of batches lie in. Its rows are
compared, not its files: their names may be random.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testenv.checks.diff import Fingerprint, Table, files, fingerprint
from testenv.checks.diff.files import FORMATS, form_of
from testenv.checks.diff.table import WHOLE
from testenv.core.errors import Invalid, NoRows, NotFound

LAKE, CHECKPOINTS = "lake/", "checkpoints/"
OWN = "checkpoints/_testenv/"
"""What the trial itself says to jobs; neither kept nor reset."""

COPIES = "trial/"
"""Below the environment's prefix: `trial/MOMENT/lake/…`."""

OPAQUE = "S3 ETags"
"""How files of other forms are compared: each by its bytes."""

EMPTY = '"d41d8cd98f00b204e9800998ecf8427e"'
"""The ETag of an object without content, which has no rows: Spark leaves such JSON files."""

Listing = Mapping[str, str]
"""Path below the environment's prefix → ETag."""


@dataclass(frozen=True)
class Lake:
    """The environment's prefix of the bucket (`env/ID/`), by a boto3 session of its role."""

    session: Any
    s3: Any
    bucket: str
    prefix: str

    def listing(self, folder: str) -> dict[str, str]:
        """All objects below a folder of the prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + folder)
        found = (entry for page in pages for entry in page.get("Contents", []))
        return {entry["Key"].removeprefix(self.prefix): entry["ETag"] for entry in found}

    def fingerprint(self, folder: str, listing: Listing) -> Fingerprint:
        """Of the rows of all files below `folder`, which has those of `listing`."""
        if table := self._table(folder, (path for path, etag in listing.items() if etag != EMPTY)):
            return fingerprint(table)
        digests = (hashlib.sha256(etag.encode()).digest()[:8] for etag in listing.values())
        return Fingerprint(OPAQUE, len(listing), sum(int.from_bytes(each) for each in digests) % WHOLE)

    def _table(self, folder: str, paths: Iterable[str]) -> Table | None:
        """The rows of a folder's files, which lie at `paths`; None where they cannot be read by rows."""
        if not (kind := kind_of(paths)):
            return None
        table = files(f"s3://{self.bucket}/{self.prefix}{folder}", kind, self.session)
        try:
            return table if table.types else None
        except Invalid:
            return None

    def kept_table(self, moment: str, folder: str) -> Table:
        """A folder's rows as they were. Raises `NoRows`, and `NotFound` for files that are not read by rows."""
        place = place_of(moment) + folder
        copies = self.listing(place)
        filled = [path.removeprefix(place) for path, etag in copies.items() if etag != EMPTY]
        if not any(map(_is_data, filled)):
            raise NoRows(f"{folder}: its files at {moment} are empty")
        if not (table := self._table(place, filled)):
            forms = ", ".join(FORMATS)
            raise NotFound(f"{folder}: its files at {moment} cannot be read row by row, as some of one form of {forms}")
        return table

    def keep(self, moment: str, paths: Iterable[str]) -> None:
        """Copy objects as they are now."""
        for path in paths:
            self._copy(path, place_of(moment) + path)

    def restore(self, moment: str, wanted: Listing, there: Listing) -> None:
        """Make what is `there` be `wanted`, from the copies of `moment`."""
        self._delete(there.keys() - wanted.keys())
        for path, etag in wanted.items():
            if there.get(path) != etag:
                self._copy(place_of(moment) + path, path)

    def get(self, path: str) -> bytes:
        """An object's content."""
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=self.prefix + path)["Body"].read())

    def put(self, path: str, body: bytes) -> None:
        """Write an object."""
        self.s3.put_object(Bucket=self.bucket, Key=self.prefix + path, Body=body)

    def _copy(self, source: str, target: str) -> None:
        origin = {"Bucket": self.bucket, "Key": self.prefix + source}
        self.s3.copy_object(Bucket=self.bucket, Key=self.prefix + target, CopySource=origin)

    def _delete(self, paths: Collection[str]) -> None:
        for path in sorted(paths):
            self.s3.delete_object(Bucket=self.bucket, Key=self.prefix + path)


def place_of(moment: str) -> str:
    """Where a moment's copies lie, below the environment's prefix."""
    return f"{COPIES}{moment}/"


def folders(listing: Listing, batches: Collection[str] = ()) -> dict[str, dict[str, str]]:
    """Folder that directly holds data → all data below it. As Spark has it, what begins with `_` or `.` is no data.

    Of a folder that is named by one of `batches`, as `batch=7/` is by `batch`, the one that it lies in.
    """
    data = {path: etag for path, etag in listing.items() if _is_data(path)}
    parents = sorted({unpartitioned(path.rpartition("/")[0] + "/", batches) for path in data})
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path, etag in data.items():
        for parent in parents:
            if path.startswith(parent):
                found[parent][path] = etag
    return dict(found)


def unpartitioned(folder: str, keys: Collection[str] | None = None) -> str:
    """The folder whose partition this is: without `interval=20260101/` and the like at its end; those of `keys` alone,
    if there are any given.
    """
    *parts, _ = folder.split("/")
    while parts and "=" in parts[-1] and (keys is None or parts[-1].partition("=")[0] in keys):
        parts.pop()
    return "/".join(parts) + "/"


def kind_of(listing: Iterable[str]) -> str:
    """The one form that all files have; empty if they have several, or another than can be compared row by row."""
    kinds = {form_of(path) for path in listing if _is_data(path)}
    return kinds.pop() if len(kinds) == 1 and kinds <= set(FORMATS) else ""


def _is_data(path: str) -> bool:
    return not path.endswith("/") and not any(part.startswith(("_", ".")) for part in path.split("/"))
