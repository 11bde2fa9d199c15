"""The points of a micro-batch's commit at which a streaming job is killed, and how a job is told its point.

Spark writes a batch's offsets to the checkpoint, runs the sink, then writes the commit. A crash at any point between
must leave the output as it would have been without, once the job has run again.

    s3.put_object(Bucket=bucket, Key=key(env_id), Body=Kill(Point.AFTER_OFFSETS).body())

The next job of the environment that comes to that point of that batch deletes the object and ends its JVM; its job run
is FAILED, with `killed at after-offsets of batch 0` in what it says. So the object's absence afterwards says that it
was killed. `include/local/spark/src` has the class that does it, docs/streams.md how it gets to where the job runs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from testenv.core.errors import Invalid
from testenv.core.naming import EnvId, Names

PATH = "checkpoints/_testenv/kill.json"
"""Below an environment's prefix: beside the checkpoints of its jobs."""

_SAID = re.compile(r"\bkilled at (?P<point>[a-z-]+) of batch (?P<batch>\d+)\b")


class Point(StrEnum):
    """Where a job is killed, in the order in which a batch comes to them.

    The sink is run between `AFTER_OFFSETS` and `BEFORE_COMMIT`: these two are before and after its write.
    """

    BEFORE_OFFSETS = "before-offsets"
    AFTER_OFFSETS = "after-offsets"
    BEFORE_COMMIT = "before-commit"
    AFTER_COMMIT = "after-commit"

    @property
    def meaning(self) -> str:
        """What has been written when a job is killed here."""
        return _MEANING[self]


_MEANING = {
    Point.BEFORE_OFFSETS: "before the offsets of the batch were written",
    Point.AFTER_OFFSETS: "after the offsets were written, before the sink wrote",
    Point.BEFORE_COMMIT: "after the sink wrote, before the batch was committed",
    Point.AFTER_COMMIT: "after the batch was committed",
}


@dataclass(frozen=True)
class Kill:
    """One killing: at `point` of micro-batch `batch`, as the checkpoint numbers it from 0. Raises `Invalid`."""

    point: Point
    batch: int = 0

    def __post_init__(self) -> None:
        if self.batch < 0:
            raise Invalid(f"batch: must be 0 or more, got {self.batch}")

    def body(self) -> bytes:
        """What is written to `key`."""
        return json.dumps({"point": self.point.value, "batch": self.batch}).encode()


def key(env_id: EnvId) -> str:
    """The S3 key at which a job of the environment looks for its kill."""
    return Names(env_id).prefix + PATH


def killed(said: str) -> Kill | None:
    """The kill that ended a job, from what its job run or its log says of its end; None if it ended otherwise."""
    found = _SAID.search(said)
    return Kill(Point(found["point"]), int(found["batch"])) if found else None
