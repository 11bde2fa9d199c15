"""What the checkpoints of Spark's streams tell of their state: whether anything ever lets go of it.

A stateful operator forgets what is older than the watermark, which `withWatermark` sets. A stream without one keeps
every key for good: its state grows until an executor has no memory left, months after the release.

The first batch has no watermark yet, whoever sets one; a stream that has read all there is goes through one more batch,
without records, when the watermark has moved. So the last batch tells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable

_OFFSETS = re.compile(r"(?P<root>.*/)offsets/(?P<batch>\d+)")
_SCHEMA = re.compile(r"(?P<root>.*/)state/\d+/0/(?:[^/]+/)?_metadata/schema")

OWN_TIMEOUT = b"timeoutTimestamp"
"""A column of the state of `mapGroupsWithState`, whose code decides when it forgets."""


def unbounded(paths: Iterable[str], read: Callable[[str], bytes]) -> tuple[str, ...]:
    """Checkpoints, of the files at `paths`, whose state nothing bounds. `read` gives a file's content."""
    paths = list(paths)
    schemas = [match for match in map(_SCHEMA.fullmatch, paths) if match]
    stateful = {match["root"] for match in schemas if OWN_TIMEOUT not in read(match[0])}
    return tuple(sorted(root for root in stateful if not _watermark(root, paths, read)))


def _watermark(root: str, paths: Iterable[str], read: Callable[[str], bytes]) -> int:
    """The last batch's, in milliseconds since 1970; 0 if there is none."""
    batches = (match for match in map(_OFFSETS.fullmatch, paths) if match and match["root"] == root)
    last = max(batches, key=lambda match: int(match["batch"]))
    _, metadata, *_ = read(last[0]).decode().split("\n")
    return int(json.loads(metadata).get("batchWatermarkMs", 0))
