"""The seed dataset: the repository's hand-made edge cases, published as a dataset version named by its content."""

from __future__ import annotations

import csv
import hashlib
import io
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testenv.backends.aws import client, translate
from testenv.backends.postgres_server import Server
from testenv.backends.snowflake import Account
from testenv.config import Config
from testenv.core.dataset import Dataset, Topic
from testenv.core.errors import Failed, Invalid
from testenv.core.kinds import load_kinds
from testenv.core.naming import golden_prefix
from testenv.core.spec import WORKING_TREE
from testenv.datasets import golden_postgres, golden_snowflake
from testenv.datasets.models import build_models
from testenv.datasets.store import POINTER, DatasetStore
from testenv.source import Repository

ESTATE = "include/estate"
"""Folder of the repository under test that holds `schema/` and `seed/`."""

FORM = 2
"""Goes into the version's name: raise it when the same files are to become a different dataset."""


@dataclass(frozen=True)
class Seed:
    """The seed's files, by path below the estate (`schema/…`, `seed/…`), and the dataset that they make."""

    files: Mapping[str, bytes]
    dataset: Dataset

    def below(self, folder: str) -> dict[str, bytes]:
        """Files of a folder such as `seed/postgres/`, by path in it."""
        return {path.removeprefix(folder): body for path, body in self.files.items() if path.startswith(folder)}

    def tables(self, system: str) -> dict[str, bytes]:
        """Table → CSV, of `postgres` or `snowflake`."""
        return {path.removesuffix(".csv"): body for path, body in self.below(f"seed/{system}/").items()}

    def objects(self) -> dict[str, bytes]:
        """Files that go to S3, by path below the version's prefix: `landing/…`, `kafka/TOPIC.jsonl`."""
        return {path: body for path, body in self.below("seed/").items() if path.startswith(("landing/", "kafka/"))}


def read_seed(repo: Path) -> Seed:
    """The seed of a repository. The version depends on nothing but the files' paths and bytes. Raises `Invalid`."""
    estate = repo / ESTATE
    found = [path for folder in ("schema", "seed") for path in sorted((estate / folder).rglob("*")) if path.is_file()]
    files = {path.relative_to(estate).as_posix(): path.read_bytes() for path in found if path.suffix != ".md"}
    if lacking := sorted({"schema/postgres.sql", "schema/snowflake.sql", "schema/topics.toml"} - files.keys()):
        raise Invalid(f"{estate} lacks {', '.join(lacking)}. TESTENV_REPO must name a repository that has an estate")
    digest = hashlib.sha256(f"form {FORM}\n".encode())
    for path, body in sorted(files.items()):
        digest.update(f"{path}\n{hashlib.sha256(body).hexdigest()}\n".encode())
    seed = Seed(files, Dataset(version="none", files={}, postgres={}, snowflake={}, topics=()))
    dataset = Dataset(
        version=f"seed-{digest.hexdigest()[:8]}",
        files={path: hashlib.sha256(body).hexdigest() for path, body in seed.objects().items()},
        postgres={table: _rows(body) for table, body in seed.tables("postgres").items()},
        snowflake={table: _rows(body) for table, body in seed.tables("snowflake").items()},
        topics=_topics(files),
    )
    return Seed(files, dataset)


