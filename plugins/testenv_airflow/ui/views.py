"""The page *Test environments*: what exists, and for each environment how it came to be and how to use it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.auth.managers.models.resource_details import AccessView
from airflow.www.auth import has_access_view
from flask import Blueprint
from flask_appbuilder import BaseView, expose

from testenv.core.errors import NotFound, TestenvError
from testenv.core.naming import EnvId
from testenv_airflow.ui import hook, present

pages = Blueprint("testenv_pages", __name__, template_folder="templates")

BADGES = {
    "requested": "default",
    "queued": "warning",
    "provisioning": "info",
    "ready": "success",
    "moving": "info",
    "quarantined": "danger",
    "destroying": "info",
    "destroyed": "default",
    "refused": "danger",
    "planned": "default",
    "applied": "success",
    "failed": "danger",
    "void": "default",
}
"""State of an environment or a step → look of its badge."""


class EnvironmentsView(BaseView):
    """`/testenv/environments` and `/testenv/environments/ID`."""

    route_base = "/testenv"
    default_view = "environments"

    @expose("/environments")
    @has_access_view(AccessView.PLUGINS)
    def environments(self) -> Any:
        try:
            rows = present.environments(hook().reader)
        except TestenvError as error:
            return self._page("environments.html", rows=[], problem=str(error)), 503
        return self._page("environments.html", rows=rows, problem=None)

    @expose("/environments/<env_id>")
    @has_access_view(AccessView.PLUGINS)
    def environment(self, env_id: str) -> Any:
        reader = hook().reader
        try:
            found = reader.environment(EnvId(env_id))
        except TestenvError as error:
            status = 404 if isinstance(error, NotFound) else 400
            return self._page("environments.html", rows=[], problem=str(error)), status
        return self._page("environment.html", environment=present.details(reader, found))

    def _page(self, template: str, **values: Any) -> Any:
        now = datetime.now(UTC)
        return self.render_template(
            f"testenv/{template}",
            badges=BADGES,
            remaining=lambda expires_at: present.remaining(expires_at, now),
            **values,
        )
