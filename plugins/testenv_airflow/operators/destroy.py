"""The tasks of `destroy_env` and `reap_environments`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowSkipException

from testenv.core.errors import Drifted, NotFound
from testenv.core.lifecycle import HOLDING
from testenv.core.naming import EnvId, Names
from testenv.core.plan import in_order
from testenv.core.resources import System
from testenv_airflow import notes
from testenv_airflow.conf import refuse_unknown_keys
from testenv_airflow.operators.base import TestenvOperator

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.engine import Engine


class DrainOperator(TestenvOperator):
    """Write down the destruction of all that may exist, and stop what runs."""

    def act(self, engine: Engine, context: Context) -> None:
        refuse_unknown_keys(context)
        environment = engine.drain(self.env_id)
        notes.note_run(context, f"**{environment.env_id}** of {environment.spec.owner} is being destroyed.")


class DestroyOperator(TestenvOperator):
    """Apply the planned destruction of `systems`.

    :param systems: names of the systems whose parts to destroy.
    """

    def __init__(self, *, systems: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.systems = tuple(systems)

    def act(self, engine: Engine, context: Context) -> None:
        for step in engine.destroy(self.env_id, [System(name) for name in self.systems]):
            self.log.info("%s", step)


class VerifyGoneOperator(TestenvOperator):
    """Look into every system; fails when one still has something of the environment."""

    def act(self, engine: Engine, context: Context) -> None:
        environment = engine.verify_gone(self.env_id)
        kept = Names(environment.env_id).artifacts
        notes.note_run(context, f"**{environment.env_id}** is gone. Its logs and reports stay 30 days below `{kept}`.")


class FindExpiredOperator(TestenvOperator):
    """Ids of the environments to destroy: expired ones, and those that only the systems still know.

    :param dry_run: name them in the log and the note, and return none. (templated)
    """

    template_fields: Sequence[str] = ("dry_run",)

    def __init__(self, *, dry_run: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dry_run = dry_run

    def act(self, engine: Engine, context: Context) -> list[str]:
        refuse_unknown_keys(context)
        found = dict.fromkeys(engine.expired(), "its time is over")
        for env_id, resources in engine.orphans().items():
            found[env_id] = f"the ledger does not know it as living, yet there is {'; '.join(map(str, resources))}"
        for env_id, reason in sorted(found.items()):
            self.log.info("%s: %s", env_id, reason)
        names = [str(env_id) for env_id in sorted(found)]
        spared = str(self.dry_run).lower() == "true"
        notes.note_run(context, _reaped(names, spared))
        return [] if spared else names


def _reaped(names: Sequence[str], spared: bool) -> str:
    if not names:
        return "Nothing is expired, nothing is left over."
    return f"{'Would destroy' if spared else 'Destroys'} {', '.join(names)}. The log of `find` says why."


class ReapOperator(TestenvOperator):
    """Destroy one environment wholly, whether the ledger knows it or not."""

    template_fields: Sequence[str] = ("environment",)

    def act(self, engine: Engine, context: Context) -> None:
        context["environment"] = self.environment  # names the mapped task in the grid
        env_id = self.env_id
        try:
            environment = engine.ledger.environment(env_id)
        except NotFound:
            destroy_orphan(engine, env_id)
            return
        if environment.state not in HOLDING:
            destroy_orphan(engine, env_id)
        elif environment.expires_at is None or environment.expires_at > engine.clock():
            # It was let in, or extended, between the look and now.
            raise AirflowSkipException(f"{env_id} lives until {environment.expires_at}: left alone")
        else:
            destroy_wholly(engine, env_id)


def destroy_wholly(engine: Engine, env_id: EnvId) -> None:
    """Drain, destroy and verify in one task: for cleaning up, where no one waits for parallel ones."""
    engine.drain(env_id)
    engine.destroy(env_id, list(System))
    engine.verify_gone(env_id)


def destroy_orphan(engine: Engine, env_id: EnvId) -> None:
    """Destroy what the systems have of an environment that the ledger does not know as living. Raises `Drifted`."""
    for resource in in_order(engine.observe(env_id), reverse=True):
        engine.backends[resource.system].destroy(resource)
    if left := engine.observe(env_id):
        raise Drifted(f"of {env_id} there is still {'; '.join(sorted(map(str, left)))}. The next reaping tries again")
