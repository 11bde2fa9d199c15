"""Which JVM a job gets, and which are ended. Their processes are real, and sleep."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.aws import spark_jvm
from local.aws.settings import AccessKey, Settings
from local.aws.spark_jvm import Jvm, Jvms

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Jvm]]:
    """Those that were started so far."""
    found: list[Jvm] = []

    def start(role: str, folder: Path, _: Settings) -> Jvm:
        folder.mkdir(parents=True)
        (folder / "stderr").touch()
        process = subprocess.Popen(SLEEP, stdin=subprocess.PIPE, start_new_session=True)
        found.append(Jvm(role, folder, process, 1, "secret"))
        return found[-1]

    monkeypatch.setattr(Jvm, "start", start)
    yield found
    for jvm in found:
        jvm.end()


@pytest.fixture
def jvms(started: list[Jvm], tmp_path: Path) -> Iterator[Jvms]:
    found = Jvms(Settings(tmp_path, tmp_path, tmp_path, tmp_path, "r", AccessKey("id", "key")))
    yield found
    found.close()


def has_ended(jvm: Jvm) -> bool:
    return jvm.process.poll() is not None and not jvm.folder.exists()


def test_a_role_s_next_job_gets_the_jvm_of_its_last_and_another_role_s_does_not(jvms: Jvms) -> None:
    first = jvms.take("a")
    jvms.give_back(first, clean=True)
    other = jvms.take("b")
    assert other is not first
    assert jvms.take("a") is first


def test_jobs_at_once_have_a_jvm_each(jvms: Jvms) -> None:
    assert jvms.take("a") is not jvms.take("a")


def test_one_that_is_not_clean_is_ended(jvms: Jvms) -> None:
    first = jvms.take("a")
    jvms.give_back(first, clean=False)
    assert has_ended(first) and jvms.take("a") is not first


def test_one_that_died_while_it_waited_is_not_given_out(jvms: Jvms) -> None:
    first = jvms.take("a")
    jvms.give_back(first, clean=True)
    first.process.kill()
    first.process.wait()
    assert jvms.take("a") is not first


def test_one_has_so_many_jobs_and_no_more(jvms: Jvms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_jvm, "JOBS", 2)
    for _ in range(2):
        jvm = jvms.take("a")
        jvms.give_back(jvm, clean=True)
    assert has_ended(jvm) and jvms.take("a") is not jvm


def test_of_too_many_that_wait_the_one_that_has_waited_longest_is_ended(
    jvms: Jvms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark_jvm, "IDLE", 2)
    taken = [jvms.take(role) for role in "abc"]
    for jvm in taken:
        jvms.give_back(jvm, clean=True)
    assert [has_ended(jvm) for jvm in taken] == [True, False, False]


def test_what_waits_too_long_is_ended(jvms: Jvms, monkeypatch: pytest.MonkeyPatch) -> None:
    jvm = jvms.take("a")
    jvms.give_back(jvm, clean=True)
    jvms._end_old()
    assert not has_ended(jvm)
    monkeypatch.setattr(spark_jvm, "IDLE_SECONDS", 0.0)
    jvms._end_old()
    assert has_ended(jvm)


def test_when_the_server_stops_none_waits_any_more(jvms: Jvms) -> None:
    waits, works = jvms.take("a"), jvms.take("a")
    jvms.give_back(waits, clean=True)
    jvms.close()
    assert has_ended(waits)
    jvms.give_back(works, clean=True)
    assert has_ended(works)


def test_what_it_says_is_told_once(jvms: Jvms) -> None:
    jvm = jvms.take("a")
    for text in (b"of one job", b"of the next"):
        with (jvm.folder / "stderr").open("ab") as stream:
            stream.write(text)
        assert jvm.said() == text
    assert jvm.said() == b""
