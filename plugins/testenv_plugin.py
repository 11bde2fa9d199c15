"""Registers the page *Test environments* and the REST API beside it with Airflow, nothing else."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin


class TestenvPlugin(AirflowPlugin):
    """Airflow loads this in every process, but only web servers ask for the views: they are imported on demand."""

    __test__ = False  # pytest collects classes whose names begin with "Test"

    name = "testenv"

    @property
    def flask_blueprints(self) -> list[Any]:
        from testenv_airflow.ui.api import api
        from testenv_airflow.ui.views import pages

        return [pages, api]

    @property
    def appbuilder_views(self) -> list[dict[str, Any]]:
        from testenv_airflow.ui.views import EnvironmentsView

        return [{"name": "Test environments", "category": "", "view": EnvironmentsView()}]
