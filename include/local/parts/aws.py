"""The AWS stand-in, and the warm parent that runs what is started on ECS."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from local import jars
from local.errors import StackError
from local.home import INCLUDE, venv_bin, write_private
from local.parts.base import Part
from local.site import Site

KINDS = ("ci", "sandbox", "integration")
CONTROL_USER, READER, WRITER = "testenv-control", "finsight-reader", "finsight-writer"


def endpoint(site: Site) -> str:
    return f"http://{site.address('aws')}"


def account(site: Site) -> dict[str, Any]:
    """What `local.aws.bootstrap` found and made: ids, names, access keys. Its docstring gives the shape."""
    path = _account_file(site)
    if not path.exists():
        raise StackError(f"{path} does not exist: the AWS stand-in was never ready; start it with `up`")
    return dict(json.loads(path.read_text()))


def _account_file(site: Site) -> Path:
    return site.home.conf / "aws.account.json"


def work_folder(site: Site) -> Path:
    """Logs and scratch files of Spark jobs and ECS tasks."""
    folder = site.home.data / "aws"
    folder.mkdir(exist_ok=True)
    return folder


def surroundings(site: Site) -> dict[str, str]:
    """Variables that make clients at home here: they trust the stack's own authority beside the system's, and do not
    ask a cloud's metadata service where they are, which Snowflake's would wait for at every login.
    """
    bundle = str(site.certificates.bundle)
    return {"REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle, "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true"}


class Runner(Part):
    name = "runner"

    @property
    def socket(self) -> Path:
        return self.site.home.run / "runner.sock"

    def command(self) -> list[str]:
        options = ["--socket", str(self.socket), "--work-dir", str(work_folder(self.site))]
        return [str(venv_bin("airflow")), "-m", "local.aws.runner", *options]

    def environ(self) -> dict[str, str]:
        return {"PYTHONPATH": f"{INCLUDE}:{INCLUDE.parent / 'plugins'}"}

    def prepare(self) -> None:
        self.socket.unlink(missing_ok=True)

    def probe(self, started: int) -> None:
        if not self.socket.is_socket():
            raise StackError(f"{self.socket} is not there yet")


class Aws(Part):
    name = "aws"
    after = ("runner",)
    port_names = ("aws",)

    @property
    def _settings_file(self) -> Path:
        return self.site.home.conf / "aws.json"

    def command(self) -> list[str]:
        options = ["--port", str(self.site.ports["aws"]), "--runner-socket", str(Runner(self.site).socket)]
        return [self.site.local_python, "-m", "local.aws", *options, "--settings", str(self._settings_file)]

    def environ(self) -> dict[str, str]:
        return {"PYTHONPATH": str(INCLUDE)}

    def prepare(self) -> None:
        document = {
            "work_dir": str(work_folder(self.site)),
            "spark_python": str(venv_bin("spark")),
            "spark_submit": str(venv_bin("spark", "spark-submit")),
            "spark_jars": str(jars.folder("spark")),
            "region": self.site.settings.names["region"],
            "account_root": {
                "access_key_id": self.site.secrets.access_key_id("aws_root_id"),
                "secret_access_key": self.site.secrets.secret_access_key("aws_root_secret"),
            },
            "task_environment": {**surroundings(self.site), "TESTENV_DBT": str(venv_bin("dbt", "dbt"))},
        }
        write_private(self._settings_file, json.dumps(document, indent=1))

    def probe(self, started: int) -> None:
        """200 here says that the account is made and permissions are enforced."""
        urllib.request.urlopen(f"{endpoint(self.site)}/moto-api/", timeout=5).close()

    def bootstrap(self) -> None:
        from local.aws.bootstrap import bootstrap  # boto3 takes long to import, and only `up` needs it
        from local.aws.settings import Settings

        made = bootstrap(endpoint(self.site), Settings.load(self._settings_file))
        write_private(_account_file(self.site), json.dumps(made, indent=1))

    def exports(self) -> dict[str, str]:
        made = account(self.site)
        control, reader = made["users"][CONTROL_USER], made["users"][READER]
        return {
            **surroundings(self.site),
            **{f"TESTENV_EMR_APPLICATION_{kind.upper()}": made["applications"][kind] for kind in KINDS},
            "AWS_ENDPOINT_URL": endpoint(self.site),
            "AWS_REGION": made["region"],
            "AWS_DEFAULT_REGION": made["region"],  # what boto3 reads
            "AWS_ACCESS_KEY_ID": control["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": control["secret_access_key"],
            "TESTENV_BUCKET": made["bucket"],
            "TESTENV_ALERTS_TOPIC": made["alerts_topic"],
            "TESTENV_ECS_CLUSTER": made["cluster"],
            "TESTENV_ECS_TASK_DEFINITION": made["task_definition"],
            "TESTENV_ECS_SUBNETS": ",".join(made["subnets"]),
            "TESTENV_LOCAL_SPARK_JARS": str(jars.folder("spark")),
            "TESTENV_PRODUCTION_BUCKET": made["production_bucket"],
            "TESTENV_PRODUCTION_AWS_ACCESS_KEY_ID": reader["access_key_id"],
            "TESTENV_PRODUCTION_AWS_SECRET_ACCESS_KEY": reader["secret_access_key"],
        }

    def production_exports(self) -> dict[str, str]:
        made = account(self.site)
        writer = made["users"][WRITER]
        return {
            "PRODUCTION_BUCKET": made["production_bucket"],
            "PRODUCTION_AWS_ACCESS_KEY_ID": writer["access_key_id"],
            "PRODUCTION_AWS_SECRET_ACCESS_KEY": writer["secret_access_key"],
            "PRODUCTION_EMR_APPLICATION": made["applications"]["production"],
            "PRODUCTION_EMR_ROLE": made["production_role"],
        }
