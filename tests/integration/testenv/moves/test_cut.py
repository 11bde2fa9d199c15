"""A backend that dies between any two statements of a move: done again, it ends well and what is kept is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.testenv.conftest import World
from tests.integration.testenv.moves.conftest import Versions

from testenv.backends import postgres, snowflake
from testenv.backends.postgres_server import Server, query
from testenv.backends.protocol import Site
from testenv.backends.snowflake import Account
from testenv.core.kept import Keeping, Kept
from testenv.core.moves import plan_move
from testenv.core.naming import Names
from testenv.core.plan import desired
from testenv.core.resources import Action, System

KEEPING = Keeping(frozenset(map(Kept.parse, ("postgres:branches", "snowflake:RAW.BRANCHES"))))


class Killed(BaseException):
    """No error of anybody's: nothing of the product catches it."""


class Scythe:
    """Kills at the nth statement that changes something; `done` when there was no nth."""

    def __init__(self, do: Callable[..., Any], pattern: str) -> None:
        self.do, self.pattern, self.left = do, re.compile(pattern), 0

    def __call__(self, connection: Any, statement: str, *identifiers: str, **values: object) -> Any:
        if self.left and self.pattern.match(statement):
            self.left -= 1
            if not self.left:
                raise Killed(statement)
        return self.do(connection, statement, *identifiers, **values)


def on(world: World, site: Site, version: str) -> Site:
    spec = site.spec.model_copy(update={"dataset": version})
    return Site(spec, world.store.get(version), world.vault, KEEPING)


def move(world: World, site: Site, system: System) -> None:
    backend = world.backends[system]
    observed, wanted = backend.observe(site.spec.env_id), desired(site.spec, site.dataset)
    for step in plan_move(wanted, observed, KEEPING, site.names):
        if step.resource.system is system:
            if step.action is Action.ENSURE:
                backend.ensure(step.resource, site)
            else:
                backend.destroy(step.resource)


def in_postgres(world: World, names: Names, statement: str) -> list[tuple[Any, ...]]:
    with Server(world.config).control(names.postgres_source) as connection:
        return query(connection, statement)


def in_snowflake(world: World, names: Names, statement: str) -> list[Any]:
    login = world.vault.find(names.env_id, System.SNOWFLAKE)
    assert login
    where = {"role": names.snowflake_role, "warehouse": "TE_WH_SANDBOX", "database": names.snowflake_database}
    with Account(world.config).connect(login, **where) as connection:
        return [tuple(row.values()) for row in snowflake.run(connection, statement)]


CASES: dict[System, tuple[Any, ...]] = {
    System.POSTGRES: (
        *(postgres, "execute", r"CREATE DATABASE|DROP|ALTER DATABASE|COMMENT|REVOKE"),
        *(in_postgres, "", " RETURNING 1"),
    ),
    System.SNOWFLAKE: (
        *(snowflake, "run", r"CREATE OR REPLACE TRANSIENT|COMMENT|DROP|REVOKE"),
        *(in_snowflake, "RAW.", ""),
    ),
}
"""Where the statements are run, those to cut at, and how to ask: its schema, and what makes an UPDATE have rows."""


@pytest.mark.parametrize("system", CASES)
def test_a_move_that_is_cut_between_any_two_statements_is_ended_by_the_next(
    world: World, versions: Versions, new_site: Callable[[], Site], monkeypatch: pytest.MonkeyPatch, system: System
) -> None:
    module, verb, pattern, ask, schema, returning = CASES[system]
    site = new_site()
    scythe = Scythe(getattr(module, verb), pattern)
    monkeypatch.setattr(module, verb, scythe)
    world.ensure(on(world, site, versions.first), system)
    ask(world, site.names, f"UPDATE {schema}branches SET city = 'kept'{returning}")
    version, cuts = versions.second, 0
    while scythe.left == 0:  # each time to the other version, and cut one statement later, until there is none to cut
        cuts += 1
        scythe.left = cuts
        try:
            move(world, on(world, site, version), system)
        except Killed:
            move(world, on(world, site, version), system)
        assert ask(world, site.names, f"SELECT count(*) FROM {schema}branches WHERE city <> 'kept'")[0][0] == 0
        newcomers = ask(world, site.names, f"SELECT count(*) FROM {schema}merchants WHERE merchant_id = 999")[0][0]
        assert newcomers == (1 if version == versions.second else 0)
        observed = world.backends[system].observe(site.spec.env_id)
        assert not [part for part in observed if "beside" in part.name.lower()]
        version = versions.first if version == versions.second else versions.second
    assert cuts > 8
