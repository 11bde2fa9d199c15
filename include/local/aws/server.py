"""The server: moto with this package's parts put in, on one port, ready once the account is set up."""

from __future__ import annotations

import io
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from local.aws import authorization, ecs, emr, homes, lean_moto, sessions, stable_moto
from local.aws.bootstrap import bootstrap, fingerprint
from local.aws.changes import Thing
from local.aws.kept import Keeper
from local.aws.settings import Settings

log = logging.getLogger("local.aws")

StartResponse = Callable[..., Any]


class _Guard:
    """Lets requests through to moto, except its own control API, which would lift IAM and show secrets to anyone. What
    a request changed is written down before its answer leaves.

    `GET /moto-api/` is the readiness check: 503 until `ready` is set, then 200.
    """

    def __init__(self, application: Any, keeper: Keeper, ready: threading.Event) -> None:
        self._application, self._keeper, self._ready = application, keeper, ready

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith("/moto-api"):
            _keep_form(environ)
            try:
                return self._application(environ, start_response)  # type: ignore[no-any-return]
            finally:  # a request that failed may have changed something too
                changes: tuple[Thing, ...] = environ.get(authorization.CHANGES, ())
                if changes:
                    self._keeper.keep(changes)
        if environ["PATH_INFO"] != "/moto-api/" or environ["REQUEST_METHOD"] != "GET":
            return _answer(start_response, "403 Forbidden", "moto's control API is closed in this stand-in\n")
        if self._ready.is_set():
            return _answer(start_response, "200 OK", "ready\n")
        return _answer(start_response, "503 Service Unavailable", "bootstrapping\n")


def _keep_form(environ: dict[str, Any]) -> None:
    """Keep the raw body of a form, which is signed; whoever parses the form consumes it."""
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ[authorization.FORM_BODY] = body
        environ["wsgi.input"] = io.BytesIO(body)


def _answer(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]


class _Handler(MotoRequestHandler):
    """One connection for many requests, and no line in the log for each. Werkzeug's own closes every connection, as it
    cannot know what the application left unread; here all is read before the application is asked.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet
    timeout = 300  # seconds that a connection may idle

    def run_wsgi(self) -> None:
        self.wfile.flush()  # a "100 Continue" that the client waits for
        self.environ = environ = self.make_environ()
        source = environ["wsgi.input"]
        length = None if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(source.read() if length is None else source.read(length))
        head: list[tuple[str, list[tuple[str, str]]]] = []
        try:
            body = b"".join(self.server.app(environ, lambda status, headers, _=None: head.append((status, headers))))
        except Exception:
            log.exception("%s %s failed", self.command, self.path)
            head, body = [("500 Internal Server Error", [])], b""
        self._send(*head[-1], body)

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        number, _, reason = status.partition(" ")
        self.send_response(int(number), reason)
        has_body = self.command != "HEAD" and number not in ("204", "304")
        for name, value in headers:
            if name.lower() != "content-length" or not has_body:
                self.send_header(name, value)
        if has_body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if has_body:
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if str(code) == "500":
            super().log_request(code, size)


def serve(port: int, runner_socket: Path, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # boto3 within moto must not pick up credentials or an endpoint of whoever started this process.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    endpoint = f"http://127.0.0.1:{port}"
    keeper = Keeper(settings.work_dir, settings.region)
    authorization.install(settings.account_root, settings.region)
    lean_moto.install()
    stable_moto.install(settings)
    sessions.install(keeper.keep)
    emr.install(settings, endpoint, keeper.keep)
    ecs.install(runner_socket, endpoint, keeper.keep)
    log.info("%d things are put back", keeper.put_back())
    homes.install(settings.work_dir)
    emr.resume(settings)
    ecs.resume(settings)
    ready = threading.Event()
    guard = _Guard(lean_moto.Dispatcher(), keeper, ready)
    server = make_server("127.0.0.1", port, guard, threaded=True, request_handler=_Handler)

    def stop(number: int, _frame: object) -> None:
        log.info("signal %s: stopping", signal.Signals(number).name)
        threading.Thread(target=server.shutdown, daemon=True).start()  # shutdown() waits for the loop it is called in

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    def prepare() -> None:
        try:
            if not keeper.is_done("bootstrap", fingerprint(settings)):
                bootstrap(endpoint, settings)
                keeper.done("bootstrap", fingerprint(settings))
        except Exception:
            log.exception("the account could not be set up; stopping")
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            ready.set()
            log.info("ready at %s", endpoint)

    threading.Thread(target=prepare, daemon=True).start()
    try:
        server.serve_forever()
    finally:
        emr.stop()
        server.server_close()
