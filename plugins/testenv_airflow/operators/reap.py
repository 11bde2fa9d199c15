"""The tasks of `reap_environments`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowSkipException
from airflow.utils.db_cleanup import run_cleanup
from airflow.utils.types import DagRunType

from testenv.core.errors import Conflict
from testenv_airflow import logs, notes
from testenv_airflow.conf import refuse_unknown_keys
from testenv_airflow.operators.base import TestenvOperator

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.core.reap import Finding
    from testenv.engine import Engine

HISTORY = (
    "dag_run",
    "job",
    "log",
    "rendered_task_instance_fields",
    "session",
    "task_fail",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "trigger",
    "xcom",
)
"""Tables of Airflow's own history. Of each DAG the newest run is kept."""


class _SparingOperator(TestenvOperator):
    """Does nothing but tell on a dry run.

    :param dry_run: tell, and change nothing. (templated)
    """

    template_fields: Sequence[str] = ("dry_run",)

    def __init__(self, *, dry_run: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dry_run = dry_run

    @property
    def spares(self) -> bool:
        return str(self.dry_run).lower() == "true"


class FindOperator(_SparingOperator):
    """Find all that is wrong; returns the ids of what is to end, or none on a dry run."""

    def act(self, engine: Engine, context: Context) -> list[str]:
        refuse_unknown_keys(context)
        reaper = self.hook.reaper
        findings = reaper.findings()
        for finding in findings:
            self.log.info("%s", finding)
        notes.note_run(context, notes.found(findings, spared=self.spares))
        if self.spares:
            return []
        reaper.mark(findings)
        return _ids(findings)


class ReapOperator(TestenvOperator):
    """End one environment, or what is left of it, after looking again."""

    def act(self, engine: Engine, context: Context) -> None:
        context["environment"] = self.environment  # names the mapped task in the grid
        try:
            for finding in self.hook.reaper.reap(self.env_id):
                self.log.info("ended: %s", finding)
        except Conflict as alive:  # it was let in, renewed, extended or ended between the look and now
            raise AirflowSkipException(str(alive)) from alive


class RetainOperator(_SparingOperator):
    """Delete what is older than it is kept: artifacts, the ledger's and Airflow's own history, logs, exported code.

    Once a day: on the first scheduled run of the day, and on every run that a person starts.
    """

    def act(self, engine: Engine, context: Context) -> None:
        run = context["dag_run"]
        start = context["data_interval_start"]
        if run.run_type == DagRunType.SCHEDULED and (start.hour, start.minute) != (0, 0):
            raise AirflowSkipException("What is old is deleted by the first run of each day.")
        outdated = self.hook.reaper.outdated() if self.spares else self.hook.reaper.retain()
        self.log.info("%s: %s", "would delete" if self.spares else "deleted", outdated)
        _clean_airflow(outdated.since, dry_run=self.spares, log=self.log)


def _clean_airflow(since: datetime, *, dry_run: bool, log: logging.Logger) -> None:
    """Delete Airflow's own history and task logs from before `since`; on a dry run only say what."""
    run_cleanup(
        clean_before_timestamp=since, table_names=list(HISTORY), dry_run=dry_run, confirm=False, skip_archive=True
    )
    old = logs.older(since)
    log.info("%d files of logs", len(old))
    if not dry_run:
        logs.delete(old)


def _ids(findings: Sequence[Finding]) -> list[str]:
    return sorted({str(finding.env_id) for finding in findings if finding.ends})
