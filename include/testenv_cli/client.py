"""The control plane's REST API: Airflow's own, and testenv's beside it. Its errors become exit codes here."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from testenv_cli.errors import CliError, Exit
from testenv_cli.settings import Settings

CODES = {
    400: Exit.BAD_REQUEST,
    401: Exit.UNREACHABLE,
    403: Exit.UNREACHABLE,
    404: Exit.NOT_FOUND,
    409: Exit.REFUSED,
}
"""HTTP status → exit code; any other failure counts as unreachable."""


class ControlPlane:
    """One login to the management Airflow."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self._settings = settings
        self._http = httpx.Client(
            base_url=settings.url, auth=(settings.user, settings.password), timeout=30, transport=transport
        )

    # ---------------------------------------------------------------- testenv's own

    def environments(self, *, ended: bool) -> list[dict[str, Any]]:
        """What there is; with `ended`, what there was."""
        found = self._get("/testenv/api/v1/environments", params={"ended": str(ended).lower()})
        return list(found["environments"])

    def environment(self, env_id: str) -> dict[str, Any]:
        return self._get(f"/testenv/api/v1/environments/{quote(env_id, safe='')}")

    def extend(self, env_id: str, hours: int) -> dict[str, Any]:
        return self._post(f"/testenv/api/v1/environments/{quote(env_id, safe='')}/extend", {"hours": hours})

    def keep(self, env_id: str, things: list[str], *, forget: bool) -> list[str]:
        """Mark things as kept over a move, or no longer; returns all that is kept."""
        body = {"forget" if forget else "keep": things}
        return list(self._post(f"/testenv/api/v1/environments/{quote(env_id, safe='')}/keep", body)["kept"])

    def connect(self, env_id: str) -> dict[str, dict[str, str]]:
        """Part → setting → value, credentials included."""
        return dict(self._get(f"/testenv/api/v1/environments/{quote(env_id, safe='')}/connect")["connections"])

    def datasets(self) -> list[dict[str, Any]]:
        """Dataset versions, the published one first."""
        return list(self._get("/testenv/api/v1/datasets")["datasets"])

    def dataset(self, version: str) -> dict[str, Any]:
        """One of them, with its manifest."""
        return self._get(f"/testenv/api/v1/datasets/{quote(version, safe='')}")

    def dataset_changes(self, before: str, after: str) -> dict[str, Any]:
        """What differs from one version to another."""
        path = f"/testenv/api/v1/datasets/{quote(before, safe='')}/changes/{quote(after, safe='')}"
        return self._get(path)

    def tapes(self) -> list[dict[str, Any]]:
        """Tape sets, newest first."""
        return list(self._get("/testenv/api/v1/tapes")["tapes"])

    def verdict(self, run_id: str) -> dict[str, Any] | None:
        """What a run of `validate_release` says; None if it has no verdict, or none yet."""
        answer = self._send("GET", f"/testenv/api/v1/verdicts/{quote(run_id, safe='')}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return dict(_checked(answer).json())

    def report(self, env_id: str, name: str) -> bytes:
        """A file of a verdict."""
        path = f"/testenv/api/v1/environments/{quote(env_id, safe='')}/report/{quote(name)}"
        return _checked(self._send("GET", path)).content

    def page(self, path: str) -> str:
        """The address of a page of the control plane."""
        return f"{self._settings.url}{path}"

    def findings(self) -> list[dict[str, Any]]:
        """What reaping would end, and what it would leave alone. Looks into every system."""
        return list(self._get("/testenv/api/v1/findings")["findings"])

    # ---------------------------------------------------------------- Airflow's

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run of a management DAG; returns its id."""
        return str(self._post(f"/api/v1/dags/{dag_id}/dagRuns", {"conf": conf})["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return self._get(f"/api/v1/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")

    def runs(self, dag_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """The newest runs of a management DAG, newest first."""
        found = self._get(f"/api/v1/dags/{dag_id}/dagRuns", params={"order_by": "-start_date", "limit": limit})
        return list(found["dag_runs"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        return list(
            self._get(f"/api/v1/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances")["task_instances"]
        )

    def task_names(self, dag_id: str) -> dict[str, str]:
        """Task id → its name in the grid."""
        found = self._get(f"/api/v1/dags/{dag_id}/tasks")["tasks"]
        return {task["task_id"]: task["task_display_name"] for task in found}

    def returned(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """The id that a task returned, or None if it has not yet."""
        path = (
            f"/api/v1/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/xcomEntries/return_value"
        )
        answer = self._send("GET", path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return str(_checked(answer).json()["value"])

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int) -> str:
        """The log of one try of a task."""
        path = f"/api/v1/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/logs/{attempt}"
        answer = self._send("GET", path, params={"full_content": "true"}, headers={"Accept": "text/plain"})
        return _checked(answer).text

    def grid(self, dag_id: str, run_id: str) -> str:
        """Address of a run in the grid."""
        return f"{self._settings.url}/dags/{dag_id}/grid?dag_run_id={quote(run_id, safe='')}"

    # ---------------------------------------------------------------- HTTP

    def _get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return dict(_checked(self._send("GET", path, params=params)).json())

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return dict(_checked(self._send("POST", path, json=body)).json())

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise CliError(
                Exit.UNREACHABLE,
                f"the control plane at {self._settings.url} does not answer ({error}). Is it up? `make status` tells, "
                "`make up` starts it; TESTENV_AIRFLOW_URL points elsewhere",
            ) from error


def _checked(answer: httpx.Response) -> httpx.Response:
    """`answer`, if it is a success. Raises `CliError` with what the server said."""
    if answer.is_success:
        return answer
    code = CODES.get(answer.status_code, Exit.UNREACHABLE)
    said = _said(answer)
    if answer.status_code in (401, 403):
        said += (
            ". TESTENV_AIRFLOW_USER and TESTENV_AIRFLOW_PASSWORD are the login; `make up` writes it to .local/stack.env"
        )
    raise CliError(code, said)


def _said(answer: httpx.Response) -> str:
    """The server's words: ours are `message`; Airflow's `detail`, whose schema has the remedy as its comment."""
    try:
        body = answer.json()
    except ValueError:
        return f"the control plane answered {answer.status_code} {answer.reason_phrase}"
    if "message" in body:
        return str(body["message"])
    detail = str(body.get("detail") or body.get("title") or answer.reason_phrase)
    problem, _, schema = detail.partition("\n")
    _, found, comment = schema.partition("'$comment': ")
    return f"{problem}. {_first_literal(comment)}" if found else problem


def _first_literal(text: str) -> str:
    """The Python string literals that `text`, cut from a printed dictionary, begins with, joined."""
    parts = []
    for line in text.splitlines():
        line = line.strip()
        quote_mark = line[:1]
        if quote_mark not in ("'", '"') or (end := line.find(quote_mark, 1)) < 0:
            break
        parts.append(line[1:end])
        if line[end + 1 :].startswith((",", "}")):
            break
    return "".join(parts)
