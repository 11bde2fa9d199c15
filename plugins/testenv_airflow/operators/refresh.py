"""The tasks of `refresh_datasets`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from testenv.core.errors import Failed
from testenv_airflow import notes
from testenv_airflow.conf import refuse_unknown_keys
from testenv_airflow.operators.base import TestenvOperator

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.datasets.refresh.stages import Refresh
    from testenv.engine import Engine


class _StageOperator(TestenvOperator):
    """One stage of a refresh.

    :param version: the version that is made. (templated)
    """

    template_fields: Sequence[str] = ("version",)

    def __init__(self, *, version: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.version = version

    @abstractmethod
    def stage(self, refresh: Refresh, context: Context) -> Any:
        """The one call."""

    def act(self, engine: Engine, context: Context) -> Any:
        from testenv.datasets.refresh.stages import Refresh  # Arrow and its friends: not at parse time

        return self.stage(Refresh.from_environ(self.hook.config), context)


class CheckOperator(_StageOperator):
    """Compare production with its contracts, before a row is read. Returns the version that the run makes."""

    def stage(self, refresh: Refresh, context: Context) -> str:
        from testenv.datasets.refresh.stages import version_of

        refuse_unknown_keys(context)
        refresh.check()
        run = context["dag_run"]
        return version_of(run.run_id, run.queued_at or run.execution_date)


class PrepareOperator(_StageOperator):
    """Mask a snapshot of production into files, and judge them: the only task that sees a row of production."""

    def stage(self, refresh: Refresh, context: Context) -> None:
        evidence = refresh.prepare(self.version)
        for table in evidence.tables:
            self.log.info("%9d of %9d rows  %s", table.rows_after, table.rows_before, table.contract)
        if not evidence.verdict:
            raise Failed(f"{self.version} is kept and not published: " + "; ".join(evidence.reasons))


class SynthesizeOperator(_StageOperator):
    """Make the files of the tiers whose rows are of nobody, from the version's profile."""

    def stage(self, refresh: Refresh, context: Context) -> None:
        for tier, about in refresh.synthesize(self.version).items():
            self.log.info("%s: %s", tier, about)


class LoadOperator(_StageOperator):
    """Make the golden databases of a tier.

    :param tier: one of include/catalog/tiers.yaml.
    """

    def __init__(self, *, tier: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tier = tier

    def stage(self, refresh: Refresh, context: Context) -> None:
        dataset = refresh.load(self.version, self.tier)
        self.log.info("%s: %d rows", dataset.version, sum(dataset.postgres.values()) + sum(dataset.snowflake.values()))


class PublishOperator(_StageOperator):
    """Let the version be the current one."""

    def stage(self, refresh: Refresh, context: Context) -> None:
        refresh.publish(self.version)
        notes.note_run(context, f"**{self.version}** is the current dataset version.")


class RetireOperator(_StageOperator):
    """Delete old versions that no environment stands on."""

    def stage(self, refresh: Refresh, context: Context) -> None:
        from testenv.datasets.refresh.retention import retire

        in_use = {life.spec.dataset for life in self.hook.engine.ledger.living()}
        for name in retire(refresh.config, in_use, datetime.now(UTC)):
            self.log.info("deleted %s", name)
