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


def _verdict(env_id: EnvId) -> dict[str, Any] | None:
    """What was said of the environment's code, if something was."""
    try:
        return present.verdict(hook().validator.kept(env_id).report())
    except TestenvError:
        return None  # there is none, or it cannot be read now: the page has more to show


class EnvironmentsView(BaseView):
    """`/testenv/environments`, `/testenv/environments/ID` and `/testenv/environments/ID/report/FILE`."""

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
        verdict = _verdict(found.env_id) if found.spec.kind == "ci" else None
        return self._page("environment.html", environment=present.details(reader, found), verdict=verdict)

    @expose("/environments/<env_id>/report/<path:name>")
    @has_access_view(AccessView.PLUGINS)
    def report(self, env_id: str, name: str) -> Any:
        """A file of the verdict: links in notes lead here, so a browser's session is enough."""
        try:
            return present.report(hook().validator.kept(EnvId(env_id)).file(name), name)
        except TestenvError as error:
            status = 404 if isinstance(error, NotFound) else 400
            return self._page("environments.html", rows=[], problem=str(error)), status

    def _page(self, template: str, **values: Any) -> Any:
        now = datetime.now(UTC)
        return self.render_template(
            f"testenv/{template}",
            badges=BADGES,
            remaining=lambda expires_at: present.remaining(expires_at, now),
            **values,
        )
