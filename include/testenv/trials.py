"""Trials of releases: the pipelines that a change affects, run in its environment with base's code and head's.

`plan` decides, `start` has a task of the environment's orchestrator do it, `open` gives what it recorded to the checks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testenv.backends import trial_files
from testenv.backends.postgres_server import changes
from testenv.checks.trial.feeders import feeders
from testenv.checks.trial.intervals import intervals
from testenv.checks.trial.plan import Plan, make_plan, subjects
from testenv.checks.trial.reading import RecordedTrial, recorded_trial
from testenv.checks.trial.record import Record
from testenv.config import Config
from testenv.core.contract import Contracts
from testenv.core.errors import NotFound
from testenv.core.naming import EnvId, Names
from testenv.core.pipelines import Pipelines
from testenv.engine import Engine

COMMAND = ("trial",)


@dataclass(frozen=True)
class Trials:
    """Uses of an engine that try releases."""

    engine: Engine
    config: Config

    def plan(
        self,
        env_id: EnvId,
        affected: Collection[str],
        base: Pipelines,
        head: Pipelines,
        contracts: Contracts,
        by_data: Collection[str] = (),
    ) -> Plan:
        """The trial of the affected pipelines, for logical dates for which the environment has data.

        `base` and `head` are whole catalogues; `by_data` are those affected that run as they did, on other data. Raises
        `InvalidCatalog` where pipelines read from each other.
        """
        spec = self.engine.ledger.environment(env_id).spec
        dataset = self.engine.datasets.get(spec.dataset, spec.tapes)
        login = self.engine.access.connections(self.engine.site(spec))["postgres"]
        with changes(login) as changed:
            dates = intervals(affected, {**base, **head}, dataset, changed, by_data)
            before = feeders(affected, base, contracts, dataset, changed)
        return make_plan(
            str(env_id),
            spec.dataset,
            subjects(affected, base, head, dates),
            contracts,
            stand_ins(self.config),
            subjects(before, base, {}, before),
        )

    def start(self, env_id: EnvId, plan: Plan, base_ref: str) -> str:
        """Begin the trial; returns the id of the task it runs as. Raises `Conflict` unless the environment is ready.

        `base_ref` is a resolved ref: its code is put beside the environment's own.
        """
        if "base" in plan.sides:
            trial_files.put_base(self.config, Names(env_id), self.engine.source.archive(base_ref))
        trial_files.put_plan(self.config, Names(env_id), plan.model_dump_json(indent=1))
        return self.engine.start_task(env_id, COMMAND, f"tries {len(plan.intervals)} pipelines")

    def record(self, env_id: EnvId) -> Record:
        """What the last trial left. Raises `NotFound` where none has ended."""
        found = self.engine.orchestrator.artifact(env_id, "trial/record.json")
        if found is None:
            raise NotFound(f"{env_id} has no record of a trial: it has not ended, or died before it could write it")
        return Record.model_validate_json(found)

    @contextmanager
    def open(self, env_id: EnvId) -> Iterator[RecordedTrial]:
        """The trial for the checks, logged in as the environment, which must still be there."""
        spec = self.engine.ledger.environment(env_id).spec
        logins = self.engine.access.connections(self.engine.site(spec))
        trial = recorded_trial(self.record(env_id), logins, self.config)
        try:
            yield trial
        finally:
            trial.close()


def stand_ins(config: Config) -> tuple[str, ...]:
    """What of the systems is emulated where the engine stands."""
    found = []
    if config.snowflake.host:
        found.append("Snowflake: the local stand-in")
    if config.endpoint_url:
        found.append("S3, IAM, SSM, ECS, EMR Serverless: the local stand-in; Spark runs in local mode")
    return tuple(found)
