"""`/testenv/api/v1/`: what the ledger knows, and the login of an environment, behind Airflow's own authentication.

    GET  environments[?ended=true]        what there is
    GET  environments/ID                  with parts, steps and events
    POST environments/ID/extend           {"hours": 24}
    POST environments/ID/keep             {"keep": ["postgres:payments"], "forget": []}
    GET  environments/ID/report/FILE      of its verdict: report.html, report.json, junit.xml
    GET  verdicts/RUN                     the report of a run of validate_release
    GET  environments/ID/connect          how to log in to each part, credentials included; the ledger notes who asked
    GET  datasets                         dataset versions: what each holds, and who stands on it
    GET  datasets/VERSION                 its manifest
    GET  datasets/VERSION/changes/OTHER   what differs from one to the other
    GET  tapes                            tape sets: what each holds, and which environments are filled from it
    GET  findings                         what reaping would end, and what it would leave alone, with reasons

Who may see `provision_env` may look, who may trigger it may extend, keep and connect. An error is
`{"error": KIND, "message": TEXT}`; its status is in `STATUS`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from airflow.api_connexion.exceptions import Unauthenticated
from airflow.api_connexion.security import check_authentication
from airflow.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.www.extensions.init_auth_manager import get_auth_manager
from flask import Blueprint, Response, jsonify, request

from testenv.checks.plan import verdict_id
from testenv.core.contract import Contracts
from testenv.core.dataset import changes
from testenv.core.errors import (
    Busy,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    Refused,
    TestenvError,
    Unavailable,
    UnknownDataset,
)
from testenv.core.naming import EnvId
from testenv.datasets.contracts import load_contracts
from testenv.datasets.store import DatasetStore
from testenv.datasets.tapes.sets import TapeStore
from testenv_airflow.ui import hook, present

STATUS: dict[type[TestenvError], int] = {
    UnknownDataset: 404,
    Invalid: 400,
    NotFound: 404,
    Conflict: 409,
    Refused: 409,
    Denied: 502,
    Unavailable: 503,
    Busy: 503,
}
"""HTTP status of an error; 500 for any other."""

Handler = Callable[..., Any]

api = Blueprint("testenv_api", __name__, url_prefix="/testenv/api/v1")
# Clients authenticate each request, as those of Airflow's own API do. Nor can a browser's session be ridden: the one
# request that changes something must be JSON, which no foreign page may send.
# Airflow's CLI builds the application without that protection.
api.record_once(lambda state: (csrf := state.app.extensions.get("csrf")) and csrf.exempt(api))


def requires(*, use: bool) -> Callable[[Handler], Handler]:
    """Let in who may see `provision_env`, or with `use` who may trigger it."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                check_authentication()
                is_known = get_auth_manager().is_logged_in()
            except Unauthenticated:
                is_known = False
            if not is_known:
                answer = _error("Unauthenticated", "log in with an Airflow user and password (basic auth)", 401)
                answer.headers["WWW-Authenticate"] = "Basic"
                return answer
            if not _may(use=use):
                return _error("Forbidden", "this Airflow user may not do this; a role that may trigger DAGs may", 403)
            return handler(*args, **kwargs)

        return guarded

    return decorate


def _may(*, use: bool) -> bool:
    provision = DagDetails(id="provision_env")
    if use:
        return get_auth_manager().is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, details=provision)
    return get_auth_manager().is_authorized_dag(method="GET", details=provision)


@api.errorhandler(TestenvError)
def _told(error: TestenvError) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    return _error(type(error).__name__, str(error), status)


def _error(kind: str, message: str, status: int) -> Response:
    answer: Response = jsonify(error=kind, message=message)
    answer.status_code = status
    return answer


@api.get("/environments")
@requires(use=False)
def list_environments() -> Response:
    """What there is; with `ended=true`, what there was."""
    ended = request.args.get("ended") == "true"
    return jsonify(environments=present.environments(hook().reader, ended=ended))


@api.get("/environments/<env_id>")
@requires(use=False)
def show_environment(env_id: str) -> Response:
    """One environment."""
    reader = hook().reader
    return jsonify(present.details(reader, reader.environment(EnvId(env_id))))


