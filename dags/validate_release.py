"""validate_release: from a change to a verdict on it, in one environment that is gone afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.param import Param
from airflow.utils.trigger_rule import TriggerRule

from testenv.checks.plan import Asked
from testenv.checks.registry import BUILT_IN
from testenv_airflow.defaults import CHECKS, INVENTORY, TASKS, TRIALS
from testenv_airflow.operators.validate import (
    CheckOperator,
    DiscardOperator,
    GateOperator,
    ProvisionOperator,
    ReportOperator,
    SelectOperator,
    StaticChecksOperator,
    TrialOperator,
)

DOC = """
### Validate a release

Says of a change, from `base` to `head`, whether it may be released. `select` finds the pipelines that the change
affects; where there are none, nothing is run. `provision` has a `ci` environment made of head. In it `trial` runs these
pipelines with both sides' code: once, again, backfilled, and killed. `check` judges by one check each; `static` by what
needs no environment, meanwhile. `report` writes a page, JUnit XML and JSON: **the run's note has the verdict and the
links**. `gate` fails unless it is yes. `destroy` always ends the environment, unless `keep` is set.

How to read a verdict: docs/verdict.md. From the command line and in a pull request: `bin/testenv ci`.
"""

DEFAULTS = Asked()

with DAG(
    dag_id="validate_release",
    description="Judge a change before its release",
    doc_md=DOC,
    tags=["testenv", "releases"],
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=64,
    max_active_tasks=128,
    params={
        "base": Param(
            DEFAULTS.base,
            type="string",
            title="Base",
            minLength=1,
            maxLength=200,
            description="Branch, tag or commit that is released now, such as main.",
        ),
        "head": Param(
            DEFAULTS.head,
            type="string",
            title="Head",
            minLength=1,
            maxLength=200,
            description="Branch, tag or commit of the change; working-tree means the files as they stand.",
        ),
        "dataset": Param(
            DEFAULTS.dataset,
            type="string",
            title="Dataset version",
            minLength=1,
            maxLength=40,
            description="A published dataset version, such as seed-1a2b3c4d; latest means the newest, sized for ci.",
        ),
        "checks": Param(
            list(DEFAULTS.checks),
            type="array",
            title="Checks",
            items={"type": "string", "maxLength": 60},
            examples=list(BUILT_IN),
            description=f"Names of checks to judge by, one a line: {', '.join(BUILT_IN)}, and those that the "
            "repository adds. Empty: all.",
        ),
        "keep": Param(
            DEFAULTS.keep,
            type="boolean",
            title="Keep the environment",
            description="Leave the environment as the trial left it, for as long as its kind lives.",
        ),
        "commit_status": Param(
            DEFAULTS.commit_status,
            type="boolean",
            title="Set the commit's status",
            description="Tell GitHub the verdict as a status of head's commit, by the connection testenv_github.",
        ),
        "trial_minutes": Param(
            DEFAULTS.trial_minutes,
            type="integer",
            title="Minutes for the trial",
            minimum=1,
            maximum=110,
            description="How long the pipelines may take to run, all in all. What hangs is ended then, and not judged.",
        ),
    },
    default_args=TASKS,
):
    select = SelectOperator(
        task_id="select",
        task_display_name="select: what the change affects, and why",
        of_trial=["provision", "trial"],
    )
    static = StaticChecksOperator(task_id="static", task_display_name="check what needs no environment", pool=CHECKS)
    provision = ProvisionOperator(
        task_id="provision",
        task_display_name="provision: an environment of head",
        execution_timeout=timedelta(hours=1),  # its place in the queue included
        retries=1,
    )
    trial = TrialOperator(
        task_id="trial",
        task_display_name="trial: run base's code and head's",
        execution_timeout=timedelta(hours=2),  # the conf has the limit
        pool=TRIALS,
        retries=0,  # what a pipeline does when it is run once more is a check's to say
    )
    check = CheckOperator.partial(
        task_id="check",
        task_display_name="check: one task for each",
        map_index_template="{{ task.check }}",
        max_active_tis_per_dagrun=2,
        execution_timeout=timedelta(minutes=10),
        pool=CHECKS,
    ).expand(check=select.output)
    report = ReportOperator(
        task_id="report", task_display_name="report: write down the verdict", trigger_rule=TriggerRule.ALL_DONE
    )
    gate = GateOperator(task_id="gate", task_display_name="gate: yes or no", retries=0)
    destroy = DiscardOperator(
        task_id="destroy",
        task_display_name="destroy the environment",
        execution_timeout=timedelta(minutes=10),
        pool=INVENTORY,
    ).as_teardown()

    select >> provision >> trial >> check
    select >> static
    [static, check] >> report >> gate
    [select, static, provision, trial, check, report, gate] >> destroy