def publish_seed(config: Config) -> str:
    """Publish the seed of the repository under test, and say in one line what was done.

    Golden databases, their models and the files first, the manifest when they are whole, the pointer last: whoever
    reads the pointer finds all of it, and a publication that died is finished by the next. The pointer is not taken
    from a version that is no seed. Models that cannot be built keep no dataset from being published: environments then
    build theirs from nothing, and say why they cannot.
    """
    seed, store, server, account = read_seed(config.repo), DatasetStore(config), Server(config), Account(config)
    version = seed.dataset.version
    with golden_postgres.publishing(server):
        current = store.current()
        missing = _missing(store, server, account, version)
        if not missing and current == version:
            return f"datasets: {version} is published already"
        words = [said for part in missing if (said := _BUILD[part](config, seed))]
        if current and not current.startswith("seed-"):
            return f"datasets: {version} is whole; {current} stays the published one"
        _put(config, POINTER, version.encode())
    rows = sum(seed.dataset.postgres.values()) + sum(seed.dataset.snowflake.values())
    records = sum(topic.records for topic in seed.dataset.topics)
    return (
        f"datasets: published {version} ({rows} rows, {records} records, {len(seed.dataset.files)} files; "
        f"made {', '.join(missing) or 'nothing anew'}){''.join(f'; {said}' for said in words)}"
    )


def _missing(store: DatasetStore, server: Server, account: Account, version: str) -> list[str]:
    """Parts of the version that are not whole, in the order to make them. The systems are asked at the same time."""
    checks: dict[str, Callable[[], bool]] = {
        "Postgres": lambda: golden_postgres.is_whole(server, version),
        "Snowflake": lambda: golden_snowflake.is_whole(account, version),
        "files": lambda: store.find(version) is not None,
    }
    with ThreadPoolExecutor(len(checks)) as pool:
        whole = dict(zip(checks, pool.map(lambda check: check(), checks.values()), strict=True))
    whole["files"] &= whole["Snowflake"]  # the manifest tells of models, which went with the database
    return [part for part in checks if not whole[part]]


def _build_postgres(config: Config, seed: Seed) -> None:
    schema = seed.files["schema/postgres.sql"].decode()
    golden_postgres.build(Server(config), seed.dataset.version, schema, seed.tables("postgres"))


def _build_snowflake(config: Config, seed: Seed) -> None:
    schema = seed.files["schema/snowflake.sql"].decode()
    golden_snowflake.build(Account(config), seed.dataset.version, _warehouse(), schema, seed.tables("snowflake"))


def _build_files(config: Config, seed: Seed) -> str:
    version, prefix = seed.dataset.version, golden_prefix(seed.dataset.version)
    models, said = "", ""
    try:
        models = build_models(config, version, Repository(config.repo).archive(WORKING_TREE), _warehouse())
    except Failed as error:
        said = f"its models are not built: {error}"
        _build_snowflake(config, seed)  # without the models that were built before one failed
    for path, body in seed.objects().items():
        _put(config, prefix + path, body)
    dataset = seed.dataset.model_copy(update={"models": models})
    _put(config, f"{prefix}manifest.json", dataset.model_dump_json(indent=1).encode())
    return said


def _warehouse() -> str:
    return load_kinds()["ci"].warehouse


_BUILD: dict[str, Callable[[Config, Seed], str | None]] = {
    "Postgres": _build_postgres,
    "Snowflake": _build_snowflake,
    "files": _build_files,
}


@translate
def _put(config: Config, key: str, body: bytes) -> None:
    client("s3", config).put_object(Bucket=config.bucket, Key=key, Body=body)


def _rows(table: bytes) -> int:
    return sum(1 for _ in csv.reader(io.StringIO(table.decode(), newline=""))) - 1


def _topics(files: Mapping[str, bytes]) -> tuple[Topic, ...]:
    declared: dict[str, dict[str, Any]] = tomllib.loads(files["schema/topics.toml"].decode())
    recorded = {path.split("/")[-1].removesuffix(".jsonl") for path in files if path.startswith("seed/kafka/")}
    if recorded != declared.keys():
        raise Invalid(
            f"schema/topics.toml declares {sorted(declared)}, seed/kafka has records of {sorted(recorded)}; "
            "each topic needs both"
        )
    return tuple(
        Topic(
            name=name,
            partitions=topic["partitions"],
            config=topic.get("config", {}),
            records=sum(1 for line in files[f"seed/kafka/{name}.jsonl"].splitlines() if line.strip()),
        )
        for name, topic in sorted(declared.items())
    )
