"""The environment's role owns what is in its databases, and enters no other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from tests.integration.testenv.conftest import World

from testenv.backends.postgres import TEMPLATE_SECONDS
from testenv.backends.postgres_server import Server, execute, query
from testenv.backends.protocol import Site
from testenv.core.errors import Drifted, Failed
from testenv.core.naming import golden_postgres
from testenv.core.plan import AIRFLOW_TEMPLATE
from testenv.core.resources import Resource, System


def enter(world: World, site: Site, database: str) -> Connection:
    """A connection as the environment's role."""
    login, server = world.vault.credentials(site.spec.env_id, System.POSTGRES), world.config.postgres
    opened = psycopg2.connect(
        host=server.host,
        port=server.port,
        dbname=database,
        user=login["user"],
        password=login["password"],
        connect_timeout=5,
    )
    opened.autocommit = True
    return opened


class TestRole:
    def test_it_may_log_in_and_no_more(self, world: World, site: Site) -> None:
        world.ensure(site, System.POSTGRES)
        with Server(world.config).control() as connection:
            rows = query(
                connection,
                "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolvaliduntil "
                "FROM pg_roles WHERE rolname = %s",
                site.names.postgres_role,
            )
            member_of = query(
                connection, "SELECT 1 FROM pg_auth_members WHERE member = %s::regrole", site.names.postgres_role
            )
        assert rows[0][:6] == (True, False, False, False, False, False)
        assert not member_of

    def test_it_owns_all_that_is_in_its_databases(self, world: World, site: Site) -> None:
        world.ensure(site, System.POSTGRES)
        for database in (site.names.postgres_source, site.names.postgres_airflow):
            with closing(enter(world, site, database)) as connection:
                others = query(
                    connection,
                    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                    "AND pg_get_userbyid(relowner) <> current_user",
                )
                assert others == []

    def test_it_migrates_reads_and_writes(self, world: World, site: Site) -> None:
        """Airflow's own migrations and a pipeline's need no more than this."""
        world.ensure(site, System.POSTGRES)
        with closing(enter(world, site, site.names.postgres_airflow)) as airflow:
            execute(airflow, "ALTER TABLE dag_run ADD COLUMN testenv_tried INT")
            execute(airflow, "CREATE TABLE testenv_tried (id SERIAL PRIMARY KEY)")
            execute(airflow, "INSERT INTO log (event) VALUES ('tried')")  # takes the next of a sequence
        with closing(enter(world, site, site.names.postgres_source)) as source:
            execute(source, "CREATE SCHEMA more")
            execute(source, "DELETE FROM logins")
            assert query(source, "SELECT count(*) FROM logins") == [(0,)]

    def test_it_enters_no_other_database(self, world: World, new_site: Callable[[], Site]) -> None:
        one, other = new_site(), new_site()
        world.ensure(one, System.POSTGRES)
        world.ensure(other, System.POSTGRES)
        with Server(world.config).control() as connection:
            every = {name for (name,) in query(connection, "SELECT datname FROM pg_database")}
        own = {one.names.postgres_source, one.names.postgres_airflow}
        assert {other.names.postgres_source, "finsight", "postgres", golden_postgres(one.dataset.version)} <= every
        for database in sorted(every - own):
            with pytest.raises(psycopg2.OperationalError, match="permission denied|not currently accepting"):
                enter(world, one, database)

    def test_its_password_is_kept_as_a_verifier(self, world: World, site: Site) -> None:
        """The control plane sends no password in clear: the statement, and so any log of it, has a verifier only."""
        world.ensure(site, System.POSTGRES)
        login = {**world.vault.credentials(site.spec.env_id, System.POSTGRES), "password": "another"}
        with (
            pytest.raises(psycopg2.OperationalError, match="authentication failed"),
            Server(world.config).connect(site.names.postgres_source, login),
        ):
            pass


class TestDatabase:
    def test_it_is_a_copy_at_the_moment_of_its_making(self, world: World, site: Site) -> None:
        world.ensure(site, System.POSTGRES)
        counts = world.backends[System.POSTGRES].probe(site)
        assert counts == {f"postgres.{table}": number for table, number in site.dataset.postgres.items()}

    def test_changed_rows_are_drift(self, world: World, site: Site) -> None:
        world.ensure(site, System.POSTGRES)
        with closing(enter(world, site, site.names.postgres_source)) as source:
            execute(source, "DELETE FROM logins")
        with pytest.raises(Drifted, match="logins has 0, not"):
            world.backends[System.POSTGRES].probe(site)

    def test_one_of_another_template_is_made_anew(self, world: World, site: Site) -> None:
        world.ensure(site, System.POSTGRES)
        name, backend = site.names.postgres_source, world.backends[System.POSTGRES]
        backend.ensure(Resource(System.POSTGRES, "database", name, (("template", AIRFLOW_TEMPLATE),)), site)
        with closing(enter(world, site, name)) as connection:
            assert query(connection, "SELECT count(*) FROM pg_tables WHERE tablename = 'dag_run'") == [(1,)]

    def test_an_interrupted_copy_is_there_but_of_no_template(self, world: World, site: Site) -> None:
        world.ensure(site, System.POSTGRES)
        with Server(world.config).control() as connection:
            execute(connection, "COMMENT ON DATABASE {} IS NULL", site.names.postgres_source)
        found = {part.name: part.setting for part in world.backends[System.POSTGRES].observe(site.spec.env_id)}
        assert found[site.names.postgres_source] == {}

    def test_a_template_that_is_not_there_is_named(self, world: World, site: Site) -> None:
        world.backends[System.POSTGRES].ensure(Resource(System.POSTGRES, "role", site.names.postgres_role), site)
        missing = Resource(
            System.POSTGRES, "database", site.names.postgres_source, (("template", "te_golden_seed_0_src"),)
        )
        with pytest.raises(Failed, match="no template database te_golden_seed_0_src.*publish-seed"):
            world.backends[System.POSTGRES].ensure(missing, site)

    def test_sessions_in_it_end_when_it_is_destroyed(self, world: World, site: Site) -> None:
        world.ensure(site, System.POSTGRES)
        with closing(enter(world, site, site.names.postgres_source)) as session:
            world.destroy(site)
            with pytest.raises(psycopg2.OperationalError):
                query(session, "SELECT 1")

    def test_two_who_make_it_at_once_make_one(self, world: World, site: Site) -> None:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: world.ensure(site, System.POSTGRES), range(3)))
        assert world.backends[System.POSTGRES].probe(site)

    def test_it_waits_for_a_template_in_use(self, world: World, site: Site) -> None:
        """A template that lets nobody in is never in use; one that is open may be, for a moment."""
        server = Server(world.config)
        world.backends[System.POSTGRES].ensure(Resource(System.POSTGRES, "role", site.names.postgres_role), site)
        template = f"te_template_{str(site.spec.env_id).replace('-', '_')}"
        part = Resource(System.POSTGRES, "database", site.names.postgres_source, (("template", template),))
        with server.control() as connection:
            execute(connection, "CREATE DATABASE {} TEMPLATE template0", template)
            try:
                with ThreadPoolExecutor(1) as pool:
                    with server.control(template):
                        made = pool.submit(world.backends[System.POSTGRES].ensure, part, site)
                        with pytest.raises(TimeoutError):
                            made.result(6)  # the server itself waits five seconds before it gives up
                    made.result(TEMPLATE_SECONDS)
                assert part in world.backends[System.POSTGRES].observe(site.spec.env_id)
            finally:
                execute(connection, "DROP DATABASE {} WITH (FORCE)", template)
