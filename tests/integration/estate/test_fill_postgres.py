from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from estate.production.settings import Settings
from estate.production.stores.postgres import fill
from estate.production.world import build
from estate.tables import SOURCE_TABLES


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    """A database with nothing in it."""
    with closing(psycopg2.connect(postgres_url)) as admin:
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute("CREATE DATABASE production")
            yield postgres_url.replace("dbname=postgres", "dbname=production")
            cursor.execute("DROP DATABASE production")


def fingerprint(url: str) -> dict[str, tuple[int, str]]:
    found = {}
    with closing(psycopg2.connect(url)) as conn, conn.cursor() as cursor:
        for table in SOURCE_TABLES:
            rows = f"md5(string_agg(t::text, '|' ORDER BY {table.key}))"
            cursor.execute(f"SELECT count(*), {rows} FROM {table.name} t")
            found[table.name] = cursor.fetchone()
    return found


def test_a_second_fill_leaves_the_same_rows(empty_url: str) -> None:
    world = build(seed=3, scale=0.02)
    settings = Settings(empty_url, "", {}, {}, None, {})  # type: ignore[arg-type]  # only Postgres is filled
    counts = fill(world, settings)
    first = fingerprint(empty_url)
    assert (
        {name: count for name, (count, _) in first.items()}
        == counts
        == {name: len(rows) for name, rows in world.tables.items()}
    )
    fill(world, settings)
    assert fingerprint(empty_url) == first


def test_another_world_replaces_the_first(empty_url: str) -> None:
    settings = Settings(empty_url, "", {}, {}, None, {})  # type: ignore[arg-type]  # only Postgres is filled
    fill(build(seed=3, scale=0.02), settings)
    first = fingerprint(empty_url)
    fill(build(seed=4, scale=0.01), settings)
    assert fingerprint(empty_url) != first
