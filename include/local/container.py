"""One step of the stack as the main program of a container: `python -m local.container part|job|probe NAME`.

With docker-compose.yaml, Docker does what supervisord does otherwise: it orders the steps by their health, keeps the
logs and starts again what stopped. The steps themselves are the same, on the same loopback ports (the containers share
the host's network), with one volume as their home.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from local.errors import StackError
from local.parts import Job, Part, Step, steps
from local.settings import Settings
from local.site import Site


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.container", description=__doc__)
    parser.add_argument("command", choices=("part", "job", "probe"))
    parser.add_argument("name", metavar="NAME")
    options = parser.parse_args(arguments)
    site = Site.open(Path(os.environ["TESTENV_HOME"]), Settings.load())
    step = next((step for step in steps(site) if step.name == options.name), None)
    try:
        return _run(options.command, options.name, step)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(command: str, name: str, step: Step | None) -> int:
    match command, step:
        case "job", Job():
            step.run()
            return 0
        case "part", Part():
            return _keep(step)
        case "probe", Part():
            return _probe(step)
    raise StackError(
        f"there is no {'job' if command == 'job' else 'part'} called {name}; see include/local/parts/__init__.py"
    )


def _keep(part: Part) -> int:
    """Run PART in the foreground, bootstrap it once it answers, and return its exit code."""
    _ready_file(part).unlink(missing_ok=True)
    part.prepare()
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | part.environ()
    started = int(time.time())
    with subprocess.Popen(part.command(), env=environ) as program:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: program.send_signal(getattr(signal, f"SIG{part.stop_signal}")))
        _await(part, program, started)
        part.bootstrap()
        _ready_file(part).write_text(str(started))
        return program.wait()


def _await(part: Part, program: subprocess.Popen[bytes], started: int) -> None:
    deadline = time.monotonic() + part.site.settings.deadlines[part.name]
    while program.poll() is None:
        try:
            return part.probe(started)
        except Exception as error:
            if time.monotonic() > deadline:
                program.kill()
                raise StackError(f"{part.name} was not ready in time: {error}") from error
        time.sleep(0.2)
    raise StackError(f"{part.name} stopped while it started, with exit code {program.returncode}")


def _probe(part: Part) -> int:
    """0 if PART is bootstrapped and answers; for `healthcheck`."""
    ready = _ready_file(part)
    if not ready.exists():
        return 1
    try:
        part.probe(int(ready.read_text()))
    except Exception as error:  # noqa: BLE001 - a probe fails in as many ways as there are protocols
        print(error, file=sys.stderr)
        return 1
    return 0


def _ready_file(part: Part) -> Path:
    return part.site.home.run / f"{part.name}.ready"


if __name__ == "__main__":
    sys.exit(main())
