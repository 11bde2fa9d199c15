"""Tells the environment's Spark jobs at which point of which micro-batch to be killed.

An object below the checkpoints says so; who runs the environment's Spark jobs looks for it before each.
"""

from __future__ import annotations

import json

from testenv.checks.trial.lake import OWN

KEY = OWN + "kill.json"
"""Below the environment's prefix."""


def body(point: str, batch: int = 0) -> bytes:
    """What the object says: `before-offsets`, and the number of the micro-batch."""
    return json.dumps({"point": point, "batch": batch}).encode()
