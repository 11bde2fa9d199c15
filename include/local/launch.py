"""Becomes another program with the environment of a file: `python -m local.launch FILE PROGRAM ARGUMENT…`.

The supervisor starts every part through this, so that secrets stand in files of mode 0600 and in no command line, a
part that is restarted reads its environment anew, and what its predecessor left behind is gone before it starts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

from local import envfile
from local.errors import StackError

# Set for the supervisor and so for all that descends from it, and for nothing else: how a stack knows its own.
MARK = "TESTENV_STACK_MARK"


def main(arguments: list[str]) -> None:
    file, *command = arguments
    try:
        values = envfile.read(Path(file))
    except StackError as error:
        sys.exit(f"error: {error}")
    _replace_predecessor(Path(file).with_suffix(".pid"))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | values
    os.execvpe(command[0], command, environ)


def _replace_predecessor(pid_file: Path) -> None:
    """Kill what is left of the last program of this part, such as a scheduler's workers when it was killed itself.

    The supervisor makes each program the leader of a process group. Its number may be somebody else's by now, so only
    processes that bear this stack's mark are touched.
    """
    if pid_file.exists():
        group = int(pid_file.read_text())
        for process in psutil.process_iter():
            if process.pid == os.getpid():
                continue
            try:
                if os.getpgid(process.pid) == group and process.environ().get(MARK) == os.environ.get(MARK):
                    process.kill()
            except (psutil.Error, ProcessLookupError):
                continue
    pid_file.write_text(str(os.getpid()))


if __name__ == "__main__":
    main(sys.argv[1:])
