"""The environment variables that set up the management Airflow."""

from __future__ import annotations

from local.home import INCLUDE, REPO, venv_bin
from local.ports import LOOPBACK
from local.site import Site

DAGS = REPO / "dags"


def airflow_environ(site: Site, database_url: str) -> dict[str, str]:
    """What any process of the management Airflow needs, to work on the database at DATABASE_URL."""
    tuned = {f"AIRFLOW__{key}": str(value) for key, value in site.settings.airflow.items()}
    home = site.home.airflow
    return {
        **tuned,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPO / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": site.secrets.fernet_key("airflow_fernet"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__WEBSERVER__SECRET_KEY": site.secrets.password("airflow_webserver"),
        "AIRFLOW__WEBSERVER__BASE_URL": airflow_url(site),
        "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": LOOPBACK,
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(site.ports["airflow"]),
        "PYTHONPATH": f"{INCLUDE}:{REPO / 'plugins'}",
        "PATH": f"{venv_bin('airflow').parent}:/usr/local/bin:/usr/bin:/bin",
    }


def airflow_url(site: Site) -> str:
    """Where the web server answers."""
    return f"http://{site.address('airflow')}"
