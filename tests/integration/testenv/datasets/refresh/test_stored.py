"""What a refresh writes: one token for one value in every store, the same bytes each time, others under another key."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import pytest
from tests.integration.testenv.datasets.refresh import cells
from tests.integration.testenv.datasets.refresh.cells import ALIKE, NO_TOKENS, Side, canonical
from tests.integration.testenv.datasets.refresh.conftest import Made, Versions

from testenv.backends.aws import client
from testenv.backends.postgres_server import Server, execute, query
from testenv.backends.snowflake import Account, run
from testenv.core.contract import Field, Store
from testenv.core.naming import golden_postgres, golden_snowflake
from testenv.datasets.mask.keys import Keys
from testenv.datasets.refresh.selection import Selection, select
from testenv.datasets.refresh.snapshot import Snapshot
from testenv.datasets.refresh.stages import Refresh
from testenv.datasets.subset import load_tiers


@dataclass(frozen=True)
class Looked:
    """Production, which of its rows each tier takes, and what the tiers' files hold of them."""

    real: dict[str, Side]
    selection: Selection
    registry: object
    masked: dict[str, dict[str, Side]]

    def before(self, tier: str) -> dict[str, Side]:
        return cells.tier_of(self.real, self.selection, tier)


@pytest.fixture(scope="module")
def looked(refresh: Refresh, versions: Versions, again: str) -> Looked:
    keys = Keys(client=client("ssm", refresh.config))
    secret = hashlib.sha256(b"subset\0" + keys.fetch(keys.current()).secret).digest()
    with Snapshot(refresh.config, refresh.production, refresh.contracts) as snapshot:
        real, selection = cells.production(snapshot), select(snapshot, load_tiers(), secret)
        registry = snapshot.registry
    masked = {
        tier: cells.masked(refresh.contracts, versions.objects(f"{again}-{tier}"), registry)
        for tier in ("sandbox", "full")
    }
    return Looked(real, selection, registry, masked)


def typed(sides: dict[str, Side]) -> Iterator[tuple[Side, Field]]:
    """The fields whose values have tokens."""
    for side in sides.values():
        for field in side.contract.fields:
            if field.is_sensitive and field.semantic_type not in NO_TOKENS:
                yield side, field


