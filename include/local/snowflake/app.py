"""The HTTP face: login, queries and sessions as Snowflake's clients speak them."""

import base64
import gzip
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pyarrow as pa
from fakesnow.arrow import to_ipc, to_sf
from fakesnow.converter import from_binding
from fakesnow.dialect import parse_one
from fakesnow.rowtype import describe_as_rowtype
from fakesnow.server import bucket_upload, gcs_stage_info
from fakesnow.statement_type import DML_TYPE_IDS, SELECT, UNKNOWN, statement_type_id
from fakesnow.transforms import SERVER_VERSION
from snowflake.connector.errors import Error
from sqlglot import exp
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.snowflake import control, errors, login, patches, refusals
from local.snowflake.auth import LoginRefused
from local.snowflake.cursor import Cursor
from local.snowflake.engine import Engine
from local.snowflake.session import Session

logger = logging.getLogger("local.snowflake")
_IDLE_SECONDS = 4 * 3600  # Snowflake ends a session after four hours without a request
_ROW_COUNTS = {"number of rows inserted": "numRowsInserted", "number of rows updated": "numRowsUpdated",
               "number of rows deleted": "numRowsDeleted"}  # fmt: skip


class Server:
    """The account's sessions, by token, and the handlers of the routes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions: dict[str, Session] = {}
        self._used: dict[str, float] = {}

    async def health(self, request: Request) -> Response:
        await run_in_threadpool(self._engine.catalog.rows, "SELECT 1")
        return JSONResponse({"databases": len(self._engine.database_names()), "sessions": len(self._sessions)})

    async def login(self, request: Request) -> Response:
        body = (await _body(request))["data"]
        try:
            session = await run_in_threadpool(login.open_session, self._engine, body, dict(request.query_params))
        except LoginRefused as e:
            return _failure(e.code, str(e), "08001")
        except Error as e:
            return _failure(f"{e.errno:06d}", str(e.msg), e.sqlstate)
        token = session.new_token()
        await run_in_threadpool(self._end_idle)
        self._sessions[token], self._used[token] = session, time.monotonic()
        return _success(login.reply(session, token, SERVER_VERSION))

    async def query(self, request: Request) -> Response:
        """Always HTTP 200: a client takes any other status for a fault of the network, and tries for minutes."""
        session = self._session(request)
        if session is None:
            return _expired()
        try:
            return _success(await run_in_threadpool(run, session, await _body(request), request))
        except Error as e:
            return _failure(f"{e.errno:06d}", str(e.msg), e.sqlstate)
        except Exception as e:
            logger.exception("a statement failed in a way that no handler foresaw")
            failure = errors.translate(e)
            return _failure(f"{failure.errno:06d}", str(failure.msg), failure.sqlstate)

    async def session(self, request: Request) -> Response:
        """Heartbeat, and the end of a session."""
        session = self._session(request)
        if session is None:
            return _expired()
        if request.query_params.get("delete"):
            await run_in_threadpool(self._end, _token(request))  # it waits for a statement that still runs
        return _success(None)

    async def monitoring(self, request: Request) -> Response:
        known = self._session(request) is not None and request.path_params["query_id"] in self._engine.results
        return _success({"queries": [{"status": "SUCCESS"}] if known else []})

    async def accept(self, request: Request) -> Response:
        """Aborts (a statement is never long here) and telemetry (which nobody reads)."""
        return _success(None)

    def close(self) -> None:
        for token in list(self._sessions):
            self._end(token)
        self._engine.close()

    def _session(self, request: Request) -> Session | None:
        token = _token(request)
        if token in self._sessions:
            self._used[token] = time.monotonic()
        return self._sessions.get(token)

    def _end(self, token: str) -> None:
        self._used.pop(token, None)
        if session := self._sessions.pop(token, None):
            session.end()

    def _end_idle(self) -> None:
        limit = time.monotonic() - _IDLE_SECONDS
        for token in [token for token, used in self._used.items() if used < limit]:
            self._end(token)


def build(engine: Engine) -> Starlette:
    """The application, ready to be served. It closes the engine when it stops."""
    server = Server(engine)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        server.close()

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/healthz", server.health),
            Route("/session/v1/login-request", server.login, methods=["POST"]),
            Route("/session", server.session, methods=["POST"]),
            Route("/session/heartbeat", server.session, methods=["POST"]),
            Route("/queries/v1/query-request", server.query, methods=["POST"]),
            Route("/queries/v1/abort-request", server.accept, methods=["POST"]),
            Route("/telemetry/send", server.accept, methods=["POST"]),
            Route("/monitoring/queries/{query_id}", server.monitoring),
            Route("/fs_bucket/{path:path}", bucket_upload, methods=["PUT"]),
        ],
    )


def run(session: Session, body: dict[str, Any], request: Request) -> dict[str, Any] | None:
    """Run the statement of a query request; the ``data`` of the reply.

    Raises:
        snowflake.connector.errors.Error: when the statement fails.
    """
    sql, bindings = body["sqlText"], body.get("bindings") or {}
    cursor: Cursor = session.cursor()
    with session.lock:
        type_id, placeholders = _classify(sql)
        if body.get("describeOnly") and (described := cursor.describe_only(sql)) is not None:
            return _reply(cursor, describe_as_rowtype(described), type_id, None) | {"numberOfBinds": placeholders}
        batch = _batch(bindings)
        total = 0
        for params in batch:
            cursor.execute(sql, binding_params=params, server=True)
            total += cursor.rowcount or 0
        last = cursor._last_transformed
        if put := last.args.get("put_stage_data") if last is not None else None:
            if not bindings:
                put["stageInfo"] = gcs_stage_info(request, last, put)
            return dict(put)
        rowtype = describe_as_rowtype(cursor._describe_last_sql())
        return _reply(cursor, rowtype, type_id, total if len(batch) > 1 else None)


def _classify(sql: str) -> tuple[int, int]:
    """Snowflake's type id of a statement, and its number of ``?``."""
    text = refusals.bare(sql)
    if control.find(text):
        return (SELECT if text.upper().startswith(("SHOW", "DESC", "LIST", "LS")) else UNKNOWN), 0
    parsed = parse_one(text)
    return statement_type_id(parsed), len(list(parsed.find_all(exp.Placeholder)))


