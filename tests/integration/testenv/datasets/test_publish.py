"""Publishing the seed: once is enough, a crash at any point is mended, and nobody reads half a version."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from tests.conftest import REPO, RunningStack
from tests.integration.testenv.conftest import World

from testenv.backends.aws import client
from testenv.backends.postgres_server import Server, execute
from testenv.backends.snowflake import Account, count_rows, identifier, run
from testenv.config import Config
from testenv.core.dataset import Dataset
from testenv.core.errors import Invalid, UnknownDataset
from testenv.core.naming import golden_postgres, golden_prefix, golden_snowflake
from testenv.datasets import golden_postgres as postgres
from testenv.datasets import golden_snowflake as snowflake
from testenv.datasets import seed as seeds
from testenv.datasets.store import POINTER, DatasetStore


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """A repository whose seed differs from the published one. What it publishes is taken away at the end."""
    repo = tmp_path_factory.mktemp("repo")
    estate = repo / seeds.ESTATE
    for folder in ("schema", "seed"):
        shutil.copytree(REPO / seeds.ESTATE / folder, estate / folder)
    with (estate / "schema/postgres.sql").open("a") as file:
        file.write(f"-- {repo}\n")
    yield (config := replace(world.config, repo=repo))
    forget(config, seeds.read_seed(repo).dataset.version)


@pytest.fixture(autouse=True)
def pointer(world: World) -> Iterator[None]:
    """Whatever a test publishes, the pointer is put back."""
    before = world.store.current()
    yield
    client("s3", world.config).put_object(Bucket=world.config.bucket, Key=POINTER, Body=str(before).encode())


def forget(config: Config, version: str) -> None:
    """Take a version away wholly."""
    s3 = client("s3", config)
    for entry in s3.list_objects_v2(Bucket=config.bucket, Prefix=golden_prefix(version)).get("Contents", []):
        s3.delete_object(Bucket=config.bucket, Key=entry["Key"])
    if postgres.is_whole(Server(config), version):
        reopen_postgres(config, version)
    with Server(config).control() as connection:
        execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", golden_postgres(version))
    with Account(config).control() as connection:
        run(connection, f"DROP DATABASE IF EXISTS {identifier(golden_snowflake(version))}")


def reopen_postgres(config: Config, version: str) -> None:
    """As the database was before its closing, the last thing that is done to it."""
    with Server(config).control() as connection:
        execute(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", golden_postgres(version))
        execute(connection, "ALTER DATABASE {} IS_TEMPLATE false", golden_postgres(version))


def unmark_snowflake(config: Config, version: str) -> None:
    with Account(config).control() as connection:
        run(connection, f"COMMENT ON DATABASE {identifier(golden_snowflake(version))} IS ''")


def lose_manifest(config: Config, version: str) -> None:
    client("s3", config).delete_object(Bucket=config.bucket, Key=f"{golden_prefix(version)}manifest.json")


def lose_pointer(config: Config, version: str) -> None:
    client("s3", config).delete_object(Bucket=config.bucket, Key=POINTER)


def assert_whole(config: Config) -> Dataset:
    """The published version is the repository's, and every system holds what the manifest says."""
    store, expected = DatasetStore(config), seeds.read_seed(config.repo).dataset
    version = store.resolve("latest")
    assert store.get(version) == expected
    assert postgres.is_whole(Server(config), version)
    assert snowflake.is_whole(Account(config), version)
    with Account(config).control() as connection:
        run(connection, "USE WAREHOUSE TE_WH_CI")
        assert count_rows(connection, golden_snowflake(version), expected.snowflake) == expected.snowflake
    for path in expected.files:
        assert client("s3", config).head_object(Bucket=config.bucket, Key=golden_prefix(version) + path)
    return expected


def test_it_is_published_once(own: Config) -> None:
    forget(own, seeds.read_seed(own.repo).dataset.version)
    assert "made Postgres, Snowflake, files" in seeds.publish_seed(own)
    version = assert_whole(own).version
    assert seeds.publish_seed(own) == f"datasets: {version} is published already"


@pytest.mark.parametrize("crash", [reopen_postgres, unmark_snowflake, lose_manifest, lose_pointer])
def test_what_a_crash_left_is_mended(own: Config, crash: Callable[[Config, str], None]) -> None:
    seeds.publish_seed(own)
    crash(own, seeds.read_seed(own.repo).dataset.version)
    seeds.publish_seed(own)
    assert_whole(own)


def test_the_pointer_stays_until_all_is_there(world: World, own: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.store.current()
    forget(own, seeds.read_seed(own.repo).dataset.version)

    def fail(*_: object) -> None:
        raise Invalid("the last part fails")

    monkeypatch.setitem(seeds._BUILD, "files", fail)
    with pytest.raises(Invalid, match="the last part fails"):
        seeds.publish_seed(own)
    assert world.store.current() == before
    with pytest.raises(UnknownDataset):
        DatasetStore(own).get(seeds.read_seed(own.repo).dataset.version)


def test_two_at_once_publish_one(own: Config) -> None:
    forget(own, seeds.read_seed(own.repo).dataset.version)
    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(lambda _: seeds.publish_seed(own), range(2)))
    assert "is published already" in said[1] or "is published already" in said[0]
    assert_whole(own)


def test_a_dataset_that_is_no_seed_stays_the_published_one(own: Config) -> None:
    client("s3", own).put_object(Bucket=own.bucket, Key=POINTER, Body=b"masked-20260102")
    assert "masked-20260102 stays the published one" in seeds.publish_seed(own)
    assert DatasetStore(own).current() == "masked-20260102"


def test_nobody_enters_the_golden_template(world: World) -> None:
    version = world.store.resolve("latest")
    with pytest.raises(psycopg2.OperationalError, match="not currently accepting connections"):
        with Server(world.config).control(golden_postgres(version)):
            pass


def test_null_and_empty_text_are_two(world: World) -> None:
    """`\\N` is null, an empty field is empty text, in both databases."""
    golden = golden_snowflake(world.store.resolve("latest"))
    with Account(world.config).control() as connection:
        run(connection, "USE WAREHOUSE TE_WH_CI")
        [row] = run(connection, f"SELECT COUNT(*) - COUNT(NOTES) AS N FROM {golden}.RAW.CUSTOMERS")
    assert int(row["N"]) > 0


@pytest.mark.parametrize("version", ["seed-00000000", "nosuch", "latest-nosuch", "../env", "TE_GOLDEN", "a" * 41, ""])
def test_a_version_that_is_not_there_names_those_that_are(world: World, version: str) -> None:
    with pytest.raises(UnknownDataset, match=str(world.store.current())):
        world.store.resolve(version)


def test_the_command_says_one_line_and_an_error_says_what_to_do(stack: RunningStack, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "testenv.datasets"]
    environ = {**stack.env, "PYTHONPATH": str(REPO / "include"), "PATH": "/usr/bin"}

    def call(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], env=environ | more, capture_output=True, text=True, check=False)

    published = call("publish-seed")
    assert published.returncode == 0, published.stderr
    assert published.stdout.count("\n") == 1
    assert "is published already" in published.stdout
    assert call().returncode == 1
    wrong = call("publish-seed", TESTENV_REPO=str(tmp_path))
    assert wrong.returncode == 1
    assert "TESTENV_REPO must name a repository" in wrong.stderr
    assert "Traceback" not in wrong.stderr
