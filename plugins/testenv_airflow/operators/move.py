"""The tasks of `move_env`, and of `refresh_datasets` where environments follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from testenv_airflow import notes
from testenv_airflow.operators.base import TestenvOperator
from testenv_airflow.operators.provision import skip_build

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.engine import Engine


class BeginMoveOperator(TestenvOperator):
    """Plan the move of an environment in which nothing runs; nobody uses it from here until it is ready again.

    :param dataset: the dataset version to move to. (templated)
    :param build: id of the task group that builds the models; skipped when the code has none but the dataset's.
    """

    template_fields: Sequence[str] = ("environment", "dataset")

    def __init__(self, *, dataset: str, build: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.build = build

    def act(self, engine: Engine, context: Context) -> None:
        environment = self.hook.mover.begin(self.env_id, self.dataset, run_id=context["run_id"])
        notes.note_run(context, f"**{environment.env_id}** is being moved to {environment.spec.dataset}.")
        skip_build(self, engine, context, self.env_id, self.build)


class ServeAgainOperator(TestenvOperator):
    """Start the scheduler and web UI again where they ran before the move.

    :param served: whether they did; `True` or `False`. (templated)
    """

    template_fields: Sequence[str] = ("environment", "served")

    def __init__(self, *, served: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.served = served

    def act(self, engine: Engine, context: Context) -> None:
        environment = engine.ledger.environment(self.env_id)
        kept = ", ".join(f"`{thing}`" for thing in self.hook.mover.kept(self.env_id)) or "nothing"
        notes.note_run(context, f"**{self.env_id}** stands on {environment.spec.dataset}. Kept: {kept}.")
        if str(self.served) == "True":
            self.log.info("its scheduler and web UI start again as task %s", engine.start_serving(self.env_id))


class FollowersOperator(TestenvOperator):
    """The environments that are to move to the published version: for each the conf of `move_env`, in order of need.

    :param version: the version that was published. (templated)
    """

    template_fields: Sequence[str] = ("version",)

    def __init__(self, *, version: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.version = version

    def act(self, engine: Engine, context: Context) -> list[dict[str, str]]:
        found = self.hook.mover.followers(self.version)
        self.log.info("in order of need: %s", ", ".join(map(str, found)) or "nobody follows")
        return [{"environment": str(env_id), "dataset": self.version} for env_id in found]
