"""PgBouncer between the management Airflow and its database: a task connects anew, and connections are what costs."""

from __future__ import annotations

import os
import shutil

import psycopg2

from local.home import write_private
from local.parts import postgres
from local.parts.base import Part
from local.ports import LOOPBACK
from local.privileges import demotion
from local.site import Site


def binary() -> str | None:
    """The path of pgbouncer, or None: it comes from the machine's packages, not from an index."""
    return shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")


def airflow_url(site: Site) -> str:
    """SQLAlchemy URL of the management Airflow's database, through PgBouncer where there is one."""
    database = site.settings.names["airflow_database"]
    return postgres.url(site, database, database, port="pgbouncer" if binary() else "postgres")


class PgBouncer(Part):
    name = "pgbouncer"
    after = ("postgres", "airflow-database")
    port_names = ("pgbouncer",)
    stop_signal = "INT"

    def absence(self) -> str:
        missing = "not installed, so Airflow connects directly and tasks cost more (Debian: apt-get install pgbouncer)"
        return "" if binary() else missing

    def command(self) -> list[str]:
        return [*demotion(), str(binary()), str(self.site.home.conf / "pgbouncer.ini")]

    def prepare(self) -> None:
        database = self.site.settings.names["airflow_database"]
        users = self.site.home.conf / "pgbouncer.users"
        settings = {
            **self.site.settings.pgbouncer,
            "listen_addr": LOOPBACK,
            "listen_port": self.site.ports["pgbouncer"],
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": users,
        }
        # The file must hold the password itself: PgBouncer has to prove to PostgreSQL that it knows it.
        write_private(users, f'"{database}" "{self.site.secrets.password(f"postgres_{database}")}"\n')
        server = f"{database} = host={LOOPBACK} port={self.site.ports['postgres']} dbname={database}\n"
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        write_private(self.site.home.conf / "pgbouncer.ini", f"[databases]\n{server}[pgbouncer]\n{lines}")

    def probe(self, started: int) -> None:
        connection = psycopg2.connect(airflow_url(self.site).replace("+psycopg2", ""), connect_timeout=5)
        try:
            postgres.query(connection, "SELECT 1")
        finally:
            connection.close()