def _batch(bindings: dict[str, Any]) -> list[Any]:
    """The parameters of each run of the statement: one, unless lists were bound, as ``executemany`` does."""
    if not bindings:
        return [None]
    if not all(key.isdigit() for key in bindings):
        return [{name: from_binding(binding) for name, binding in bindings.items()}]
    ordered = [bindings[str(position)] for position in range(1, len(bindings) + 1)]
    if any(isinstance(binding["value"], list) for binding in ordered):
        columns = [[from_binding({**binding, "value": v}) for v in binding["value"]] for binding in ordered]
        return list(zip(*columns, strict=True))
    return [tuple(from_binding(binding) for binding in ordered)]


def _reply(cursor: Cursor, rowtype: list[Any], type_id: int, total: int | None) -> dict[str, Any]:
    table = cursor._arrow_table
    reply: dict[str, Any] = {
        "parameters": [{"name": "TIMEZONE", "value": "Etc/UTC"}],
        "rowtype": rowtype,
        "total": 1 if total is not None else table.num_rows if table else 0,
        "queryId": cursor.sfqid,
        "statementTypeId": type_id,
        "finalDatabaseName": cursor.session.database,
        "finalSchemaName": cursor.session.schema,
        "finalRoleName": cursor.session.role,
        "finalWarehouseName": cursor.session.warehouse,
    }
    if total is not None:
        return reply | {"queryResultFormat": "json", "rowset": [[str(total)]]}
    if table and type_id in DML_TYPE_IDS:
        rows = zip(*[column.to_pylist() for column in table.columns], strict=True)
        rowset = [[None if v is None else str(v) for v in row] for row in rows]
        return reply | {"queryResultFormat": "json", "rowset": rowset} | _stats(rowtype, rowset)
    encoded = base64.b64encode(to_ipc(to_sf(_lists_as_text(table), rowtype))).decode() if table else ""
    return reply | {"queryResultFormat": "arrow", "rowsetBase64": encoded}


def _stats(rowtype: list[Any], rowset: list[list[str | None]]) -> dict[str, Any]:
    """Counts of rows as clients read them for a MERGE."""
    counted = {
        _ROW_COUNTS[c["name"]]: int(v or 0) for c, v in zip(rowtype, rowset[0], strict=True) if c["name"] in _ROW_COUNTS
    }
    return {"stats": dict.fromkeys(_ROW_COUNTS.values(), 0) | {"numDmlDuplicates": 0} | counted} if counted else {}


def _lists_as_text(table: pa.Table) -> pa.Table:
    """ARRAY values travel as JSON text."""
    for i, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            texts = [None if v is None else json.dumps(v, default=str) for v in table.column(i).to_pylist()]
            table = table.set_column(i, field.name, pa.array(texts, pa.string()))
    return table


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    return dict(json.loads(raw))


def _token(request: Request) -> str:
    return request.headers.get("Authorization", "").removeprefix('Snowflake Token="').removesuffix('"')


def _success(data: Any) -> Response:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def _failure(code: str, message: str, sqlstate: str | None) -> Response:
    data = {"errorCode": code, "sqlState": sqlstate}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})


def _expired() -> Response:
    return _failure("390104", "Authentication token is unknown or has ended. The user must log in again.", "08001")


patches.apply()
