"""The parts of the embedded stack, in the order of `status`."""

from __future__ import annotations

from local.parts.base import Job, Part, Step
from local.parts.kafka import Kafka
from local.parts.postgres import Postgres
from local.site import Site

STEPS: tuple[type[Step], ...] = (Postgres, Kafka)


def steps(site: Site) -> list[Step]:
    """One of each step, for SITE."""
    return [step(site) for step in STEPS]


__all__ = ["Job", "Part", "Step", "steps"]
