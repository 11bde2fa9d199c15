"""The HTTP of the stand-in: connections that stay open, and bodies that end where they should."""

from __future__ import annotations

import contextlib
import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.integration.local.aws.support import Account


def place(account: Account) -> tuple[str, int]:
    parts = urlsplit(account.stack.env["AWS_ENDPOINT_URL"])
    return str(parts.hostname), int(parts.port or 0)


def test_one_connection_serves_many_requests_whatever_is_in_them(account: Account) -> None:
    """Refused ones too: what an application leaves unread must not become the next request."""
    connection = http.client.HTTPConnection(*place(account), timeout=10)
    connection.connect()
    first = connection.sock
    for method, path, body in (
        ("PUT", "/bucket/key", b"GET / HTTP/1.1\r\n\r\n" * 100_000),
        ("HEAD", "/bucket/key", b""),
        ("POST", "/?delete", b"x"),
        ("GET", "/moto-api/", b""),
    ):
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == (200 if path == "/moto-api/" else 403)
        assert connection.sock is first
    connection.close()


def test_a_body_in_chunks_is_read_to_its_end(account: Account) -> None:
    connection = http.client.HTTPConnection(*place(account), timeout=10)
    connection.request("PUT", "/bucket/key", iter([b"a" * 10, b"b" * 10]), encode_chunked=True)
    assert connection.getresponse().read().startswith(b"<?xml")
    connection.request("GET", "/moto-api/")
    assert connection.getresponse().read() == b"ready\n"
    connection.close()


def test_a_body_that_breaks_off_is_no_object(account: Account) -> None:
    """Signed by a client that then dies: the real service does not store it either."""
    s3, seen = account.client("s3"), []
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: seen.append(request) or _stop())
    with contextlib.suppress(_StoppedError):
        s3.put_object(Bucket=account.bucket, Key="env/ci-broken/x", Body=b"x" * 1000)
    request = seen[0]
    head = "".join(f"{name}: {_text(value)}\r\n" for name, value in request.headers.items() if name != "Expect")
    with socket.create_connection(place(account), timeout=10) as raw:
        path = urlsplit(request.url).path
        raw.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: {':'.join(map(str, place(account)))}\r\n{head}\r\n".encode() + b"x" * 10
        )
        raw.shutdown(socket.SHUT_WR)
        assert b" 200 " not in raw.recv(1000)
    assert account.client("s3").list_objects_v2(Bucket=account.bucket, Prefix="env/ci-broken/")["KeyCount"] == 0


def test_versions_are_listed_while_others_write_and_delete_in_the_bucket(account: Account) -> None:
    s3, bucket = account.client("s3"), account.bucket
    mine = s3.put_object(Bucket=bucket, Key="env/ci-listed/x", Body=b"22")["ETag"]

    def write(number: int) -> None:
        for round_ in range(20):
            key = f"env/ci-other/{number}/{round_}"
            s3.put_object(Bucket=bucket, Key=key, Body=b"x" * 100_000)
            s3.delete_object(Bucket=bucket, Key=key)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        while not all(writer.done() for writer in writers):
            found = s3.list_object_versions(Bucket=bucket, Prefix="env/ci-listed/")["Versions"]
            assert [(each["Key"], each["ETag"], each["Size"]) for each in found] == [("env/ci-listed/x", mine, 2)]
        for writer in writers:
            writer.result()


class _StoppedError(Exception):
    """The request is not to be sent."""


def _stop() -> None:
    raise _StoppedError


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