@api.post("/environments/<env_id>/extend")
@requires(use=True)
def extend_environment(env_id: str) -> Response:
    """Move the end of an environment."""
    body = request.get_json(silent=True)
    hours = body.get("hours") if isinstance(body, dict) and set(body) == {"hours"} else None
    if not isinstance(hours, int) or isinstance(hours, bool):
        raise Invalid(f'the body must be JSON such as {{"hours": 24}}, got {request.get_data(as_text=True)[:80]!r}')
    engine = hook().engine
    environment = engine.extend(EnvId(env_id), hours)
    engine.ledger.note(environment.env_id, f"{_user()} asked for the extension", engine.clock())
    return jsonify(present.summary(environment, {}))


@api.post("/environments/<env_id>/keep")
@requires(use=True)
def keep_of_environment(env_id: str) -> Response:
    """Mark what outlives a move to another dataset version, and strike what no longer does."""
    body = request.get_json(silent=True)
    given = body if isinstance(body, dict) and set(body) <= {"keep", "forget"} else {"keep": None}
    lists = [given.get(key, []) for key in ("forget", "keep")]
    if not all(isinstance(each, list) and all(isinstance(thing, str) for thing in each) for each in lists):
        raise Invalid(
            'the body must be JSON such as {"keep": ["postgres:payments"], "forget": []}, got '
            f"{request.get_data(as_text=True)[:80]!r}"
        )
    mover, found = hook().mover, EnvId(env_id)
    for change, things in zip((mover.release, mover.keep), lists, strict=True):
        if things:
            change(found, things)
    return jsonify(id=env_id, kept=mover.kept(found))


@api.get("/environments/<env_id>/report/<path:name>")
@requires(use=False)
def show_report(env_id: str, name: str) -> Response:
    """A file of the verdict on an environment's code; it stays 30 days, when the environment is long gone."""
    return present.report(hook().validator.kept(EnvId(env_id)).file(name), name)


@api.get("/verdicts/<run_id>")
@requires(use=False)
def show_verdict(run_id: str) -> Response:
    """The verdict of a run of `validate_release`, with the three things and where its files are."""
    return jsonify(present.verdict(hook().validator.kept(verdict_id(run_id)).report()))


@api.get("/environments/<env_id>/connect")
@requires(use=True)
def connect_environment(env_id: str) -> Response:
    """How to log in to each part of an environment."""
    engine, found = hook().engine, EnvId(env_id)
    answer = jsonify(id=env_id, connections=engine.connections(found))
    engine.ledger.note(found, f"credentials were handed to {_user()}", engine.clock())
    answer.headers["Cache-Control"] = "no-store"
    return answer


@api.get("/datasets")
@requires(use=False)
def list_datasets() -> Response:
    """Dataset versions, the published one first."""
    found = present.datasets(_datasets(), hook().reader.living(), _contracts(), datetime.now(UTC))
    return jsonify(datasets=found)


@api.get("/datasets/<version>")
@requires(use=False)
def show_dataset(version: str) -> Response:
    """The manifest of a dataset version; `latest` names the published one."""
    store = _datasets()
    found = store.get(store.resolve(version))
    living = [str(each.env_id) for each in hook().reader.living() if each.spec.dataset == found.version]
    row = present.dataset(found, store.current(), living, _contracts(), datetime.now(UTC))
    return jsonify(row | {"manifest": found.model_dump(mode="json")})


@api.get("/datasets/<version>/changes/<other>")
@requires(use=False)
def compare_datasets(version: str, other: str) -> Response:
    """What differs from one version to the other."""
    store = _datasets()
    before, after = (store.get(store.resolve(each)) for each in (version, other))
    return jsonify(
        before=before.version, after=after.version, changes=[asdict(each) for each in changes(before, after)]
    )


@api.get("/tapes")
@requires(use=False)
def list_tapes() -> Response:
    """Tape sets, newest first."""
    return jsonify(tapes=present.tapes(TapeStore(hook().config), hook().reader.living()))


@api.get("/findings")
@requires(use=False)
def list_findings() -> Response:
    """What reaping would do now. Looks into every system, and changes nothing."""
    return jsonify(findings=[present.finding(found) for found in hook().reaper.findings()])


def _datasets() -> DatasetStore:
    return DatasetStore(hook().config)


@functools.cache
def _contracts() -> Contracts:
    """Read once by each web worker: it takes seconds."""
    return load_contracts()


def _user() -> str:
    return str(get_auth_manager().get_user_name())
