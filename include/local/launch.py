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

# Set for a part's program and so for all that descends from it: which part's it is.
PART = "TESTENV_STACK_PART"


def main(arguments: list[str]) -> None:
    file, *command = arguments
    try:
        values = envfile.read(Path(file))
    except StackError as error:
        sys.exit(f"error: {error}")
    part = Path(file).stem
    _end_predecessor(part)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | values | {PART: part}
    os.execvpe(command[0], command, environ)


def _end_predecessor(part: str) -> None:
    """Kill what is left of the last program of this part, such as a scheduler's tasks when it was killed itself.

    Told by what they were started with: tasks leave the scheduler's process group.
    """
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            environ = process.environ()
            if environ.get(PART) == part and environ.get(MARK) == os.environ.get(MARK):
                process.kill()
        except psutil.Error:
            continue


if __name__ == "__main__":
    main(sys.argv[1:])