def tokens(real: dict[str, Side], masked: dict[str, Side]) -> dict[str, dict[str, dict[str, set[Store]]]]:
    """Semantic type → value → its tokens, and the stores that have them. Fails where a row, or a value, is lost."""
    found: dict[str, dict[str, dict[str, set[Store]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    for side, field in typed(real):
        before, after = side.values(field.path), masked[side.contract.id].values(field.path)
        where = f"{side.contract.id}: {field.path}"
        assert [len(each) for each in before] == [len(each) for each in after], where
        for values, written in zip(before, after, strict=True):
            for value, token in zip(values, written, strict=True):
                assert (value is None) == (token is None), where
                if value not in (None, ""):
                    found[field.semantic_type][canonical(value)][canonical(token)].add(side.contract.store)
    return found


def test_a_value_has_one_token_in_every_store_and_no_value_is_its_own(looked: Looked) -> None:
    found = tokens(looked.before("full"), looked.masked["full"])
    for type_, of_value in found.items():
        assert [value for value, written in of_value.items() if len(written) > 1] == [], type_
        assert [value for value, written in of_value.items() if value in written] == [], type_
        if type_ not in ALIKE:
            assert len({token for written in of_value.values() for token in written}) == len(of_value), type_
    everywhere = {type_: set[Store]() for type_ in found}
    for type_, of_value in found.items():
        for written in of_value.values():
            everywhere[type_] = max(everywhere[type_], *written.values(), key=len)
    assert everywhere["customer_id"] == everywhere["payment_id"] == set(Store)
    assert len(everywhere["person_name"]) >= 3 and len(everywhere["email"]) >= 3


def joins(sides: dict[str, Side]) -> dict[tuple[str, str], int]:
    """Pairs of fields of one type in two stores → the rows that a join of the two has."""
    counted: dict[str, list[tuple[str, Store, Counter[str]]]] = defaultdict(list)
    for side, field in typed(sides):
        if field.semantic_type not in ALIKE:
            values = (canonical(each) for row in side.values(field.path) for each in row if each not in (None, ""))
            where = f"{side.contract.id}: {field.path}"
            counted[field.semantic_type].append((where, side.contract.store, Counter(values)))
    return {
        (left, right): sum(count * there[value] for value, count in here.items())
        for fields in counted.values()
        for (left, store, here), (right, other, there) in combinations(fields, 2)
        if store is not other
    }


@pytest.mark.parametrize("tier", ["sandbox", "full"])
def test_joins_across_stores_have_as_many_rows_as_in_production(looked: Looked, tier: str) -> None:
    expected = joins(looked.before(tier))
    assert joins(looked.masked[tier]) == expected
    assert sum(count > 0 for count in expected.values()) > 50


def test_two_refreshes_of_one_production_give_the_same_bytes(versions: Versions, made: Made, again: str) -> None:
    """The seed is in the files of the first alone, which is loaded; what it was put to begins as the second has it."""
    for tier in ("ci", "sandbox", "full"):
        first, second = (versions.objects(f"{version}-{tier}") for version in (made.version, again))
        assert second.keys() <= first.keys()
        for path, body in second.items():
            if path.startswith("tapes/") and path.endswith("manifest.json"):
                assert without_time(first[path]) == without_time(body), path
            elif path.startswith("kafka/"):
                assert first[path].startswith(body), path
            else:
                assert first[path] == body, path
        assert sum(path.endswith(".parquet") for path in second) > 50


def without_time(manifest: bytes) -> dict[str, object]:
    """A tape's manifest but for when production was looked at."""
    return {name: value for name, value in json.loads(manifest).items() if name != "snapshot"}


def test_every_store_of_the_two_has_the_same_fingerprint(refresh: Refresh, made: Made, again: str) -> None:
    manifests = [refresh.load(f"{version}", "sandbox") for version in (made.version, again)]
    assert manifests[0].files == manifests[1].files
    assert manifests[0].topics == manifests[1].topics
    in_postgres, in_snowflake = (
        [look(refresh, each.version) for each in manifests] for look in (postgres_fingerprints, snowflake_fingerprints)
    )
    assert in_postgres[0] == in_postgres[1]
    assert in_snowflake[0] == in_snowflake[1]
    assert len(in_postgres[0]) == 19 and len(in_snowflake[0]) > 33, "models too"


def postgres_fingerprints(refresh: Refresh, name: str) -> dict[str, str]:
    """Of the tables of a copy: nobody enters the template itself."""
    server, copy = Server(refresh.config), f"te_fingerprint_{name[1:9]}"
    with server.control() as connection:
        execute(connection, "CREATE DATABASE {} TEMPLATE {}", copy, golden_postgres(name))
        try:
            with server.control(copy) as inside:
                tables = [name for (name,) in query(inside, "SELECT relname FROM pg_stat_user_tables")]
                digest = 'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{}" AS t'
                return {table: query(inside, digest.format(table))[0][0] for table in tables}
        finally:
            execute(connection, "DROP DATABASE {} WITH (FORCE)", copy)


def snowflake_fingerprints(refresh: Refresh, name: str) -> dict[str, object]:
    database = golden_snowflake(name)
    with Account(refresh.config).control() as connection:
        run(connection, "USE WAREHOUSE TE_WH_CI")
        where = "TABLE_SCHEMA <> 'INFORMATION_SCHEMA' AND TABLE_TYPE = 'BASE TABLE'"
        columns, views = "TABLE_SCHEMA, TABLE_NAME", f"{database}.INFORMATION_SCHEMA.TABLES"
        tables = run(connection, f"SELECT {columns} FROM {views} WHERE {where}")
        names = [f'"{each["TABLE_SCHEMA"]}"."{each["TABLE_NAME"]}"' for each in tables]
        return {each: run(connection, f"SELECT HASH_AGG(*) AS H FROM {database}.{each}")[0]["H"] for each in names}


def test_a_rotation_moves_all_stores_at_once_and_no_token_stays(
    refresh: Refresh, versions: Versions, looked: Looked, made: Made
) -> None:
    keys, rotated = Keys(client=client("ssm", refresh.config)), versions.new()
    old = keys.current()
    keys.rotate()
    evidence = refresh.prepare(rotated)
    assert evidence.verdict and (made.evidence.about.key_epoch, evidence.about.key_epoch) == (old, keys.current())
    real = looked.before("full")
    moved = cells.masked(refresh.contracts, versions.objects(f"{rotated}-full"), looked.registry)
    before, after = tokens(real, looked.masked["full"]), tokens(real, moved)
    for type_, of_value in after.items():
        assert [value for value, written in of_value.items() if len(written) > 1] == [], type_
        if type_ not in ALIKE:
            held = [{token for written in each.values() for token in written} for each in (before[type_], of_value)]
            assert held[0].isdisjoint(held[1]), type_
    assert joins(moved) == joins(real)
