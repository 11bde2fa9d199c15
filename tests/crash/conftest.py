"""What the tests of crashes share: workers to kill, services to kill, and the systems' own word for what is left."""

# ruff: noqa: F811 - fixtures that are imported are used by name
from __future__ import annotations

import multiprocessing
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerContext
from pathlib import Path

import psutil
import pytest
from tests.conftest import REPO, RunningStack
from tests.crash.worker import AtFirstNew, Job, Task, connect, work
from tests.e2e.conftest import client, settings, slug  # noqa: F401 - fixtures
from tests.integration.testenv.conftest import config  # noqa: F401 - a fixture

from local import parts
from local.inventory import inventory
from local.parts import Part
from local.site import Site
from local.stack import Stack
from local.supervision import State, Supervisor, wait_until
from testenv.config import Config
from testenv.core import errors
from testenv.core.naming import EnvId
from testenv.core.resources import Action
from testenv.engine import Engine
from testenv_airflow.defaults import TASKS

WORKER_SECONDS = 180
"""After which a worker counts as hanging: no call of a backend may take longer."""

KILLED = (-9, 255)
"""Exit codes of a worker that was killed. The second stands where the fork server lost the first, as it does for some
of those that die at the same time; a worker that ends by itself has 0 or 1."""


@dataclass(frozen=True)
class End:
    """How a worker ended: the boundaries it passed, the tasks it did wholly, and its error's class and words."""

    killed: bool
    passed: tuple[str, ...]
    done: tuple[str, ...]
    error: tuple[str, str] | None

    @property
    def may_be_tried_again(self) -> bool:
        """Whether its error was a transient one."""
        return bool(self.error) and issubclass(getattr(errors, self.error[0], type(None)), errors.Transient)


@dataclass(frozen=True)
class Workers:
    """Processes forked from one that has imported what they need and has opened no connection."""

    context: ForkServerContext
    work: Callable[..., None] = work
    """What a worker does with its job."""

    def run(self, job: Job) -> End:
        """Let a worker do `job`, until it is done or dead."""
        ours, theirs = self.context.Pipe(duplex=False)
        worker = self.context.Process(target=self.work, args=(job, theirs))
        worker.start()
        theirs.close()
        told: list[tuple[str, object]] = []
        try:
            while ours.poll(WORKER_SECONDS):
                told.append(ours.recv())
            pytest.fail(f"a worker of {job.env_id} hangs after {told[-1:]}")
        except EOFError:  # it has ended
            worker.join()
        finally:
            worker.kill()

        def said(what: str) -> tuple[object, ...]:
            return tuple(content for kind, content in told if kind == what)

        return End(worker.exitcode in KILLED, said("passed"), said("done"), next(iter(said("failed")), None))

    def finish(self, job: Job) -> None:
        """Let a worker do `job` to its end; the test fails when it does not come there."""
        end = self.run(job)
        assert (end.killed, end.error) == (False, None)

    def try_as_airflow_does(self, job: Job) -> list[End]:
        """Let workers try `job` as often as Airflow retries a task, while what it raises is `Transient`."""
        ends = [self.run(job)]
        for attempt in range(TASKS["retries"]):
            if not ends[-1].may_be_tried_again:
                break
            time.sleep(TASKS["retry_delay"].total_seconds() * 2**attempt)
            ends.append(self.run(job))
        return ends

    def walk(self, job: Job, after_each: Callable[[], None]) -> list[str]:
        """Do `job` with one worker after another, each killed at the first boundary that none before it died at.

        Returns all boundaries there are, in order. `after_each` looks at what a killed worker has left.
        """
        known: list[str] = []
        tasks = job.tasks
        while tasks:
            end = self.run(replace(job, tasks=tasks, dies=AtFirstNew(frozenset(known))))
            assert end.error is None, f"after {known[-1:]}: {end.error}"
            tasks = tasks[len(end.done) :]
            if end.killed:
                known.append(end.passed[-1])
                after_each()
        return known


