"""Writes down how clients reach what runs: `stack.env`, and `production.env` for the generator alone."""

from __future__ import annotations

from local import envfile, ports
from local.home import REPO
from local.parts.airflow import Webserver
from local.parts.aws import Aws, surroundings
from local.parts.base import Job, Part
from local.parts.dbt import executable
from local.parts.kafka import Kafka
from local.parts.postgres import Postgres
from local.parts.snowflake import Snowflake

SERVICES: tuple[type[Part], ...] = (Postgres, Kafka, Aws, Snowflake)


class Environment(Job):
    """`stack.env` names the services that answer now, so that a stack of a few parts is of use too."""

    name = "environment"
    after = tuple(service.name for service in SERVICES)

    @property
    def needs(self) -> tuple[str, ...]:
        return ()

    def run(self) -> None:
        home = self.site.home
        running = [part for part in (service(self.site) for service in SERVICES) if self._answers(part)]
        clients = {
            "TESTENV_HOME": str(home.root),
            "TESTENV_REPO": str(REPO),
            "TESTENV_DBT": str(executable(self.site)),
            **Webserver(self.site).exports(),
        }
        production = surroundings(self.site)
        for part in running:
            clients |= part.exports()
            production |= part.production_exports()
        if any(isinstance(part, Aws) for part in running):
            production |= {name: clients[name] for name in ("AWS_ENDPOINT_URL", "AWS_REGION")}
        envfile.write(home.stack_env, clients)
        envfile.write(home.production_env, production)

    def _answers(self, part: Part) -> bool:
        return all(ports.is_open(self.site.ports[name]) for name in part.port_names)
