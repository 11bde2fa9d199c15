"""LocalExecutor with warm workers: each task is forked from a process that has imported and made all that a task will.

Without it every task loads Airflow's plugins, Cosmos' web views among them, and what the DAG files import: 0.8 seconds
of CPU before a task's own work, which is less.
"""

from __future__ import annotations

import gc

from airflow import settings
from airflow.executors.local_executor import LocalExecutor, QueuedLocalWorker
from airflow.models.dagbag import DagBag
from airflow.plugins_manager import ensure_plugins_loaded

from testenv.backends.aws import make_clients
from testenv.config import Config


class WarmLocalExecutor(LocalExecutor):
    """Code that was imported is the workers' until the scheduler is restarted; DAG files themselves are read anew."""

    def start(self) -> None:
        ensure_plugins_loaded()
        DagBag(include_examples=False)  # runs the files, which import more while they run
        make_clients(Config.from_environ())
        settings.reconfigure_orm = _keep_orm
        settings.engine.dispose()  # no connection may be shared with a child
        gc.freeze()  # what is here stays: a child that collects need not look at it, nor copy its pages
        super().start()

    def sync(self) -> None:
        """As LocalExecutor's, which would do without a worker that was killed for as long as the scheduler lives."""
        super().sync()
        for place, worker in enumerate(self.workers):
            if worker.exitcode:
                self.log.warning("A worker was killed (%s): there is a new one in its place", worker.exitcode)
                self.workers[place] = QueuedLocalWorker(worker.task_queue, worker.result_queue)
                self.workers[place].start()

    def end(self) -> None:
        """As LocalExecutor's, which waits for the tasks that were handed out: for ever, if a worker died with one.

        A scheduler that has lost its database ends so, and is started anew only when it has ended.
        """
        for _ in self.workers:
            self.impl.queue.put((None, None))
        for worker in self.workers:
            worker.join()
        self.impl.sync()
        self.manager.shutdown()


def _keep_orm(disable_connection_pool: bool = False, pool_class: object = None) -> None:
    """In place of `settings.reconfigure_orm`, by which a task's processes give up their pool.

    Airflow spares the database connections that would idle for the length of a task. Ours are short, and PgBouncer
    stands between: with a pool a process logs in once, not seven times, and the engine keeps the SQL it has compiled.
    """
    settings.engine.dispose()
