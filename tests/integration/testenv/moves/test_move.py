"""A sandbox moves to another dataset version: what is kept is there as it was, all else is the new version's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.integration.testenv.moves.conftest import User, Versions, walls

from testenv.config import Config
from testenv.core.lifecycle import State
from testenv.core.naming import EnvId
from testenv.core.resources import System
from testenv.engine import Engine
from testenv.moves import Mover

NewSandbox = Callable[[], EnvId]
UserOf = Callable[[EnvId], User]

KEPT = (
    "snowflake:RAW.CUSTOMERS",
    "snowflake:MINE.NOTES",
    "postgres:payments",
    "postgres:notebook",
    "kafka:card_events",
    "s3:landing/mine/",
)

MERCHANTS = "SELECT COUNT(*) FROM RAW.MERCHANTS WHERE MERCHANT_ID = 999"


def moved(mover: Mover, env_id: EnvId, version: str, run_id: str = "a move") -> None:
    mover.begin(env_id, version, run_id=run_id)
    mover.engine.ensure(env_id, set(System), run_id=run_id)
    mover.engine.verify(env_id)
    mover.engine.ready(env_id, run_id=run_id)


def use(user: User) -> None:
    """What a person does: some of it is to be kept."""
    user.snowflake(
        "UPDATE RAW.CUSTOMERS SET SEGMENT = 'business'",
        "CREATE SCHEMA MINE",
        "CREATE TABLE MINE.NOTES AS SELECT 1 AS ONE",
        "CREATE TABLE RAW.SCRATCH AS SELECT 1 AS ONE",
        "DELETE FROM RAW.MERCHANTS",
    )
    user.postgres(
        "CREATE TYPE mood AS ENUM ('fine')",
        "UPDATE payments SET status = (SELECT min(status) FROM payments)",
        "CREATE TABLE notebook (id SERIAL PRIMARY KEY, \"Text\" TEXT NOT NULL DEFAULT 'x', n INT "
        "GENERATED ALWAYS AS IDENTITY, twice INT GENERATED ALWAYS AS (id * 2) STORED, CHECK (id < 100))",
        'CREATE INDEX ON notebook ("Text")',
        "INSERT INTO notebook DEFAULT VALUES",
        "INSERT INTO notebook DEFAULT VALUES",
        "CREATE TABLE scratch AS SELECT 1 AS one",
        "DELETE FROM chargebacks",
    )
    user.produce("card_events", "mine")
    user.produce("account_events", "not kept")
    user.land("mine/a.txt", "mine")
    user.land("scratch.txt", "not kept")


def test_what_is_kept_outlives_a_move_and_all_else_is_the_new_version_s(
    config: Config, engine: Engine, mover: Mover, versions: Versions, sandbox: NewSandbox, user_of: UserOf
) -> None:
    env_id = sandbox()
    user, before = user_of(env_id), walls(config, engine, env_id)
    use(user)
    assert mover.keep(env_id, KEPT) == sorted(KEPT)
    payments = user.postgres("SELECT * FROM payments ORDER BY 1")
    customers = user.snowflake("SELECT * FROM RAW.CUSTOMERS ORDER BY 1")
    cards = user.records("card_events")

    moved(mover, env_id, versions.second)

    assert engine.ledger.environment(env_id).spec.dataset == versions.second
    assert engine.ledger.environment(env_id).state is State.READY
    assert engine.drift(env_id) == ()
    assert walls(config, engine, env_id) == before
    # kept, with its rows
    assert user.postgres("SELECT * FROM payments ORDER BY 1") == payments
    assert user.snowflake("SELECT * FROM RAW.CUSTOMERS ORDER BY 1") == customers
    assert user.snowflake("SELECT * FROM MINE.NOTES") == [(1,)]
    assert user.records("card_events") == cards
    assert user.landed()["mine/a.txt"] == "mine"
    # and with its shape: default, identity, generated column, key, check, index, sequence
    assert user.postgres("INSERT INTO notebook DEFAULT VALUES RETURNING *") == [(3, "x", 3, 6)]
    with pytest.raises(Exception, match="violates check constraint"):
        user.postgres("INSERT INTO notebook (id) VALUES (100)")
    assert len(user.postgres("SELECT 1 FROM pg_indexes WHERE tablename = 'notebook'")) == 2
    with pytest.raises(Exception, match="violates foreign key"):
        user.postgres("UPDATE payments SET account_id = -1")
    with pytest.raises(Exception, match="violates foreign key"):
        user.postgres("UPDATE loan_instalments SET payment_id = -1")
    # not kept: the second version's
    assert user.postgres("SELECT count(*) FROM merchants WHERE merchant_id = 999") == [(1,)]
    assert user.snowflake(MERCHANTS) == [(1,)]
    dataset = engine.datasets.get(versions.second)
    assert user.postgres("SELECT count(*) FROM chargebacks") == [(dataset.postgres["chargebacks"],)]
    assert user.records("account_events") == dataset.topic("account_events").records
    assert {"scratch.txt"} & set(user.landed()) == set() and "settlements/second.jsonl" in user.landed()
    assert user.postgres("SELECT 1 FROM pg_tables WHERE tablename = 'scratch'") == []
    assert user.snowflake("SHOW TABLES LIKE 'SCRATCH' IN SCHEMA RAW") == []
    # and it can be moved back, released of what it kept
    assert mover.release(env_id, KEPT) == []
    moved(mover, env_id, versions.first)
    assert user.postgres("SELECT count(*) FROM merchants WHERE merchant_id = 999") == [(0,)]
    assert user.snowflake(MERCHANTS) == [(0,)]
    assert user.postgres("SELECT 1 FROM pg_tables WHERE tablename = 'notebook'") == []
    assert walls(config, engine, env_id) == before
