"""The management Airflow: scheduler with LocalExecutor, triggerer, web server."""

from __future__ import annotations

import json
import urllib.request
from typing import Any, ClassVar

from local import envfile
from local.errors import StackError
from local.home import venv_bin
from local.parts import postgres
from local.parts.airflow_database import ADMIN
from local.parts.airflow_settings import DAGS, airflow_environ, airflow_url
from local.parts.base import Part
from local.parts.pgbouncer import airflow_url as database_url

HEARTBEAT_SECONDS = 30

PRELOAD = """\
# Tasks are forked from the scheduler: what it has imported, they need not. Written by `python -m local up`.
import importlib
import sys

if "scheduler" in sys.argv:
    for name in {modules!r}:
        importlib.import_module(name)
"""


class _Airflow(Part):
    """What the three have in common."""

    stops_first = True
    after: ClassVar[tuple[str, ...]] = ("pgbouncer", "airflow-database", "environment", "ledger", "seed")

    def environ(self) -> dict[str, str]:
        client = envfile.read(self.site.home.stack_env)
        return {**client, **airflow_environ(self.site, database_url(self.site))}

    def prepare(self) -> None:
        config = self.site.home.airflow / "config"
        config.mkdir(parents=True, exist_ok=True)
        modules = tuple(self.site.settings.scheduler["preload"])
        (config / "airflow_local_settings.py").write_text(PRELOAD.format(modules=modules))


class _Job(_Airflow):
    """A process that writes its heartbeat into the database, which is how we know it works."""

    job_type: ClassVar[str]

    def command(self) -> list[str]:
        # The web server reads the log files themselves, so nothing need serve them.
        return [str(venv_bin("airflow")), "-m", "airflow", self.name, "--skip-serve-logs"]

    def probe(self, started: int) -> None:
        alive = self.query(
            """
            SELECT 1 FROM job WHERE job_type = %s AND state = 'running' AND start_date >= to_timestamp(%s)
            AND latest_heartbeat > now() - %s * interval '1 second'
            """,
            self.job_type,
            started,
            HEARTBEAT_SECONDS,
        )
        if not alive:
            raise StackError(f"no heartbeat of the {self.name} in the last {HEARTBEAT_SECONDS} s")

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of Airflow's own database."""
        database = self.site.settings.names["airflow_database"]
        connection = postgres.connect(self.site, database, database)
        try:
            return postgres.query(connection, statement, *values)
        finally:
            connection.close()


class Scheduler(_Job):
    name = "scheduler"
    job_type = "SchedulerJob"

    def probe(self, started: int) -> None:
        super().probe(started)
        known = {file for (file,) in self.query("SELECT fileloc FROM dag WHERE is_active")}
        # A file that cannot be read is Airflow's to show, and keeps nobody from using the others.
        known |= {file for (file,) in self.query("SELECT filename FROM import_error")}
        if unread := {str(file) for file in DAGS.glob("*.py")} - known:
            raise StackError(f"the scheduler has not yet read {', '.join(sorted(unread))}")


class Triggerer(_Job):
    name = "triggerer"
    job_type = "TriggererJob"


class Webserver(_Airflow):
    """gunicorn as `airflow webserver` would start it, without that command's own monitor: the supervisor is one."""

    name = "webserver"
    port_names = ("airflow",)

    def command(self) -> list[str]:
        settings = self.site.settings.webserver
        options = ["--workers", str(settings["workers"]), "--timeout", str(settings["timeout"])]
        options += ["--bind", self.site.address("airflow"), "--config", "python:airflow.www.gunicorn_config"]
        options += ["--no-control-socket"]  # it would stand in the user's home, where a second stack's stands too
        return [str(venv_bin("airflow")), "-m", "gunicorn", *options, "--preload", "airflow.www.app:cached_app()"]

    def probe(self, started: int) -> None:
        with urllib.request.urlopen(f"{airflow_url(self.site)}/health", timeout=5) as answer:
            health = json.load(answer)
        if health["metadatabase"]["status"] != "healthy":
            raise StackError(f"the web server does not reach its database: {health['metadatabase']}")

    def exports(self) -> dict[str, str]:
        return {
            "TESTENV_AIRFLOW_URL": airflow_url(self.site),
            "TESTENV_AIRFLOW_USER": ADMIN,
            "TESTENV_AIRFLOW_PASSWORD": self.site.secrets.password("airflow_admin"),
        }

    def remark(self) -> str:
        return f"{airflow_url(self.site)} (user {ADMIN}, password in stack.env: TESTENV_AIRFLOW_PASSWORD)"
