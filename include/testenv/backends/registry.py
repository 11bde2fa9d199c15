"""The backends there are, and the engine on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from testenv.backends.access import Access
from testenv.backends.artifacts import ArtifactStore
from testenv.backends.kafka import KafkaBackend
from testenv.backends.marks import SystemMarks
from testenv.backends.orchestrator import OrchestratorBackend
from testenv.backends.postgres import PostgresBackend
from testenv.backends.protocol import Backend, Source, Vault
from testenv.backends.s3 import S3Backend
from testenv.backends.secrets import SecretsBackend, SsmVault
from testenv.backends.snowflake import SnowflakeBackend
from testenv.backends.spark import SparkBackend
from testenv.config import Config
from testenv.core.kinds import load_kinds
from testenv.core.prices import load_prices
from testenv.core.resources import System
from testenv.core.upkeep import load_upkeep
from testenv.datasets.store import DatasetStore
from testenv.engine import Engine
from testenv.ledger import LedgerWriter
from testenv.reaper import Reaper
from testenv.source import Repository

if TYPE_CHECKING:
    from testenv.verdicts import Validator


def backends(config: Config, vault: Vault, source: Source) -> Mapping[System, Backend]:
    """One backend for each system. Nothing is connected to before it is used."""
    every: tuple[Backend, ...] = (
        SecretsBackend(config, vault),
        S3Backend(config),
        PostgresBackend(config, vault),
        SnowflakeBackend(config, vault),
        KafkaBackend(config, vault),
        SparkBackend(config, source),
        OrchestratorBackend(config, vault, source),
    )
    return {backend.system: backend for backend in every}


def connect_engine(config: Config) -> Engine:
    """The engine on the systems that `config` names. Nothing is connected to before it is used."""
    vault, source = SsmVault(config), Repository(config.repo)
    return Engine(
        ledger=LedgerWriter(config.ledger_url),
        backends=backends(config, vault, source),
        vault=vault,
        datasets=DatasetStore(config),
        source=source,
        orchestrator=OrchestratorBackend(config, vault, source),
        access=Access(config, vault),
        kinds=load_kinds(),
        clock=lambda: datetime.now(UTC),
    )


def connect_validator(config: Config, engine: Engine | None = None) -> Validator:
    """What judges releases of the repository that `config` names."""
    from testenv import dbt
    from testenv.checks.isolation.canary import of_golden
    from testenv.production import production_names
    from testenv.trials import Trials
    from testenv.verdicts import Validator

    engine = engine or connect_engine(config)
    return Validator(
        engine=engine,
        repo=config.repo,
        artifacts=ArtifactStore(config),
        trials=Trials(engine, config),
        prices=load_prices(),
        registry=DatasetStore(config).registry,
        parse=dbt.reader(config),
        outside=partial(of_golden, config),
        production=production_names(config),
    )


def connect_reaper(config: Config, engine: Engine | None = None) -> Reaper:
    """What looks after all environments on the systems that `config` names, by an engine that is there or a new one."""
    return Reaper(
        engine=engine or connect_engine(config),
        marks=SystemMarks(config),
        artifacts=ArtifactStore(config),
        upkeep=load_upkeep(),
        code=config.home / "code",
    )
