"""The client against answers recorded from Airflow 2.11.2 and from testenv's own API."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from testenv_cli.client import ControlPlane
from testenv_cli.errors import CliError, Exit
from testenv_cli.settings import Settings

SCHEMA_ANSWER = {
    "detail": "Invalid input for param name: '../etc' does not match '^([a-z0-9]+(-[a-z0-9]+)*)?$'\n\n"
    "Failed validating 'pattern' in schema:\n    {'type': 'string',\n     'title': 'Name',\n"
    "     '$comment': 'Use lower-case letters, digits and single hyphens, at '\n"
    "                 'most 20 characters, such as payments-fix'}\n\nOn instance:\n    '../etc'",
    "status": 400,
    "title": "Bad Request",
}


def plane(answer: Callable[[httpx.Request], httpx.Response]) -> ControlPlane:
    return ControlPlane(Settings("http://airflow", "ada", "secret"), httpx.MockTransport(answer))


def failure(status: int, body: object) -> CliError:
    with pytest.raises(CliError) as caught:
        plane(lambda _: httpx.Response(status, json=body)).trigger("provision_env", {"name": "../etc"})
    return caught.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Exit.BAD_REQUEST),
        (401, Exit.UNREACHABLE),
        (403, Exit.UNREACHABLE),
        (404, Exit.NOT_FOUND),
        (409, Exit.REFUSED),
        (500, Exit.UNREACHABLE),
        (503, Exit.UNREACHABLE),
    ],
)
def test_every_failure_has_an_exit_code_and_the_servers_words(status: int, code: Exit) -> None:
    error = failure(status, {"error": "X", "message": "what was wrong"})
    assert error.code is code
    assert error.message.startswith("what was wrong")


def test_a_value_outside_the_schema_is_told_with_the_rule_and_without_the_schema() -> None:
    assert failure(400, SCHEMA_ANSWER).message == (
        "Invalid input for param name: '../etc' does not match '^([a-z0-9]+(-[a-z0-9]+)*)?$'. "
        "Use lower-case letters, digits and single hyphens, at most 20 characters, such as payments-fix"
    )


def test_an_answer_that_is_no_json_is_told_by_its_status() -> None:
    with pytest.raises(CliError, match="502 Bad Gateway"):
        plane(lambda _: httpx.Response(502, text="<html>")).environments(ended=False)


def test_a_refused_login_says_where_the_login_comes_from() -> None:
    assert "TESTENV_AIRFLOW_PASSWORD" in failure(401, {"title": "Unauthorized"}).message


def test_a_control_plane_that_is_down_is_told_with_the_remedy() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    with pytest.raises(CliError, match="make up") as caught:
        plane(refuse).environments(ended=True)
    assert caught.value.code is Exit.UNREACHABLE


def test_hostile_ids_stay_one_segment_of_the_path() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.raw_path == b"/testenv/api/v1/environments/..%2F..%2Fapi%2Fv1%3Fx"
        return httpx.Response(400, json={"message": "is not an environment id"})

    with pytest.raises(CliError, match="not an environment id"):
        plane(answer).environment("../../api/v1?x")


def test_what_a_task_has_not_returned_yet_is_nothing() -> None:
    assert plane(lambda _: httpx.Response(404, json={})).returned("provision_env", "run", "admit") is None
