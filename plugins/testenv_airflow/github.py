"""The verdict as the status of a commit on GitHub, where that is asked for.

The Airflow connection `testenv_github` says where and as whom: `password` is a token that may write commit statuses,
`extra` has `{"repository": "OWNER/NAME"}`, `host` the API's address if it is not GitHub's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
from airflow.configuration import conf
from airflow.hooks.base import BaseHook

from testenv.checks.report import headline, sentences
from testenv.core.errors import Denied, Invalid, NotFound, TestenvError, Unavailable
from testenv.core.spec import WORKING_TREE

if TYPE_CHECKING:
    from airflow.models import Connection

    from testenv.checks.report import Report

CONNECTION = "testenv_github"
API = "https://api.github.com"
CONTEXT = "testenv"
STATES = {"yes": "success", "no": "failure", "error": "error"}
LENGTH = 140
"""Characters that GitHub keeps of a description."""


def post_verdict(report: Report, connection: Connection | None = None, client: httpx.Client | None = None) -> None:
    """Set the status of head's commit. Raises errors of `testenv.core.errors` with what to do."""
    if report.head.commit == WORKING_TREE:
        raise Invalid("the files as they stand are no commit, so they have no status. Name a commit as head")
    connection = connection or BaseHook.get_connection(CONNECTION)
    repository = str(connection.extra_dejson.get("repository", ""))
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository) or not connection.password:
        raise Invalid(
            f"the connection {CONNECTION} needs a token as password, and extra {{'repository': 'OWNER/NAME'}}"
        )
    url = f"{(connection.host or API).rstrip('/')}/repos/{repository}/statuses/{report.head.commit}"
    told = f"{headline(report)}. {sentences(report)[0]}"
    body = {
        "state": STATES[report.answer],
        "context": CONTEXT,
        "description": told if len(told) <= LENGTH else f"{told[: LENGTH - 1]}…",
        "target_url": f"{conf.get('webserver', 'base_url')}/testenv/environments/{report.env_id}/report/report.html",
    }
    headers = {"Authorization": f"Bearer {connection.password}", "Accept": "application/vnd.github+json"}
    with client or httpx.Client(timeout=20) as http:
        try:
            answer = http.post(url, json=body, headers=headers)
        except httpx.TransportError as error:
            raise Unavailable(f"GitHub at {connection.host or API} does not answer: {error}") from error
    if not answer.is_success:
        raise _error(answer, repository)


def _error(answer: httpx.Response, repository: str) -> TestenvError:
    said = f"GitHub refused the status of a commit of {repository}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code in (401, 403):
        return Denied(f"{said}. The token of {CONNECTION} needs the right to write commit statuses")
    return NotFound(f"{said}. Is the commit pushed?") if answer.status_code in (404, 422) else Unavailable(said)
