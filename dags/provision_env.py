"""provision_env: from a request to an environment that is ready, or to nothing at all."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.models import DAG
from airflow.models.param import Param

from testenv.core.kinds import load_kinds
from testenv.core.spec import Models, Request
from testenv.datasets.subset import load_tiers
from testenv_airflow.defaults import TASKS
from testenv_airflow.making import BUILD, make
from testenv_airflow.operators.provision import AbandonOperator, AdmitOperator, ReadyOperator

DOC = """
### Provision a test environment

Makes an isolated environment in Snowflake, Postgres, S3, Kafka and Spark with an Airflow of its own, filled from one
dataset version. Trigger it with the form: every field has a default that works.

`admit` checks the request and waits for a place. `create` makes the parts, `seed` fills those that are not made full,
`build` runs dbt in it for the models that the code changes, `verify` logs in everywhere as the environment, `ready`
hands it over: **the run's note says how to connect**. When a task fails, `clean up` leaves nothing of the environment,
or keeps it quarantined for 24 hours (`on_failure: keep`); the reason stands in the note.

End an environment with `destroy_env`. What exists: *Test environments* in the menu.
"""

KINDS = load_kinds()
LIVES = ", ".join(f"{name} {kind.lives or 'without end'}" for name, kind in KINDS.items())

_FOLLOWS = {"always": "always follows", "asked": "follows if this is set", "never": "never follows"}

NAME_RULE = "Use lower-case letters, digits and single hyphens, at most 20 characters, such as payments-fix"
"""Airflow tells a refused value its schema, not its description: so the rule stands there, too."""

PARAMS = {
    "kind": Param(
        "sandbox",
        type="string",
        title="Kind",
        enum=list(KINDS),
        values_display={name: f"{name}: {kind.description}" for name, kind in KINDS.items()},
        description="What it is for. Decides the quota, the lifetime, the dataset's size and the warehouse.",
    ),
    "name": Param(
        None,
        type=["null", "string"],
        title="Name",
        pattern="^([a-z0-9]+(-[a-z0-9]+)*)?$",
        maxLength=20,
        description=f"Names the environment. {NAME_RULE}. Empty: a name is made up.",
        **{"$comment": NAME_RULE},
    ),
    "owner": Param(
        None,
        type=["null", "string"],
        title="Owner",
        maxLength=64,
        description="Who answers for it: a user name, e-mail address or team.",
    ),
    "ref": Param(
        "working-tree",
        type="string",
        title="Code",
        minLength=1,
        maxLength=200,
        description="Branch, tag or commit of the repository under test; working-tree means its files as they stand.",
    ),
    "dataset": Param(
        "latest",
        type="string",
        title="Dataset version",
        minLength=1,
        maxLength=40,
        examples=["latest", *(f"latest-{tier}" for tier in load_tiers().generated)],
        description="A published dataset version, such as seed-1a2b3c4d; latest means the newest, in the size of the "
        "kind, latest-TIER one tier of it: latest-synthetic has rows that are of nobody.",
    ),
    "tapes": Param(
        None,
        type=["null", "string"],
        title="Tapes",
        maxLength=40,
        description="A tape set to fill the topics from, such as t20260102-1a2b3c4d; current means the newest. Empty: "
        "the topics are the dataset's.",
    ),
    "ttl_hours": Param(
        None,
        type=["null", "integer"],
        title="Lifetime in hours",
        minimum=1,
        description=f"Hours until it is destroyed. Empty: as long as its kind lives ({LIVES}). "
        "bin/testenv extend moves the end.",
    ),
    "on_failure": Param(
        "destroy",
        type="string",
        title="If it fails",
        enum=["destroy", "keep"],
        values_display={"destroy": "destroy: leave nothing", "keep": "keep: quarantined for 24 hours, to look into"},
        description="What becomes of an environment whose provisioning fails.",
    ),
    "models": Param(
        Request().models.value,
        type="string",
        title="Models",
        enum=list(Models),
        values_display={
            Models.CODE: "code: those of the code, built where they differ from the dataset's",
            Models.DATASET: "dataset: those of the dataset, as production has before a release",
        },
        description="Which dbt models it has when it is ready. A dataset without any gets the code's.",
    ),
    "follow": Param(
        False,
        type="boolean",
        title="Follow new dataset versions",
        description="Move to each dataset version when it is published; bin/testenv keep says what stays as it is. "
        + " ".join(f"{name.capitalize()}: {_FOLLOWS[kind.follows]}." for name, kind in KINDS.items()),
    ),
}

ENVIRONMENT = "{{ ti.xcom_pull(task_ids='admit') or '' }}"

with DAG(
    dag_id="provision_env",
    description="Make a test environment",
    doc_md=DOC,
    tags=["testenv", "environments"],
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=64,
    max_active_tasks=128,
    params=PARAMS,
    default_args={**TASKS, "environment": ENVIRONMENT},
    render_template_as_native_obj=False,
):
    admit = AdmitOperator(
        task_id="admit", task_display_name="admit: check the request, wait for a place", environment="", build=BUILD
    )

    making = make("create", "Make and seed the parts of the environment, one task per vendor", ENVIRONMENT)

    ready = ReadyOperator(task_id="ready", task_display_name="ready: hand it over")
    abandon = AbandonOperator(
        task_id="abandon",
        ready="ready",
        task_display_name="clean up if it failed",
        execution_timeout=timedelta(minutes=10),
    ).as_teardown()

    admit >> making.parts
    making.verify >> ready
    [admit, making.parts, making.building, making.verify, ready] >> abandon
