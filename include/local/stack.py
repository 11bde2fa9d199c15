"""Brings the stack up and down, and says how it is."""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from local import envfile, parts, ports
from local.errors import StackError
from local.parts import Job, Part, Step
from local.settings import Settings
from local.site import Site, ports_file
from local.supervision import Program, Supervisor

LOG_TAIL = 15

Report = Callable[[str], None]


class _Abandoned(Exception):
    """Another step failed first."""


@dataclass(frozen=True)
class Status:
    """One part as `status` shows it."""

    name: str
    state: str
    pid: int
    ports: tuple[int, ...]
    ready: bool
    remark: str


class Stack:
    """The embedded stack of one home."""

    def __init__(self, root: Path, settings: Settings | None = None) -> None:
        self.site = Site.open(root, settings or Settings.load())
        self._supervisor = Supervisor(self.site.home, self.site.secrets.password("supervisor"))
        self._failed = threading.Event()

    def up(self, report: Report, only: Sequence[str] = (), free_ports: bool = False) -> None:
        """Start what does not run and wait until all is ready; `StackError` at the first step that fails.

        With ONLY, just the named parts, and the jobs that need no other.
        """
        with self._alone():
            if not self._supervisor.is_up():
                self._boot(report, only, free_ports)
            self._walk(_selected(parts.steps(self.site), only), report)

    def down(self, report: Report) -> None:
        """Stop everything that `up` started, and wait until it is gone."""
        with self._alone():
            present = (part for part in self._parts() if not part.absence())
            clients = [part.name for part in present if part.stops_first]
            for command in self._supervisor.shutdown(first=clients):
                report(f"killed, for it did not stop when told to: {command}")
            self._settled.unlink(missing_ok=True)

    def status(self) -> list[Status]:
        """How every part is, each asked over its own protocol."""
        running = self._supervisor.is_up()
        return [self._status(part, running) for part in self._parts()]

    def _parts(self) -> list[Part]:
        return [step for step in parts.steps(self.site) if isinstance(step, Part)]

    def _status(self, part: Part, running: bool) -> Status:
        numbers = tuple(self.site.ports[name] for name in part.port_names)
        if missing := part.absence():
            return Status(part.name, "ABSENT", 0, (), True, missing)
        if not running:
            return Status(part.name, "DOWN", 0, numbers, False, "")
        state = self._supervisor.state(part.name)
        remark, ready = part.remark(), False
        if state.is_running:
            try:
                part.probe(state.started)
                ready = True
            except Exception as error:  # noqa: BLE001 - a probe fails in as many ways as there are protocols
                remark = f"not ready: {_first_line(error)}"
        return Status(part.name, state.state, state.pid, numbers, ready, remark or state.complaint)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the home against another `up` or `down`."""
        with (self.site.home.run / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"another `up` or `down` is at work in {self.site.home.root}: wait until it is done"
                ) from None
            yield

    @property
    def _settled(self) -> Path:
        """Names the parts whose bootstrap is done since the supervisor was started."""
        return self.site.home.run / "settled"

    def _boot(self, report: Report, only: Sequence[str], free_ports: bool) -> None:
        for process in self._supervisor.leftovers():
            report(f"killing pid {process.pid}, left over by a supervisor that died")
            process.kill()
            process.wait(10)
        self._settled.write_text("")
        if free_ports:
            self._use_ports(ports.choose(self.site.settings.ports))
        elif ports_file(self.site.home).exists():
            self._use_ports(dict(self.site.settings.ports))
        for step in _selected(parts.steps(self.site), only):
            self._require_ports(step)
        self._supervisor.boot([self._program(part) for part in self._parts() if not part.absence()])

    def _require_ports(self, step: Step) -> None:
        if isinstance(step, Part):
            for name in step.port_names:
                ports.require_free(step.name, self.site.ports[name])

    def _use_ports(self, chosen: dict[str, int]) -> None:
        ports.remember(ports_file(self.site.home), chosen)
        self.site = replace(self.site, ports=chosen)

    def _environ_file(self, part: Part) -> Path:
        return self.site.home.conf / f"{part.name}.env"

    def _program(self, part: Part) -> Program:
        log = self.site.home.log_of(part.name)
        return Program(part.name, part.command(), self._environ_file(part), log, part.stop_signal)

    def _walk(self, steps: Sequence[Step], report: Report) -> None:
        """Do STEPS, each as soon as those it comes after are done; raise the first failure."""
        self._failed.clear()
        futures: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(steps)) as pool:
            for step in steps:
                before = [futures[name] for name in step.after if name in futures]
                futures[step.name] = pool.submit(self._do, step, before, report)
        for future in futures.values():
            error = future.exception()
            if error and not isinstance(error, _Abandoned):
                raise error

    def _do(self, step: Step, before: Sequence[Future[None]], report: Report) -> None:
        for future in before:
            if future.exception():
                raise _Abandoned
        began = time.monotonic()
        remark = ""
        try:
            if isinstance(step, Part):
                remark = self._bring_up(step)
            elif isinstance(step, Job):
                step.run()
        except BaseException:
            self._failed.set()
            raise
        report(f"{step.name:<18} {time.monotonic() - began:5.1f} s  {remark}".rstrip())

    def _bring_up(self, part: Part) -> str:
        """Start PART if it does not run, wait for it, and return what there is to say of it."""
        if missing := part.absence():
            return missing
        if not self._supervisor.state(part.name).is_running:
            self._require_ports(part)
            part.prepare()
            envfile.write(self._environ_file(part), part.environ())
            self._supervisor.start(part.name)
        self._await(part)
        if part.name not in self._settled.read_text().split():
            part.bootstrap()
            with self._settled.open("a") as settled:
                settled.write(f"{part.name}\n")
        return part.remark()

    def _await(self, part: Part) -> None:
        """Wait until PART answers; `StackError` with the end of its log if it dies or takes too long."""
        seconds = self.site.settings.deadlines[part.name]
        deadline = time.monotonic() + seconds
        while True:
            if self._failed.is_set():
                raise _Abandoned
            state = self._supervisor.state(part.name)
            if state.has_failed:
                raise StackError(f"{part.name} stopped while it started ({state.state}). {self._tail(part)}")
            try:
                return part.probe(state.started)
            except Exception as error:
                if time.monotonic() > deadline:
                    complaint = f"{part.name} was not ready after {seconds:.0f} s: {_first_line(error)}"
                    raise StackError(f"{complaint}. {self._tail(part)}") from error
            time.sleep(0.1)

    def _tail(self, part: Part) -> str:
        log = self.site.home.log_of(part.name)
        lines = log.read_text(errors="replace").splitlines()[-LOG_TAIL:] if log.exists() else []
        return "\n".join([f"The end of {log}:", *(f"  | {line}" for line in lines)])


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _selected(steps: Sequence[Step], only: Sequence[str]) -> list[Step]:
    """STEPS, or those of them that are named in ONLY, and the jobs all of whose needs are."""
    if not only:
        return list(steps)
    known = {step.name for step in steps}
    if unknown := sorted(set(only) - known):
        raise StackError(f"no part is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    chosen: list[Step] = []
    for step in steps:
        implied = isinstance(step, Job) and set(step.needs) <= {other.name for other in chosen}
        if step.name in only or implied:
            chosen.append(step)
    return chosen
