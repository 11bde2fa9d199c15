"""The note of a DAG run: what an operator reads first in the grid. Never anything secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.models import DagRun
from airflow.utils.session import create_session

from testenv.checks.report import headline, sentences
from testenv.core.naming import Names
from testenv.page import THINGS

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.checks.plan import Plan
    from testenv.checks.report import Report
    from testenv.core.reap import Finding
    from testenv.ledger import Environment

LENGTH = 1000
"""Characters that Airflow keeps of a note."""

FAILED = "Failed in "
"""First words of a note that gives a reason."""

VERDICT = "**Verdict: "
"""First words of a note that gives a verdict."""


def note_run(context: Context, text: str) -> None:
    """Make `text` the note of the context's DAG run."""
    with create_session() as session:
        session.get(DagRun, context["dag_run"].id).note = text[:LENGTH]


def read_note(context: Context) -> str:
    """The note of the context's DAG run; empty if there is none."""
    with create_session() as session:
        return session.get(DagRun, context["dag_run"].id).note or ""


def note_failure(context: Context) -> None:
    """`on_failure_callback` of tasks: the first reason stays, what fails after it is its consequence.

    So does a verdict: where that is no, the run fails for it.
    """
    if read_note(context).startswith((FAILED, VERDICT)):
        return
    reason = context.get("exception") or "the task ended without a word: see its log"
    note_run(context, f"{FAILED}{context['task_instance'].task_id}: {reason}")


def waiting(environment: Environment, place: int) -> str:
    """The note of a run that waits for a place."""
    kind = environment.spec.kind
    return f"**{environment.env_id}** waits at place {place} of the {kind} queue, first come first served."


def ready(environment: Environment) -> str:
    """The note of a run whose environment may be used."""
    names, spec = Names(environment.env_id), environment.spec
    ends = f"until {environment.expires_at:%Y-%m-%d %H:%M} UTC" if environment.expires_at else "until it is destroyed"
    return "\n".join(
        [
            f"**{environment.env_id}** is ready {ends}.",
            "",
            f"- Address: [/testenv/environments/{environment.env_id}](/testenv/environments/{environment.env_id})",
            f"- Connect: `bin/testenv connect {environment.env_id}`",
            f"- Owner {spec.owner}, ref {spec.ref[:12]}, dataset {spec.dataset}",
            f"- Snowflake `{names.snowflake_database}`, Postgres `{names.postgres_source}`, "
            f"S3 `{names.prefix}`, Kafka `{names.topic_prefix}*`",
            f"- End it: `bin/testenv down {environment.env_id}`",
        ]
    )


def found(findings: Sequence[Finding], *, spared: bool) -> str:
    """The note of a run that looked for what to end. A long list is cut; the log has all of it."""
    ends = [f"{finding.env_id} ({finding.why})" for finding in findings if finding.ends]
    told = [f"{finding.env_id} ({finding.why})" for finding in findings if not finding.ends]
    lines = [f"{'Would end' if spared else 'Ends'} {', '.join(ends)}."] if ends else ["Nothing is to end."]
    lines += [f"Left alone: {', '.join(told)}."] if told else []
    return " ".join([*lines, "The log of `find` says why."] if findings else lines)[:LENGTH]


def selected(plan: Plan) -> str:
    """The note of a run whose verdict is being made."""
    if plan.reason:
        return f"{plan.head.commit[:12]} cannot be judged: {plan.reason}"[:LENGTH]
    chosen, every = plan.choice.names, len(plan.choice.names) + len(plan.choice.excluded)
    names = f": {', '.join(chosen[:10])}{' …' if len(chosen) > 10 else ''}" if chosen else ""
    return f"{plan.head.commit[:12]} against {plan.base.commit[:12]} affects {len(chosen)} of {every} pipelines{names}."


def judged(report: Report) -> str:
    """The note of a run that has its verdict: the three things, each cut so that all have room, and the links."""
    first = f"{VERDICT}{report.answer}.** {headline(report)}."
    page = f"/testenv/environments/{report.env_id}/report"
    last = f"[Report]({page}/report.html) · [JUnit]({page}/junit.xml) · [JSON]({page}/report.json)"
    room = (LENGTH - len(first) - len(last) - 20) // THINGS
    told = (f"- {line[: room - 4]}" for line in sentences(report))
    return "\n".join([first, "", *told, "", last])


def failed(reason: str, outcome: str) -> str:
    """The note of a run that failed and was cleaned up after. A long reason is cut, the outcome never."""
    return f"{reason[: LENGTH - len(outcome) - 2]}\n\n{outcome}"
