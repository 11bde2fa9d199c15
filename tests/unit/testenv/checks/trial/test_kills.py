"""A kill is told to a job in the words that it reads, and read back from what the job leaves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from testenv.checks.trial.kills import PATH, Kill, Point, key, killed
from testenv.core.errors import Invalid
from testenv.core.naming import EnvId, owner_of

SOURCE = Path(__file__).parents[5] / "include/local/spark/src/KillingCheckpointFileManager.java"


def test_a_kill_is_written_below_the_environments_own_prefix() -> None:
    assert key(EnvId("ci-a")) == "env/ci-a/checkpoints/_testenv/kill.json"
    assert owner_of(key(EnvId("ci-a"))) == EnvId("ci-a")
    assert json.loads(Kill(Point.AFTER_OFFSETS, 2).body()) == {"point": "after-offsets", "batch": 2}


def test_the_class_in_spark_knows_the_same_points_and_the_same_place() -> None:
    source = SOURCE.read_text()
    [points] = re.findall(r"POINTS =\s+Arrays\.asList\(([^)]*)\)", source)
    assert re.findall(r'"([^"]+)"', points) == [*Point]
    [folder] = re.findall(r'CHECKPOINTS = "([^"]+)"', source)
    [order] = re.findall(r'ORDER = "([^"]+)"', source)
    assert f"{folder}/{order}" == PATH


@pytest.mark.parametrize("point", [*Point])
def test_how_a_job_ended_says_where_it_was_killed(point: Point) -> None:
    assert killed(f"Job failed (exit code 137): killed at {point} of batch 3, as its crash test asked for") == Kill(
        point, 3
    )
    assert point.meaning


def test_a_job_that_failed_by_itself_was_not_killed() -> None:
    assert killed("Job failed (exit code 137): the driver was killed") is None


def test_a_batch_before_the_first_is_refused() -> None:
    with pytest.raises(Invalid, match="0 or more, got -1"):
        Kill(Point.BEFORE_COMMIT, -1)
