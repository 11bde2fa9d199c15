"""A dataset version: one snapshot across all stores, named by the hash of what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Topic(BaseModel):
    """A topic of the dataset: production's name, its partition count and configuration, and how many records.

    `tape` is the S3 prefix of the tape that it is filled from; empty: from the dataset's `kafka/NAME.jsonl`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    partitions: int
    config: dict[str, str] = {}
    records: int
    tape: str = ""


class Dataset(BaseModel):
    """The manifest of a dataset version.

    `files` maps a path below the version's prefix (`landing/…`, `kafka/TOPIC.jsonl`) to its SHA-256; `postgres` and
    `snowflake` map a table to its number of rows in the golden database. `models` is the digest of the dbt project
    whose models the golden database has; empty if it has none. `about` says what cannot be seen in the numbers.
    `snapshot` is when production was looked at: the seed, made by hand, has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    files: dict[str, str]
    postgres: dict[str, int]
    snowflake: dict[str, int]
    topics: tuple[Topic, ...]
    models: str = ""
    about: str = ""
    snapshot: datetime | None = None

    def topic(self, name: str) -> Topic:
        return next(topic for topic in self.topics if topic.name == name)


def with_topics(dataset: Dataset, topics: Iterable[Topic]) -> Dataset:
    """The dataset with these topics in place of its own of the same names."""
    merged = {topic.name: topic for topic in (*dataset.topics, *topics)}
    return dataset.model_copy(update={"topics": tuple(merged[name] for name in sorted(merged))})


@dataclass(frozen=True)
class Change:
    """One thing that two dataset versions differ in; `None` where one of them has no such thing."""

    part: str
    name: str
    was: str | None
    now: str | None


def changes(before: Dataset, after: Dataset) -> Iterator[Change]:
    """What differs from `before` to `after`: rows by table, files by content, topics, and the models built in it."""
    sides = [_parts(dataset) for dataset in (before, after)]
    for part in sides[0]:
        was, now = (side[part] for side in sides)
        for name in sorted(was.keys() | now.keys()):
            if was.get(name) != now.get(name):
                yield Change(part, name, was.get(name), now.get(name))


def _parts(dataset: Dataset) -> dict[str, Mapping[str, str]]:
    return {
        "postgres": {table: f"{rows} rows" for table, rows in dataset.postgres.items()},
        "snowflake": {table: f"{rows} rows" for table, rows in dataset.snowflake.items()},
        "files": {path: digest[:12] for path, digest in dataset.files.items()},
        "topics": {
            topic.name: f"{topic.records} records in {topic.partitions} partitions{_config(topic)}"
            for topic in dataset.topics
        },
        "models": {"dbt": dataset.models} if dataset.models else {},
    }


def _config(topic: Topic) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in sorted(topic.config.items()))
    return f" ({settings})" if settings else ""
