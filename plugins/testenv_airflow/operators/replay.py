"""The task of `replay_stream`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testenv_airflow import notes
from testenv_airflow.conf import refuse_unknown_keys
from testenv_airflow.operators.base import TestenvOperator

if TYPE_CHECKING:
    from airflow.utils.context import Context

    from testenv.engine import Engine


class ReplayOperator(TestenvOperator):
    """Replay a tape into a topic of the environment, as the run's params ask. Returns the topic's name."""

    def act(self, engine: Engine, context: Context) -> str:
        from testenv.replays import Replayer, parse_request  # Arrow and its friends: not at parse time

        refuse_unknown_keys(context)
        asked = {name: value for name, value in context["params"].items() if name != "environment"}
        done = Replayer(engine, self.hook.config).replay(self.env_id, parse_request(asked))
        notes.note_run(context, f"{done}.")
        return done.topic
