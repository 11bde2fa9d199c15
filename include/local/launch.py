"""Becomes another program with the environment of a file: `python -m local.launch FILE PROGRAM ARGUMENT…`.

The supervisor starts every part through this, so that secrets stand in files of mode 0600 and in no command line, and a
part that is restarted reads its environment anew.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local import envfile
from local.errors import StackError


def main(arguments: list[str]) -> None:
    file, *command = arguments
    try:
        values = envfile.read(Path(file))
    except StackError as error:
        sys.exit(f"error: {error}")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | values
    os.execvpe(command[0], command, environ)


if __name__ == "__main__":
    main(sys.argv[1:])
