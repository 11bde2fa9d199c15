"""Building the models of an environment: the code of its ref, what of it to build, and how dbt logs in."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from testenv import dbt
from testenv.config import Config
from testenv.core.naming import EnvId, Names
from testenv.core.resources import System
from testenv.datasets.models import read_state
from testenv.engine import Engine
from testenv.source import unpack


@dataclass(frozen=True)
class Build:
    """A dbt build of one environment: the project's folder, further arguments, and all variables of the process."""

    project: Path
    arguments: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)  # holds the login


def prepare_build(engine: Engine, config: Config, env_id: EnvId, folder: Path, query_tag: str) -> Build:
    """Put the code of the environment's ref into `folder`, made anew.

    Its database is a clone that has the models of its dataset, so what to build is what differs from these, and what
    depends on it: everything where the dataset has none.
    """
    spec, names = engine.ledger.environment(env_id).spec, Names(env_id)
    shutil.rmtree(folder, ignore_errors=True)
    unpack(engine.source.archive(spec.ref), folder)
    arguments: tuple[str, ...] = ()
    if engine.datasets.get(spec.dataset).models:
        state = folder / "state"
        state.mkdir()
        (state / "manifest.json").write_bytes(read_state(config, spec.dataset))
        arguments = ("--select", "state:modified+", "--state", str(state))
    environ = dbt.variables(
        config,
        engine.vault.credentials(env_id, System.SNOWFLAKE),
        role=names.snowflake_role,
        database=names.snowflake_database,
        warehouse=spec.warehouse,
        query_tag=query_tag,
    )
    return Build(folder / dbt.PROJECT, arguments, environ)
