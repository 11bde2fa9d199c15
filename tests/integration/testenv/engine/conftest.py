"""One ledger for the tests of the engine, empty before each."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy.engine import make_url
from tests.integration.testenv.engine.support import Access, Artifacts, Clock, Datasets, Orchestrator, Source

from testenv.backends.memory import MemoryBackend, MemoryMarks, MemoryVault
from testenv.core.kinds import load_kinds
from testenv.core.resources import System
from testenv.core.upkeep import load_upkeep
from testenv.engine import Engine
from testenv.ledger import LedgerWriter
from testenv.ledger.__main__ import migrate
from testenv.reaper import Reaper


@pytest.fixture(scope="session")
def ledger_url(stack: Any) -> Iterator[str]:
    """A ledger of its own, migrated, on the stack's Postgres."""
    admin = make_url(stack.env["TESTENV_LEDGER_URL"])
    name = f"te_ledger_{secrets.token_hex(4)}"
    url = admin.set(database=name).render_as_string(hide_password=False)

    def run(statement: str) -> None:  # with a login of its own: Postgres is killed between the first and the last
        login = {"host": admin.host, "port": admin.port, "user": admin.username, "password": admin.password}
        with closing(psycopg2.connect(**login, dbname=admin.database)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    run(f"CREATE DATABASE {name}")
    run(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")  # as the stack's own: no environment enters it
    migrate(url)
    yield url
    run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    ledger = LedgerWriter(ledger_url)
    with ledger._transaction() as connection:
        connection.exec_driver_sql("TRUNCATE environments CASCADE")
    yield Engine(
        ledger=ledger,
        backends={system: MemoryBackend(system) for system in System},
        vault=MemoryVault(),
        datasets=Datasets(),
        source=Source(),
        orchestrator=Orchestrator(),
        access=Access(),
        kinds=load_kinds(),
        clock=Clock(),
    )
    ledger.close()


@pytest.fixture
def reaper(engine: Engine, tmp_path: Path) -> Reaper:
    return Reaper(engine, MemoryMarks(), Artifacts(), load_upkeep(), tmp_path)