@dataclass
class Service:
    """A part of the stack that is killed, and comes back by its supervisor alone."""

    home: Path
    name: str
    dead: list[psutil.Process] = field(default_factory=list)
    """The process that was killed, and what it had started, which may answer for a while."""

    @property
    def pid(self) -> int:
        """Of the process the supervisor started; 0 while there is none."""
        return self._state.pid

    def kill(self) -> None:
        """SIGKILL it."""
        self._kill(psutil.Process(self.pid))

    def kill_child(self, named: str) -> None:
        """SIGKILL one of the processes it has started, one with `named` in its title if there is one."""
        children = psutil.Process(self.pid).children()
        self._kill(next((child for child in children if named in title_of(child)), children[0]))

    def _kill(self, process: psutil.Process) -> None:
        self.dead = [process, *process.children(recursive=True)]
        process.kill()

    def wait(self) -> None:
        """Until it is ready, asked over its own protocol."""
        [part] = [part for part in parts.steps(self._site) if isinstance(part, Part) and part.name == self.name]

        def is_ready() -> bool:
            state = self._state
            if not state.pid or any(process.is_running() for process in self.dead):
                return False
            with suppress(Exception):  # a probe fails in as many ways as there are protocols
                part.probe(state.started)
                return True
            return False

        wait_until(is_ready, 120, f"{self.name} did not come back after it was killed", pause=0.3)

    @property
    def _state(self) -> State:
        site = self._site
        return Supervisor(site.home, site.secrets.password("supervisor")).state(self.name)

    @property
    def _site(self) -> Site:
        return Stack(self.home).site


def title_of(process: psutil.Process) -> str:
    """Its command line, or what it has put in its place; empty when it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture
def service(stack: RunningStack) -> Iterator[Callable[[str], Service]]:
    """Services to kill; all parts are ready again when the test is over, for the sake of the next."""
    used: list[Service] = []

    def named(name: str) -> Service:
        used.append(Service(stack.home, name))
        return used[-1]

    yield named
    for one in used:
        one.wait()
    every = Stack(stack.home)  # also what hangs on the one that was killed
    wait_until(lambda: all(part.ready for part in every.status()), 90, "the stack is not whole again", pause=1)


@pytest.fixture(scope="session")
def workers(config: Config) -> Iterator[Workers]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.preload"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{REPO}:{REPO / 'include'}"  # the server preloads before it is told sys.path
    yield Workers(context)
    os.environ.pop("PYTHONPATH")
    if before is not None:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def engine(config: Config) -> Engine:
    """An engine that nobody kills, to look and to clean up."""
    return connect(config)


@pytest.fixture
def new_job(engine: Engine) -> Iterator[Callable[..., Job]]:
    """Makes jobs of environments that nobody had before; whatever a test leaves of them is destroyed after it."""
    made: list[EnvId] = []

    def new(*tasks: Task, **conf: str) -> Job:
        name = f"k{secrets.token_hex(4)}"
        made.append(EnvId(f"ci-{name}"))  # of this kind there may be as many at once as a service has steps
        return Job(str(made[-1]), {"name": name, "kind": "ci", "owner": "a test", **conf}, tasks)

    yield new
    for env_id in made:
        clear(engine, env_id)


def clear(engine: Engine, env_id: EnvId) -> None:
    """Destroy what a test that failed has left; nothing if it has ended."""
    from testenv.core.lifecycle import ENDED
    from testenv.core.resources import System

    known = [life for life in engine.ledger.environments() if life.env_id == env_id]
    if known and known[0].state not in ENDED and engine.drain(env_id).state not in ENDED:
        engine.destroy(env_id, set(System))
        engine.verify_gone(env_id)


def unwritten(engine: Engine, env_id: EnvId) -> list[str]:
    """What the systems have of an environment although the ledger does not plan it: must be nothing, ever."""
    planned = {record.step.resource for record in engine.ledger.steps(env_id, Action.ENSURE)}
    return sorted(str(resource) for resource in engine.observe(env_id) - planned)


def left_of(stack: RunningStack, env_ids: Iterable[str]) -> list[str]:
    """What the systems themselves have of environments, asked without the engine."""
    names = [name for found in inventory(stack.env).values() for name in found]
    marks = {mark for env_id in env_ids for mark in (env_id, env_id.replace("-", "_"))}
    return sorted(name for name in names if any(mark in name.lower() for mark in marks))


def require_transient(end: End) -> bool:
    """A worker may come through, or be told to try again (returns whether it was); nothing else."""
    assert not end.error or end.may_be_tried_again, f"{end.passed[-1]}: {end.error}"
    return bool(end.error)
