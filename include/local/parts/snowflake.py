"""The local Snowflake: the control plane's login, warehouses per kind, the storage integration, production."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.errors import StackError
from local.home import INCLUDE, write_private
from local.parts import aws
from local.parts.base import Part
from local.secret_store import public_key_of

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

ADMIN = "STACK_ADMIN"
CONTROL_USER, CONTROL_ROLE = "TESTENV", "TESTENV_CONTROL"
WRITER, READER = "FINSIGHT_WRITER", "FINSIGHT_READER"
WAREHOUSES = ("TE_WH_CI", "TE_WH_SANDBOX", "TE_WH_INTEGRATION")
PRODUCTION_WAREHOUSE = "FINSIGHT_WH"
STORAGE_USER = "snowflake-storage"
HOST = "localhost"


class Snowflake(Part):
    name = "snowflake"
    after = ("aws",)
    port_names = ("snowflake",)

    @property
    def _settings_file(self) -> Path:
        return self.site.home.conf / "snowflake.json"

    def command(self) -> list[str]:
        certificates = self.site.certificates
        options = ["--port", str(self.site.ports["snowflake"]), "--data", str(self.site.home.data / "snowflake")]
        options += ["--certfile", str(certificates.certificate), "--keyfile", str(certificates.key)]
        return [self.site.local_python, "-m", "local.snowflake", *options, "--settings", str(self._settings_file)]

    def environ(self) -> dict[str, str]:
        return {"PYTHONPATH": str(INCLUDE)}

    def prepare(self) -> None:
        (self.site.home.data / "snowflake").mkdir(exist_ok=True)
        made = aws.account(self.site)
        document = {
            "admin_user": ADMIN,
            "admin_public_key": public_key_of(self._key(ADMIN)),
            "s3_endpoint": aws.endpoint(self.site),
            "aws_access_key_id": made["users"][STORAGE_USER]["access_key_id"],
            "aws_secret_access_key": made["users"][STORAGE_USER]["secret_access_key"],
            "region": made["region"],
        }
        write_private(self._settings_file, json.dumps(document, indent=1))

    def _key(self, user: str) -> str:
        return self.site.secrets.private_key(f"snowflake_{user}")

    @contextmanager
    def connect(self, user: str = ADMIN, role: str = "ACCOUNTADMIN") -> Iterator[SnowflakeConnection]:
        """A connection of the plain connector as USER, by key pair."""
        import snowflake.connector  # takes a second, which `down` and `logs` need not spend

        os.environ.update(aws.surroundings(self.site))  # the connector takes its authorities from here alone
        connection = snowflake.connector.connect(
            account=self.site.settings.names["snowflake_account"],
            user=user,
            private_key=base64.b64decode(self._key(user)),
            role=role,
            host=HOST,
            port=self.site.ports["snowflake"],
            login_timeout=5,
            network_timeout=20,
        )
        try:
            yield connection
        finally:
            connection.close()

    def probe(self, started: int) -> None:
        with self.connect() as connection:
            connection.cursor().execute("SELECT 1")

    def bootstrap(self) -> None:
        import snowflake.connector  # see `connect`

        with self.connect() as connection:
            cursor = connection.cursor()
            for statement in self._statements():
                try:
                    cursor.execute(statement)
                except snowflake.connector.Error as error:
                    raise StackError(f"the local Snowflake refused `{statement}`: {error}") from error

    def _statements(self) -> list[str]:
        names, made = self.site.settings.names, aws.account(self.site)
        production, integration = names["snowflake_production"], names["storage_integration"]
        return [
            *self._login(CONTROL_USER, CONTROL_ROLE),
            *self._login(WRITER, WRITER),
            *self._login(READER, READER),
            *(
                f"GRANT {privilege} ON ACCOUNT TO ROLE {CONTROL_ROLE}"
                for privilege in ("CREATE DATABASE", "CREATE ROLE", "CREATE USER", "CREATE WAREHOUSE")
            ),
            *(
                statement
                for warehouse in WAREHOUSES
                for statement in (
                    f"CREATE WAREHOUSE IF NOT EXISTS {warehouse} WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60",
                    # Its owner may grant its use to environments, which is what the control plane needs to do.
                    f"GRANT OWNERSHIP ON WAREHOUSE {warehouse} TO ROLE {CONTROL_ROLE}",
                )
            ),
            f"CREATE STORAGE INTEGRATION IF NOT EXISTS {integration} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' "
            f"ENABLED = TRUE STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::{made['account']}:role/snowflake-storage' "
            f"STORAGE_ALLOWED_LOCATIONS = ('s3://{made['bucket']}/', 's3://{made['production_bucket']}/')",
            f"GRANT USAGE ON INTEGRATION {integration} TO ROLE {CONTROL_ROLE}",
            f"GRANT USAGE ON INTEGRATION {integration} TO ROLE {WRITER}",
            f"CREATE WAREHOUSE IF NOT EXISTS {PRODUCTION_WAREHOUSE} WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60",
            f"GRANT USAGE ON WAREHOUSE {PRODUCTION_WAREHOUSE} TO ROLE {WRITER}",
            f"GRANT USAGE ON WAREHOUSE {PRODUCTION_WAREHOUSE} TO ROLE {READER}",
            # As Snowflake advises, so that administrators keep seeing what the role owns: also this, the next time.
            f"GRANT ROLE {WRITER} TO ROLE SYSADMIN",
            f"CREATE DATABASE IF NOT EXISTS {production}",
            f"CREATE SCHEMA IF NOT EXISTS {production}.RAW",
            f"GRANT OWNERSHIP ON DATABASE {production} TO ROLE {WRITER}",
            f"GRANT OWNERSHIP ON SCHEMA {production}.RAW TO ROLE {WRITER}",
            f"GRANT USAGE ON DATABASE {production} TO ROLE {READER}",
            f"GRANT USAGE ON ALL SCHEMAS IN DATABASE {production} TO ROLE {READER}",
            f"GRANT USAGE ON FUTURE SCHEMAS IN DATABASE {production} TO ROLE {READER}",
            f"GRANT SELECT ON ALL TABLES IN DATABASE {production} TO ROLE {READER}",
            f"GRANT SELECT ON FUTURE TABLES IN DATABASE {production} TO ROLE {READER}",
        ]

    def _login(self, user: str, role: str) -> list[str]:
        key = public_key_of(self._key(user))
        return [
            f"CREATE ROLE IF NOT EXISTS {role}",
            f"CREATE USER IF NOT EXISTS {user} TYPE = SERVICE DEFAULT_ROLE = {role} RSA_PUBLIC_KEY = '{key}'",
            f"GRANT ROLE {role} TO USER {user}",
        ]

    def exports(self) -> dict[str, str]:
        names = self.site.settings.names
        return {
            "TESTENV_SNOWFLAKE_ACCOUNT": names["snowflake_account"],
            "TESTENV_SNOWFLAKE_USER": CONTROL_USER,
            "TESTENV_SNOWFLAKE_PRIVATE_KEY": self._key(CONTROL_USER),
            "TESTENV_SNOWFLAKE_ROLE": CONTROL_ROLE,
            "TESTENV_SNOWFLAKE_HOST": HOST,
            "TESTENV_SNOWFLAKE_PORT": str(self.site.ports["snowflake"]),
            "TESTENV_SNOWFLAKE_STORAGE_INTEGRATION": names["storage_integration"],
            "TESTENV_PRODUCTION_SNOWFLAKE_DATABASE": names["snowflake_production"],
            "TESTENV_PRODUCTION_SNOWFLAKE_USER": READER,
            "TESTENV_PRODUCTION_SNOWFLAKE_PRIVATE_KEY": self._key(READER),
            "TESTENV_PRODUCTION_SNOWFLAKE_ROLE": READER,
        }

    def production_exports(self) -> dict[str, str]:
        names = self.site.settings.names
        return {
            "PRODUCTION_SNOWFLAKE_ACCOUNT": names["snowflake_account"],
            "PRODUCTION_SNOWFLAKE_HOST": HOST,
            "PRODUCTION_SNOWFLAKE_PORT": str(self.site.ports["snowflake"]),
            "PRODUCTION_SNOWFLAKE_DATABASE": names["snowflake_production"],
            "PRODUCTION_SNOWFLAKE_WAREHOUSE": PRODUCTION_WAREHOUSE,
            "PRODUCTION_SNOWFLAKE_STORAGE_INTEGRATION": names["storage_integration"],
            "PRODUCTION_SNOWFLAKE_USER": WRITER,
            "PRODUCTION_SNOWFLAKE_PRIVATE_KEY": self._key(WRITER),
            "PRODUCTION_SNOWFLAKE_ROLE": WRITER,
        }
