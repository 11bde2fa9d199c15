"""A subscriber to the topic of alerts, as people's mail or pager is one: SNS delivers to it by HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Any

from testenv.backends.aws import client
from testenv.config import Config


@contextmanager
def subscribed(config: Config) -> Iterator[Queue[dict[str, Any]]]:
    """What is delivered while it stands."""
    heard: Queue[dict[str, Any]] = Queue()

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            if message.get("Type") == "Notification":
                heard.put(message)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Inbox) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        sns, address = client("sns", config), f"http://127.0.0.1:{server.server_port}/"
        arn = sns.subscribe(TopicArn=config.alerts_topic, Protocol="http", Endpoint=address, ReturnSubscriptionArn=True)
        try:
            yield heard
        finally:
            sns.unsubscribe(SubscriptionArn=arn["SubscriptionArn"])
            server.shutdown()
