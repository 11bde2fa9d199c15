"""A dataset version: one snapshot across all stores, named by the hash of what it holds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Topic(BaseModel):
    """A topic of the dataset: production's name, its partition count and configuration, and how many records."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    partitions: int
    config: dict[str, str] = {}
    records: int


class Dataset(BaseModel):
    """The manifest of a dataset version.

    `files` maps a path below the version's prefix (`landing/…`, `kafka/TOPIC.jsonl`) to its SHA-256; `postgres` and
    `snowflake` map a table to its number of rows in the golden database. `models` is the digest of the dbt project
    whose models the golden database has; empty if it has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    files: dict[str, str]
    postgres: dict[str, int]
    snowflake: dict[str, int]
    topics: tuple[Topic, ...]
    models: str = ""

    def topic(self, name: str) -> Topic:
        return next(topic for topic in self.topics if topic.name == name)
