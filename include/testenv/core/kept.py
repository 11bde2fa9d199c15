"""What the owner of an environment has marked as kept: it outlives a move to another dataset version."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from testenv.core.errors import Invalid
from testenv.core.naming import Names, shown
from testenv.core.resources import Resource, System

LANDING = "landing/"

_THINGS: dict[System, tuple[re.Pattern[str], str]] = {
    System.SNOWFLAKE: (re.compile(r"[A-Z_][A-Z0-9_]{0,254}\.[A-Z_][A-Z0-9_]{0,254}"), "snowflake:RAW.PAYMENTS"),
    System.POSTGRES: (re.compile(r"[a-z_][a-z0-9_]{0,62}"), "postgres:payments"),
    System.KAFKA: (re.compile(r"[A-Za-z0-9._-]{1,200}"), "kafka:card_events"),
    System.S3: (re.compile(r"landing/[^\x00-\x1f]{1,900}"), "s3:landing/settlements/"),
}
"""What can be kept of each system, and an example. Of S3 a move replaces `landing/` alone; the rest stays anyway."""


@dataclass(frozen=True, order=True)
class Kept:
    """A table, a topic, an object, or with a slash at its end all objects below: `SYSTEM:NAME`."""

    system: System
    name: str

    @classmethod
    def parse(cls, text: str) -> Kept:
        """Raises `Invalid` naming what was got and what can be kept."""
        system, _, name = text.partition(":")
        if system == System.SNOWFLAKE:
            name = name.upper()
        things = {str(each): thing for each, thing in _THINGS.items()}
        if system not in things or not things[system][0].fullmatch(name):
            examples = ", ".join(example for _, example in _THINGS.values())
            raise Invalid(
                f"{shown(text)} cannot be kept. Name a table, a topic, or an object or folder of landing/, such as "
                f"{examples}; the rest of S3 stays without being named"
            )
        return cls(System(system), name)

    def __str__(self) -> str:
        return f"{self.system}:{self.name}"


@dataclass(frozen=True)
class Keeping:
    """All that is kept of an environment."""

    things: frozenset[Kept] = frozenset()

    def of(self, system: System) -> list[str]:
        """Names of what is kept in a system, in order."""
        return sorted(kept.name for kept in self.things if kept.system is system)

    def has(self, system: System, name: str) -> bool:
        """Whether a table, topic or object is kept: by its name, or as an object below a folder."""
        kept = self.of(system)
        return name in kept or (system is System.S3 and any(name.startswith(k) for k in kept if k.endswith("/")))

    def others(self, system: System, expected: dict[str, int]) -> dict[str, int]:
        """Of what a dataset holds, by name, that which is not kept: the rest is no longer the dataset's."""
        return {name: number for name, number in expected.items() if not self.has(system, name)}

    def without_topics(self, resources: Collection[Resource], names: Names) -> frozenset[Resource]:
        """`resources` but for kept topics and their records, which are whatever their owner has made of them."""
        kept = {names.topic(name) for name in self.of(System.KAFKA)}
        return frozenset(r for r in resources if not (r.system is System.KAFKA and r.name in kept))
